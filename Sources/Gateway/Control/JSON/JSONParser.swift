/// Why a text is no JSON document, and where.
package struct JSONTextError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Both begin at 1; the column counts bytes.
    package let line: Int
    package let column: Int
    /// What was expected and what stands there.
    package let reason: String

    package var description: String { "line \(line), column \(column): \(reason)" }
}

extension JSONValue {
    /// Reads JSON (RFC 8259), or with `json5` also comments, trailing commas, names without quotes and strings in
    /// single quotes. Foundation's decoder reads the same but does not say where a mistake is.
    ///
    /// Of a name that occurs twice the last value counts. Nesting is limited to 32 levels.
    package init(parsing bytes: some Collection<UInt8>, json5: Bool = false) throws(JSONTextError) {
        var parser = JSONParser(bytes: Array(bytes), json5: json5)
        self = try parser.document()
    }
}

/// A recursive descent over the bytes of a text; every read is bounds-checked.
private struct JSONParser {
    private static let maximumDepth = 32

    let bytes: [UInt8]
    let json5: Bool
    var position = 0

    init(bytes: [UInt8], json5: Bool) {
        self.bytes = bytes
        self.json5 = json5
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func follows(_ text: StaticString, at offset: Int = 0) -> Bool {
        let wanted = Array("\(text)".utf8)
        return bytes.dropFirst(position + offset).starts(with: wanted)
    }

    private mutating func take(_ byte: Character) -> Bool {
        guard let next, next == byte.asciiValue else { return false }
        position += 1
        return true
    }

    private func error(_ reason: String) -> JSONTextError {
        let before = bytes[..<min(position, bytes.count)]
        let line = before.count { $0 == 0x0A } + 1
        let start = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return JSONTextError(line: line, column: before.count - start + 1, reason: reason)
    }

    private func unexpected(_ wanted: String) -> JSONTextError {
        guard let next else { return error("expected \(wanted), found the end of the text") }
        let isShown = next > 0x20 && next < 0x7F
        let found = isShown ? "'\(Character(UnicodeScalar(next)))'" : "byte 0x\(String(next, radix: 16))"
        return error("expected \(wanted), found \(found)")
    }

    mutating func document() throws(JSONTextError) -> JSONValue {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        let value = try value(depth: 0)
        try skipSpace()
        if next != nil { throw unexpected("the end of the text") }
        return value
    }

    private mutating func skipSpace() throws(JSONTextError) {
        while let byte = next {
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D:
                position += 1
            case UInt8(ascii: "/") where json5 && follows("//"):
                while let byte = next, byte != 0x0A { position += 1 }
            case UInt8(ascii: "/") where json5 && follows("/*"):
                let start = self
                position += 2
                while !follows("*/") {
                    if next == nil { throw start.error("the comment has no end") }
                    position += 1
                }
                position += 2
            default:
                return
            }
        }
    }

    private mutating func value(depth: Int) throws(JSONTextError) -> JSONValue {
        guard depth < Self.maximumDepth else { throw error("nested deeper than \(Self.maximumDepth) levels") }
        try skipSpace()
        switch next {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "'") where json5: return .string(try string())
        case let byte? where byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte): return try number()
        default: break
        }
        for (word, value) in [("true", JSONValue.bool(true)), ("false", .bool(false)), ("null", .null)] {
            let end = position + word.utf8.count
            guard bytes.dropFirst(position).starts(with: word.utf8) else { continue }
            guard end >= bytes.count || !isWord(bytes[end]) else { break }
            position = end
            return value
        }
        throw unexpected("a value")
    }

    private mutating func object(depth: Int) throws(JSONTextError) -> JSONObject {
        position += 1
        var object = JSONObject()
        while true {
            try skipSpace()
            if object.members.isEmpty || json5, take("}") { return object }
            let name = try name()
            try skipSpace()
            guard take(":") else { throw unexpected("':' after \"\(name)\"") }
            object[name] = try value(depth: depth + 1)
            try skipSpace()
            if take(",") { continue }
            guard take("}") else { throw unexpected("',' or '}' after the value of \"\(name)\"") }
            return object
        }
    }

    private mutating func array(depth: Int) throws(JSONTextError) -> [JSONValue] {
        position += 1
        var values: [JSONValue] = []
        while true {
            try skipSpace()
            if values.isEmpty || json5, take("]") { return values }
            values.append(try value(depth: depth + 1))
            try skipSpace()
            if take(",") { continue }
            guard take("]") else { throw unexpected("',' or ']'") }
            return values
        }
    }

    private mutating func name() throws(JSONTextError) -> String {
        if next == UInt8(ascii: "\"") || (json5 && next == UInt8(ascii: "'")) { return try string() }
        guard json5 else { throw unexpected("a name in double quotes, or '}'") }
        let start = position
        while let byte = next, isWord(byte) { position += 1 }
        guard position > start else { throw unexpected("a name, or '}'") }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "$"):
            true
        default: false
        }
    }

    private mutating func number() throws(JSONTextError) -> JSONValue {
        let start = position
        _ = take("-")
        let whole = try digits()
        if whole.count > 1, whole.first == UInt8(ascii: "0") { throw error("a number begins with a needless 0") }
        var isInteger = true
        if take(".") {
            isInteger = false
            _ = try digits()
        }
        if take("e") || take("E") {
            isInteger = false
            if !take("+") { _ = take("-") }
            _ = try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let integer = Int64(text) { return .integer(integer) }
        guard let number = Double(text), number.isFinite else { throw error("the number \(text) is too large") }
        return .number(number)
    }

    private mutating func digits() throws(JSONTextError) -> ArraySlice<UInt8> {
        let start = position
        while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
        guard position > start else { throw unexpected("a digit") }
        return bytes[start..<position]
    }

    private mutating func string() throws(JSONTextError) -> String {
        let start = self
        let quote = bytes[position]
        position += 1
        var text: [UInt8] = []
        while let byte = next {
            switch byte {
            case quote:
                position += 1
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw start.error("the string is not UTF-8")
                }
                return string
            case UInt8(ascii: "\\"):
                position += 1
                try escape(into: &text)
            case 0..<0x20:
                throw error(byte == 0x0A ? "the line ends within a string" : "a control character in a string")
            default:
                text.append(byte)
                position += 1
            }
        }
        throw start.error("the string has no end")
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONTextError) {
        guard let byte = next else { throw unexpected("an escaped character") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "'") where json5: text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text += String(UnicodeScalar(try scalar()) ?? "\u{FFFD}").utf8
        default:
            position -= 1
            throw unexpected("one of \" \\ / b f n r t u after '\\'")
        }
    }

    /// A scalar's value; a pair of surrogates is one, a lone surrogate becomes none.
    private mutating func scalar() throws(JSONTextError) -> UInt32 {
        let first = try hexadecimal()
        guard (0xD800...0xDBFF).contains(first), follows("\\u") else { return first }
        let before = position
        position += 2
        let second = try hexadecimal()
        guard (0xDC00...0xDFFF).contains(second) else {
            position = before
            return first
        }
        return 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
    }

    private mutating func hexadecimal() throws(JSONTextError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(UnicodeScalar(byte)).hexDigitValue, byte < 0x80 else {
                throw unexpected("a hexadecimal digit")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}
