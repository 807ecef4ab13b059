/// User and password in the clear (RFC 7617).
package struct BasicAuthorization: Equatable, Sendable {
    package var username: String
    package var password: String

    package init(username: String, password: String) {
        self.username = username
        self.password = password
    }

    /// Nil where the scheme is not Basic or its text no base64. A password may hold colons, a user cannot.
    package init?(parsing headerValue: String) {
        let value = HeaderText.trim(headerValue[...])
        guard let blank = value.utf8.firstIndex(of: 0x20), HeaderText.isEqual(String(value[..<blank]), "Basic"),
            let bytes = Base64.decode(String(HeaderText.trim(value[blank...])))
        else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        username = String(text[..<colon])
        password = String(text[text.utf8.index(after: colon)...])
    }

    /// The header field's value.
    package var headerValue: String { "Basic " + Base64.encode(Array("\(username):\(password)".utf8)) }
}

/// Comparisons of secrets, which take as long whatever they find.
package enum ConstantTime {
    package static func isEqual(_ left: String, _ right: String) -> Bool {
        let left = Array(left.utf8)
        let right = Array(right.utf8)
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for index in left.indices { difference |= left[index] ^ right[index] }
        return difference == 0
    }
}
