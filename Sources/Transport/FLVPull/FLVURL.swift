import Streaming
import Wire

/// The URL of an FLV stream on another server.
package struct FLVURL: Hashable, Sendable {
    package var isSecure: Bool
    package var isWebSocket: Bool
    package var host: String
    package var port: Int
    /// Path and query as they are asked for.
    package var target: String
    /// `user:password`, percent-decoded; nil when there is none.
    package var credentials: String?

    /// The URL without password and query, for the log.
    package let redacted: String

    package init(_ text: String) throws(RelayFault) {
        guard let mark = text.firstRange(of: "://") else {
            throw Self.fault("it must begin with http://, https://, ws:// or wss://")
        }
        let scheme = text[..<mark.lowerBound].lowercased()
        switch scheme {
        case "http", "ws": isSecure = false
        case "https", "wss": isSecure = true
        default: throw Self.fault("\(scheme.prefix(16)):// cannot carry FLV; http, https, ws and wss can")
        }
        isWebSocket = scheme.hasPrefix("ws")
        var rest = text[mark.upperBound...].prefix { $0 != "#" }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        target = String(rest[end...])
        if !target.hasPrefix("/") { target = "/" + target }
        rest = rest[..<end]
        if let at = rest.lastIndex(of: "@") {
            guard let decoded = PercentEncoding.decode(rest[..<at]) else {
                throw Self.fault("its user and password are not percent-encoded UTF-8")
            }
            credentials = decoded
            rest = rest[rest.index(after: at)...]
        }
        (host, port) = try Self.authority(rest, port: isSecure ? 443 : 80)
        guard target.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
            throw Self.fault("its path holds a space or a control character")
        }
        let name = host.contains(":") ? "[\(host)]" : host
        redacted = "\(scheme)://\(name):\(port)\(target.prefix { $0 != "?" })"
    }

    /// Of the Host header.
    var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    private static func authority(_ text: Substring, port: Int) throws(RelayFault) -> (host: String, port: Int) {
        var host = text
        var number: Substring?
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw fault("its host is malformed") }
            number = rest.isEmpty ? nil : rest.dropFirst()
        } else if let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            number = text[text.index(after: colon)...]
        }
        let isName = host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x5B && $0 != 0x5D }
        guard !host.isEmpty, host.utf8.count <= 255, isName else { throw fault("it names no host") }
        guard let number, !number.isEmpty else { return (String(host), port) }
        guard number.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(number), port > 0 else {
            throw fault("its port is none")
        }
        return (String(host), Int(port))
    }

    private static func fault(_ what: String) -> RelayFault {
        RelayFault(.protocolError, "the URL to pull from is of no use: \(what)")
    }
}
