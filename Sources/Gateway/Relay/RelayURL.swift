internal import Streaming

/// Where a relay pulls from or pushes to. It never prints its secrets: not by interpolation, not in JSON.
package struct RelayURL: Hashable, Sendable {
    package enum Form: Hashable, Sendable {
        /// rtmp, rtmps.
        case rtmp
        /// FLV over http, https, ws or wss.
        case flv
        /// rtsp, rtsps. The path may be empty: many cameras have but one stream.
        case rtsp
    }

    /// As it was given, with its secrets.
    package let text: String
    package let form: Form
    package let scheme: String
    /// Lower case; an IPv6 address without brackets.
    package let host: String
    package let port: Int
    /// The path's items without the last; percent-encoding stays.
    package let app: String
    /// The path's last item, for FLV without its extension; empty where an RTSP URL has none.
    package let stream: String

    private static let forms: [String: (form: Form, port: Int)] = [
        "rtmp": (.rtmp, 1935), "rtmps": (.rtmp, 443), "rtsp": (.rtsp, 554), "rtsps": (.rtsp, 322),
        "http": (.flv, 80), "https": (.flv, 443), "ws": (.flv, 80), "wss": (.flv, 443),
    ]

    /// Nil when the scheme is unknown, there is no host or no stream, or the port is none.
    package init?(_ text: String) {
        guard let colon = text.firstRange(of: "://"), text.utf8.count <= RTMPURL.maximumLength,
            text.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F })
        else { return nil }
        let scheme = text[..<colon.lowerBound].lowercased()
        guard let known = Self.forms[scheme] else { return nil }
        self.text = text
        self.form = known.form
        self.scheme = scheme
        if known.form == .rtmp {
            guard let url = try? RTMPURL(text), let name = url.stream.split(separator: "?").first else { return nil }
            host = url.host.lowercased()
            port = url.port
            app = String(url.app.prefix { $0 != "?" })
            stream = String(name)
            return
        }
        let target = text[colon.upperBound...].prefix { $0 != "?" && $0 != "#" }
        let slash = target.firstIndex(of: "/") ?? target.endIndex
        let authority = target[..<slash]
        let address = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        guard let (host, port) = Self.address(address, port: known.port) else { return nil }
        var items = target[slash...].split(separator: "/").map(String.init)
        var name = items.popLast() ?? ""
        if known.form == .flv, name.lowercased().hasSuffix(".flv") { name.removeLast(4) }
        guard !name.isEmpty || known.form == .rtsp else { return nil }
        self.host = host
        self.port = port
        app = items.joined(separator: "/")
        stream = name
    }

    private static func address(_ text: Substring, port standard: Int) -> (String, Int)? {
        var host = text
        var rest: Substring = ""
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            rest = text[text.index(after: end)...]
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            rest = text[colon...]
        }
        guard !host.isEmpty else { return nil }
        if rest.isEmpty { return (host.lowercased(), standard) }
        guard rest.hasPrefix(":"), let port = UInt16(rest.dropFirst()), port > 0 else { return nil }
        return (host.lowercased(), Int(port))
    }

    /// For logs, answers and statistics.
    package var redacted: String { URLText.redacted(text) }
}

extension RelayURL: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { redacted }
    package var debugDescription: String { redacted }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
