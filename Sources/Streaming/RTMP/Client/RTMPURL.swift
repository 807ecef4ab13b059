/// Where a stream of another RTMP server is: `rtmp[s]://[user:password@]host[:port]/app[/…]/stream[?query]`.
///
/// The application is everything before the last path item, as FFmpeg splits short paths. A query belongs to the stream's name and
/// is passed on as it is. Its description shows neither password nor query.
package struct RTMPURL: Hashable, Sendable, CustomStringConvertible {
    package enum Fault: Error, Hashable, Sendable {
        case scheme
        case host
        case port
        /// `rtmp://host/name`: lal would take the name for the application and ask for a stream without a name.
        case noStream
        case tooLong
        /// A control character or a blank.
        case forbidden

        package var explanation: String {
            switch self {
            case .scheme: "the URL must begin with rtmp:// or rtmps://"
            case .host: "the URL names no host, or an IPv6 address without its closing bracket"
            case .port: "the port must be 1 to 65535"
            case .noStream: "the URL names no stream: it must be rtmp://host/app/stream"
            case .tooLong: "the URL is longer than \(RTMPURL.maximumLength) bytes"
            case .forbidden: "the URL holds a control character or a blank"
            }
        }
    }

    package static let maximumLength = 4096

    package var isTLS: Bool
    /// Without the brackets of an IPv6 address.
    package var host: String
    /// 1935 or 443 (TLS) when the URL names none.
    package var port: Int
    /// May hold several items, and a query where the URL has one there.
    package var app: String
    /// With its query.
    package var stream: String
    /// Percent-decoded; empty when there is none.
    package var user = ""
    package var password = ""

    package init(
        isTLS: Bool = false,
        host: String,
        port: Int? = nil,
        app: String,
        stream: String,
        user: String = "",
        password: String = ""
    ) {
        self.isTLS = isTLS
        self.host = host
        self.port = port ?? Self.defaultPort(isTLS: isTLS)
        self.app = app
        self.stream = stream
        self.user = user
        self.password = password
    }

    package init(_ text: String) throws(Fault) {
        guard text.utf8.count <= Self.maximumLength else { throw .tooLong }
        guard text.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F }) else { throw .forbidden }
        guard let (scheme, rest) = Self.cut(text[...], at: "://") else { throw .scheme }
        switch scheme.lowercased() {
        case "rtmp": isTLS = false
        case "rtmps": isTLS = true
        default: throw .scheme
        }
        let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        var authority = rest[..<authorityEnd]
        // A password may hold an @: the last one ends it.
        if let at = authority.lastIndex(of: "@") {
            let (name, word) = Self.cut(authority[..<at], at: ":") ?? (authority[..<at], "")
            user = Self.percentDecoded(name)
            password = Self.percentDecoded(word)
            authority = authority[authority.index(after: at)...]
        }
        (host, port) = try Self.hostAndPort(authority, defaultPort: Self.defaultPort(isTLS: isTLS))
        (app, stream) = try Self.appAndStream(rest[authorityEnd...])
    }

    /// What `connect` names as `tcUrl`.
    package var tcURL: String { "\(scheme)://\(hostAndPort)/\(app)" }

    /// For logs and statistics: without user, password and query.
    package var redacted: String {
        "\(scheme)://\(hostAndPort)/\(Self.withoutQuery(app))/\(Self.withoutQuery(stream))"
    }

    package var description: String { redacted }

    /// `host:port`, an IPv6 address in brackets.
    package var hostAndPort: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }

    /// What follows the first `?` of the stream's name.
    package var query: String {
        Self.cut(stream[...], at: "?").map { String($0.1) } ?? ""
    }

    private var scheme: String { isTLS ? "rtmps" : "rtmp" }

    private static func defaultPort(isTLS: Bool) -> Int { isTLS ? 443 : 1935 }

    private static func hostAndPort(_ text: Substring, defaultPort: Int) throws(Fault) -> (String, Int) {
        var host = text
        var port: Substring?
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { throw .host }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.first == ":" else { throw .host }
            if !rest.isEmpty { port = rest.dropFirst() }
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        guard !host.isEmpty else { throw .host }
        guard let port, !port.isEmpty else { return (String(host), defaultPort) }
        guard port.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = Int(port), (1...65535).contains(number)
        else { throw .port }
        return (String(host), number)
    }

    /// - Parameter text: path and query.
    private static func appAndStream(_ text: Substring) throws(Fault) -> (String, String) {
        let (path, query) = cut(text, at: "?") ?? (text, "")
        var items = path.split(separator: "/")
        guard let last = items.popLast() else { throw .noStream }
        let hasQuery = path.endIndex != text.endIndex
        if items.isEmpty {
            // SRS's way to name a virtual host: rtmp://host/app?vhost=name/stream.
            guard hasQuery, let slash = query.lastIndex(of: "/") else { throw .noStream }
            let stream = query[query.index(after: slash)...]
            guard !stream.isEmpty else { throw .noStream }
            return ("\(last)?\(query[..<slash])", String(stream))
        }
        return (items.joined(separator: "/"), hasQuery ? "\(last)?\(query)" : String(last))
    }

    private static func withoutQuery(_ text: String) -> Substring {
        cut(text[...], at: "?")?.0 ?? text[...]
    }

    private static func cut(_ text: Substring, at separator: String) -> (Substring, Substring)? {
        guard let range = text.firstRange(of: separator) else { return nil }
        return (text[..<range.lowerBound], text[range.upperBound...])
    }

    /// What is no valid escape stays as it is.
    private static func percentDecoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(code)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
