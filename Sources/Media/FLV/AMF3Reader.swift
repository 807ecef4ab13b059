import NIOCore

/// Reads one AMF3 value that stands among AMF0 values behind the marker 0x11 (AMF0 section 3.1), as Flash clients with
/// `objectEncoding` 3 write them. Objects that are named a second time by reference are read as undefined: nothing that is expected
/// here repeats, and a reference may be a loop.
struct AMF3Reader {
    private struct Traits {
        var names: [String]
        var isDynamic: Bool
    }

    private(set) var bytes: ByteBuffer
    /// How many values may still be read.
    private(set) var budget: Int
    private var strings: [String] = []
    private static let maximumReferredBytes = 64 * 1024
    private var referredBytes = 0
    private var traits: [Traits] = []

    init(_ bytes: ByteBuffer, budget: Int) {
        self.bytes = bytes
        self.budget = budget
    }

    mutating func value(depth: Int) throws(AMF0Error) -> AMF0Value {
        guard depth < AMF0Reader.maximumDepth else { throw .tooDeep }
        guard budget > 0 else { throw .tooMany }
        budget &-= 1
        let marker = try byte()
        switch marker {
        case 0: return .undefined
        case 1: return .null
        case 2: return .boolean(false)
        case 3: return .boolean(true)
        case 4:
            // 29 bits with a sign.
            return .number(Double(Int32(bitPattern: try number() << 3) >> 3))
        case 5: return .number(try double())
        case 6: return .string(try string())
        case 7, 11:
            guard let length = try inlineLength() else { return .undefined }
            return .string(try text(length))
        case 8: return try inlineLength() == nil ? .undefined : .date(try double())
        case 9: return try array(depth: depth)
        case 10: return try object(depth: depth)
        case 12:
            guard let length = try inlineLength() else { return .undefined }
            _ = try text(length)
            return .undefined
        default: throw .unsupportedMarker(marker)
        }
    }

    private mutating func array(depth: Int) throws(AMF0Error) -> AMF0Value {
        guard let count = try inlineLength() else { return .undefined }
        let named = try dynamicProperties(depth: depth)
        // Each element is a byte at least: a count beyond the bytes is a lie.
        guard count <= bytes.readableBytes else { throw .truncated }
        var elements: [AMF0Value] = []
        for _ in 0..<count { elements.append(try value(depth: depth &+ 1)) }
        guard !named.isEmpty else { return .strictArray(elements) }
        return .ecmaArray(named + elements.enumerated().map { AMF0Property("\($0.offset)", $0.element) })
    }

    private mutating func object(depth: Int) throws(AMF0Error) -> AMF0Value {
        let word = try number()
        guard word & 1 == 1 else { return .undefined }
        let shape: Traits
        if word & 2 == 0 {
            let index = Int(word >> 2)
            guard traits.indices.contains(index) else { throw .truncated }
            shape = traits[index]
        } else {
            // Externalizable: only its class knows how long it is.
            guard word & 4 == 0 else { throw .unsupportedMarker(10) }
            _ = try string()
            let count = Int(word >> 4)
            guard count <= bytes.readableBytes else { throw .truncated }
            var names: [String] = []
            for _ in 0..<count { names.append(try string()) }
            shape = Traits(names: names, isDynamic: word & 8 != 0)
            traits.append(shape)
        }
        var properties: [AMF0Property] = []
        for name in shape.names { properties.append(AMF0Property(name, try value(depth: depth &+ 1))) }
        if shape.isDynamic { properties += try dynamicProperties(depth: depth) }
        return .object(properties)
    }

    /// Names and values up to the empty name.
    private mutating func dynamicProperties(depth: Int) throws(AMF0Error) -> [AMF0Property] {
        var properties: [AMF0Property] = []
        while true {
            let name = try string()
            guard !name.isEmpty else { return properties }
            properties.append(AMF0Property(name, try value(depth: depth &+ 1)))
        }
    }

    /// U29S: a length or an index into the strings read before. The empty string is never referred to.
    private mutating func string() throws(AMF0Error) -> String {
        let word = try number()
        guard word & 1 == 1 else {
            let index = Int(word >> 1)
            guard strings.indices.contains(index) else { throw .truncated }
            // A long string that is named thousands of times would be written out as often.
            referredBytes &+= strings[index].utf8.count
            guard referredBytes <= Self.maximumReferredBytes else { throw .tooMany }
            return strings[index]
        }
        let string = try text(Int(word >> 1))
        if !string.isEmpty { strings.append(string) }
        return string
    }

    /// Nil for a reference.
    private mutating func inlineLength() throws(AMF0Error) -> Int? {
        let word = try number()
        return word & 1 == 1 ? Int(word >> 1) : nil
    }

    /// U29: seven bits in each of up to three bytes, eight in a fourth.
    private mutating func number() throws(AMF0Error) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<3 {
            let next = try byte()
            value = value << 7 | UInt32(next & 0x7F)
            if next & 0x80 == 0 { return value }
        }
        return value << 8 | UInt32(try byte())
    }

    private mutating func double() throws(AMF0Error) -> Double {
        guard let bits = bytes.readInteger(as: UInt64.self) else { throw .truncated }
        return Double(bitPattern: bits)
    }

    private mutating func text(_ length: Int) throws(AMF0Error) -> String {
        guard let text = bytes.readString(length: length) else { throw .truncated }
        return text
    }

    private mutating func byte() throws(AMF0Error) -> UInt8 {
        guard let byte = bytes.readInteger(as: UInt8.self) else { throw .truncated }
        return byte
    }
}
