import NIOCore
import NIOPosix
import SIP
import Synchronization
import Transport

/// Writes down what a SIP socket delivers, and may act on it at once.
final class SIPRecorder: SIPSocketDelegate, Sendable {
    enum Event: Equatable {
        case message(SIPMessage, SIPFlow)
        case closed(SIPFlow)
        case failed(String, SIPFlow, prefix: [UInt8])

        var flow: SIPFlow {
            switch self {
            case .message(_, let flow), .closed(let flow), .failed(_, let flow, _): flow
            }
        }
    }

    private let events: AsyncStream<Event>
    private let continuation: AsyncStream<Event>.Continuation
    private let reaction: Mutex<(@Sendable (SIPMessage, SIPFlow) -> Void)?> = Mutex(nil)

    init() {
        (events, continuation) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
    }

    /// Called on the loop for each message from now on.
    func onMessage(_ body: @escaping @Sendable (SIPMessage, SIPFlow) -> Void) {
        reaction.withLock { $0 = body }
    }

    func next() async -> Event? {
        for await event in events { return event }
        return nil
    }

    func next(_ count: Int) async -> [Event] {
        var list: [Event] = []
        for await event in events {
            list.append(event)
            if list.count == count { break }
        }
        return list
    }

    func receive(_ message: SIPMessage, on flow: SIPFlow) {
        reaction.withLock { $0 }?(message, flow)
        continuation.yield(.message(message, flow))
    }

    func flowClosed(_ flow: SIPFlow) { continuation.yield(.closed(flow)) }

    func parseFailed(_ reason: String, on flow: SIPFlow, prefix: [UInt8]) {
        continuation.yield(.failed(reason, flow, prefix: prefix))
    }
}

/// A camera's end of the wire.
struct SIPPeer {
    let channel: any Channel
    private let bytes: AsyncStream<[UInt8]>

    static func tcp(port: Int, readsNothing: Bool = false) async throws -> SIPPeer {
        let (stream, continuation) = AsyncStream<[UInt8]>.makeStream()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.autoRead, value: !readsNothing)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Reader<ByteBuffer>(continuation) { $0 })
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return SIPPeer(channel: channel, bytes: stream)
    }

    static func udp() async throws -> SIPPeer {
        let (stream, continuation) = AsyncStream<[UInt8]>.makeStream()
        let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let reader = Reader<AddressedEnvelope<ByteBuffer>>(continuation) { $0.data }
                    try channel.pipeline.syncOperations.addHandler(reader)
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return SIPPeer(channel: channel, bytes: stream)
    }

    func send(_ bytes: some Sequence<UInt8>) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
    }

    func send(_ bytes: some Sequence<UInt8>, to port: Int) async throws {
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: port)
        try await channel.writeAndFlush(AddressedEnvelope(remoteAddress: address, data: ByteBuffer(bytes: bytes)))
    }

    /// The next datagram, or `count` bytes of a connection; fewer where it ended.
    func receive(_ count: Int = 1) async -> [UInt8] {
        var all: [UInt8] = []
        for await piece in bytes {
            all += piece
            if all.count >= count { break }
        }
        return all
    }

    func waitForEnd() async throws { try await channel.closeFuture.get() }
}

private final class Reader<Input: Sendable>: ChannelInboundHandler {
    typealias InboundIn = Input

    private let continuation: AsyncStream<[UInt8]>.Continuation
    private let buffer: (Input) -> ByteBuffer

    init(_ continuation: AsyncStream<[UInt8]>.Continuation, buffer: @escaping (Input) -> ByteBuffer) {
        self.continuation = continuation
        self.buffer = buffer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        continuation.yield(Array(buffer(unwrapInboundIn(data)).readableBytesView))
    }

    func channelInactive(context: ChannelHandlerContext) { continuation.finish() }
}

/// A request of a camera, with a body of this length.
func sipRequest(_ callID: String, body: Int = 0) -> SIPRequest {
    var headers = SIPHeaders()
    headers.append(.via, "SIP/2.0/TCP 192.0.2.1:5060;rport;branch=z9hG4bK\(callID)")
    headers.append(.from, "<sip:34020000001320000001@3402000000>;tag=1")
    headers.append(.to, "<sip:34020000002000000001@3402000000>")
    headers.append(.callID, callID)
    headers.append(.cseq, "1 MESSAGE")
    return SIPRequest(
        method: .message,
        uri: "sip:34020000002000000001@3402000000",
        headers: headers,
        body: Array(repeating: UInt8(ascii: "x"), count: body)
    )
}

func callID(_ event: SIPRecorder.Event?) -> String? {
    guard case .message(let message, _) = event else { return nil }
    return message.headers[.callID]
}

/// A started socket on loopback.
func startSIPSocket(
    host: String = "127.0.0.1",
    _ recorder: SIPRecorder,
    _ change: (inout SIPSocketLimits) -> Void = { _ in }
) async throws -> SIPSocket {
    var limits = SIPSocketLimits()
    change(&limits)
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let socket = try await SIPSocket.bind(host: host, port: 0, on: loop, limits: limits)
    try await socket.start(delegate: recorder)
    return socket
}
