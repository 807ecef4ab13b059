package import Media

/// What a client says in `connect` (RTMP 1.0 section 7.2.1.1 and Enhanced RTMP).
package struct RTMPConnectCommand: Hashable, Sendable {
    /// Without slashes at the ends and without a query.
    package var app: String
    /// Some clients put the URL's parameters behind the app.
    package var query: String
    package var tcURL: String
    package var flashVersion: String
    var objectEncoding: Double
    /// What the client can take.
    package var hevc: FLVHEVCFormat
    var isEnhanced: Bool

    init(_ command: RTMPCommand) throws(RTMPFault) {
        guard let properties = command.argument(0), let app = properties["app"]?.string else {
            throw .connectWithoutApp
        }
        let parts = app.split(separator: "?", maxSplits: 1)
        self.app = parts.first.map { $0.split(separator: "/").joined(separator: "/") } ?? ""
        query = parts.count > 1 ? String(parts[1]) : ""
        tcURL = properties["tcUrl"]?.string ?? ""
        flashVersion = properties["flashVer"]?.string ?? ""
        objectEncoding = properties["objectEncoding"]?.number ?? 0
        let codecs = RTMPEnhancement.codecs(in: properties)
        isEnhanced = !codecs.isEmpty || properties["capsEx"] != nil
        hevc = RTMPEnhancement.hevc(codecs)
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
