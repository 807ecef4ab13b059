internal import GB28181
internal import Logging
internal import NIOCore
internal import SIP
internal import Transport

/// The SIP side of the gateway: one actor on one event loop, which drives `SignallingCore` and does what it asks for.
actor Signalling {
    nonisolated let unownedExecutor: UnownedSerialExecutor
    nonisolated let loop: any EventLoop

    let settings: SignallingSettings
    let media: MediaService
    let store: DeviceStore?
    let logger: Logger
    /// Whether a stream has viewers, or is recorded.
    let isWanted: @Sendable (String) -> Bool
    private let limiter = LogRateLimiter()

    var core: SignallingCore
    var ssrcs: SSRCAllocator
    var sessions: [ChannelKey: ChannelSession] = [:]
    var keys: [MediaSessionID: ChannelKey] = [:]
    var faults = ChannelFaults()
    private var socket: SIPSocket?
    private var inbox: SignallingInbox?
    private var timer: Scheduled<Void>?
    private var timerAt = NIODeadline.distantFuture
    var idleTimer: Scheduled<Void>?
    private(set) var isStopping = false
    /// Of the newest of `sessions`.
    var sessionNumber = 0
    /// Byes that wait until the port that was being opened for their session is closed again.
    var undone: [Int: CheckedContinuation<Void, Never>] = [:]

    init(
        settings: SignallingSettings,
        loop: any EventLoop,
        media: MediaService,
        store: DeviceStore?,
        logger: Logger,
        isWanted: @escaping @Sendable (String) -> Bool
    ) {
        self.settings = settings
        self.loop = loop
        self.media = media
        self.store = store
        self.logger = logger
        self.isWanted = isWanted
        unownedExecutor = loop.executor.asUnownedSerialExecutor()
        core = SignallingCore(
            configuration: settings.core,
            random: SystemRandomNumberGenerator(),
            clock: WallClock(unixMilliseconds: WallTime.now().unixMilliseconds, at: .now())
        )
        // Anywhere: a camera that still sends from before a restart must not meet its old SSRC.
        ssrcs = SSRCAllocator(
            platformID: settings.core.platformID,
            firstSerial: .random(in: 0..<UInt32(SSRCAllocator.capacity))
        )
    }

    /// Binds the SIP port, takes back what the store remembers, and says BYE to what a former process left open.
    /// - Returns: the port, for configurations that ask for any.
    func start() async throws -> Int {
        let socket = try await SIPSocket.bind(host: settings.bindHost, port: settings.port, on: loop)
        self.socket = socket
        let state = await store?.load() ?? StoredState()
        core.restore(state.restoredDevices(port: socket.port))
        let inbox = SignallingInbox(self)
        self.inbox = inbox
        try await socket.start(delegate: inbox)
        perform(core.endStoredDialogs(state.storedDialogs, now: .now()))
        return socket.port
    }

    /// BYEs every session and waits for the answers, `grace` at most.
    func stop(grace: Duration = .seconds(3)) async {
        isStopping = true
        perform(core.shutDown(now: .now()))
        // What is left has not asked its camera yet.
        for key in Array(sessions.keys) { finish(key, ControlError.inviteFailed("the gateway is stopping")) }
        let end = ContinuousClock.now + grace
        while core.openFarewells > 0, ContinuousClock.now < end {
            // On the loop: a cancelled task does not sleep, it would spin.
            try? await loop.scheduleTask(in: .milliseconds(20)) {}.futureResult.get()
        }
        timer?.cancel()
        idleTimer?.cancel()
        await socket?.close()
        socket = nil
        inbox = nil
    }

    // From the socket

    func received(_ message: SIPMessage, on flow: SIPFlow) {
        perform(core.receive(message, from: flow, now: .now()))
    }

    func flowClosed(_ flow: SIPFlow) {
        perform(core.flowClosed(flow, now: .now()))
    }

    func parseFailed(_ reason: String, on flow: SIPFlow) {
        note(
            .warning,
            key: "sip-parse-\(flow.remoteHost)",
            "SIP from \(flow.remoteHost):\(flow.remotePort) is unreadable: \(reason)"
        )
    }

    // To the world

    /// Carries out what the core asks for, in order.
    func perform(_ actions: [SignallingAction]) {
        for action in actions { perform(action) }
        schedule()
    }

    private func perform(_ action: SignallingAction) {
        switch action {
        case .send(let bytes, let flow):
            socket?.send(bytes, on: flow)
        case .flowTrusted(let flow):
            socket?.markKnown(flow)
        case .deviceOnline(let id, let reason):
            logger.notice("device \(id) is online", metadata: ["reason": "\(reason)", "flow": "\(flowText(id))"])
        case .deviceOffline(let id, let reason):
            logger.notice("device \(id) is offline", metadata: ["reason": "\(reason.rawValue)"])
        case .deviceChanged, .alarm:
            break
        case .catalogUpdated(let id, let isComplete):
            catalogUpdated(id, isComplete: isComplete)
        case .inviteAnswered(let id, let answer):
            answered(id, answer)
        case .inviteFailed(let id, let failure):
            failed(id, failure)
        case .sessionEnded(let id, let reason):
            ended(id, reason)
        case .persistDevice(let id):
            if let store, let device = core.device(id) { store.save(StoredDevice(device)) }
        case .persistDialog(let dialog):
            store?.save(StoredDialog(dialog))
        case .forgetDialog(let callID):
            store?.removeDialog(callID: callID)
        case .log(let level, let key, let text):
            note(level.logger, key: key, text)
        }
    }

    private func note(_ level: Logger.Level, key: String, _ text: String) {
        logger.limited(limiter, key: key, level: level, "\(text)")
    }

    private func flowText(_ id: String) -> String {
        core.device(id)?.flow.map { "\($0.transport.rawValue) \($0.remoteHost):\($0.remotePort)" } ?? ""
    }

    private func catalogUpdated(_ id: String, isComplete: Bool) {
        guard let device = core.device(id) else { return }
        let metadata: Logger.Metadata = ["channels": "\(device.channels.count)", "complete": "\(isComplete)"]
        logger.info("catalog of device \(id)", metadata: metadata)
        store?.replaceChannels(of: id, by: device.channels.map { StoredChannel($0, deviceID: id) })
    }

    /// One timer, at the core's next deadline.
    private func schedule() {
        guard !isStopping || core.openFarewells > 0, let deadline = core.deadline else { return }
        guard timer == nil || deadline < timerAt else { return }
        timer?.cancel()
        timerAt = deadline
        timer = loop.scheduleTask(deadline: deadline) { [weak self] in
            self?.assumeIsolated { $0.fire() }
        }
    }

    private func fire() {
        timer = nil
        timerAt = .distantFuture
        let now = NIODeadline.now()
        core.setClock(WallClock(unixMilliseconds: WallTime.now().unixMilliseconds, at: now))
        perform(core.advance(to: now))
    }
}

/// What the SIP socket calls, on the actor's loop.
private final class SignallingInbox: SIPSocketDelegate, Sendable {
    private unowned let signalling: Signalling

    init(_ signalling: Signalling) {
        self.signalling = signalling
    }

    func receive(_ message: SIPMessage, on flow: SIPFlow) {
        signalling.assumeIsolated { $0.received(message, on: flow) }
    }

    func flowClosed(_ flow: SIPFlow) {
        signalling.assumeIsolated { $0.flowClosed(flow) }
    }

    func parseFailed(_ reason: String, on flow: SIPFlow, prefix: [UInt8]) {
        signalling.assumeIsolated { $0.parseFailed(reason, on: flow) }
    }
}

extension SignallingLogLevel {
    var logger: Logger.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        }
    }
}
