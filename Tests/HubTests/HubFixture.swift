import Media
import NIOCore
import NIOEmbedded
import Testing

@testable import Hub

/// A camera: 25 pictures a second, every tenth a key frame, sound in between when wanted.
struct FakeCamera {
    var codec = VideoCodec.h264
    var time: Int64 = 0
    var picture = 0
    var keyLength = 6000
    var length = 1000
    var group = 10
    /// Shown later than decoded, as with B-frames.
    var isReordered = false

    var parameters: VideoParameters {
        switch codec {
        case .h264:
            VideoParameters(codec: .h264, sps: [[0x67, 66, 0, 30, 1]], pps: [[0x68, 1]], width: 640, height: 360)
        case .h265:
            VideoParameters(
                codec: .h265,
                vps: [Self.hex("40010c01ffff01600000030090000003000003003f959809")],
                sps: [Self.hex("42010101600000030090000003000003003fa00502016965959a4932bc05a02000000300200000030321")],
                pps: [Self.hex("4401c172b46240")],
                width: 640,
                height: 360
            )
        case .av1, .vp9:
            VideoParameters(codec: codec, sps: [], pps: [], record: [0x81, 0, 0x0C, 0], width: 640, height: 360)
        }
    }

    private static func hex(_ digits: String) -> [UInt8] {
        stride(from: 0, to: digits.count, by: 2).compactMap { offset in
            UInt8(digits.dropFirst(offset).prefix(2), radix: 16)
        }
    }

    static let aac = AudioParameters(codec: .aac, sampleRate: 8000, channels: 1, configuration: [0x15, 0x88])

    var start: [MediaEvent] { [.video(parameters), .audio(Self.aac)] }

    mutating func nextPicture() -> MediaEvent {
        let isKey = picture % group == 0
        let count = isKey ? keyLength : length
        var payload = ByteBuffer()
        payload.writeInteger(UInt32(count - 4))
        payload.writeInteger(UInt32(picture))
        payload.writeRepeatingByte(UInt8(truncatingIfNeeded: picture), count: count - 8)
        defer {
            time += 3600
            picture += 1
        }
        let delay: Int64 = isReordered ? (isKey ? 7200 : [14_400, 0, 3600][picture % 3]) : 0
        return .frame(Frame(track: .video, dts: time, pts: time + delay, isKey: isKey, payload: payload))
    }

    func sound() -> MediaEvent {
        let payload = ByteBuffer(repeating: 0x21, count: 60)
        return .frame(Frame(track: .audio, dts: time, pts: time, isKey: true, payload: payload))
    }
}

/// A Hub on one embedded loop, whose time the test sets.
final class HubFixture {
    let loop = EmbeddedEventLoop()
    let hub: Hub
    var camera = FakeCamera()
    private var channels: [EmbeddedChannel] = []

    init(
        _ configure: (inout HubConfiguration) -> Void = { _ in },
        onEvent: @escaping @Sendable (HubEvent) -> Void = { _ in }
    ) {
        var configuration = HubConfiguration()
        configuration.wallClock = { 1_700_000_000_000 }
        configure(&configuration)
        hub = Hub(group: loop, configuration: configuration, onEvent: onEvent)
    }

    var dispatcher: LoopDispatcher { hub.dispatchers[0] }

    func publish(
        _ stream: String = "door",
        policy: PublisherPolicy? = nil,
        onKick: @escaping (PublisherEnd) -> Void = { _ in }
    ) throws -> StreamPublisher {
        try hub.publish(
            stream,
            app: "live",
            session: hub.makeSession(.ps, .publisher),
            on: loop,
            policy: policy,
            onKick: onKick
        )
    }

    /// A connection that is open.
    func makeChannel() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(loop: loop)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        channels.append(channel)
        return channel
    }

    func watch(
        _ stream: String = "door",
        as format: WireFormat = .flv,
        prologue: String = "",
        onEnd: ((Viewer.CloseReason) -> ByteBuffer?)? = nil,
        handler: (any ChannelOutboundHandler & Sendable)? = nil
    ) throws -> (viewer: Viewer, output: Output) {
        let channel = try makeChannel()
        if let handler { try channel.pipeline.syncOperations.addHandler(handler) }
        let viewer = try hub.view(
            stream,
            app: "live",
            as: format,
            session: hub.makeSession(.flv, .viewer),
            channel: channel,
            prologue: ByteBuffer(string: prologue),
            onEnd: onEnd
        )
        return (viewer, Output(channel: channel))
    }

    /// Publishes pictures, each in its own turn of the loop.
    func play(_ publisher: StreamPublisher, pictures: Int, sound: Bool = true) {
        for _ in 0..<pictures {
            publisher.receive(camera.nextPicture())
            if sound { publisher.receive(camera.sound()) }
            loop.run()
        }
    }

    func report(_ stream: String = "door") -> [StreamSnapshot] {
        dispatcher.report(on: stream)
    }
}

/// What a viewer was sent.
final class Output {
    let channel: EmbeddedChannel
    private(set) var bytes = ByteBuffer()

    init(channel: EmbeddedChannel) {
        self.channel = channel
    }

    /// All bytes until now.
    @discardableResult
    func drain() throws -> ByteBuffer {
        while var part = try channel.readOutbound(as: ByteBuffer.self) { bytes.writeBuffer(&part) }
        return bytes
    }

    /// All messages of an FLV output until now.
    func messages() throws -> [FLVMessage] {
        try drain()
        var reader = FLVTagReader()
        var rest = bytes
        var messages: [FLVMessage] = []
        while let message = try reader.next(from: &rest) { messages.append(message) }
        // The last PreviousTagSize is all that may be left.
        #expect(rest.readableBytes == 4 || messages.isEmpty)
        return messages
    }
}

extension Sequence<FLVMessage> {
    /// The numbers that `FakeCamera` wrote into its pictures.
    var pictures: [Int] {
        compactMap { message in
            guard message.kind == .video, !message.isSequenceHeader else { return nil }
            return message.payload.getInteger(at: message.payload.readerIndex + 4, as: UInt32.self).map(Int.init)
        }
    }
}

/// A socket that takes nothing until it is opened.
final class Gate: ChannelOutboundHandler, @unchecked Sendable {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var held: [(NIOAny, EventLoopPromise<Void>?)] = []
    var isOpen = false
    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if isOpen { context.write(data, promise: promise) } else { held.append((data, promise)) }
    }

    func open() {
        isOpen = true
        let writes = held
        held = []
        for (data, promise) in writes { context?.writeAndFlush(data, promise: promise) }
    }

    func shut() { isOpen = false }
}
