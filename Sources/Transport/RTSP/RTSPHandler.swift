import Hub
import Media
import NIOCore
import Streaming

/// One connection on an RTSP port: finds out whether requests come plainly, in a tunnel over HTTP, or in WebSocket messages, and
/// carries bytes between it and its `RTSPServerConnection`. What the bytes are of is in RTSPHandler+Detection.swift, what the
/// requests want in RTSPHandler+Requests.swift.
final class RTSPHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase {
        case detecting(RTSPProtocolDetector)
        case rtsp
        case webSocket(WebSocketParser)
        /// The half of a tunnel that answers go through. Requests come by `tunnelled`.
        case tunnel
        /// The half that requests come through.
        case post(NIOLoopBound<RTSPHandler>, Base64StreamDecoder)
        case closed
    }

    /// WebSocket messages of publishers hold packets, of which the longest has 64 KB.
    static let maximumMessage = 128 * 1024

    let hub: Hub
    let options: RTSPServerOptions
    let sink: ViewerSink
    var connection: RTSPServerConnection
    var peer = RTSPPeer(connection: 0, address: "")
    private(set) var remoteAddress = ""
    private(set) var context: ChannelHandlerContext?
    var phase = Phase.detecting(RTSPProtocolDetector())
    var began: NIODeadline?
    var fault: RTSPFault?
    /// Of a tunnel's half that answers go through: the one that requests come through.
    var otherHalf: (any Channel)?

    /// What the last DESCRIBE was answered with, until a session is made of it.
    var described: RTSPDescribed?
    /// The session whose media is on this connection, or that it began.
    var session: RTSPSession?

    /// Of a publisher over plain TCP, with the tick of its loop.
    private var reading: (socket: TickedSocket, tick: ReadTick)?
    var timer: Scheduled<Void>?
    private var timerDeadline: NIODeadline?

    init(hub: Hub, sink: ViewerSink, options: RTSPServerOptions) {
        self.hub = hub
        self.sink = sink
        self.options = options
        connection = RTSPServerConnection(peer: RTSPPeer(connection: 0, address: ""), nonce: "", now: .now())
    }

    var isWebSocket: Bool { if case .webSocket = phase { true } else { false } }
    var isClosed: Bool { if case .closed = phase { true } else { false } }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let address = context.channel.remoteAddress
        remoteAddress = address.map { "\($0.ipAddress ?? ""):\($0.port ?? 0)" } ?? ""
        var host = address?.ipAddress ?? ""
        if host.hasPrefix("::ffff:") { host.removeFirst(7) }
        peer = RTSPPeer(connection: options.shared.nextConnection(), address: host)
        TCPKeepalive.enable(on: context.channel)
        begin(sink == .descriptor ? options.policy : .interleavedOnly, now: context.eventLoop.now)
        schedule()
    }

    func begin(_ policy: RTSPTransportPolicy, now: NIODeadline) {
        let nonce = RTSPServerSession.id((.random(in: .min ... .max), .random(in: .min ... .max)))
        connection = RTSPServerConnection(
            configuration: options.connection,
            peer: peer,
            policy: policy,
            nonce: nonce,
            now: now
        )
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        read(unwrapInboundIn(data), waited: .nanoseconds(0))
    }

    func read(_ bytes: ByteBuffer, waited: TimeAmount) {
        guard let context else { return }
        switch phase {
        case .detecting(let detector): detect(bytes, detector, context)
        case .rtsp: receive(bytes, waited: waited)
        case .webSocket(let parser): receive(messages: bytes, parser, context)
        case .post(let other, let decoder): passOn(bytes, to: other, decoder, context)
        // The half that answers go through says nothing.
        case .tunnel, .closed: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let wasClosed = isClosed
        tellOtherHalf()
        phase = .closed
        options.shared.stopWaiting(connection: peer.connection)
        timer?.cancel()
        timer = nil
        stopReadingTogether()
        described?.reservation.cancel()
        described = nil
        session?.connectionClosed(peer.connection)
        session = nil
        if let fault, !wasClosed || fault != .timeout(.idle) { options.onFault(remoteAddress, fault) }
        self.context = nil
        context.fireChannelInactive()
    }

    /// Who does not take the answers to his requests is not read any further, or they would pile up. What a reader is sent has
    /// a limit of its own, and its end is only seen by reading.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if !context.channel.isWritable { stopReadingTogether() }
        let reads = context.channel.isWritable || session?.viewer != nil
        try? context.channel.syncOptions?.setOption(.autoRead, value: reads)
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

// RTSP
extension RTSPHandler {
    func receive(_ bytes: ByteBuffer, waited: TimeAmount) {
        guard let context else { return }
        session?.count(readBytes: bytes.readableBytes)
        perform(connection.receive(bytes, now: context.eventLoop.now))
        let frames = session?.feed(waited: waited) ?? 0
        reading?.tick.count(messages: frames)
        schedule()
    }

    func perform(_ actions: [RTSPServerAction]) {
        for action in actions where !isClosed {
            switch action {
            case .send(let bytes): send(bytes)
            case .describe(let request): describe(request)
            case .announce(let request): announce(request)
            case .session(let request): route(request)
            case .frame(let channel, let payload): session?.receive(payload, channel: channel)
            case .close(let fault):
                self.fault = fault
                close()
            }
        }
    }

    func respond(to request: RTSPServerRequest, _ reply: RTSPServerReply) {
        guard let context, !isClosed else { return }
        perform(connection.respond(to: request, reply, now: context.eventLoop.now))
        schedule()
    }

    /// The bytes of an answer that somebody else sends.
    func answer(to request: RTSPServerRequest, _ reply: RTSPServerReply) -> ByteBuffer {
        guard let context, !isClosed else { return ByteBuffer() }
        var bytes = ByteBuffer()
        var later: [RTSPServerAction] = []
        for action in connection.respond(to: request, reply, now: context.eventLoop.now) {
            if case .send(let answer) = action, later.isEmpty {
                bytes.writeImmutableBuffer(framed(answer))
            } else {
                later.append(action)
            }
        }
        if !later.isEmpty {
            let bound = NIOLoopBound((self, later), eventLoop: context.eventLoop)
            context.eventLoop.execute { bound.value.0.perform(bound.value.1) }
        }
        return bytes
    }

    /// The session is over, and not because the client asked for it.
    func sessionEnded(_ id: String, closes: Bool) {
        guard let context, !isClosed else { return }
        if session?.id == id { session = nil }
        stopReadingTogether()
        connection.sessionEnded(id, now: context.eventLoop.now)
        if closes { close() } else { schedule() }
    }

    private func send(_ bytes: ByteBuffer) {
        send(raw: framed(bytes))
    }

    func send(raw bytes: ByteBuffer) {
        guard let context else { return }
        if let viewer = session?.viewer, session?.isInterleaved == true {
            viewer.send(control: bytes)
        } else {
            session?.count(readBytes: 0, wroteBytes: bytes.readableBytes)
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        }
    }

    func framed(_ bytes: ByteBuffer) -> ByteBuffer {
        guard isWebSocket else { return bytes }
        var frame = ByteBuffer()
        WebSocketFrame.write(opcode: .binary, payload: bytes, into: &frame)
        return frame
    }

    /// Bytes written before are to reach the peer first.
    func close(sending last: ByteBuffer = ByteBuffer()) {
        guard let context, !isClosed else { return }
        let viewer = session?.viewer
        tellOtherHalf()
        phase = .closed
        timer?.cancel()
        timer = nil
        stopReadingTogether()
        if let viewer, session?.isInterleaved == true {
            viewer.close()
            return
        }
        let channel = context.channel
        channel.writeAndFlush(last).whenComplete { _ in channel.close(promise: nil) }
        // A peer that takes nothing never lets the write end.
        channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
    }

    /// From now on with the other publishers of the loop, when there are many.
    func readTogether(_ publisher: StreamPublisher) {
        guard let context, sink == .descriptor, reading == nil, case .rtsp = phase else { return }
        let socket = TickedSocket(context.channel) {
            publisher.patience
        } receive: { [unowned self] bytes, waited in
            read(bytes, waited: waited)
        }
        guard let socket else { return }
        let tick = options.reads.tick(of: context.eventLoop)
        tick.add(socket)
        reading = (socket, tick)
    }

    private func stopReadingTogether() {
        if let reading { reading.tick.remove(reading.socket) }
        reading = nil
    }

    private var deadline: NIODeadline? {
        switch phase {
        case .closed, .post: nil
        case .detecting: began.map { $0 + options.connection.messageTimeout } ?? connection.deadline
        // The other half has 5 s to come.
        case .tunnel: began.map { $0 + .seconds(5) } ?? connection.deadline
        case .rtsp, .webSocket: connection.deadline
        }
    }

    /// One timer, set to a deadline that may have moved on by the time it fires.
    func schedule() {
        guard let context, let deadline else {
            timer?.cancel()
            timer = nil
            timerDeadline = nil
            return
        }
        if let timerDeadline, timerDeadline <= deadline { return }
        timer?.cancel()
        timerDeadline = deadline
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.fire() }
    }

    private func fire() {
        timerDeadline = nil
        timer = nil
        guard let context, !isClosed else { return }
        let now = context.eventLoop.now
        if began != nil, let deadline, deadline <= now {
            fault = .timeout(.message)
            close()
            return
        }
        perform(connection.advance(to: now))
        schedule()
    }
}
