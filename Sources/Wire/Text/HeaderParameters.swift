/// One `name` or `name=value` in a header field.
package struct HeaderParameter: Equatable, Sendable {
    package var name: String
    /// Nil where the peer wrote the name alone; quotes are removed.
    package var value: String?

    package init(_ name: String, _ value: String? = nil) {
        self.name = name
        self.value = value
    }
}

/// The parameters of a header field in the order they came: `;`-separated in SIP, `,`-separated in digest fields.
package struct HeaderParameters: Equatable, Sendable {
    package var items: [HeaderParameter]

    package init(_ items: [HeaderParameter] = []) {
        self.items = items
    }

    /// Reads `a=b;c;d="e f"`. Empty pieces are skipped, quotes are removed, nothing is refused.
    package init(parsing text: Substring, separator: UInt8) {
        items = []
        for piece in HeaderText.split(text, separator: separator) {
            guard let equals = piece.utf8.firstIndex(of: UInt8(ascii: "=")) else {
                items.append(HeaderParameter(String(piece)))
                continue
            }
            let name = HeaderText.trim(piece[..<equals])
            let value = HeaderText.trim(piece[piece.utf8.index(after: equals)...])
            items.append(HeaderParameter(String(name), HeaderText.unquote(value)))
        }
    }

    /// The value of the first parameter of that name, whatever its case; `""` where it has no value, nil where it is absent.
    package subscript(_ name: String) -> String? {
        for item in items where HeaderText.isEqual(item.name, name) {
            return item.value ?? ""
        }
        return nil
    }

    /// Replaces the first parameter of that name or appends one.
    package mutating func set(_ name: String, _ value: String?) {
        if let index = items.firstIndex(where: { HeaderText.isEqual($0.name, name) }) {
            items[index].value = value
        } else {
            items.append(HeaderParameter(name, value))
        }
    }
}

/// Small operations on header text that every text protocol shares.
package enum HeaderText {
    /// Compares ASCII letters without case, other bytes exactly.
    package static func isEqual(_ left: String, _ right: String) -> Bool {
        let left = left.utf8
        let right = right.utf8
        guard left.count == right.count else { return false }
        var other = right.makeIterator()
        for byte in left {
            guard let second = other.next(), lowercase(byte) == lowercase(second) else { return false }
        }
        return true
    }

    @inlinable
    package static func lowercase(_ byte: UInt8) -> UInt8 {
        byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
    }

    /// Removes blanks, tabs and line ends at both sides.
    package static func trim(_ text: Substring) -> Substring {
        let utf8 = text.utf8
        var start = utf8.startIndex
        var end = utf8.endIndex
        while start < end, utf8[start] <= 0x20 { start = utf8.index(after: start) }
        while start < end {
            let before = utf8.index(before: end)
            guard utf8[before] <= 0x20 else { break }
            end = before
        }
        return text[start..<end]
    }

    /// Removes a pair of double quotes and the backslashes inside it.
    package static func unquote(_ text: Substring) -> String {
        let utf8 = text.utf8
        guard utf8.first == UInt8(ascii: "\"") else { return String(text) }
        var inner = text.dropFirst()
        if inner.utf8.last == UInt8(ascii: "\"") { inner = inner.dropLast() }
        guard inner.utf8.contains(UInt8(ascii: "\\")) else { return String(inner) }
        var bytes: [UInt8] = []
        var escaped = false
        for byte in inner.utf8 {
            if byte == UInt8(ascii: "\\"), !escaped {
                escaped = true
                continue
            }
            escaped = false
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// In double quotes, with backslashes where they are needed.
    package static func quote(_ text: String) -> String {
        DigestText.quote(text)
    }

    /// Splits at a separator that stands outside of quotes and angle brackets; pieces are trimmed, empty ones left out.
    package static func split(_ text: Substring, separator: UInt8) -> [Substring] {
        var pieces: [Substring] = []
        let utf8 = text.utf8
        var start = utf8.startIndex
        var index = start
        var quoted = false
        var depth = 0
        while index < utf8.endIndex {
            let byte = utf8[index]
            if quoted {
                if byte == UInt8(ascii: "\\") {
                    index = utf8.index(after: index)
                    if index == utf8.endIndex { break }
                } else if byte == UInt8(ascii: "\"") {
                    quoted = false
                }
            } else if byte == UInt8(ascii: "\"") {
                quoted = true
            } else if byte == UInt8(ascii: "<") {
                depth += 1
            } else if byte == UInt8(ascii: ">") {
                depth = max(0, depth - 1)
            } else if byte == separator, depth == 0 {
                let piece = trim(text[start..<index])
                if !piece.isEmpty { pieces.append(piece) }
                start = utf8.index(after: index)
            }
            index = utf8.index(after: index)
        }
        if start < utf8.endIndex {
            let piece = trim(text[start...])
            if !piece.isEmpty { pieces.append(piece) }
        }
        return pieces
    }
}
