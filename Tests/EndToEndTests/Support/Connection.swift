import NIOCore
import NIOPosix
import Transport

/// A TCP client on loopback that sends and receives bytes as they are.
final class Connection: Sendable {
    private let channel: any Channel
    private let pieces: AsyncStream<ByteBuffer>

    /// - Parameter secure: over TLS, whatever the certificate.
    static func open(port: Int, secure: Bool = false) async throws -> Connection {
        let (stream, continuation) = AsyncStream<ByteBuffer>.makeStream()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if secure { try TLSClient.add(to: channel, host: "127.0.0.1", verifiesCertificates: false) }
                    try channel.pipeline.syncOperations.addHandler(Reader(continuation))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return Connection(channel: channel, pieces: stream)
    }

    private init(channel: any Channel, pieces: AsyncStream<ByteBuffer>) {
        self.channel = channel
        self.pieces = pieces
    }

    func send(_ bytes: some Sequence<UInt8>) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
    }

    func send(_ text: String) async throws {
        try await send(text.utf8)
    }

    /// What comes next; nil at the end of the connection.
    func next() async -> ByteBuffer? {
        for await piece in pieces { return piece }
        return nil
    }

    /// Everything up to the end of the connection.
    func readToEnd() async -> ByteBuffer {
        var all = ByteBuffer()
        while var piece = await next() { all.writeBuffer(&piece) }
        return all
    }

    func close() async {
        try? await channel.close()
    }

    private final class Reader: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let continuation: AsyncStream<ByteBuffer>.Continuation

        init(_ continuation: AsyncStream<ByteBuffer>.Continuation) {
            self.continuation = continuation
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            continuation.yield(unwrapInboundIn(data))
        }

        func channelInactive(context: ChannelHandlerContext) {
            continuation.finish()
        }
    }
}

/// A media stream over HTTP: the head apart from what follows it.
struct HTTPStream {
    let connection: Connection
    let head: String
    /// Body bytes that came with the head.
    var bytes: ByteBuffer

    static func get(
        _ target: String,
        port: Int,
        headers: String = "",
        secure: Bool = false
    ) async throws -> HTTPStream {
        let connection = try await Connection.open(port: port, secure: secure)
        try await connection.send("GET \(target) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n\(headers)\r\n")
        var bytes = ByteBuffer()
        while true {
            guard var piece = await connection.next() else { throw NeverHappened(what: "the head of \(target)") }
            bytes.writeBuffer(&piece)
            let view = bytes.readableBytesView
            guard let end = view.firstRange(of: Array("\r\n\r\n".utf8)) else { continue }
            let head = String(decoding: view[..<end.lowerBound], as: UTF8.self)
            bytes.moveReaderIndex(to: end.upperBound)
            return HTTPStream(connection: connection, head: head, bytes: bytes)
        }
    }

    /// Waits for more; false at the end of the connection.
    mutating func more() async -> Bool {
        guard var piece = await connection.next() else { return false }
        bytes.discardReadBytes()
        bytes.writeBuffer(&piece)
        return true
    }
}
