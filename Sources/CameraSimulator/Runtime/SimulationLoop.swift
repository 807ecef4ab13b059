internal import NIOCore
internal import NIOPosix
internal import SIP

/// The cameras of one event loop with their sockets and one queue of wake-ups for all of them. Used on its loop only.
final class SimulationLoop {
    struct Settings: Sendable {
        var platform: PlatformConfiguration
        var platformAddress: SocketAddress
        /// The address that cameras announce and bind.
        var localHost: String
        /// Sockets that the cameras of this loop share; 0 gives each its own.
        var sharedSockets: Int
        var retryInterval: TimeAmount
        var clips: [String: Clip]
    }

    private struct Slot {
        var camera: SimulatedCamera
        var link: SignallingLink?
        /// When the socket is opened, or opened again.
        var openAt: NIODeadline?
        var isOpening = false
        /// The earliest entry of this camera in the queue.
        var queuedFor: NIODeadline?

        var wakeAt: NIODeadline? { link == nil ? openAt : camera.deadline }
    }

    let loop: any EventLoop
    let settings: Settings
    var statistics = SimulationStatistics()
    var media: [UInt64: MediaSession] = [:]

    private var slots: [Slot] = []
    private var routes: [String: Int] = [:]
    private var shared: [any Channel] = []
    private var sharedNext = 0
    private var queue = DeadlineQueue()
    private var timer: Scheduled<Void>?
    private var timerFor: NIODeadline?
    private var isStopped = false
    /// Queue entries below this are cameras, the others media sessions.
    private static let mediaBase: UInt64 = 1 << 32
    private var nextMedia = mediaBase

    init(loop: any EventLoop, settings: Settings) {
        self.loop = loop
        self.settings = settings
    }

    var cameraCount: Int { slots.count }

    /// Adds a camera that opens its socket and registers at `startAt`.
    func add(_ configuration: CameraConfiguration, startAt: NIODeadline) {
        loop.assertInEventLoop()
        var camera = SimulatedCamera(
            configuration: configuration,
            platform: settings.platform,
            startAt: startAt,
            generator: SystemRandomNumberGenerator()
        )
        camera.retryInterval = settings.retryInterval
        let index = slots.count
        routes[configuration.id] = index
        for channel in configuration.channels { routes[channel.id] = index }
        slots.append(Slot(camera: camera, openAt: startAt))
        enqueue(index)
    }

    /// Binds the shared sockets; before the first camera starts.
    func prepare() -> EventLoopFuture<Void> {
        let binds = (0..<settings.sharedSockets).map { _ in bindDatagram(camera: nil) }
        return EventLoopFuture.whenAllSucceed(binds, on: loop).assumeIsolated().map { self.shared = $0 }.nonisolated()
    }

    func receive(_ message: SIPMessage, for camera: Int?) {
        guard let index = camera ?? route(message), slots.indices.contains(index) else { return }
        let now = NIODeadline.now()
        perform(slots[index].camera.receive(message, now: now), for: index, now: now)
    }

    /// On a shared socket only IDs tell whose message it is.
    private func route(_ message: SIPMessage) -> Int? {
        switch message {
        case .response(let response): response.headers.from.flatMap { routes[$0.uri.user] }
        case .request(let request):
            SIPURI(request.uri).flatMap { routes[$0.user] } ?? request.headers.to.flatMap { routes[$0.uri.user] }
        }
    }

    func connectionLost(camera index: Int) {
        guard slots.indices.contains(index), slots[index].link != nil else { return }
        let now = NIODeadline.now()
        let actions = slots[index].camera.disconnected(now: now)
        slots[index].link = nil
        slots[index].openAt = isStopped ? nil : now + settings.retryInterval
        perform(actions, for: index, now: now)
    }

    /// Ends sessions, takes registrations back and stops the timer's work; sockets stay open for the answers.
    func stop() {
        loop.assertInEventLoop()
        isStopped = true
        let now = NIODeadline.now()
        for index in slots.indices {
            slots[index].openAt = nil
            perform(slots[index].camera.stop(now: now), for: index, now: now)
        }
    }

    func close() {
        loop.assertInEventLoop()
        timer?.cancel()
        for index in slots.indices {
            if case .udp(let channel)? = slots[index].link { channel.close(promise: nil) }
            if case .tcp(let channel)? = slots[index].link { channel.close(promise: nil) }
            slots[index].link = nil
        }
        for channel in shared { channel.close(promise: nil) }
        for session in media.values { session.close() }
        media = [:]
    }
}

// Time.
extension SimulationLoop {
    private func enqueue(_ index: Int) {
        guard let wakeAt = slots[index].wakeAt else { return }
        // An entry that comes earlier asks again then; only a nearer time needs one of its own.
        if let queuedFor = slots[index].queuedFor, queuedFor <= wakeAt { return }
        slots[index].queuedFor = wakeAt
        queue.push(UInt64(index), at: wakeAt)
        schedule()
    }

    func enqueue(_ session: MediaSession) {
        guard let deadline = session.deadline else { return }
        queue.push(session.key, at: deadline)
        schedule()
    }

    private func schedule() {
        guard let earliest = queue.earliest else { return }
        if let timerFor, timerFor <= earliest { return }
        timer?.cancel()
        timerFor = earliest
        timer = loop.assumeIsolated().scheduleTask(deadline: earliest) { self.wake() }
    }

    private func wake() {
        timerFor = nil
        let now = NIODeadline.now()
        while let id = queue.popDue(now) {
            if id < Self.mediaBase {
                wakeCamera(Int(id), now: now)
            } else if let session = media[id] {
                session.advance(to: now, statistics: &statistics)
                enqueue(session)
            }
        }
        schedule()
    }

    private func wakeCamera(_ index: Int, now: NIODeadline) {
        slots[index].queuedFor = nil
        if slots[index].link == nil {
            if let openAt = slots[index].openAt, openAt <= now { openLink(index, now: now) }
        } else {
            perform(slots[index].camera.advance(to: now), for: index, now: now)
        }
        enqueue(index)
    }
}

// Signalling sockets.
extension SimulationLoop {
    private func openLink(_ index: Int, now: NIODeadline) {
        guard !slots[index].isOpening, !isStopped else { return }
        slots[index].openAt = nil
        if slots[index].camera.configuration.transport == .udp, !shared.isEmpty {
            sharedNext = (sharedNext + 1) % shared.count
            return opened(index, .udp(shared[sharedNext]))
        }
        slots[index].isOpening = true
        let isTCP = slots[index].camera.configuration.transport == .tcp
        let channel = isTCP ? connect(camera: index) : bindDatagram(camera: index)
        channel.assumeIsolated().whenComplete { result in
            self.slots[index].isOpening = false
            switch result {
            case .success(let channel): self.opened(index, isTCP ? .tcp(channel) : .udp(channel))
            case .failure:
                self.statistics.unanswered(.register)
                self.slots[index].openAt = self.isStopped ? nil : .now() + self.settings.retryInterval
                self.enqueue(index)
            }
        }
    }

    private func opened(_ index: Int, _ link: SignallingLink) {
        let now = NIODeadline.now()
        let channel: any Channel
        let transport: SIPFlow.Transport
        switch link {
        case .udp(let udp): (channel, transport) = (udp, .udp)
        case .tcp(let tcp): (channel, transport) = (tcp, .tcp)
        }
        let flow = SIPFlow(
            transport: transport,
            localHost: settings.localHost,
            localPort: channel.localAddress?.port ?? 0,
            remoteHost: settings.platform.host,
            remotePort: settings.platform.port,
            connection: transport == .tcp ? UInt64(index) + 1 : 0
        )
        slots[index].link = link
        slots[index].camera.connected(flow, now: now)
        perform(slots[index].camera.advance(to: now), for: index, now: now)
    }

    private func bindDatagram(camera: Int?) -> EventLoopFuture<any Channel> {
        let owner = NIOLoopBound(self, eventLoop: loop)
        return DatagramBootstrap(group: loop)
            .channelOption(.maxMessagesPerRead, value: 16)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        DatagramSignallingHandler(owner: owner.value, camera: camera)
                    )
                }
            }
            .bind(host: settings.localHost, port: 0)
    }

    private func connect(camera: Int) -> EventLoopFuture<any Channel> {
        let owner = NIOLoopBound(self, eventLoop: loop)
        return ClientBootstrap(group: loop)
            .connectTimeout(.seconds(5))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        StreamSignallingHandler(owner: owner.value, camera: camera)
                    )
                }
            }
            .connect(to: settings.platformAddress)
    }
}

// What cameras want done.
extension SimulationLoop {
    func perform(_ actions: [SimulatedCamera.Action], for index: Int, now: NIODeadline) {
        for action in actions {
            switch action {
            case .send(let bytes): slots[index].link?.send(bytes, to: settings.platformAddress)
            case .openMedia(let request): openMedia(request, for: index)
            case .startMedia(let id): session(id, of: index)?.start()
            case .closeMedia(let id): closeMedia(id, of: index)
            case .registered: statistics.registered += 1
            case .unregistered: statistics.registered -= 1
            case .answered(let exchange, let status, let latency):
                statistics.answered(exchange, status: status, after: latency)
            case .unanswered(let exchange): statistics.unanswered(exchange)
            }
        }
        enqueue(index)
    }

    private func session(_ id: UInt64, of index: Int) -> MediaSession? {
        media.values.first { $0.camera == index && $0.request.id == id }
    }

    private func openMedia(_ request: SimulatedCamera.MediaRequest, for index: Int) {
        statistics.invites += 1
        guard let clip = settings.clips[request.clip] else { return mediaFailed(request.id, of: index) }
        nextMedia += 1
        let session = MediaSession(key: nextMedia, camera: index, request: request, clip: clip, owner: self)
        media[session.key] = session
        statistics.sessions = media.count
        session.open()
    }

    private func closeMedia(_ id: UInt64, of index: Int) {
        guard let session = session(id, of: index) else { return }
        media[session.key] = nil
        statistics.sessions = media.count
        session.close()
    }

    func mediaOpened(_ session: MediaSession, port: Int) {
        let now = NIODeadline.now()
        let port = UInt16(clamping: port)
        let actions = slots[session.camera].camera.mediaOpened(session.request.id, port: port, now: now)
        perform(actions, for: session.camera, now: now)
    }

    func mediaFailed(_ id: UInt64, of index: Int) {
        let now = NIODeadline.now()
        let actions = slots[index].camera.mediaFailed(id, now: now)
        closeMedia(id, of: index)
        perform(actions, for: index, now: now)
    }
}
