import NIOCore

/// A media stream over WebSocket (RFC 6455), read frame by frame; pings are answered.
struct WebSocketStream {
    static let upgrade = """
        Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r

        """

    var stream: HTTPStream
    /// The body of the server's close frame: a code and a reason.
    private(set) var close: ByteBuffer?

    static func get(
        _ target: String,
        port: Int,
        headers: String = "",
        secure: Bool = false
    ) async throws -> WebSocketStream {
        WebSocketStream(
            stream: try await HTTPStream.get(target, port: port, headers: upgrade + headers, secure: secure)
        )
    }

    init(stream: HTTPStream) {
        self.stream = stream
    }

    var isAccepted: Bool {
        stream.head.hasPrefix("HTTP/1.1 101 ")
            && stream.head.lowercased().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=")
    }

    /// The next data frame; nil at the end of the connection or the server's close frame.
    mutating func next() async throws -> ByteBuffer? {
        while close == nil {
            guard let (code, payload) = stream.bytes.readServerFrame() else {
                guard await stream.more() else { return nil }
                continue
            }
            switch code {
            case 8: close = payload
            case 9: try await send(code: 10, payload)
            case 10: break
            default: return payload
            }
        }
        return nil
    }

    /// A whole frame, masked with zeros as a client must mask.
    func send(code: UInt8, _ payload: ByteBuffer) async throws {
        let head: [UInt8] = [0x80 | code, 0x80 | UInt8(min(payload.readableBytes, 125)), 0, 0, 0, 0]
        try await stream.connection.send(head + payload.readableBytesView.prefix(125))
    }
}

extension ByteBuffer {
    /// Opcode and payload of the next whole frame of a WebSocket server (RFC 6455 5.2), which masks nothing.
    fileprivate mutating func readServerFrame() -> (code: UInt8, payload: ByteBuffer)? {
        let start = readerIndex
        guard let head = readInteger(as: UInt16.self) else {
            moveReaderIndex(to: start)
            return nil
        }
        let length: Int? =
            switch head & 0x7F {
            case 126: readInteger(as: UInt16.self).map(Int.init)
            case 127: readInteger(as: UInt64.self).map { Int(truncatingIfNeeded: $0) }
            default: Int(head & 0x7F)
            }
        guard let length, let payload = readSlice(length: length) else {
            moveReaderIndex(to: start)
            return nil
        }
        return (UInt8(head >> 8 & 0xF), payload)
    }
}
