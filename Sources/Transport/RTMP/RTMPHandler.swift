import Hub
import Media
import NIOCore
import Streaming

/// One RTMP connection: carries bytes to its session and does what the session says.
final class RTMPHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let hub: Hub
    private let sink: ViewerSink
    private let options: RTMPServerOptions
    private var session: RTMPServerSession
    private var remoteAddress = ""
    private var stream: String?
    private var lastRole: RTMPServerSession.Role?
    private var fault: RTMPFault?
    private var isClosing = false

    private var publisher: StreamPublisher?
    private var unpackager = FLVUnpackager()
    private var events: [MediaEvent] = []
    private var viewer: Viewer?
    /// Of a publisher over plain TCP, with the tick of its loop.
    private var reading: (socket: TickedSocket, tick: ReadTick)?

    /// One timer, set to a deadline that may have moved on by the time it fires: a publisher's does with every packet.
    private var timer: Scheduled<Void>?
    private var timerDeadline: NIODeadline?

    init(hub: Hub, sink: ViewerSink, options: RTMPServerOptions) {
        self.hub = hub
        self.sink = sink
        self.options = options
        var configuration = options.session
        configuration.asksAdmission = options.admit != nil
        session = RTMPServerSession(configuration: configuration, seed: .random(in: .min ... .max), now: .now())
    }

    func handlerAdded(context: ChannelHandlerContext) {
        remoteAddress = context.channel.remoteAddress.map { "\($0.ipAddress ?? ""):\($0.port ?? 0)" } ?? ""
        // A peer that is cut off while it publishes nothing and plays nothing new.
        TCPKeepalive.enable(on: context.channel)
        schedule(context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        receive(unwrapInboundIn(data), waited: .nanoseconds(0), context)
    }

    private func receive(_ bytes: ByteBuffer, waited: TimeAmount, _ context: ChannelHandlerContext) {
        guard !isClosing else { return }
        publisher?.count(readBytes: bytes.readableBytes)
        viewer?.count(readBytes: bytes.readableBytes)
        perform(session.receive(bytes, now: context.eventLoop.now), context)
        feed(waited: waited)
        schedule(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosing = true
        timer?.cancel()
        timer = nil
        endPublication()
        viewer = nil
        options.onClose(
            RTMPConnectionReport(
                remoteAddress: remoteAddress,
                role: lastRole,
                stream: stream,
                fault: fault,
                session: session.statistics,
                media: unpackager.statistics,
                unsupportedCodecs: unpackager.unsupportedCodecs.sorted()
            )
        )
        context.fireChannelInactive()
    }

    /// Who does not take the answers to his commands is not read any further, or they would pile up. What a viewer is sent has a
    /// limit of its own, and its end is only seen by reading.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if !context.channel.isWritable, let reading {
            // The tick reads whatever the channel says.
            reading.tick.remove(reading.socket)
            self.reading = nil
        }
        try? context.channel.syncOptions?.setOption(.autoRead, value: context.channel.isWritable || viewer != nil)
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func perform(_ actions: [RTMPServerAction], _ context: ChannelHandlerContext) {
        for action in actions {
            switch action {
            case .send(let bytes): send(bytes, context)
            case .connect(let command): admit(command, context)
            case .publish(let request): publish(request, context)
            case .play(let request): play(request, context)
            case .message(let message): unpackager.receive(message, into: &events)
            case .stopped: endPublication()
            case .close(let fault): close(fault, context)
            }
        }
    }

    /// What the messages of one read gave, at once.
    private func feed(waited: TimeAmount = .nanoseconds(0)) {
        guard !events.isEmpty else { return }
        reading?.tick.count(messages: events.count)
        publisher?.receive(events, waited: waited)
        events.removeAll(keepingCapacity: true)
    }

    private func send(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        if let viewer {
            viewer.send(control: bytes)
        } else {
            publisher?.count(readBytes: 0, wroteBytes: bytes.readableBytes)
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        }
    }

    /// Bytes written before are to reach the peer first.
    private func close(_ fault: RTMPFault?, _ context: ChannelHandlerContext) {
        guard !isClosing else { return }
        isClosing = true
        self.fault = fault
        endPublication()
        if let viewer {
            viewer.close()
        } else {
            let channel = context.channel
            channel.writeAndFlush(ByteBuffer()).whenComplete { _ in channel.close(promise: nil) }
            // A peer that takes nothing never lets the write end.
            channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
        }
    }

    private func schedule(_ context: ChannelHandlerContext) {
        guard let deadline = isClosing ? nil : session.deadline else {
            timer?.cancel()
            timer = nil
            timerDeadline = nil
            return
        }
        if let timerDeadline, timerDeadline <= deadline { return }
        timer?.cancel()
        timerDeadline = deadline
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: deadline) {
            let (handler, context) = bound.value
            handler.timerDeadline = nil
            handler.perform(handler.session.advance(to: context.eventLoop.now), context)
            handler.schedule(context)
        }
    }
}

// Roles
extension RTMPHandler {
    private func admit(_ command: RTMPConnectCommand, _ context: ChannelHandlerContext) {
        let request = RTMPConnectRequest(
            app: command.app,
            query: command.query,
            tcURL: command.tcURL,
            flashVersion: command.flashVersion,
            remoteAddress: remoteAddress
        )
        switch options.admit?(request) ?? .allow {
        case .allow: perform(session.accept(now: context.eventLoop.now), context)
        case .reject(let reason): perform(session.refuse(.unauthorized, reason), context)
        }
    }

    private func publish(_ request: RTMPRequest, _ context: ChannelHandlerContext) {
        guard isAllowed(.publisher, request, context) else { return }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        do throws(HubError) {
            publisher = try hub.publish(
                request.address.stream,
                app: request.address.app,
                session: describe(.publisher, request),
                on: context.eventLoop
            ) { end in
                let (handler, context) = bound.value
                handler.perform(handler.session.end(end.description), context)
            }
        } catch {
            perform(session.refuse(Self.refusal(error), error.description), context)
            return
        }
        // The times of another publication have nothing to do with these.
        unpackager = FLVUnpackager(continuing: unpackager.statistics)
        remember(.publisher, request)
        readTogether(context)
        perform(session.accept(now: context.eventLoop.now), context)
    }

    private func play(_ request: RTMPRequest, _ context: ChannelHandlerContext) {
        guard isAllowed(.player, request, context) else { return }
        // The answer goes out with the entry, and not at all when the Hub refuses: so it is tried on a copy.
        var accepted = session
        let actions = accepted.accept(now: context.eventLoop.now)
        var prologue = ByteBuffer()
        for case .send(let bytes) in actions { prologue.writeImmutableBuffer(bytes) }
        do throws(HubError) {
            viewer = try hub.view(
                request.address.stream,
                app: request.address.app,
                as: WireFormat(.rtmp, hevc: request.hevc),
                session: describe(.viewer, request),
                channel: context.channel,
                sink: sink,
                prologue: prologue,
                onEnd: Self.farewell
            )
        } catch {
            perform(session.refuse(Self.refusal(error), error.description), context)
            return
        }
        session = accepted
        remember(.player, request)
        for action in actions {
            if case .send = action { continue }
            perform([action], context)
        }
    }

    private static func farewell(_ reason: Viewer.CloseReason) -> ByteBuffer? {
        switch reason {
        case .publisherGone: RTMPFarewell.ended("The publisher has gone")
        case .abandoned: RTMPFarewell.ended("No publisher came")
        case .kicked: RTMPFarewell.ended("Ended by the API")
        case .shutdown: RTMPFarewell.ended("The server shuts down")
        case .unsupportedCodec(let codec):
            RTMPFarewell.failed("the stream is now \(codec.rawValue), which needs a player that speaks enhanced RTMP")
        case .channelClosed, .stalled, .sendFailed, .descriptionChanged: nil
        }
    }

    /// From now on with the other publishers of the loop, when there are many.
    private func readTogether(_ context: ChannelHandlerContext) {
        guard sink == .descriptor, reading == nil else { return }
        let socket = TickedSocket(context.channel) { [unowned self] in
            publisher?.patience ?? .nanoseconds(0)
        } receive: { [unowned self] bytes, waited in
            receive(bytes, waited: waited, context)
        }
        guard let socket else { return }
        let tick = options.reads.tick(of: context.eventLoop)
        tick.add(socket)
        reading = (socket, tick)
    }

    private func endPublication() {
        feed()
        if let reading { reading.tick.remove(reading.socket) }
        reading = nil
        publisher?.finish()
        publisher = nil
    }

    private func remember(_ role: RTMPServerSession.Role, _ request: RTMPRequest) {
        lastRole = role
        stream = request.address.stream
    }

    private func isAllowed(
        _ role: RTMPServerSession.Role,
        _ request: RTMPRequest,
        _ context: ChannelHandlerContext
    ) -> Bool {
        let access = RTMPAccess(role: role, request: request, remoteAddress: remoteAddress)
        switch options.authorize(access) {
        case .allow:
            return true
        case .deny(let refusal, let reason):
            perform(session.refuse(refusal, reason), context)
            return false
        }
    }

    private func describe(_ role: SessionInfo.Role, _ request: RTMPRequest) -> SessionInfo {
        let address = request.address
        let query = address.query.isEmpty ? "" : "?" + address.query
        return hub.makeSession(
            .rtmp,
            role,
            remoteAddress: remoteAddress,
            url: "\(request.tcURL)/\(address.stream)\(query)",
            query: address.query
        )
    }

    private static func refusal(_ error: HubError) -> RTMPRefusal {
        switch error {
        case .alreadyPublished: .badName
        case .tooManyStreams, .tooManyViewers, .tooManyViewersOfStream, .unsupportedCodec, .foreignEventLoop:
            .unavailable
        }
    }
}
