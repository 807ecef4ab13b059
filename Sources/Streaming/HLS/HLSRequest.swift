package import Media

/// What an HLS request asks for, in all forms of lal and our own:
///
/// - `/hls/camera1.m3u8`, `/hls/camera1/playlist.m3u8`, `/hls/<any>/camera1.m3u8`: the live playlist of MPEG-TS
/// - `/hls/camera1/record.m3u8`: everything recorded
/// - `/hls/camera1/camera1-<ms>-<n>.ts`, `/hls/camera1-<ms>-<n>.ts`: a segment
/// - `/hls/camera1/index.m3u8`, `/hls/camera1/ll.m3u8`: fragmented MP4, the multivariant and the media playlist
/// - `/hls/camera1/<prefix>-….mp4`, `/hls/camera1/<prefix>-….m4s`: its files
package struct HLSRequest: Hashable, Sendable {
    package enum Resource: Hashable, Sendable {
        case livePlaylist
        case recordPlaylist
        case multivariantPlaylist
        case mediaPlaylist
        /// By its name, percent-decoded.
        case media(String)
    }

    package enum Fault: Error, Hashable, Sendable {
        /// The path does not begin as those of HLS do: it is for somebody else.
        case elsewhere
        /// None of the forms: 404.
        case unknown
        /// A `%` that two hexadecimal digits do not follow, or bytes that are no UTF-8: 400.
        case badEncoding
        /// 400.
        case name(StreamAddress.Fault)
        /// 400.
        case directive(String)

        package var explanation: String {
            switch self {
            case .elsewhere, .unknown: "the path is none of HLS, such as /hls/camera1.m3u8"
            case .badEncoding: "the path is not percent-encoded UTF-8"
            case .name(let fault): fault.explanation
            case .directive(let name): "\(name) is not a decimal number"
            }
        }

        /// Of HTTP.
        package var status: Int {
            switch self {
            case .elsewhere, .unknown: 404
            case .badEncoding, .name, .directive: 400
            }
        }
    }

    package var stream: String
    package var resource: Resource
    package var directives: HLSDirectives
    /// As it stands in the request, without `?`; empty when there is none.
    package var query: String

    /// - Parameters:
    ///   - target: the request target as it stands in the request line; an absolute URL is taken too (RFC 9112 3.2.2).
    ///   - prefix: lal's `url_pattern`, which begins and ends with a slash.
    package init(target: String, prefix: String = "/hls/") throws(Fault) {
        let target = RequestTarget(target)
        guard target.path.utf8.starts(with: prefix.utf8) else { throw .elsewhere }
        let items: [String]
        do throws(RequestTarget.BadEncoding) {
            items = try RequestTarget.items(
                of: target.path[target.path.utf8.index(target.path.startIndex, offsetBy: prefix.utf8.count)...]
            )
        } catch {
            throw .badEncoding
        }
        for item in items { try Self.check(item) }
        guard let file = items.last, items.count <= 2 else { throw .unknown }
        (stream, resource) = try Self.resource(file, folder: items.count == 2 ? items[0] : nil)
        // The name of a file without its extension may be none of a stream's, as `..` of `...m3u8`.
        try Self.check(stream)
        query = String(target.query)
        directives = try HLSDirectives(query: query)
    }

    /// The query that the URIs of a playlist are given, for tokens: without the directives, and escaped so that it breaks
    /// neither a line nor a quoted string.
    package var childQuery: String { HLSQuery.forChildren(query) }

    private static func check(_ name: String) throws(Fault) {
        // A question mark begins the query in every protocol.
        guard !name.utf8.contains(UInt8(ascii: "?")) else { throw .name(.forbidden) }
        do throws(StreamAddress.Fault) {
            try StreamAddress.check(name)
        } catch {
            throw .name(error)
        }
    }

    private static func resource(_ file: String, folder: String?) throws(Fault) -> (String, Resource) {
        guard let dot = file.utf8.lastIndex(of: UInt8(ascii: ".")), dot != file.startIndex else { throw .unknown }
        let base = String(file[..<dot])
        switch (file[file.utf8.index(after: dot)...].lowercased(), folder) {
        case ("m3u8", let folder?):
            switch base {
            case "playlist": return (folder, .livePlaylist)
            case "record": return (folder, .recordPlaylist)
            case "index": return (folder, .multivariantPlaylist)
            case "ll": return (folder, .mediaPlaylist)
            // lal goes by the name of the file.
            default: return (base, .livePlaylist)
            }
        case ("m3u8", nil):
            return (base, .livePlaylist)
        case ("ts", let folder?), ("mp4", let folder?), ("m4s", let folder?):
            return (folder, .media(file))
        case ("ts", nil):
            guard let stream = stream(ofSegment: base) else { throw .unknown }
            return (stream, .media(file))
        default:
            throw .unknown
        }
    }

    /// `<stream>-<ms>-<n>`: the name of a stream may hold hyphens and numbers too.
    private static func stream(ofSegment base: String) -> String? {
        var rest = base[...]
        for _ in 0..<2 {
            guard let hyphen = rest.utf8.lastIndex(of: UInt8(ascii: "-")) else { return nil }
            let number = rest[rest.utf8.index(after: hyphen)...]
            guard !number.isEmpty, number.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            rest = rest[..<hyphen]
        }
        return rest.isEmpty ? nil : String(rest)
    }
}
