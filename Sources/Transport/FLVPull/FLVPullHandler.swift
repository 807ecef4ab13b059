import Hub
import Media
import NIOCore
import NIOHTTP1
import Streaming

/// The media half of a pull: reads FLV, in WebSocket frames or bare, and feeds a publisher of the Hub.
final class FLVPullHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// More cannot be a tag that the Hub would take.
    private static let maximumBytes = StreamPublisher.maximumFrame + 64 * 1024

    private let url: FLVURL
    private let options: RelayOptions
    private let publication: FLVPull.Publication
    private let loop: any EventLoop
    private let onEvent: @Sendable (RelayEvent) -> Void

    private var channel: (any Channel)?
    private var isEnded = false
    private var webSocket: WebSocketParser?
    private var reader = FLVTagReader()
    private var held = ByteBuffer()
    private var unpackager = FLVUnpackager()
    private var events: [MediaEvent] = []
    private var publisher: StreamPublisher?
    private var timer: Scheduled<Void>?
    private var lastRead = NIODeadline.now()

    init(
        url: FLVURL,
        options: RelayOptions,
        publication: FLVPull.Publication,
        loop: any EventLoop,
        onEvent: @escaping @Sendable (RelayEvent) -> Void
    ) {
        self.url = url
        self.options = options
        self.publication = publication
        self.loop = loop
        self.onEvent = onEvent
        webSocket = url.isWebSocket ? WebSocketParser(.client, maximumLength: Self.maximumBytes) : nil
    }

    /// The time limit begins to run.
    func start() {
        guard let limit = options.timeout else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        timer = loop.scheduleTask(in: limit) {
            let what = bound.value.channel == nil ? "no connection" : "no media"
            bound.value.end(.timeout, "\(what) within \(limit.nanoseconds / 1_000_000_000) s")
        }
    }

    func add(to channel: any Channel) throws {
        guard !isEnded else { throw ChannelError.ioOnClosedChannel }
        try FLVPullExchange(url).add(to: channel)
        try channel.pipeline.syncOperations.addHandler(self)
    }

    /// Ends the pull, unless it has ended; nil when its owner wants it.
    func end(_ fault: RelayFault?) {
        guard !isEnded else { return }
        isEnded = true
        timer?.cancel()
        timer = nil
        publisher?.finish()
        publisher = nil
        held = ByteBuffer()
        channel?.close(promise: nil)
        onEvent(.ended(fault))
    }

    private func end(_ kind: RelayFault.Kind, _ what: String) {
        end(RelayFault(kind, "pull \(url.redacted): \(what)"))
    }

    func handlerAdded(context: ChannelHandlerContext) {
        channel = context.channel
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(.lost, publisher == nil ? "the server closed before any media" : "the server closed the connection")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let fault = error as? RelayFault {
            end(fault)
        } else if let fault = TLSClient.fault(error, host: url.host) {
            end(publisher == nil ? .connect : .lost, fault.description)
        } else if error is HTTPParserError {
            end(.protocolError, "the answer is no HTTP that can be read: \(error)")
        } else {
            end(.lost, "\(error)")
        }
    }

    /// A server that pings and does not take the pongs is not read any further.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        try? context.channel.syncOptions?.setOption(.autoRead, value: context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isEnded else { return }
        let bytes = unwrapInboundIn(data)
        lastRead = loop.now
        let count = bytes.readableBytes
        if webSocket == nil {
            receive(bytes, context)
        } else {
            receiveFrames(bytes, context)
        }
        publisher?.count(readBytes: count)
    }

    private func receiveFrames(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        var frames: [WebSocketEvent] = []
        var fault: WebSocketFault?
        do throws(WebSocketFault) {
            try webSocket?.receive(bytes, into: &frames)
        } catch {
            fault = error
        }
        for frame in frames {
            switch frame {
            case .binary(let payload):
                receive(payload, context)
            case .ping(let payload):
                send(.pong, payload, context)
            case .close(let code):
                send(.close, ByteBuffer(integer: code == 1005 ? 1000 : code), context)
                end(.lost, "the server ended the stream (WebSocket close code \(code))")
            case .text, .pong:
                break
            }
            if isEnded { return }
        }
        if let fault { end(.protocolError, "its WebSocket frames cannot be read: \(fault)") }
    }

    private func send(_ opcode: WebSocketOpcode, _ payload: ByteBuffer, _ context: ChannelHandlerContext) {
        var frame = ByteBuffer()
        WebSocketFrame.write(opcode: opcode, payload: payload, mask: .random(in: .min ... .max), into: &frame)
        publisher?.count(readBytes: 0, wroteBytes: frame.readableBytes)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    private func receive(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        if held.readableBytes == 0 { held = bytes } else { held.writeImmutableBuffer(bytes) }
        do throws(FLVError) {
            while let message = try reader.next(from: &held) {
                unpackager.receive(message, into: &events)
            }
        } catch {
            if !events.isEmpty { feed(context) }
            end(.protocolError, "what it sends is no FLV: \(error)")
            return
        }
        if held.readableBytes > Self.maximumBytes {
            end(.protocolError, "it sends an FLV tag of more than \(Self.maximumBytes) bytes")
            return
        }
        if !events.isEmpty { feed(context) }
        // The payloads of the messages are let go by now: nothing is copied.
        held.discardReadBytes()
    }

    private func feed(_ context: ChannelHandlerContext) {
        if publisher == nil {
            // Metadata alone is no stream: it shall not keep a publisher from the name.
            guard events.contains(where: { if case .metadata = $0 { false } else { true } }) else {
                events = events.suffix(1)
                return
            }
            publish(context)
        }
        publisher?.receive(events)
        events.removeAll(keepingCapacity: true)
    }

    private func publish(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound(self, eventLoop: loop)
        var session = publication.session
        let address = context.channel.remoteAddress.map { "\($0.ipAddress ?? ""):\($0.port ?? 0)" } ?? ""
        if session.remoteAddress.isEmpty { session.remoteAddress = address }
        do throws(HubError) {
            publisher = try publication.hub.publish(
                publication.stream,
                app: publication.app,
                session: session,
                on: loop,
                policy: .reject
            ) { reason in
                bound.value.end(.hub, "\(reason)")
            }
        } catch {
            end(.hub, error.description)
            return
        }
        timer?.cancel()
        watch(for: options.silenceTimeout)
        onEvent(.started(remoteAddress: address))
    }

    /// Looks again when the silence may have lasted too long.
    private func watch(for time: TimeAmount) {
        let bound = NIOLoopBound(self, eventLoop: loop)
        timer = loop.scheduleTask(in: time) {
            let handler = bound.value
            let limit = handler.options.silenceTimeout
            let silence = handler.loop.now - handler.lastRead
            if silence >= limit {
                handler.end(.lost, "no byte for \(limit.nanoseconds / 1_000_000_000) s")
            } else {
                handler.watch(for: limit - silence)
            }
        }
    }
}
