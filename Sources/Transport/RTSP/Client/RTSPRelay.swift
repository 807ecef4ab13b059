import Hub
import Media
import NIOCore
import Streaming

/// One attempt to pull from another RTSP server or to push to it: carries bytes between its connection and its session, and does
/// what the session says. All of it runs on one event loop.
final class RTSPRelay: Relay {
    /// What a relay is made of.
    struct Order: Sendable {
        var url: RTSPURL
        var isPush: Bool
        var stream: String
        var app: String
        var session: SessionInfo
        var ports: PortPool
        var reactors: RTPReactors
        var options: RelayOptions
    }

    let order: Order
    let hub: Hub
    let loop: any EventLoop
    private var onEvent: (@Sendable (RelayEvent) -> Void)?
    /// Of a push nil until it is known what to announce.
    private var session: RTSPClientSession?
    private(set) var channel: (any Channel)?
    /// Of the present connection: over UDP media comes from there, and goes there.
    private(set) var remoteAddress = ""
    private(set) var isEnded = false
    private let began: NIODeadline

    /// By the media's place in the description, as the server has set them up.
    private(set) var media: [Int: RTSPClientMedia] = [:]
    private(set) var ports: [Int: RTSPDatagramPorts] = [:]

    // Of a pull, in RTSPRelay+Pull.swift.
    var described: DescribedStream?
    var isAccepted = false
    /// Packets from before the stream is published.
    var early: [(media: Int, isRTCP: Bool, packet: ByteBuffer)] = []
    var earlyBytes = 0
    var publisher: StreamPublisher?
    var input: RTSPInput?
    var nextReport: NIODeadline?
    private var isFeeding = false

    // Of a push, in RTSPRelay+Push.swift.
    var reservation: ViewerReservation?
    var offer: RTPOffer?
    var viewer: Viewer?

    private var timer: Scheduled<Void>?
    private var timerDeadline: NIODeadline?

    init(_ order: Order, hub: Hub, loop: any EventLoop, onEvent: @escaping @Sendable (RelayEvent) -> Void) {
        self.order = order
        self.hub = hub
        self.loop = loop
        self.onEvent = onEvent
        began = loop.now
    }

    func start() {
        guard !isEnded else { return }
        if !order.isPush { begin(.player) }
        connect(to: order.url)
    }

    func stop() {
        end(nil)
    }

    /// The session can begin, when its connection is up.
    func begin(_ role: RTSPClientConfiguration.Role) {
        var configuration = RTSPClientConfiguration(role, order.url)
        configuration.timeout = order.options.timeout
        configuration.silenceTimeout = order.options.silenceTimeout
        // Inside of TLS alone media is safe, too.
        configuration.transport = order.url.isTLS ? .tcp : order.options.rtspTransport
        session = RTSPClientSession(configuration, seed: .random(in: .min ... .max), now: began)
        schedule()
    }

    private func connect(to url: RTSPURL) {
        connect(host: url.host, port: url.port, isTLS: url.isTLS, on: loop, options: order.options) { relay, error in
            relay.end(.connecting(relay.attempt, host: url.host, error))
        }
    }

    private var attempt: String { "\(order.isPush ? "push" : "pull") \(order.url.redacted)" }

    /// That of the present connection: the server may have redirected.
    var url: RTSPURL { session?.url ?? order.url }

    var remoteHost: String {
        let host = channel?.remoteAddress?.ipAddress ?? ""
        return host.hasPrefix("::ffff:") ? String(host.dropFirst(7)) : host
    }

    // Time

    func schedule() {
        let deadlines = [session?.deadline, input?.deadline, nextReport].compactMap(\.self)
        guard !isEnded, let deadline = deadlines.min() else {
            timer?.cancel()
            timer = nil
            timerDeadline = nil
            return
        }
        // A deadline that moves on with every packet is looked at when the timer fires.
        if let timerDeadline, timerDeadline <= deadline { return }
        timer?.cancel()
        timerDeadline = deadline
        timer = loop.assumeIsolated().scheduleTask(deadline: deadline) { self.fire() }
    }

    private func fire() {
        timer = nil
        timerDeadline = nil
        let now = loop.now
        perform(session?.advance(to: now) ?? [])
        input?.advance(to: now)
        if let nextReport, nextReport <= now { sendReports(now: now) }
        schedule()
    }

    // The end

    func end(_ fault: RelayFault?) {
        guard !isEnded else { return }
        isEnded = true
        timer?.cancel()
        timer = nil
        input?.feed()
        publisher?.finish()
        publisher = nil
        input = nil
        early = []
        reservation?.cancel()
        reservation = nil
        let goodbye = session?.goodbye()
        if let channel, let viewer, viewer.channel != nil {
            viewer.release(sending: goodbye ?? ByteBuffer()) { channel.close(promise: nil) }
        } else if let channel {
            viewer?.close()
            if let goodbye { channel.write(goodbye, promise: nil) }
            closeGently(channel)
        }
        viewer = nil
        channel = nil
        closePorts()
        onEvent?(.ended(fault))
        onEvent = nil
    }

    func end(_ kind: RelayFault.Kind, _ text: String) {
        end(RelayFault(kind, "\(attempt): \(text)"))
    }

    /// What a push's connection gets last where the Hub ends it, and the connection with it.
    func takeGoodbye() -> ByteBuffer? {
        channel = nil
        return session?.goodbye()
    }

    func tellStarted() {
        onEvent?(.started(remoteAddress: remoteAddress))
    }
}

// What the connection tells.
extension RTSPRelay {
    func connected(_ channel: any Channel) {
        guard !isEnded else {
            channel.close(promise: nil)
            return
        }
        self.channel = channel
        remoteAddress = channel.remoteName
        TCPKeepalive.enable(on: channel)
        startSession()
    }

    func startSession() {
        if session == nil {
            askHub()
        } else {
            perform(session?.start(now: loop.now) ?? [])
        }
        schedule()
    }

    func received(_ bytes: ByteBuffer, on channel: any Channel) {
        guard !isEnded, channel === self.channel else { return }
        publisher?.count(readBytes: bytes.readableBytes)
        viewer?.count(readBytes: bytes.readableBytes)
        perform(session?.receive(bytes, now: loop.now) ?? [])
        input?.feed()
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
        let fault = RelayFault.connecting(attempt, host: url.host, error)
        let isTLS = TLSClient.fault(error, host: url.host) != nil
        end(isTLS ? fault : RelayFault(.lost, fault.description))
    }
}

// What the session says.
extension RTSPRelay {
    func perform(_ actions: [RTSPClientAction]) {
        for action in actions where !isEnded {
            switch action {
            case .send(let bytes): send(bytes)
            case .described(let sdp): setUp(described: sdp)
            case .announced: setUpAnnounced()
            case .media(let item): isSetUp(item)
            case .started: if order.isPush { push() } else { accepted() }
            case .packet(let media, let isRTCP, let packet): if !order.isPush { receive(packet, media, isRTCP) }
            case .reconnect(let url): reconnect(to: url)
            case .close(let fault): end(Self.kind(of: fault), fault.explanation)
            }
        }
    }

    func send(_ bytes: ByteBuffer) {
        if let viewer, viewer.channel != nil {
            viewer.send(control: bytes)
        } else {
            publisher?.count(readBytes: 0, wroteBytes: bytes.readableBytes)
            channel?.writeAndFlush(bytes, promise: nil)
        }
    }

    private func reconnect(to url: RTSPURL) {
        let old = channel
        channel = nil
        old?.close(promise: nil)
        closePorts()
        media = [:]
        isAccepted = false
        early = []
        earlyBytes = 0
        connect(to: url)
    }

    /// - Parameter places: of the medias that are wanted.
    func setUp(_ places: [Int], _ then: (inout RTSPClientSession, [RTSPPorts]) -> [RTSPClientAction]) {
        guard var session else { return }
        var own: [RTSPPorts] = []
        do {
            if session.transport == .udp { own = try places.map { try openPorts(media: $0) } }
        } catch {
            end(.hub, "no UDP port can be opened: \(error)")
            return
        }
        let actions = then(&session, own)
        self.session = session
        perform(actions)
    }

    private func openPorts(media: Int) throws -> RTSPPorts {
        let isIPv6 = channel?.remoteAddress?.protocol == .inet6
        let port = try RTSPDatagramPorts(
            media: media,
            pool: order.ports,
            host: isIPv6 ? "::" : "0.0.0.0",
            on: try order.reactors.reactor(of: loop)
        ) { [weak self] packet, media, isRTCP, now in
            self?.receive(datagram: packet, media, isRTCP, now)
        }
        ports[media] = port
        return port.ports
    }

    private func isSetUp(_ item: RTSPClientMedia) {
        media[item.media] = item
        guard case .udp(_, let server, let source) = item.delivery, let port = ports[item.media] else { return }
        port.setPeer(host: remoteHost, server, source: source)
        // Statement 78: before PLAY, or the first packets find a NAT closed.
        port.punch(ssrc: .random(in: .min ... .max))
    }

    private func closePorts() {
        for port in ports.values { port.close() }
        ports = [:]
    }

    private func receive(datagram packet: RawSpan, _ media: Int, _ isRTCP: Bool, _ now: NIODeadline) {
        guard !isEnded, !order.isPush else { return }
        if !isRTCP { session?.received(now: now) }
        publisher?.count(readBytes: packet.byteCount)
        take(packet, media, isRTCP, now)
        guard !isFeeding else { return }
        // All datagrams of this turn together.
        isFeeding = true
        loop.assumeIsolated().execute {
            self.isFeeding = false
            self.input?.feed()
            self.schedule()
        }
    }

    private static func kind(of fault: RTSPClientFault) -> RelayFault.Kind {
        switch fault {
        case .timeout: .timeout
        case .silence, .ended: .lost
        case .unauthorized: .unauthorized
        case .refused, .redirected: .refused
        case .unusable, .broken: .protocolError
        }
    }
}
