internal import NIOCore
internal import SIP

/// How one camera's signalling reaches the platform.
enum SignallingLink {
    /// A datagram socket of its own, or one that many cameras share.
    case udp(any Channel)
    case tcp(any Channel)

    func send(_ bytes: [UInt8], to platform: SocketAddress) {
        switch self {
        case .udp(let channel):
            let buffer = channel.allocator.buffer(bytes: bytes)
            channel.writeAndFlush(AddressedEnvelope(remoteAddress: platform, data: buffer), promise: nil)
        case .tcp(let channel):
            channel.writeAndFlush(channel.allocator.buffer(bytes: bytes), promise: nil)
        }
    }
}

/// Datagrams of a socket that serves one camera, or (`camera` nil) many.
final class DatagramSignallingHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let owner: SimulationLoop
    private let camera: Int?

    init(owner: SimulationLoop, camera: Int?) {
        self.owner = owner
        self.camera = camera
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What cannot be read is the platform's fault and shows as an unanswered request.
        guard let message = try? SIPMessage.parse(Array(buffer: unwrapInboundIn(data).data)) else { return }
        owner.receive(message, for: camera)
    }
}

/// One camera's TCP connection to the platform.
final class StreamSignallingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let owner: SimulationLoop
    private let camera: Int
    private var framer = SIPStreamFramer()

    init(owner: SimulationLoop, camera: Int) {
        self.owner = owner
        self.camera = camera
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do {
            for event in try framer.receive(Array(buffer: unwrapInboundIn(data))) {
                if case .message(let message) = event { owner.receive(message, for: camera) }
            }
        } catch {
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        owner.connectionLost(camera: camera)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
