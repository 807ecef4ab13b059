package import Wire

/// A `sip:` URI. GB/T 28181 identifies by the user part only; the host may be a domain, an address or a placeholder.
package struct SIPURI: Hashable, Sendable {
    package var scheme: String
    package var user: String
    /// Without brackets for IPv6.
    package var host: String
    package var port: Int?
    /// What follows the host, with its leading `;` or `?`.
    package var suffix: String

    package init(user: String, host: String, port: Int? = nil, scheme: String = "sip", suffix: String = "") {
        self.scheme = scheme
        self.user = user
        self.host = host
        self.port = port
        self.suffix = suffix
    }

    /// Accepts a missing scheme, a missing user, an empty host. Nil only for empty text and for text with line ends.
    package init?(_ text: String) {
        let trimmed = HeaderText.trim(text[...])
        guard !trimmed.isEmpty, !trimmed.utf8.contains(where: { $0 == 13 || $0 == 10 }) else { return nil }
        var rest = trimmed
        scheme = "sip"
        for candidate in ["sip:", "sips:", "tel:"]
        where rest.utf8.count >= candidate.utf8.count
            && HeaderText.isEqual(String(rest.prefix(candidate.count)), candidate)
        {
            scheme = String(candidate.dropLast())
            rest = rest.dropFirst(candidate.count)
            break
        }
        user = ""
        if let at = rest.utf8.firstIndex(of: UInt8(ascii: "@")) {
            // A password in the user part has no use here and must not reach a log.
            user = String(rest[..<at].prefix { $0 != ":" })
            rest = rest[rest.utf8.index(after: at)...]
        }
        let end = rest.utf8.firstIndex { $0 == UInt8(ascii: ";") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
        suffix = String(rest[end...])
        (host, port) = Self.hostAndPort(HeaderText.trim(rest[..<end]))
    }

    /// Splits `host`, `host:port`, `[v6]:port`.
    static func hostAndPort(_ text: Substring) -> (host: String, port: Int?) {
        if text.utf8.first == UInt8(ascii: "["), let close = text.utf8.firstIndex(of: UInt8(ascii: "]")) {
            let host = String(text[text.index(after: text.startIndex)..<close])
            let rest = text[text.index(after: close)...]
            return (host, rest.utf8.first == UInt8(ascii: ":") ? port(rest.dropFirst()) : nil)
        }
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { return (String(text), nil) }
        return (String(text[..<colon]), port(text[text.utf8.index(after: colon)...]))
    }

    private static func port(_ text: Substring) -> Int? {
        guard let number = Int(HeaderText.trim(text)), (1...65535).contains(number) else { return nil }
        return number
    }

    /// IPv6 addresses get their brackets.
    package static func bracketed(_ host: String) -> String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
    }

    package var text: String {
        var text = scheme + ":"
        if !user.isEmpty { text += user + "@" }
        text += Self.bracketed(host)
        if let port { text += ":\(port)" }
        return text + suffix
    }
}

/// `"name" <uri>;parameters`: the value of From, To and Contact.
package struct SIPAddress: Equatable, Sendable {
    package var displayName: String
    package var uri: SIPURI
    package var parameters: HeaderParameters

    package init(uri: SIPURI, tag: String? = nil) {
        displayName = ""
        self.uri = uri
        parameters = HeaderParameters(tag.map { [HeaderParameter("tag", $0)] } ?? [])
    }

    /// Reads both forms. Without `<>` what follows the first `;` belongs to the header field, not to the URI (RFC 3261 20.10).
    package init?(_ value: String) {
        let text = HeaderText.trim(value[...])
        guard text != "*" else { return nil }
        if let open = Self.openingBracket(text) {
            let afterOpen = text.index(after: open)
            let close = text[afterOpen...].utf8.firstIndex(of: UInt8(ascii: ">")) ?? text.endIndex
            guard let uri = SIPURI(String(text[afterOpen..<close])) else { return nil }
            self.uri = uri
            displayName = HeaderText.unquote(HeaderText.trim(text[..<open]))
            let rest = close < text.endIndex ? text[text.index(after: close)...] : ""
            parameters = HeaderParameters(parsing: rest, separator: UInt8(ascii: ";"))
        } else {
            let end = text.utf8.firstIndex(of: UInt8(ascii: ";")) ?? text.endIndex
            guard let uri = SIPURI(String(text[..<end])) else { return nil }
            self.uri = uri
            displayName = ""
            parameters = HeaderParameters(parsing: text[end...], separator: UInt8(ascii: ";"))
        }
    }

    private static func openingBracket(_ text: Substring) -> Substring.Index? {
        var quoted = false
        for index in text.utf8.indices {
            switch text.utf8[index] {
            case UInt8(ascii: "\""): quoted.toggle()
            case UInt8(ascii: "<") where !quoted: return index
            default: break
            }
        }
        return nil
    }

    /// Nil where the peer gave none.
    package var tag: String? {
        get { parameters["tag"].flatMap { $0.isEmpty ? nil : $0 } }
        set { newValue.map { parameters.set("tag", $0) } }
    }

    package var headerValue: String {
        var text = displayName.isEmpty ? "" : "\"\(displayName.filter { $0 != "\"" && $0 != "\\" })\" "
        text += "<\(uri.text)>"
        for parameter in parameters.items {
            text += ";" + parameter.name
            if let value = parameter.value { text += "=" + value }
        }
        return text
    }
}
