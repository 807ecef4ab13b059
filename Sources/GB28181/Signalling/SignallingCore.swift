package import NIOCore
package import SIP
internal import Wire

/// The heart of the gateway's SIP side: registrar, keepalives, catalogs and media sessions, without sockets and clocks.
///
/// One actor drives it: it feeds messages and time in and carries the actions out, in their order.
package struct SignallingCore {
    package struct Statistics: Equatable, Sendable {
        package var registrations = 0
        package var challenges = 0
        package var wrongPasswords = 0
        package var refusedRegistrations = 0
        /// REGISTERs of hasty devices that were answered from memory.
        package var repeatedRegistrations = 0
        package var messages = 0
        package var keepalives = 0
        /// Messages from devices that are not registered.
        package var strangers = 0
        package var invites = 0
        package var failedInvites = 0
        package var unansweredByes = 0
    }

    package internal(set) var configuration: SignallingConfiguration
    package internal(set) var statistics = Statistics()
    package var trace = MessageTrace()

    var transactions: SIPTransactions
    let nonces: DigestNonces
    var clock: WallClock
    var guardian = RegistrationGuard()
    var timers = DeadlineQueue()
    var sequence: Int

    var allDevices: [Device] = []
    var slots: [String: Int] = [:]
    var slotsByFlow: [SIPFlow: Int] = [:]
    var freeSlots: [Int] = []
    var onlineCount = 0

    var assemblies: [Int: CatalogAssembly] = [:]
    var roles: [SIPClientTransactionID: ClientRole] = [:]
    var sessions: [UInt64: MediaSession] = [:]
    var sessionsByKey: [SessionKey: UInt64] = [:]
    var sessionsByCallID: [String: UInt64] = [:]
    /// Sessions without a final answer.
    var calling: Set<UInt64> = []
    var farewells: [UInt64: Farewell] = [:]
    var nextSession: UInt64 = 1

    var actions: [SignallingAction] = []

    /// - Parameters:
    ///   - random: `SystemRandomNumberGenerator()` in service, a seeded one in tests.
    ///   - clock: the time of day; set it again from time to time.
    package init(
        configuration: SignallingConfiguration,
        random: any RandomNumberGenerator & Sendable,
        clock: WallClock
    ) {
        self.configuration = configuration
        self.clock = clock
        transactions = SIPTransactions(tokens: SIPTokens(random))
        var secret: [UInt8] = []
        for _ in 0..<4 { secret.append(contentsOf: transactions.tokens.token().utf8) }
        nonces = DigestNonces(secret: secret)
        sequence = Int(transactions.tokens.number() % 10_000)
        for (id, provisioned) in configuration.provisioned.sorted(by: { $0.key < $1.key }) {
            if let slot = slot(creating: id) { allDevices[slot].name = provisioned.name }
        }
    }

    // In

    /// A message came in.
    package mutating func receive(_ message: SIPMessage, from flow: SIPFlow, now: NIODeadline) -> [SignallingAction] {
        perform(transactions.receive(message, from: flow, now: now), now: now)
        return take()
    }

    /// Time passed.
    package mutating func advance(to now: NIODeadline) -> [SignallingAction] {
        perform(transactions.advance(to: now), now: now)
        while let raw = timers.popDue(now) { wake(Timer(raw: raw), now: now) }
        return take()
    }

    /// When `advance` has something to do.
    package var deadline: NIODeadline? {
        switch (transactions.deadline, timers.earliest) {
        case (let left?, let right?): min(left, right)
        case (let left, let right): left ?? right
        }
    }

    /// A TCP connection is gone: its devices are offline, their media is given time to reconnect (2.2).
    package mutating func flowClosed(_ flow: SIPFlow, now: NIODeadline) -> [SignallingAction] {
        perform(transactions.flowClosed(flow), now: now)
        for slot in allDevices.indices
        where allDevices[slot].flow?.connection == flow.connection && flow.connection != 0 && allDevices[slot].isOnline
        {
            goOffline(slot, .connectionClosed, now: now)
            let ends = now + configuration.reconnectGrace
            allDevices[slot].graceEndsAt = ends
            schedule(.grace, slot, at: ends)
        }
        slotsByFlow[flow] = nil
        return take()
    }

    /// The driver's clock, again.
    package mutating func setClock(_ clock: WallClock) {
        self.clock = clock
    }

    // Out

    /// Every device that is configured, stored or has registered, in the order of appearance.
    package var devices: [Device] { allDevices.filter { !$0.isRemoved } }

    package func device(_ id: String) -> Device? {
        slots[id].map { allDevices[$0] }
    }

    package var deviceCount: Int { slots.count }
    package var onlineDeviceCount: Int { onlineCount }
    package var transactionStatistics: SIPTransactions.Statistics { transactions.statistics }

    mutating func take() -> [SignallingAction] {
        defer { actions = [] }
        return actions
    }

    mutating func log(_ level: SignallingLogLevel, _ key: String, _ text: String) {
        actions.append(.log(level, key: key, text))
    }
}

/// Why a timer was set, and for whom, in one number.
struct Timer {
    enum Kind: UInt64 {
        case liveness, queries, assembly, grace, session, farewell
    }

    let raw: UInt64

    init(raw: UInt64) {
        self.raw = raw
    }

    init(_ kind: Kind, _ target: UInt64) {
        raw = kind.rawValue << 56 | target & 0x00FF_FFFF_FFFF_FFFF
    }

    var kind: Kind? { Kind(rawValue: raw >> 56) }
    var target: UInt64 { raw & 0x00FF_FFFF_FFFF_FFFF }
}

extension SignallingCore {
    mutating func schedule(_ kind: Timer.Kind, _ target: Int, at time: NIODeadline) {
        timers.push(Timer(kind, UInt64(target)).raw, at: time)
    }

    mutating func schedule(_ kind: Timer.Kind, _ target: UInt64, at time: NIODeadline) {
        timers.push(Timer(kind, target).raw, at: time)
    }

    private mutating func wake(_ timer: Timer, now: NIODeadline) {
        switch timer.kind {
        case .liveness: checkLiveness(Int(timer.target), now: now)
        case .queries: runQueries(Int(timer.target), now: now)
        case .assembly: advanceAssembly(Int(timer.target), now: now)
        case .grace: endGrace(Int(timer.target), now: now)
        case .session: wakeSession(timer.target, now: now)
        case .farewell: sayFarewell(timer.target, now: now)
        case nil: break
        }
    }

    mutating func perform(_ list: [SIPTransactionAction], now: NIODeadline) {
        for action in list {
            switch action {
            case .send(let bytes, let flow):
                actions.append(.send(bytes, flow))
            case .request(let request, let id, let flow):
                receive(IncomingRequest(request: request, id: id, flow: flow), now: now)
            case .response(let response, let id):
                receiveResponse(response, to: id, now: now)
            case .timeout(let id):
                requestFailed(id, connectionClosed: false, now: now)
            case .flowFailed(let id):
                requestFailed(id, connectionClosed: true, now: now)
            case .acknowledged, .cancelled, .acknowledgementMissing:
                // Only of INVITEs that we accept, and we accept none.
                break
            }
        }
    }
}
