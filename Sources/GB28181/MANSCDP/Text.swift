extension String {
    /// Equal but for the case of ASCII letters.
    func matchesIgnoringCase(_ other: String) -> Bool {
        if self == other { return true }
        guard utf8.count == other.utf8.count else { return false }
        return zip(utf8, other.utf8).allSatisfy { $0.asciiLowercased == $1.asciiLowercased }
    }

    /// Without white space and control characters at either end.
    var trimmed: String {
        guard let first = utf8.first, let last = utf8.last else { return self }
        if first > UInt8(ascii: " "), last > UInt8(ascii: " ") { return self }
        let start = utf8.firstIndex { $0 > UInt8(ascii: " ") }
        let end = utf8.lastIndex { $0 > UInt8(ascii: " ") }
        guard let start, let end else { return "" }
        return String(self[start...end])
    }
}

extension UInt8 {
    var asciiLowercased: UInt8 {
        self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") ? self | 0x20 : self
    }

    /// A byte that XML names are made of; all above ASCII count, since we do not judge names.
    var isXMLNameByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: ":"), 0x80...0xFF:
            true
        default: false
        }
    }
}
