internal import Hub
internal import NIOCore

/// All relays: those that the configuration asks for, as streams come and go, and those of the API. It opens no connection.
struct RelayBoard: Sendable {
    typealias ID = Int

    enum Action: Hashable, Sendable {
        case connect(ID)
        case disconnect(ID)
        /// Is over for good; the text says why when it was not wished for.
        case ended(ID, String?)
    }

    struct Relay: Sendable {
        let id: ID
        let order: RelayOrder
        var machine: RelayMachine
        /// Of the last connection.
        var remoteAddress = ""
        /// Of sessions that are over.
        var readBytes = 0
        var wroteBytes = 0
        var endedAt: NIODeadline?
    }

    private struct Suppression: Hashable {
        let stream: String
        let origin: RelayOrder.Origin
    }

    /// Ended relays that are still shown.
    static let maximumEnded = 64
    static let endedShownFor = TimeAmount.minutes(10)

    let rules: RelayRules
    let settings: RelaySettings
    private var relays: [ID: Relay] = [:]
    private var ended: [Relay] = []
    private var streams: [String: RelayedStream] = [:]
    /// What an operator ended of the rules' relays: not again before all viewers, or the publisher, have left.
    private var suppressed: Set<Suppression> = []
    private var lastID = 0
    private var isStopping = false

    init(rules: RelayRules = RelayRules(), settings: RelaySettings = RelaySettings()) {
        self.rules = rules
        self.settings = settings
    }

    subscript(id: ID) -> Relay? { relays[id] }

    /// Living ones and those that ended lately, in the order of their start.
    var all: [Relay] { (relays.values + ended).sorted { $0.id < $1.id } }

    func living(of stream: String, _ direction: RelayOrder.Direction? = nil) -> [Relay] {
        relays.values.filter { $0.order.stream == stream && (direction == nil || $0.order.direction == direction) }
            .sorted { $0.id < $1.id }
    }

    /// Streams that somebody waits for although they have no publisher yet.
    var expectedStreams: Set<String> {
        Set(relays.values.filter { $0.order.direction == .pull }.map(\.order.stream))
    }

    /// Living ones.
    var count: Int { relays.count }

    // What the API wants

    /// Begins a relay.
    mutating func add(
        _ order: RelayOrder,
        _ stream: RelayedStream,
        now: NIODeadline
    ) -> (id: ID, actions: [Action]) {
        lastID += 1
        let id = lastID
        remember(stream, as: order.stream)
        ended.removeAll { $0.order.stream == order.stream && $0.order.direction == order.direction }
        let (isNeeded, isBlocked) = demand(order, stream)
        let machine = RelayMachine(policy: order.policy, isNeeded: isNeeded, isBlocked: isBlocked, now: now)
        relays[id] = Relay(id: id, order: order, machine: machine)
        return (id, advance(id, to: now))
    }

    /// Ends a relay for good, as an operator wishes.
    mutating func stop(_ id: ID, _ reason: String? = nil, now: NIODeadline) -> [Action] {
        guard let relay = relays[id] else { return [] }
        if relay.order.isOfRule {
            suppressed.insert(Suppression(stream: relay.order.stream, origin: relay.order.origin))
        }
        return act(id, now) { $0.stop(reason) }
    }

    mutating func stopAll(now: NIODeadline) -> [Action] {
        isStopping = true
        return relays.keys.sorted().flatMap { id in act(id, now) { $0.stop("the gateway stops") } }
    }

    // What happens

    mutating func changed(_ name: String, _ stream: RelayedStream, now: NIODeadline) -> [Action] {
        remember(stream, as: name)
        var actions: [Action] = []
        for relay in living(of: name) {
            let (isNeeded, isBlocked) = demand(relay.order, stream)
            actions += act(relay.id, now) { $0.update(isNeeded: isNeeded, isBlocked: isBlocked, now: now) }
        }
        return actions + applyRules(name, now: now)
    }

    /// Bytes of a session that is over.
    mutating func count(session: String, readBytes: Int, wroteBytes: Int) {
        for (id, relay) in relays where relay.order.sessionID == session {
            relays[id]?.readBytes += readBytes
            relays[id]?.wroteBytes += wroteBytes
        }
    }

    mutating func started(_ id: ID, remoteAddress: String, now: NIODeadline) {
        relays[id]?.remoteAddress = remoteAddress
        relays[id]?.machine.started(now: now)
    }

    mutating func connectionEnded(_ id: ID, _ fault: String?, chance: Double, now: NIODeadline) -> [Action] {
        act(id, now) { $0.ended(fault, chance: chance, now: now) }
    }

    var deadline: NIODeadline? {
        relays.values.compactMap(\.machine.deadline).min()
    }

    mutating func advance(to now: NIODeadline) -> [Action] {
        ended.removeAll { ($0.endedAt ?? now) + Self.endedShownFor <= now }
        return relays.keys.sorted().flatMap { advance($0, to: now) }
    }

    private mutating func advance(_ id: ID, to now: NIODeadline) -> [Action] {
        act(id, now) { $0.advance(to: now) }
    }

    // The configuration's

    /// Makes what the rules ask for of a stream and is not there.
    private mutating func applyRules(_ name: String, now: NIODeadline) -> [Action] {
        guard !rules.isEmpty, !isStopping else { return [] }
        return applyPull(name, now: now) + applyPushes(name, now: now)
    }

    private mutating func applyPull(_ name: String, now: NIODeadline) -> [Action] {
        guard let stream = streams[name], stream.viewers > 0, stream.publisher == nil,
            !suppressed.contains(Suppression(stream: name, origin: .demand)),
            living(of: name, .pull).isEmpty,
            let rule = rules.pull(of: name),
            let url = rule.url.url(app: stream.app, stream: name),
            !settings.isOwn(url, stream: name)
        else { return [] }
        return add(settings.demandPull(name, app: stream.app, url, rtspMode: rule.rtspMode), stream, now: now).actions
    }

    private mutating func applyPushes(_ name: String, now: NIODeadline) -> [Action] {
        guard let stream = streams[name], let publisher = stream.publisher else { return [] }
        var actions: [Action] = []
        for (index, push) in rules.pushes(of: name, publisher: publisher) {
            let query = push.isLals ? publisher.query : ""
            guard let url = push.url.url(app: stream.app, stream: name, query: query),
                !settings.isOwn(url, stream: push.pattern.isExact ? name : url.stream)
            else { continue }
            let own = living(of: name, .push).filter { $0.order.origin == .rule(index) }
            if own.isEmpty, !suppressed.contains(Suppression(stream: name, origin: .rule(index))) {
                actions += add(settings.push(name, app: stream.app, url, rule: index), stream, now: now).actions
            }
            // Another publisher, another query: this one ends, and its end makes the new one.
            for relay in own where relay.order.url != url { actions += act(relay.id, now) { $0.stop() } }
        }
        return actions
    }

    // Inside

    private func demand(_ order: RelayOrder, _ stream: RelayedStream) -> (isNeeded: Bool, isBlocked: Bool) {
        switch order.direction {
        case .pull:
            let holder = stream.publisher?.id
            // Pushes by rule live by this pull: they are no reason for it.
            let own =
                order.origin != .demand
                ? 0 : living(of: order.stream, .push).count { $0.order.isOfRule && $0.machine.state == .running }
            return (stream.viewers > own, holder != nil && holder != order.sessionID)
        case .push:
            return (stream.publisher != nil, false)
        }
    }

    private mutating func remember(_ stream: RelayedStream, as name: String) {
        if !suppressed.isEmpty {
            suppressed = suppressed.filter { one in
                one.stream != name || (one.origin == .demand ? stream.viewers > 0 : stream.publisher != nil)
            }
        }
        let isOver = stream.publisher == nil && stream.viewers == 0
        streams[name] = isOver && living(of: name).isEmpty ? nil : stream
    }

    /// Lets a relay's machine do something, and follows what comes of it.
    private mutating func act(
        _ id: ID,
        _ now: NIODeadline,
        _ body: (inout RelayMachine) -> [RelayMachine.Action]
    ) -> [Action] {
        guard var relay = relays[id] else { return [] }
        var actions: [Action] = []
        for action in body(&relay.machine) {
            switch action {
            case .connect: actions.append(.connect(id))
            case .disconnect: actions.append(.disconnect(id))
            case .end(let reason): actions.append(.ended(id, reason))
            }
        }
        relays[id] = relay
        let order = relay.order
        let isOver = relay.machine.state == .ended
        // A rule's relay that nobody needs now is made anew when somebody does.
        guard isOver || (order.isOfRule && relay.machine.state == .idle) else { return actions }
        relays[id] = nil
        if let stream = streams[order.stream] { remember(stream, as: order.stream) }
        if isOver, !order.isOfRule {
            relay.endedAt = now
            ended.append(relay)
            if ended.count > Self.maximumEnded { ended.removeFirst() }
        }
        if !isOver { actions.append(.ended(id, nil)) }
        // Pull and push of start_relay end together.
        for other in living(of: order.stream) where order.task != nil && other.order.task == order.task {
            actions += act(other.id, now) { $0.stop("the other half of the relay has ended") }
        }
        return actions + applyRules(order.stream, now: now)
    }
}

extension RelayOrder {
    /// Made and ended as streams come and go; nobody asked for this one by name.
    fileprivate var isOfRule: Bool {
        switch origin {
        case .demand, .rule: true
        case .api, .task, .always: false
        }
    }
}
