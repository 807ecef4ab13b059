package import NIOCore
package import SIP
internal import Wire

/// A GB/T 28181 camera without a network: it registers, keeps alive, answers queries and takes INVITEs. The owner moves
/// bytes and time, and does the media that the actions ask for.
package struct SimulatedCamera {
    /// What a latency or failure is about.
    package enum Exchange: Hashable, Sendable {
        case register
        case keepalive
        case report
        case bye
    }

    package enum Action: Equatable, Sendable {
        /// To the platform, over the camera's signalling path.
        case send([UInt8])
        /// Bind what the session sends from, then call `mediaOpened` or `mediaFailed`. Nothing is sent yet.
        case openMedia(MediaRequest)
        /// The platform has acknowledged: connect if it is TCP, and stream.
        case startMedia(UInt64)
        case closeMedia(UInt64)
        case registered
        case unregistered
        /// A request of ours was answered after that time, for the first time.
        case answered(Exchange, status: Int, after: TimeAmount)
        /// No answer came.
        case unanswered(Exchange)
    }

    /// One session that the platform invited.
    package struct MediaRequest: Hashable, Sendable {
        package enum Path: Hashable, Sendable {
            case udp(host: String, port: UInt16)
            /// The platform listens (its `setup:passive`): we connect.
            case connect(host: String, port: UInt16)
            /// The platform connects to the port that we answer.
            case listen
        }

        package var id: UInt64
        package var channelID: String
        package var clip: String
        package var path: Path
        package var ssrc: UInt32
    }

    package let configuration: CameraConfiguration
    package let platform: PlatformConfiguration
    /// How long a failed registration rests. The standard says 60 s at least, a demo wants less.
    package var retryInterval = TimeAmount.seconds(10)
    package internal(set) var isRegistered = false

    var transactions: SIPTransactions
    var tokens: SIPTokens
    /// Nil while a TCP camera has no connection.
    var flow: SIPFlow?
    var isStopping = false

    // Registration.
    var registerCallID: String
    var registerTag: String
    var registerSequence: UInt32 = 0
    var challenge: DigestChallenge?
    var nonceCount: UInt32 = 0
    /// Whether the last REGISTER carried an answer to the current challenge: a second 401 means a wrong password.
    var hasAnsweredChallenge = false
    var registerAt: NIODeadline?
    var keepaliveAt: NIODeadline?
    var unansweredKeepalives = 0

    // MESSAGEs of ours.
    var sequence: UInt32 = 20
    var keepaliveNumber = 0
    var pending: [SIPClientTransactionID: (exchange: Exchange, sentAt: NIODeadline)] = [:]
    /// Bodies that wait: the next one goes when the one before was answered (9.5 of the standard).
    var outbox: [[UInt8]] = []
    var isReporting = false

    // Sessions.
    var sessions: [UInt64: Session] = [:]
    var nextSession: UInt64 = 1

    /// - Parameter startAt: when to register first; a crowd spreads it.
    package init(
        configuration: CameraConfiguration,
        platform: PlatformConfiguration,
        startAt: NIODeadline,
        generator: any RandomNumberGenerator & Sendable
    ) {
        self.configuration = configuration
        self.platform = platform
        tokens = SIPTokens(generator)
        registerCallID = tokens.token()
        registerTag = tokens.token()
        transactions = SIPTransactions(limit: 1024, tokens: tokens)
        // Two generators of one seed must not make the same tokens.
        _ = tokens.number()
        registerAt = startAt
    }

    /// The socket is bound, or the connection is made. A TCP camera registers anew on it.
    package mutating func connected(_ flow: SIPFlow, now: NIODeadline) {
        let isNew = self.flow != nil && self.flow != flow
        self.flow = flow
        if isNew, !isStopping { registerAt = now }
    }

    /// The connection is gone: what was being asked fails, and the camera registers again when it is back.
    package mutating func disconnected(now: NIODeadline) -> [Action] {
        guard let flow else { return [] }
        var actions = translate(transactions.flowClosed(flow), now: now)
        self.flow = nil
        outbox = []
        isReporting = false
        keepaliveAt = nil
        if isRegistered {
            isRegistered = false
            actions.append(.unregistered)
        }
        registerAt = isStopping ? nil : now + retryInterval
        return actions
    }

    package mutating func receive(_ message: SIPMessage, now: NIODeadline) -> [Action] {
        guard let flow else { return [] }
        return translate(transactions.receive(message, from: flow, now: now), now: now)
    }

    package mutating func advance(to now: NIODeadline) -> [Action] {
        guard flow != nil else { return [] }
        var actions = translate(transactions.advance(to: now), now: now)
        if let registerAt, registerAt <= now { actions += register(now: now) }
        if let keepaliveAt, keepaliveAt <= now { actions += keepAlive(now: now) }
        return actions
    }

    package var deadline: NIODeadline? {
        guard flow != nil else { return nil }
        return [transactions.deadline, registerAt, keepaliveAt].compactMap(\.self).min()
    }

    /// Leaves: sessions end, the registration is taken back.
    package mutating func stop(now: NIODeadline) -> [Action] {
        guard !isStopping else { return [] }
        isStopping = true
        keepaliveAt = nil
        registerAt = nil
        var actions: [Action] = []
        for id in sessions.keys.sorted() { actions += hangUp(id, now: now) }
        if isRegistered { actions += register(now: now) }
        return actions
    }

    /// Sends a request and remembers what it is for.
    mutating func send(_ request: SIPRequest, for exchange: Exchange, now: NIODeadline) -> [Action] {
        guard let flow else { return [] }
        let sentBy = "\(SIPURI.bracketed(flow.localHost)):\(flow.localPort)"
        let (id, actions) = transactions.send(request, over: flow, sentBy: sentBy, now: now)
        if let id { pending[id] = (exchange, now) }
        return translate(actions, now: now)
    }

    mutating func translate(_ actions: [SIPTransactionAction], now: NIODeadline) -> [Action] {
        var result: [Action] = []
        for action in actions {
            switch action {
            case .send(let bytes, _): result.append(.send(bytes))
            case .request(let request, let id, _): result += receive(request, id, now: now)
            case .acknowledged(let id, _): result += acknowledged(id)
            case .cancelled(let id): result += cancelled(id, now: now)
            case .acknowledgementMissing(let id): result += acknowledgementMissing(id, now: now)
            case .response(let response, let id): result += receive(response, id, now: now)
            case .timeout(let id), .flowFailed(let id): result += unanswered(id, now: now)
            }
        }
        return result
    }

    private mutating func receive(
        _ response: SIPResponse,
        _ id: SIPClientTransactionID,
        now: NIODeadline
    ) -> [Action] {
        guard !response.isProvisional, let (exchange, sentAt) = pending.removeValue(forKey: id) else { return [] }
        var actions = [Action.answered(exchange, status: response.status, after: now - sentAt)]
        switch exchange {
        case .register: actions += registerAnswered(response, now: now)
        case .keepalive: actions += keepaliveAnswered(response, now: now)
        case .report: actions += sendNextReport(now: now)
        case .bye: break
        }
        return actions
    }

    private mutating func unanswered(_ id: SIPClientTransactionID, now: NIODeadline) -> [Action] {
        guard let (exchange, _) = pending.removeValue(forKey: id) else { return [] }
        var actions = [Action.unanswered(exchange)]
        switch exchange {
        case .register: actions += registrationLost(retryAt: now + retryInterval)
        case .keepalive: actions += keepaliveUnanswered(now: now)
        case .report: actions += sendNextReport(now: now)
        case .bye: break
        }
        return actions
    }

    func address(_ user: String, host: String, tag: String? = nil) -> String {
        let text = "<sip:\(user)@\(host)>"
        return tag.map { "\(text);tag=\($0)" } ?? text
    }

    /// Where the platform reaches us.
    var contact: String {
        guard let flow else { return "" }
        let transport = flow.transport == .tcp ? ";transport=tcp" : ""
        return "<sip:\(configuration.id)@\(SIPURI.bracketed(flow.localHost)):\(flow.localPort)\(transport)>"
    }
}
