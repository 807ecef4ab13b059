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

/// Writes frames (RFC 6455 section 5). A server's are not masked, so that the bytes are the same for every viewer.
package enum WebSocketFrame {
    /// Appends the header of an unfragmented server frame of `length` payload bytes: 2, 4 or 10 bytes.
    package static func writeHeader(opcode: WebSocketOpcode, length: Int, into buffer: inout ByteBuffer) {
        writeHeader(opcode: opcode, length: length, masked: 0, into: &buffer)
    }

    private static func writeHeader(
        opcode: WebSocketOpcode,
        length: Int,
        masked: UInt8,
        into buffer: inout ByteBuffer
    ) {
        let first: UInt8 = 0x80 | opcode.rawValue
        switch length {
        case ...125:
            buffer.writeMultipleIntegers(first, masked | UInt8(truncatingIfNeeded: max(length, 0)))
        case ...0xFFFF:
            buffer.writeMultipleIntegers(first, masked | 126, UInt16(truncatingIfNeeded: length))
        default:
            buffer.writeMultipleIntegers(first, masked | 127, UInt64(length))
        }
    }

    /// How many bytes the header has of an unfragmented binary server frame that begins with these bytes; nil when they are another
    /// kind of frame's.
    package static func binaryHeaderLength(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 2, bytes[0] == 0x80 | WebSocketOpcode.binary.rawValue else { return nil }
        return switch bytes[1] {
        case ...125: 2
        case 126: 4
        case 127: 10
        default: nil
        }
    }

    /// Appends the header of a binary server frame in front of its payload, which `write` appends.
    package static func writeBinary(into buffer: inout ByteBuffer, _ write: (inout ByteBuffer) -> Void) {
        let start = buffer.writerIndex
        buffer.writeRepeatingByte(0, count: 10)
        write(&buffer)
        let length = buffer.writerIndex &- start &- 10
        guard length > 0 else {
            buffer.moveWriterIndex(to: start)
            return
        }
        var header = ByteBuffer()
        writeHeader(opcode: .binary, length: length, into: &header)
        // Its length is known only now: the room that it does not need is cut off in front where nothing stands before.
        let spare = 10 &- header.readableBytes
        buffer.setBuffer(header, at: start &+ spare)
        if spare > 0, start == buffer.readerIndex {
            buffer.moveReaderIndex(forwardBy: spare)
        } else if spare > 0, let frame = buffer.getSlice(at: start &+ spare, length: length &+ 10 &- spare) {
            buffer.moveWriterIndex(to: start)
            buffer.writeImmutableBuffer(frame)
        }
    }

    /// Appends a whole server frame.
    package static func write(opcode: WebSocketOpcode, payload: ByteBuffer, into buffer: inout ByteBuffer) {
        writeHeader(opcode: opcode, length: payload.readableBytes, into: &buffer)
        buffer.writeImmutableBuffer(payload)
    }

    /// Appends a whole client frame, masked (section 5.3).
    package static func write(
        opcode: WebSocketOpcode,
        payload: ByteBuffer,
        mask: UInt32,
        into buffer: inout ByteBuffer
    ) {
        writeHeader(opcode: opcode, length: payload.readableBytes, masked: 0x80, into: &buffer)
        buffer.writeInteger(mask)
        buffer.writeImmutableBuffer(WebSocketMask.apply(mask, to: payload))
    }

    /// Appends a server's close frame with a status code (section 7.4) and, for people, a reason; what exceeds a control frame
    /// is cut off.
    package static func writeClose(code: UInt16, reason: String = "", into buffer: inout ByteBuffer) {
        var text = reason
        while text.utf8.count > 123 { text.removeLast() }
        writeHeader(opcode: .close, length: 2 + text.utf8.count, into: &buffer)
        buffer.writeInteger(code)
        buffer.writeString(text)
    }
}

enum WebSocketMask {
    static func apply(_ mask: UInt32, to payload: ByteBuffer) -> ByteBuffer {
        var result = ByteBufferAllocator().buffer(capacity: payload.readableBytes)
        var rest = payload
        while let word = rest.readInteger(as: UInt32.self) { result.writeInteger(word ^ mask) }
        for (index, byte) in rest.readableBytesView.enumerated() {
            result.writeInteger(byte ^ UInt8(truncatingIfNeeded: mask >> UInt32(24 &- 8 &* (index & 3))))
        }
        return result
    }
}
