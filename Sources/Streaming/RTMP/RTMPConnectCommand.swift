import Media

/// What a client says in `connect` (RTMP 1.0 section 7.2.1.1 and Enhanced RTMP).
struct RTMPConnectCommand: Hashable, Sendable {
    /// Without slashes at the ends and without a query.
    var app: String
    /// Some clients put the URL's parameters behind the app.
    var query: String
    var tcURL: String
    var flashVersion: String
    var objectEncoding: Double
    var hevc: FLVHEVCFormat
    var isEnhanced: Bool

    init(_ command: RTMPCommand) throws(RTMPFault) {
        guard let properties = command.argument(0), let app = properties["app"]?.string else {
            throw .connectWithoutApp
        }
        let parts = app.split(separator: "?", maxSplits: 1)
        self.app = String(parts.first ?? "")
        query = parts.count > 1 ? String(parts[1]) : ""
        tcURL = properties["tcUrl"]?.string ?? ""
        flashVersion = properties["flashVer"]?.string ?? ""
        objectEncoding = properties["objectEncoding"]?.number ?? 0
        let codecs = Self.codecs(properties)
        isEnhanced = !codecs.isEmpty
        hevc = codecs.contains("hvc1") || codecs.contains("*") ? .enhanced : .legacy
    }

    /// FourCCs of version 1 (a list) and of version 2 (names with what the client can do with each).
    private static func codecs(_ properties: AMF0Value) -> [String] {
        var names: [String] = []
        if case .strictArray(let values) = properties["fourCcList"] { names += values.compactMap(\.string) }
        switch properties["videoFourCcInfoMap"] {
        case .object(let codecs), .ecmaArray(let codecs): names += codecs.map(\.name)
        default: break
        }
        return names
    }

    func request(name: String) throws(StreamAddress.Fault) -> RTMPRequest {
        // Without the check, rtmp://host/camera1 would silently be the stream that the app's last item names.
        guard let last = name.split(separator: "?", omittingEmptySubsequences: false).first, !last.isEmpty else {
            throw .empty
        }
        var address = try StreamAddress(path: app + "/" + name)
        if address.query.isEmpty { address.query = query }
        return RTMPRequest(
            address: address,
            tcURL: tcURL,
            flashVersion: flashVersion,
            hevc: address.hevcFormat ?? hevc
        )
    }
}
