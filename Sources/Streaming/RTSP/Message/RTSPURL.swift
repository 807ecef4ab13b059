import Wire

/// `rtsp[s]://[user:password@]host[:port][/path][?query]`. Its description shows neither password nor query.
package struct RTSPURL: Hashable, Sendable, CustomStringConvertible {
    package enum Fault: Error, Hashable, Sendable {
        case scheme
        case host
        case port
        case tooLong
        /// A control character.
        case forbidden

        package var explanation: String {
            switch self {
            case .scheme: "the URL must begin with rtsp:// or rtsps://"
            case .host: "the URL names no host, or an IPv6 address without its closing bracket"
            case .port: "the port must be 1 to 65535"
            case .tooLong: "the URL is longer than \(RTSPReader.maximumURLLength) bytes"
            case .forbidden: "the URL holds a control character"
            }
        }
    }

    package var isTLS: Bool
    /// Without the brackets of an IPv6 address.
    package var host: String
    /// 554 or 322 (TLS) when the URL names none.
    package var port: Int
    /// As it is written, with its slash; empty for `rtsp://host`.
    package var path: String
    /// What follows the first `?` as it is written; nil without one.
    package var query: String?
    /// Percent-decoded; empty when there is none.
    package var user = ""
    package var password = ""

    package init(_ text: String) throws(Fault) {
        guard text.utf8.count <= RTSPReader.maximumURLLength else { throw .tooLong }
        guard text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else { throw .forbidden }
        guard let scheme = text.firstRange(of: "://") else { throw .scheme }
        switch text[..<scheme.lowerBound].lowercased() {
        // FFmpeg's and RealNetworks' names for "over UDP"; some players pass them on.
        case "rtsp", "rtspu": isTLS = false
        case "rtsps": isTLS = true
        default: throw .scheme
        }
        let rest = text[scheme.upperBound...]
        // By scalars: a mark behind a slash does not make it another letter.
        let end = rest.unicodeScalars.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        var authority = rest[..<end]
        // A password may hold an @: the last one ends it.
        if let at = authority.unicodeScalars.lastIndex(of: "@") {
            let colon = authority[..<at].unicodeScalars.firstIndex(of: ":")
            user = Self.decoded(authority[..<(colon ?? at)])
            password = colon.map { Self.decoded(authority[..<at].unicodeScalars[$0...].dropFirst()) } ?? ""
            authority = Substring(authority.unicodeScalars[at...].dropFirst())
        }
        (host, port) = try Self.hostAndPort(authority, defaultPort: Self.defaultPort(isTLS: isTLS))
        let target = rest[end...].unicodeScalars.prefix { $0 != "#" }
        let question = target.firstIndex(of: "?")
        path = String(target[..<(question ?? target.endIndex)])
        query = question.map { String(target[$0...].dropFirst()) }
    }

    package static func defaultPort(isTLS: Bool) -> Int { isTLS ? 322 : 554 }

    /// For requests: absolute, without user and password.
    package var text: String { origin + pathAndQuery }

    /// For logs and statistics: without user, password and query.
    package var redacted: String { origin + path }

    package var description: String { redacted }

    /// `rtsp://host[:port]`.
    package var origin: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return (isTLS ? "rtsps://" : "rtsp://") + name + (port == Self.defaultPort(isTLS: isTLS) ? "" : ":\(port)")
    }

    package var pathAndQuery: String { path + (query.map { "?" + $0 } ?? "") }

    /// Which stream it names; slashes at the end do not matter.
    ///
    /// - Throws: also for an escape that is none, and for an encoded slash, which would name another stream than it shows.
    package func address() throws(StreamAddress.Fault) -> StreamAddress {
        var items: [String] = []
        for item in path.split(separator: "/") {
            guard let decoded = PercentEncoding.decode(item) else { throw .forbidden }
            guard !decoded.contains("/"), !decoded.contains("?") else { throw .forbidden }
            items.append(decoded)
        }
        var address = try StreamAddress(path: items.joined(separator: "/"))
        address.query = query ?? ""
        return address
    }

    private static func hostAndPort(_ text: Substring, defaultPort: Int) throws(Fault) -> (String, Int) {
        var host = text
        var port: Substring = ""
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { throw .host }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.first == ":" else { throw .host }
            port = rest.dropFirst()
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        guard !host.isEmpty, !host.contains(" ") else { throw .host }
        guard !port.isEmpty else { return (String(host), defaultPort) }
        guard port.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = Int(port), (1...65535).contains(number)
        else { throw .port }
        return (String(host), number)
    }

    /// What is no valid escape stays as it is.
    private static func decoded(_ text: Substring) -> String {
        PercentEncoding.decode(text) ?? String(text)
    }

    private static func decoded(_ text: Substring.UnicodeScalarView) -> String {
        decoded(Substring(text))
    }
}
