import Hub
import Media
import NIOCore
import Streaming

/// One attempt to pull from another RTMP server or to push to it: carries bytes between its connection and its session, and does
/// what the session says. All of it runs on one event loop.
final class RTMPRelay: Relay {
    /// What a relay is made of.
    struct Order: Sendable {
        var url: RTMPURL
        var role: RTMPServerSession.Role
        var stream: String
        var app: String
        var session: SessionInfo
        var options: RelayOptions
    }

    private let order: Order
    private let hub: Hub
    private let loop: any EventLoop
    private var onEvent: (@Sendable (RelayEvent) -> Void)?
    private var session: RTMPClientSession
    private var channel: (any Channel)?
    private var remoteAddress = ""
    private var isEnded = false

    private var publisher: StreamPublisher?
    private var viewer: Viewer?
    private var unpackager = FLVUnpackager()
    private var events: [MediaEvent] = []

    private var timer: Scheduled<Void>?
    private var timerDeadline: NIODeadline?

    init(_ order: Order, hub: Hub, loop: any EventLoop, onEvent: @escaping @Sendable (RelayEvent) -> Void) {
        self.order = order
        self.hub = hub
        self.loop = loop
        self.onEvent = onEvent
        var configuration = RTMPClientConfiguration(order.role, order.url)
        configuration.timeout = order.options.timeout
        configuration.silenceTimeout = order.options.silenceTimeout
        session = RTMPClientSession(configuration, seed: .random(in: .min ... .max), now: loop.now)
    }

    func start() {
        guard !isEnded else { return }
        connect()
        schedule()
    }

    func stop() {
        end(nil)
    }

    private func connect() {
        let url = order.url
        connect(host: url.host, port: url.port, isTLS: url.isTLS, on: loop, options: order.options) { relay, error in
            relay.end(.connecting(relay.attempt, host: url.host, error))
        }
    }

    private var attempt: String { "\(order.role == .player ? "pull" : "push") \(order.url.redacted)" }

    private func schedule() {
        guard let deadline = isEnded ? nil : session.deadline else {
            timer?.cancel()
            timer = nil
            timerDeadline = nil
            return
        }
        // A deadline that moves on with every packet is looked at when the timer fires.
        if let timerDeadline, timerDeadline <= deadline { return }
        timer?.cancel()
        timerDeadline = deadline
        let bound = NIOLoopBound(self, eventLoop: loop)
        timer = loop.scheduleTask(deadline: deadline) {
            let relay = bound.value
            relay.timerDeadline = nil
            relay.perform(relay.session.advance(to: relay.loop.now))
            relay.schedule()
        }
    }

    private func end(_ fault: RelayFault?) {
        guard !isEnded else { return }
        isEnded = true
        timer?.cancel()
        timer = nil
        feed()
        publisher?.finish()
        publisher = nil
        if let bytes = session.goodbye { send(bytes) }
        if let viewer {
            viewer.close()
        } else if let channel {
            closeGently(channel)
        }
        viewer = nil
        channel = nil
        onEvent?(.ended(fault))
        onEvent = nil
    }

    private func end(_ kind: RelayFault.Kind, _ text: String) {
        end(RelayFault(kind, "\(attempt): \(text)"))
    }
}

// What the connection tells.
extension RTMPRelay {
    func connected(_ channel: any Channel) {
        guard !isEnded else {
            channel.close(promise: nil)
            return
        }
        self.channel = channel
        remoteAddress = channel.remoteName
        TCPKeepalive.enable(on: channel)
        perform(session.start())
    }

    func received(_ bytes: ByteBuffer, on channel: any Channel) {
        guard !isEnded, channel === self.channel else { return }
        publisher?.count(readBytes: bytes.readableBytes)
        viewer?.count(readBytes: bytes.readableBytes)
        perform(session.receive(bytes, now: loop.now))
        feed()
        schedule()
    }

    /// Who does not take our answers is not read any further, or they would pile up. A push has a limit of its own.
    func writabilityChanged(_ channel: any Channel) {
        guard channel === self.channel else { return }
        try? channel.syncOptions?.setOption(.autoRead, value: channel.isWritable || viewer != nil)
    }

    func disconnected(_ channel: any Channel) {
        guard channel === self.channel else { return }
        end(.lost, "the connection to \(remoteAddress) is closed")
    }

    func failed(_ error: any Error, on channel: any Channel) {
        guard channel === self.channel else { return }
        let fault = RelayFault.connecting(attempt, host: order.url.host, error)
        let isTLS = TLSClient.fault(error, host: order.url.host) != nil
        end(isTLS ? fault : RelayFault(.lost, fault.description))
    }
}

// What the session says.
extension RTMPRelay {
    private func perform(_ actions: [RTMPClientAction]) {
        for action in actions where !isEnded {
            switch action {
            case .send(let bytes): send(bytes)
            case .started(let acceptance): if order.role == .publisher { push(acceptance) }
            case .message(let message): unpackager.receive(message, into: &events)
            case .reconnect: reconnect()
            case .close(let fault): end(Self.kind(of: fault), fault.explanation)
            }
        }
    }

    private func send(_ bytes: ByteBuffer) {
        if let viewer {
            viewer.send(control: bytes)
        } else {
            publisher?.count(readBytes: 0, wroteBytes: bytes.readableBytes)
            channel?.writeAndFlush(bytes, promise: nil)
        }
    }

    private func reconnect() {
        let old = channel
        channel = nil
        old?.close(promise: nil)
        connect()
    }

    private func feed() {
        if publisher == nil, order.role == .player {
            let hasMedia = events.contains { if case .metadata = $0 { false } else { true } }
            guard hasMedia else {
                events = events.suffix(1)
                return
            }
            pull()
        }
        publisher?.receive(events)
        events.removeAll(keepingCapacity: true)
    }

    /// The first media has come: the stream is ours to publish.
    private func pull() {
        guard !isEnded else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        var description = order.session
        description.remoteAddress = remoteAddress
        do throws(HubError) {
            // A pull never ends a publisher, whatever the policy: it waits until the stream is free.
            publisher = try hub.publish(
                order.stream,
                app: order.app,
                session: description,
                on: loop,
                policy: .reject
            ) { end in
                bound.value.end(.hub, end.description)
            }
            onEvent?(.started(remoteAddress: remoteAddress))
        } catch {
            end(.hub, error.description)
        }
    }

    private func push(_ acceptance: RTMPAcceptance) {
        guard let channel else { return }
        var description = order.session
        description.remoteAddress = remoteAddress
        let bound = NIOLoopBound(self, eventLoop: loop)
        do throws(HubError) {
            viewer = try hub.view(
                order.stream,
                app: order.app,
                as: WireFormat(.rtmpPublish(streamID: acceptance.streamID), hevc: acceptance.hevc),
                session: description,
                channel: channel,
                sink: order.url.isTLS ? .channel : .descriptor,
                onEnd: { bound.value.released($0) }
            )
            onEvent?(.started(remoteAddress: remoteAddress))
        } catch {
            end(.hub, error.description)
        }
    }

    /// The Hub ends the push, and its channel behind what is returned.
    private func released(_ reason: Viewer.CloseReason) -> ByteBuffer? {
        let goodbye = session.goodbye
        viewer = nil
        channel = nil
        switch reason {
        case .publisherGone, .abandoned: end(.hub, "the stream \(order.stream) has no publisher")
        case .kicked: end(.hub, "ended by the API")
        case .shutdown: end(.hub, "the server shuts down")
        case .unsupportedCodec(let codec): end(.hub, "the other server takes no \(codec.rawValue)")
        case .stalled: end(.lost, "\(remoteAddress) takes no more bytes")
        case .channelClosed, .sendFailed, .descriptionChanged:
            end(.lost, "the connection to \(remoteAddress) is closed")
        }
        return goodbye
    }

    private static func kind(of fault: RTMPClientFault) -> RelayFault.Kind {
        switch fault {
        case .timeout: .timeout
        case .silence, .ended: .lost
        case .unauthorized: .unauthorized
        case .refused, .redirected: .refused
        case .broken: .protocolError
        }
    }
}
