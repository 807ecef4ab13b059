package import NIOCore

/// A message or control frame of a client.
package enum WebSocketEvent: Hashable, Sendable {
    case text(ByteBuffer)
    case binary(ByteBuffer)
    /// To be answered with a pong of the same payload.
    case ping(ByteBuffer)
    case pong(ByteBuffer)
    /// The status code, 1005 when the client gave none. To be answered with a close frame, then the connection ends.
    case close(code: UInt16)
}

/// Breaches of RFC 6455; each has the status code to close with (section 7.4.1).
package enum WebSocketFault: Error, Hashable, Sendable {
    case reservedBits
    case unknownOpcode(UInt8)
    /// Clients must mask (section 5.1).
    case unmasked
    case badControlFrame
    /// A continuation of nothing, or a new message inside of one.
    case badFragment
    case tooLong(limit: Int)

    package var closeCode: UInt16 {
        switch self {
        case .tooLong: 1009
        default: 1002
        }
    }
}

/// Reads the frames of a client, unmasks and joins them (RFC 6455 section 5).
package struct WebSocketParser: Sendable {
    private let maximumLength: Int
    private var held = ByteBuffer()
    private var message: (opcode: WebSocketOpcode, payload: ByteBuffer)?

    /// - Parameter maximumLength: of a message, all its fragments together.
    package init(maximumLength: Int = 16 * 1024) {
        self.maximumLength = maximumLength
    }

    /// Appends the events of these bytes. After an error the connection is of no more use.
    package mutating func receive(_ input: ByteBuffer, into events: inout [WebSocketEvent]) throws(WebSocketFault) {
        held.writeImmutableBuffer(input)
        while let event = try next() {
            if let event = event { events.append(event) }
        }
        // A connection that only watches should not keep the memory of its last ping.
        if held.readableBytes == 0 { held = ByteBuffer() } else { held.discardReadBytes() }
    }

    /// Takes one frame; nil when it is not all there. The inner nil is a fragment that ends nothing.
    private mutating func next() throws(WebSocketFault) -> WebSocketEvent?? {
        let start = held.readerIndex
        guard let word = held.getInteger(at: start, as: UInt16.self) else { return .none }
        guard word & 0x7000 == 0 else { throw .reservedBits }
        let code = UInt8(truncatingIfNeeded: word >> 8 & 0x0F)
        guard let opcode = WebSocketOpcode(rawValue: code) else { throw .unknownOpcode(code) }
        guard word & 0x80 != 0 else { throw .unmasked }
        let isFinal = word & 0x8000 != 0
        let short = Int(word & 0x7F)
        guard !opcode.isControl || isFinal && short <= 125 else { throw .badControlFrame }

        var at = start &+ 2
        let length: UInt64
        switch short {
        case 126:
            guard let value = held.getInteger(at: at, as: UInt16.self) else { return .none }
            length = UInt64(value)
            at &+= 2
        case 127:
            guard let value = held.getInteger(at: at, as: UInt64.self) else { return .none }
            length = value
            at &+= 8
        default:
            length = UInt64(short)
        }
        let room = opcode.isControl ? 125 : maximumLength &- (message?.payload.readableBytes ?? 0)
        guard length <= UInt64(room) else { throw .tooLong(limit: maximumLength) }
        guard let mask = held.getInteger(at: at, as: UInt32.self),
            let masked = held.getSlice(at: at &+ 4, length: Int(length))
        else { return .none }
        held.moveReaderIndex(to: at &+ 4 &+ Int(length))
        return .some(try take(opcode, isFinal: isFinal, payload: unmasked(masked, mask)))
    }

    private mutating func take(
        _ opcode: WebSocketOpcode,
        isFinal: Bool,
        payload: ByteBuffer
    ) throws(WebSocketFault) -> WebSocketEvent? {
        switch opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        case .close:
            guard payload.readableBytes != 1 else { throw .badControlFrame }
            return .close(code: payload.getInteger(at: payload.readerIndex) ?? 1005)
        case .continuation:
            guard var begun = message else { throw .badFragment }
            begun.payload.writeImmutableBuffer(payload)
            message = isFinal ? nil : begun
            return isFinal ? event(begun.opcode, begun.payload) : nil
        case .text, .binary:
            guard message == nil else { throw .badFragment }
            if isFinal { return event(opcode, payload) }
            message = (opcode, payload)
            return nil
        }
    }

    private func event(_ opcode: WebSocketOpcode, _ payload: ByteBuffer) -> WebSocketEvent {
        opcode == .text ? .text(payload) : .binary(payload)
    }

    private func unmasked(_ payload: ByteBuffer, _ mask: UInt32) -> ByteBuffer {
        var plain = ByteBufferAllocator().buffer(capacity: payload.readableBytes)
        for (index, byte) in payload.readableBytesView.enumerated() {
            plain.writeInteger(byte ^ UInt8(truncatingIfNeeded: mask >> UInt32(24 &- 8 &* (index & 3))))
        }
        return plain
    }
}
