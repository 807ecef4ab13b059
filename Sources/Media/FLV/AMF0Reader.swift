package import NIOCore

package enum AMF0Error: Error, Hashable, Sendable {
    case truncated
    /// A marker that is not of AMF0, or not where it stands: references, record sets.
    case unsupportedMarker(UInt8)
    /// Nested deeper than `AMF0Reader.maximumDepth`.
    case tooDeep
    /// More than `AMF0Reader.maximumValues` in one message.
    case tooMany
}

/// Reads AMF0 values out of a peer's bytes, within limits of depth and number.
package struct AMF0Reader {
    package static let maximumDepth = 16
    package static let maximumValues = 4096

    private var bytes: ByteBuffer
    private var values = 0

    package init(_ bytes: ByteBuffer) {
        self.bytes = bytes
    }

    package var isAtEnd: Bool { bytes.readableBytes == 0 }

    /// The next value, nil at the end.
    package mutating func next() throws(AMF0Error) -> AMF0Value? {
        guard !isAtEnd else { return nil }
        return try value(depth: 0)
    }

    /// All values up to the end, or up to the first that cannot be read: commands of players carry oddities behind what
    /// matters.
    package mutating func readable() -> [AMF0Value] {
        var all: [AMF0Value] = []
        while let value = try? next() { all.append(value) }
        return all
    }

    private mutating func value(depth: Int) throws(AMF0Error) -> AMF0Value {
        guard depth < Self.maximumDepth else { throw .tooDeep }
        values &+= 1
        guard values <= Self.maximumValues else { throw .tooMany }
        let code = try integer(UInt8.self)
        guard let marker = AMF0Marker(rawValue: code) else { throw .unsupportedMarker(code) }
        switch marker {
        case .number:
            return .number(Double(bitPattern: try integer(UInt64.self)))
        case .boolean:
            return .boolean(try integer(UInt8.self) != 0)
        case .string:
            return .string(try string(length: Int(try integer(UInt16.self))))
        case .longString, .xmlDocument:
            return .string(try string(length: Int(try integer(UInt32.self))))
        case .object:
            return .object(try properties(depth: depth))
        case .typedObject:
            _ = try string(length: Int(try integer(UInt16.self)))
            return .object(try properties(depth: depth))
        case .ecmaArray:
            // The count is a hint that many writers get wrong; the end marker rules.
            _ = try integer(UInt32.self)
            return .ecmaArray(try properties(depth: depth))
        case .strictArray:
            return .strictArray(try elements(depth: depth))
        case .date:
            let milliseconds = Double(bitPattern: try integer(UInt64.self))
            _ = try integer(UInt16.self)
            return .date(milliseconds)
        case .null:
            return .null
        case .undefined:
            return .undefined
        case .avmPlus:
            var reader = AMF3Reader(bytes, budget: Self.maximumValues &- values)
            defer {
                bytes = reader.bytes
                values = Self.maximumValues &- reader.budget
            }
            return try reader.value(depth: depth)
        case .objectEnd:
            throw .unsupportedMarker(code)
        }
    }

    private mutating func properties(depth: Int) throws(AMF0Error) -> [AMF0Property] {
        var all: [AMF0Property] = []
        while true {
            // Some writers end the message without the end marker of the last array.
            if isAtEnd { return all }
            let name = try string(length: Int(try integer(UInt16.self)))
            if name.isEmpty, bytes.getInteger(at: bytes.readerIndex, as: UInt8.self) == AMF0Marker.objectEnd.rawValue {
                bytes.moveReaderIndex(forwardBy: 1)
                return all
            }
            all.append(AMF0Property(name, try value(depth: depth &+ 1)))
        }
    }

    private mutating func elements(depth: Int) throws(AMF0Error) -> [AMF0Value] {
        let count = try integer(UInt32.self)
        // Each element is a byte at least: a count beyond the bytes is a lie.
        guard count <= bytes.readableBytes else { throw .truncated }
        var all: [AMF0Value] = []
        for _ in 0..<count { all.append(try value(depth: depth &+ 1)) }
        return all
    }

    private mutating func integer<T: FixedWidthInteger>(_: T.Type) throws(AMF0Error) -> T {
        guard let value = bytes.readInteger(as: T.self) else { throw .truncated }
        return value
    }

    private mutating func string(length: Int) throws(AMF0Error) -> String {
        guard let value = bytes.readString(length: length) else { throw .truncated }
        return value
    }
}
