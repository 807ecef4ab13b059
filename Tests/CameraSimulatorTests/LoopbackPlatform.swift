import CameraSimulator
import GB28181
import Glibc
import NIOCore
import NIOPosix
import SIP
import Wire

/// A platform on loopback sockets that lets every camera in that has the password, and tells what happens.
final class LoopbackPlatform: @unchecked Sendable {
    // All mutable state is used on `loop` only.
    static let id = "34020000002000000001"
    static let password = "12345678"

    enum Event: Sendable, Equatable {
        case registered(String)
        case unregistered(String)
        case keepalive(String)
        case answered(status: Int, port: UInt16)
        /// An RTP packet, without framing.
        case media([UInt8])
        case bye
    }

    let events: AsyncStream<Event>
    private let continuation: AsyncStream<Event>.Continuation
    private let loop: any EventLoop
    private var transactions = SIPTransactions(tokens: SIPTokens(SystemRandomNumberGenerator()))
    private var links: [SIPFlow: any Channel] = [:]
    private var flows: [String: SIPFlow] = [:]
    private var invites: [SIPClientTransactionID: SIPRequest] = [:]
    private var dialogs: [SIPDialog] = []
    private var channels: [any Channel] = []
    private var nextConnection: UInt64 = 1
    private(set) var port = 0

    init() {
        loop = MultiThreadedEventLoopGroup.singleton.next()
        (events, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(100_000))
    }

    /// SIP has one number for UDP and TCP: a port that UDP got may be another's in TCP.
    func start() async throws {
        for _ in 0..<20 {
            let udp = try await bindDatagrams()
            port = udp.localAddress?.port ?? 0
            do {
                channels = [udp, try await bindConnections(port)]
                return
            } catch let error as IOError where error.errnoCode == EADDRINUSE {
                try await udp.close().get()
            }
        }
        throw IOError(errnoCode: EADDRINUSE, reason: "no port that is free in UDP and TCP")
    }

    private func bindDatagrams() async throws -> any Channel {
        try await DatagramBootstrap(group: loop)
            .channelOption(.socketOption(.so_rcvbuf), value: 4 << 20)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Datagrams(platform: self))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    private func bindConnections(_ port: Int) async throws -> any Channel {
        try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Connection(platform: self))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
    }

    func stop() async {
        for channel in channels { try? await channel.close().get() }
        continuation.finish()
    }

    /// Invites a channel of a registered camera. UDP and passive media arrive at a port of ours; for active we connect.
    func invite(_ channelID: String, of device: String, _ transport: MediaTransport) async throws {
        let mediaPort: Int
        switch transport {
        case .udp:
            let media = try await DatagramBootstrap(group: loop).channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(MediaDatagrams(platform: self))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
            channels.append(media)
            mediaPort = media.localAddress?.port ?? 0
        case .tcpPassive:
            let media = try await ServerBootstrap(group: loop).childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(MediaStream(platform: self))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
            channels.append(media)
            mediaPort = media.localAddress?.port ?? 0
        case .tcpActive: mediaPort = 9
        }
        try await loop.submit {
            guard let flow = self.flows[device] else { return }
            let offer = MediaOffer(
                channelID: channelID,
                platformID: Self.id,
                host: "127.0.0.1",
                port: UInt16(mediaPort),
                transport: transport,
                ssrc: SSRC(value: 200_000_001)
            )
            var request = SIPRequest(method: .invite, uri: "sip:\(channelID)@127.0.0.1", body: offer.body)
            request.headers.append(.from, "<sip:\(Self.id)@3402000000>;tag=p1")
            request.headers.append(.to, "<sip:\(channelID)@3402000000>")
            request.headers.append(.callID, "call-\(channelID)")
            request.headers.append(.cseq, "1 INVITE")
            request.headers.append(.contact, "<sip:\(Self.id)@127.0.0.1:\(self.port)>")
            request.headers.append(.contentType, MediaOffer.contentType)
            let (id, actions) = self.transactions.send(request, over: flow, sentBy: self.sentBy, now: .now())
            if let id { self.invites[id] = request }
            self.perform(actions)
        }.get()
    }

    func bye() async throws {
        try await loop.submit {
            guard var dialog = self.dialogs.popLast(), let flow = self.flows.values.first else { return }
            self.perform(
                self.transactions.send(dialog.request(.bye), over: flow, sentBy: self.sentBy, now: .now()).actions
            )
        }.get()
    }

    private var sentBy: String { "127.0.0.1:\(port)" }

    fileprivate func receive(_ message: SIPMessage, _ flow: SIPFlow, _ channel: any Channel) {
        links[flow] = channel
        perform(transactions.receive(message, from: flow, now: .now()))
    }

    fileprivate func media(_ packet: [UInt8]) {
        continuation.yield(.media(packet))
    }

    fileprivate func makeConnection() -> UInt64 {
        nextConnection += 1
        return nextConnection
    }

    private func perform(_ actions: [SIPTransactionAction]) {
        for action in actions {
            switch action {
            case .send(let bytes, let flow): send(bytes, flow)
            case .request(let request, let id, let flow): answer(request, id, flow)
            case .response(let response, let id): receive(response, id)
            default: break
            }
        }
    }

    private func send(_ bytes: [UInt8], _ flow: SIPFlow) {
        guard let channel = links[flow] else { return }
        let buffer = ByteBuffer(bytes: bytes)
        guard flow.transport == .udp else { return channel.writeAndFlush(buffer, promise: nil) }
        guard let address = try? SocketAddress(ipAddress: flow.remoteHost, port: flow.remotePort) else { return }
        channel.writeAndFlush(AddressedEnvelope(remoteAddress: address, data: buffer), promise: nil)
    }

    private func answer(_ request: SIPRequest, _ id: SIPServerTransactionID, _ flow: SIPFlow) {
        let user = request.headers.from?.uri.user ?? ""
        var response = SIPResponse(to: request, from: flow, status: 200, tag: "p")
        switch request.method {
        case .register:
            let authorization = request.headers[.authorization].flatMap(DigestAuthorization.init(parsing:))
            if authorization?.isValid(method: "REGISTER", password: Self.password) != true {
                response = SIPResponse(to: request, from: flow, status: 401, tag: "p")
                response.headers.append(.wwwAuthenticate, DigestChallenge(realm: "r", nonce: "n").headerValue)
            } else {
                flows[user] = flow
                continuation.yield(request.headers.expires == 0 ? .unregistered(user) : .registered(user))
            }
        case .message:
            if case .keepalive(let keepalive)? = try? ManscdpMessage.parse(request.body) {
                continuation.yield(.keepalive(keepalive.deviceID))
            }
        case .bye: continuation.yield(.bye)
        default: break
        }
        perform(transactions.respond(id, with: response, now: .now()))
    }

    private func receive(_ response: SIPResponse, _ id: SIPClientTransactionID) {
        guard !response.isProvisional, let invite = invites.removeValue(forKey: id) else { return }
        let answer = try? MediaAnswer.parse(response.body)
        continuation.yield(.answered(status: response.status, port: answer?.port ?? 0))
        guard response.isSuccess, let dialog = SIPDialog(invite: invite, response: response) else { return }
        dialogs.append(dialog)
        perform(transactions.acknowledge(id, with: dialog.acknowledgement(sequence: 1), sentBy: sentBy))
        guard let answer, answer.setup == .passive else { return }
        ClientBootstrap(group: loop).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(MediaStream(platform: self))
            }
        }.connect(host: answer.host, port: Int(answer.port)).assumeIsolated().whenSuccess { self.channels.append($0) }
    }
}

private final class Datagrams: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    private let platform: LoopbackPlatform

    init(platform: LoopbackPlatform) { self.platform = platform }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard let message = try? SIPMessage.parse(Array(buffer: envelope.data)) else { return }
        let flow = SIPFlow(
            transport: .udp,
            localHost: "127.0.0.1",
            localPort: platform.port,
            remoteHost: envelope.remoteAddress.ipAddress ?? "",
            remotePort: envelope.remoteAddress.port ?? 0
        )
        platform.receive(message, flow, context.channel)
    }
}

private final class Connection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let platform: LoopbackPlatform
    private var framer = SIPStreamFramer()
    private lazy var connection = platform.makeConnection()

    init(platform: LoopbackPlatform) { self.platform = platform }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let flow = SIPFlow(
            transport: .tcp,
            localHost: "127.0.0.1",
            localPort: platform.port,
            remoteHost: "127.0.0.1",
            remotePort: context.remoteAddress?.port ?? 0,
            connection: connection
        )
        for case .message(let message) in (try? framer.receive(Array(buffer: unwrapInboundIn(data)))) ?? [] {
            platform.receive(message, flow, context.channel)
        }
    }
}

private final class MediaDatagrams: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    private let platform: LoopbackPlatform

    init(platform: LoopbackPlatform) { self.platform = platform }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        platform.media(Array(buffer: unwrapInboundIn(data).data))
    }
}

private final class MediaStream: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let platform: LoopbackPlatform
    private var buffer = ByteBuffer()

    init(platform: LoopbackPlatform) { self.platform = platform }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var incoming = unwrapInboundIn(data)
        buffer.writeBuffer(&incoming)
        while let length: UInt16 = buffer.getInteger(at: buffer.readerIndex),
            let packet = buffer.getBytes(at: buffer.readerIndex + 2, length: Int(length))
        {
            buffer.moveReaderIndex(forwardBy: 2 + Int(length))
            platform.media(packet)
        }
        buffer.discardReadBytes()
    }
}
