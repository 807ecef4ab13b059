/// URLs as texts: what may be shown of them, and what their queries say.
package enum URLText {
    /// The URL without what opens something: user and password, and the values of all parameters.
    /// `rtmp://u:p@host/app/s?lal_secret=1` is `rtmp://***@host/app/s?lal_secret=***`.
    package static func redacted(_ url: String) -> String {
        let parts = url.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var text = String(parts.first ?? "")
        let authority = text.firstRange(of: "://")?.upperBound ?? text.startIndex
        let end = text[authority...].firstIndex(of: "/") ?? text.endIndex
        // The last @ of the whole text, should a password hold a slash.
        let last = text[authority..<end].lastIndex(of: "@") ?? text[authority...].lastIndex(of: "@")
        if let last { text.replaceSubrange(authority..<last, with: "***") }
        guard parts.count > 1 else { return text }
        let parameters = parts[1].split(separator: "&").map { parameter in
            let pair = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return pair.count > 1 ? "\(pair[0])=***" : "***"
        }
        return "\(text)?\(parameters.joined(separator: "&"))"
    }

    /// The first value of a parameter, percent-decoded; nil when the query does not have it.
    package static func parameter(_ name: String, of query: some StringProtocol) -> String? {
        for parameter in query.split(separator: "&") {
            let pair = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if String(pair[0]) == name { return decoded(pair.count > 1 ? String(pair[1]) : "") }
        }
        return nil
    }

    /// `+` is a blank, `%41` an A. What is no encoding stays as it is.
    private static func decoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "+") {
                bytes.append(UInt8(ascii: " "))
            } else if byte == UInt8(ascii: "%"),
                rest.count > 1,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
