import NIOCore
import Wire

/// The header fields of a message in the order they came. There are a dozen: a search is quicker than a table.
package struct RTSPHeaders: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    package struct Field: Hashable, Sendable {
        /// In its canonical case.
        package let name: String
        package var value: String
    }

    package private(set) var fields: [Field] = []

    package init() {}

    package init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { add(name, value) }
    }

    /// The value of the first field of that name, whatever its case.
    package subscript(_ name: String) -> String? {
        for field in fields where HeaderText.isEqual(field.name, name) { return field.value }
        return nil
    }

    /// The values of all fields of that name.
    package func all(_ name: String) -> [String] {
        fields.filter { HeaderText.isEqual($0.name, name) }.map(\.value)
    }

    /// Appends a field; one of the same name stays.
    package mutating func add(_ name: String, _ value: String) {
        fields.append(Field(name: Self.canonicalName(name), value: value))
    }

    /// Replaces all fields of that name by one.
    package mutating func set(_ name: String, _ value: String) {
        remove(name)
        add(name, value)
    }

    package mutating func remove(_ name: String) {
        fields.removeAll { HeaderText.isEqual($0.name, name) }
    }

    /// Continues the value of the last field (RFC 822 folding).
    mutating func fold(_ text: String) {
        guard let last = fields.indices.last else { return }
        fields[last].value += fields[last].value.isEmpty ? text : " " + text
    }

    /// Its names in the case that clients know: some compare them exactly.
    static func canonicalName(_ name: String) -> String {
        for known in ["CSeq", "RTP-Info", "WWW-Authenticate"] where HeaderText.isEqual(known, name) { return known }
        var bytes: [UInt8] = []
        var begins = true
        for byte in name.utf8 {
            let lower = HeaderText.lowercase(byte)
            bytes.append(begins && lower >= 0x61 && lower <= 0x7A ? lower & 0xDF : lower)
            begins = byte == UInt8(ascii: "-")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Lines, without the empty one behind them.
    func write(into buffer: inout ByteBuffer) {
        for field in fields {
            Self.writeText(field.name, into: &buffer)
            buffer.writeString(": ")
            Self.writeText(field.value, into: &buffer)
            buffer.writeString("\r\n")
        }
    }

    /// What a peer wrote comes back in answers: it must not begin a line there.
    static func writeText(_ text: String, into buffer: inout ByteBuffer) {
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) {
            buffer.writeString(text)
        } else {
            buffer.writeBytes(text.utf8.lazy.map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 })
        }
    }
}
