package import NIOCore

/// A message or control frame of the peer.
package enum WebSocketEvent: Hashable, Sendable {
    case text(ByteBuffer)
    case binary(ByteBuffer)
    /// To be answered with a pong of the same payload.
    case ping(ByteBuffer)
    case pong(ByteBuffer)
    /// The status code, 1005 when the peer gave none. To be answered with a close frame, then the connection ends.
    case close(code: UInt16)
}

/// Who reads: clients mask their frames and servers do not (RFC 6455 section 5.1).
package enum WebSocketSide: Hashable, Sendable {
    case server
    case client
}

/// Breaches of RFC 6455; each has the status code to close with (section 7.4.1).
package enum WebSocketFault: Error, Hashable, Sendable {
    case reservedBits
    case unknownOpcode(UInt8)
    /// Clients must mask, servers must not (section 5.1).
    case wrongMasking
    case badControlFrame
    /// Text or a reason to close that is no UTF-8 (section 8.1).
    case badText
    /// A continuation of nothing, or a new message inside of one.
    case badFragment
    case tooLong(limit: Int)

    package var closeCode: UInt16 {
        switch self {
        case .tooLong: 1009
        case .badText: 1007
        default: 1002
        }
    }

    /// For people, in the close frame.
    package var reason: String {
        switch self {
        case .reservedBits: "extensions were not negotiated"
        case .unknownOpcode(let code): "opcode \(code) is unknown"
        case .wrongMasking: "frames must be masked"
        case .badControlFrame: "malformed control frame"
        case .badText: "text must be UTF-8"
        case .badFragment: "fragments out of order"
        case .tooLong(let limit): "messages may have \(limit) bytes"
        }
    }
}

/// Reads the frames of a peer, unmasks and joins them (RFC 6455 section 5).
package struct WebSocketParser: Sendable {
    private let maximumLength: Int
    private let isServer: Bool
    private var held = ByteBuffer()
    private var message: (opcode: WebSocketOpcode, payload: ByteBuffer)?

    /// - Parameter maximumLength: of a message, all its fragments together.
    package init(_ side: WebSocketSide = .server, maximumLength: Int = 16 * 1024) {
        self.maximumLength = maximumLength
        isServer = side == .server
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
        guard (word & 0x80 != 0) == isServer else { throw .wrongMasking }
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
        var mask: UInt32 = 0
        if isServer {
            guard let value = held.getInteger(at: at, as: UInt32.self) else { return .none }
            mask = value
            at &+= 4
        }
        guard let payload = held.getSlice(at: at, length: Int(length)) else { return .none }
        held.moveReaderIndex(to: at &+ Int(length))
        let plain = mask == 0 ? payload : WebSocketMask.apply(mask, to: payload)
        return .some(try take(opcode, isFinal: isFinal, payload: plain))
    }

    private mutating func take(
        _ opcode: WebSocketOpcode,
        isFinal: Bool,
        payload: ByteBuffer
    ) throws(WebSocketFault) -> WebSocketEvent? {
        switch opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        case .close: return .close(code: try closeCode(payload))
        case .continuation:
            guard var begun = message else { throw .badFragment }
            // Taken out, or every fragment would copy all before it.
            message = nil
            begun.payload.writeImmutableBuffer(payload)
            if isFinal { return try event(begun.opcode, begun.payload) }
            message = begun
            return nil
        case .text, .binary:
            guard message == nil else { throw .badFragment }
            if isFinal { return try event(opcode, payload) }
            message = (opcode, payload)
            return nil
        }
    }

    private func event(_ opcode: WebSocketOpcode, _ payload: ByteBuffer) throws(WebSocketFault) -> WebSocketEvent {
        guard opcode == .text else { return .binary(payload) }
        guard Self.isText(payload) else { throw .badText }
        return .text(payload)
    }

    /// Section 7.4: codes below 1000 and those that stand for the want of a frame must not be sent.
    private func closeCode(_ payload: ByteBuffer) throws(WebSocketFault) -> UInt16 {
        guard payload.readableBytes > 0 else { return 1005 }
        var rest = payload
        guard let code = rest.readInteger(as: UInt16.self) else { throw .badControlFrame }
        switch code {
        case 1004, 1005, 1006, 1015: throw .badControlFrame
        case 1000...4999: break
        default: throw .badControlFrame
        }
        guard Self.isText(rest) else { throw .badText }
        return code
    }

    private static func isText(_ bytes: ByteBuffer) -> Bool {
        String(validating: bytes.readableBytesView, as: UTF8.self) != nil
    }
}
