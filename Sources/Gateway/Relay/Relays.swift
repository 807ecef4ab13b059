internal import Hub
internal import Logging
internal import NIOCore
internal import Synchronization
internal import Transport

/// The relays of the gateway: an actor on one event loop that does what ``RelayBoard`` asks for.
actor Relays {
    nonisolated let unownedExecutor: UnownedSerialExecutor
    nonisolated let loop: any EventLoop
    nonisolated let rules: RelayRules
    nonisolated let settings: RelaySettings
    /// Streams that a pull is to feed, to be asked from any loop.
    private nonisolated let expected = Mutex<Set<String>>([])
    /// Whether the Hub's events matter.
    private nonisolated let isWatching = Atomic<Bool>(false)

    let hub: Hub
    private let connector: any RelayConnector
    private let logger: Logger
    private let limiter = LogRateLimiter()
    private(set) var board: RelayBoard
    private var clients: [RelayBoard.ID: any RelayClient] = [:]
    /// Of every relay that is shown: what it is and when it was ordered.
    private var known: [RelayBoard.ID: (order: RelayOrder, startTime: WallTime)] = [:]
    private var outcomes: [RelayBoard.ID: CheckedContinuation<String?, Never>] = [:]
    private var timer: Scheduled<Void>?
    private var timerAt = NIODeadline.distantFuture
    private(set) var isStopping = false
    var lastTask = 0

    init(
        rules: RelayRules,
        settings: RelaySettings,
        hub: Hub,
        connector: any RelayConnector,
        loop: any EventLoop,
        logger: Logger
    ) {
        self.rules = rules
        self.settings = settings
        self.hub = hub
        self.connector = connector
        self.loop = loop
        self.logger = logger
        board = RelayBoard(rules: rules, settings: settings)
        unownedExecutor = loop.executor.asUnownedSerialExecutor()
        isWatching.store(!rules.isEmpty, ordering: .relaxed)
    }

    /// Begins what the configuration wants always.
    func start() {
        for rule in rules.pulls where !rule.isOnDemand {
            let name = rule.pattern.text
            guard let url = rule.url.url(app: "", stream: name), !settings.isOwn(url, stream: name) else {
                logger.error("relay: the pull of \(name) leads back to this gateway; it is not made")
                continue
            }
            let order = settings.order(
                .pull,
                .always,
                stream: name,
                app: "live",
                url: url,
                rtspMode: rule.rtspMode,
                policy: settings.policy()
            )
            _ = add(order)
        }
    }

    /// Ends all relays and waits until their connections are closed, `grace` at most.
    func stop(grace: Duration = .seconds(2)) async {
        isStopping = true
        perform(board.stopAll(now: .now()))
        let end = ContinuousClock.now + grace
        while !clients.isEmpty, ContinuousClock.now < end {
            try? await loop.scheduleTask(in: .milliseconds(10)) {}.futureResult.get()
        }
        timer?.cancel()
    }

    // What the Hub tells

    /// On any event loop.
    nonisolated func received(_ event: HubEvent) {
        guard isWatching.load(ordering: .relaxed) else { return }
        loop.execute { self.assumeIsolated { $0.changed(event) } }
    }

    private func changed(_ event: HubEvent) {
        guard !isStopping else { return }
        if event.kind == .publisherStopped || event.kind == .viewerStopped {
            board.count(session: event.session.id, readBytes: event.readBytes, wroteBytes: event.wroteBytes)
        }
        // The state as it is now: events of several loops may come in another order than things happened.
        perform(board.changed(event.stream, relayed(event.stream), now: .now()))
    }

    func relayed(_ stream: String) -> RelayedStream {
        guard let presence = hub.presence(of: stream) else { return RelayedStream() }
        return RelayedStream(app: presence.app, publisher: presence.publisher, viewers: presence.viewers)
    }

    /// Whether a pull will feed the stream, or would if a viewer came. On any event loop.
    nonisolated func expects(_ stream: String) -> Bool {
        expected.withLock { $0.contains(stream) } || rules.pull(of: stream) != nil
    }

    // What the API wants

    /// Begins a relay; nil when the gateway stops.
    func add(_ order: RelayOrder) -> RelayBoard.ID? {
        guard !isStopping else { return nil }
        isWatching.store(true, ordering: .relaxed)
        let (id, actions) = board.add(order, relayed(order.stream), now: .now())
        known[id] = (order, .now())
        perform(actions)
        return id
    }

    func end(_ id: RelayBoard.ID, _ reason: String) {
        perform(board.stop(id, reason, now: .now()))
    }

    /// Waits until a relay runs, or its first attempt has failed; then the text says why.
    func outcome(of id: RelayBoard.ID) async -> String? {
        guard let relay = board[id] else { return "it ended at once" }
        switch relay.machine.state {
        case .running: return nil
        case .waiting: return relay.machine.lastError ?? "the stream has another publisher"
        case .idle, .connecting, .stopping, .ended: break
        }
        // The connection has its own limit: this one is for a push whose publisher does not come.
        let limit = (relay.order.options.timeout ?? .seconds(10)) + .seconds(2)
        let alarm = loop.scheduleTask(in: limit) { [weak self] in
            self?.assumeIsolated { $0.decide(id, "nothing happened within the time limit") }
        }
        defer { alarm.cancel() }
        return await withCheckedContinuation { outcomes[id] = $0 }
    }

    private func decide(_ id: RelayBoard.ID, _ fault: String?) {
        outcomes.removeValue(forKey: id)?.resume(returning: fault)
    }

    func startTime(of id: RelayBoard.ID) -> WallTime? { known[id]?.startTime }

    // What the connections tell

    private nonisolated func told(_ id: RelayBoard.ID, _ event: RelayEvent) {
        loop.execute { self.assumeIsolated { $0.happened(id, event) } }
    }

    private func happened(_ id: RelayBoard.ID, _ event: RelayEvent) {
        guard let relay = board[id] else {
            if case .ended = event { clients[id] = nil }
            return
        }
        switch event {
        case .started(let address):
            board.started(id, remoteAddress: address, now: .now())
            logger.info("relay \(describe(relay.order)) runs", metadata: ["remote": "\(address)"])
            decide(id, nil)
            // The viewer that it is for may have left meanwhile.
            let stream = relay.order.stream
            perform(board.changed(stream, relayed(stream), now: .now()))
        case .ended(let fault):
            clients[id] = nil
            // First what the Hub knows: a stream that another publisher took is no failure of the pull.
            let stream = relay.order.stream
            perform(board.changed(stream, relayed(stream), now: .now()))
            let chance = Double.random(in: 0...1)
            let text = fault?.description
            perform(board.connectionEnded(id, text, chance: chance, now: .now()))
            if let fault { note(relay.order, fault, board[id]?.machine) }
            decide(id, text ?? "it was ended")
        }
    }

    private func note(_ order: RelayOrder, _ fault: RelayFault, _ machine: RelayMachine?) {
        let next = machine?.nextAttempt.map { "; next attempt in \(($0 - .now()).milliseconds) ms" } ?? ""
        logger.limited(
            limiter,
            key: "relay \(order.direction.rawValue) \(order.stream)",
            "relay \(describe(order)) failed: \(fault)\(next)",
            metadata: ["attempts": "\(machine?.attempts ?? 0)"]
        )
    }

    private func describe(_ order: RelayOrder) -> String {
        let arrow = order.direction == .pull ? "from" : "to"
        return "\(order.direction.rawValue) \(order.stream) \(arrow) \(order.url.redacted) (\(order.sessionID))"
    }

    // To the world

    private func perform(_ actions: [RelayBoard.Action]) {
        for action in actions {
            switch action {
            case .connect(let id): connect(id)
            case .disconnect(let id): clients[id]?.stop()
            case .ended(let id, let reason): finished(id, reason)
            }
        }
        if !actions.isEmpty {
            let streams = board.expectedStreams
            expected.withLock { $0 = streams }
            isWatching.store(!rules.isEmpty || board.count > 0, ordering: .relaxed)
        }
        schedule()
    }

    private func connect(_ id: RelayBoard.ID) {
        guard let order = board[id]?.order else { return }
        if known[id] == nil { known[id] = (order, .now()) }
        do {
            clients[id] = try connector.connect(order) { [weak self] event in self?.told(id, event) }
        } catch {
            let fault = error as? RelayFault ?? RelayFault(.connect, "\(error)")
            told(id, .ended(fault))
        }
    }

    private func finished(_ id: RelayBoard.ID, _ reason: String?) {
        if let order = known[id]?.order {
            logger.info("relay \(describe(order)) ended", metadata: ["why": "\(reason ?? "nobody needs it")"])
        }
        decide(id, reason ?? "it was ended")
        let shown = Set(board.all.map(\.id))
        known = known.filter { shown.contains($0.key) }
    }

    /// One timer, at the board's next deadline.
    private func schedule() {
        guard !isStopping, let deadline = board.deadline else { return }
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
        guard !isStopping else { return }
        perform(board.advance(to: .now()))
    }
}

extension TimeAmount {
    fileprivate var milliseconds: Int64 { nanoseconds / 1_000_000 }
}
