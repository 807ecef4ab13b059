import Wire

/// What the URL of a SETUP names when a stream is played: its description has controls `trackID=N`, which clients join with
/// the base URL in several ways.
package struct RTSPTrackURL: Hashable, Sendable {
    package enum Fault: Error, Hashable, Sendable {
        /// No track, or none that is a number. VLC comes here after a first attempt that failed.
        case noTrack
        case address(StreamAddress.Fault)

        package var explanation: String {
            switch self {
            case .noTrack: "the URL of SETUP must end in trackID=N or in a slash"
            case .address(let fault): fault.explanation
            }
        }
    }

    package var address: StreamAddress
    /// Whether there are so many is the session's to know.
    package var track: Int
    /// The URL without the control.
    package var base: RTSPURL

    package init(_ url: RTSPURL) throws(Fault) {
        var base = url
        let query = url.query ?? ""
        let querySlash = query.utf8.lastIndex(of: UInt8(ascii: "/"))
        let pathSlash = url.path.utf8.lastIndex(of: UInt8(ascii: "/"))
        if let slash = querySlash, let number = try Self.number(query[query.utf8.index(after: slash)...]) {
            // FFmpeg puts the control behind the query: /path?query/trackID=1.
            track = number
            base.query = String(query[..<slash])
        } else if let slash = pathSlash, let number = try Self.number(url.path[url.path.utf8.index(after: slash)...]) {
            // The form of the specification, and GStreamer's: /path/trackID=1?query.
            track = number
            base.path = String(url.path[..<slash])
        } else if query.last == "/" {
            // A reader of one track, with the base URL: FFmpeg with MPEG-TS.
            track = 0
            base.query?.removeLast()
        } else if url.path.last == "/" {
            track = 0
            base.path.removeLast()
        } else {
            throw .noTrack
        }
        self.base = base
        do throws(StreamAddress.Fault) {
            address = try base.address()
        } catch {
            throw .address(error)
        }
    }

    /// Nil where the text is no control at all.
    private static func number(_ control: some StringProtocol) throws(Fault) -> Int? {
        let parts = control.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        // streamid is lal's.
        guard parts.count == 2, ["trackid", "streamid"].contains(parts[0].lowercased()) else { return nil }
        guard parts[1].utf8.count <= 4, parts[1].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            let number = Int(parts[1])
        else { throw .noTrack }
        return number
    }
}

/// Which media of an announced description the URL of a SETUP names.
struct RTSPAnnouncedMedia: Hashable, Sendable {
    private let base: RTSPURL
    private let controls: [String?]

    /// - Parameter base: the URL of ANNOUNCE.
    init(base: RTSPURL, controls: [String?]) {
        self.base = base
        self.controls = controls
    }

    var count: Int { controls.count }

    /// Nil where it names none. Of several medias that it fits, as those without a control, the first that is not set up.
    func index(of url: RTSPURL, isSetUp: (Int) -> Bool) -> Int? {
        let fitting = controls.indices.filter { fits(url, controls[$0] ?? "") }
        return fitting.first { !isSetUp($0) } ?? fitting.first
    }

    private func fits(_ url: RTSPURL, _ control: String) -> Bool {
        let path = Self.plain(url.path)
        if control.contains("://") {
            // The client's own idea of the server's address, which need not be ours.
            guard let absolute = try? RTSPURL(control) else { return false }
            return path == Self.plain(absolute.path) && fits(query: url.query, absolute.query)
        }
        let name = control == "*" ? "" : Self.plain("/" + control.drop { $0 == "/" })
        if path == Self.plain(base.path) + name { return fits(query: url.query, base.query) }
        // FFmpeg: behind the query.
        return path == Self.plain(base.path) && Self.plain(url.query ?? "") == Self.plain(base.query ?? "") + name
    }

    /// A client may leave the query out, or add one.
    private func fits(query: String?, _ expected: String?) -> Bool {
        guard let query, !query.isEmpty, let expected, !expected.isEmpty else { return true }
        return Self.plain(query) == Self.plain(expected)
    }

    private static func plain(_ text: some StringProtocol) -> String {
        var text = PercentEncoding.decode(Substring(text)) ?? String(text)
        while text.last == "/" { text.removeLast() }
        return text
    }
}
