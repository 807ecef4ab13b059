package import NIOCore

package enum WebSocketOpcode: UInt8, Hashable, Sendable {
    case continuation = 0
    case text = 1
    case binary = 2
    case close = 8
    case ping = 9
    case pong = 10

    var isControl: Bool { rawValue >= 8 }
}

/// Writes server frames (RFC 6455 section 5). They are not masked, so that the bytes are the same for every viewer.
package enum WebSocketFrame {
    /// Appends the header of an unfragmented frame of `length` payload bytes: 2, 4 or 10 bytes.
    package static func writeHeader(opcode: WebSocketOpcode, length: Int, into buffer: inout ByteBuffer) {
        let first: UInt8 = 0x80 | opcode.rawValue
        switch length {
        case ...125:
            buffer.writeMultipleIntegers(first, UInt8(truncatingIfNeeded: max(length, 0)))
        case ...0xFFFF:
            buffer.writeMultipleIntegers(first, 126 as UInt8, UInt16(truncatingIfNeeded: length))
        default:
            buffer.writeMultipleIntegers(first, 127 as UInt8, UInt64(length))
        }
    }

    /// Appends a whole frame.
    package static func write(opcode: WebSocketOpcode, payload: ByteBuffer, into buffer: inout ByteBuffer) {
        writeHeader(opcode: opcode, length: payload.readableBytes, into: &buffer)
        buffer.writeImmutableBuffer(payload)
    }

    /// Appends a close frame with a status code (section 7.4).
    package static func writeClose(code: UInt16, into buffer: inout ByteBuffer) {
        writeHeader(opcode: .close, length: 2, into: &buffer)
        buffer.writeInteger(code)
    }
}
