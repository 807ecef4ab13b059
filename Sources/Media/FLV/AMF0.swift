package import NIOCore

/// A named value of an AMF0 object. Order and duplicates are kept as they came.
package struct AMF0Property: Hashable, Sendable {
    package var name: String
    package var value: AMF0Value

    package init(_ name: String, _ value: AMF0Value) {
        self.name = name
        self.value = value
    }
}

/// A value of Action Message Format 0: the arguments of RTMP commands and of FLV script tags.
package indirect enum AMF0Value: Hashable, Sendable {
    case number(Double)
    case boolean(Bool)
    case string(String)
    case object([AMF0Property])
    case ecmaArray([AMF0Property])
    case strictArray([AMF0Value])
    /// Milliseconds since 1970.
    case date(Double)
    case null
    case undefined

    package var number: Double? {
        if case .number(let value) = self { value } else { nil }
    }

    package var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The first property of that name of an object or an ECMA array.
    package subscript(name: String) -> AMF0Value? {
        switch self {
        case .object(let properties), .ecmaArray(let properties):
            properties.first { $0.name == name }?.value
        default:
            nil
        }
    }
}

/// The type markers of AMF0 (section 2.1).
enum AMF0Marker: UInt8 {
    case number = 0
    case boolean = 1
    case string = 2
    case object = 3
    case null = 5
    case undefined = 6
    case ecmaArray = 8
    case objectEnd = 9
    case strictArray = 10
    case date = 11
    case longString = 12
    case xmlDocument = 15
    case typedObject = 16
    /// An AMF3 value follows.
    case avmPlus = 17
}

extension AMF0Value {
    /// Appends the value with its marker. Names longer than 65,535 bytes are cut.
    package func write(into buffer: inout ByteBuffer) {
        switch self {
        case .number(let value):
            buffer.writeInteger(AMF0Marker.number.rawValue)
            buffer.writeInteger(value.bitPattern)
        case .boolean(let value):
            buffer.writeInteger(AMF0Marker.boolean.rawValue)
            buffer.writeInteger(value ? 1 : 0 as UInt8)
        case .string(let value):
            if value.utf8.count <= Int(UInt16.max) {
                buffer.writeInteger(AMF0Marker.string.rawValue)
                Self.write(name: value, into: &buffer)
            } else {
                buffer.writeInteger(AMF0Marker.longString.rawValue)
                buffer.writeInteger(UInt32(clamping: value.utf8.count))
                buffer.writeString(value)
            }
        case .object(let properties):
            buffer.writeInteger(AMF0Marker.object.rawValue)
            Self.write(properties, into: &buffer)
        case .ecmaArray(let properties):
            buffer.writeInteger(AMF0Marker.ecmaArray.rawValue)
            buffer.writeInteger(UInt32(clamping: properties.count))
            Self.write(properties, into: &buffer)
        case .strictArray(let values):
            buffer.writeInteger(AMF0Marker.strictArray.rawValue)
            buffer.writeInteger(UInt32(clamping: values.count))
            for value in values { value.write(into: &buffer) }
        case .date(let value):
            buffer.writeInteger(AMF0Marker.date.rawValue)
            buffer.writeInteger(value.bitPattern)
            buffer.writeInteger(0 as UInt16)
        case .null:
            buffer.writeInteger(AMF0Marker.null.rawValue)
        case .undefined:
            buffer.writeInteger(AMF0Marker.undefined.rawValue)
        }
    }

    private static func write(_ properties: [AMF0Property], into buffer: inout ByteBuffer) {
        for property in properties {
            write(name: property.name, into: &buffer)
            property.value.write(into: &buffer)
        }
        buffer.writeMultipleIntegers(0 as UInt16, AMF0Marker.objectEnd.rawValue)
    }

    private static func write(name: String, into buffer: inout ByteBuffer) {
        let bytes = name.utf8.prefix(Int(UInt16.max))
        buffer.writeInteger(UInt16(truncatingIfNeeded: bytes.count))
        buffer.writeBytes(bytes)
    }
}
