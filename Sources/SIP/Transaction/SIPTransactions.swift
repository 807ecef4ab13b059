package import NIOCore

/// Names a request of ours.
package struct SIPClientTransactionID: Hashable, Sendable {
    let raw: UInt64
}

/// Names a peer's request.
package struct SIPServerTransactionID: Hashable, Sendable {
    let raw: UInt64
}

/// What the transaction layer wants done or known.
package enum SIPTransactionAction: Equatable, Sendable {
    case send([UInt8], SIPFlow)
    /// A request, once: repeats are answered from memory. Answer it with `respond`.
    case request(SIPRequest, SIPServerTransactionID, SIPFlow)
    /// The ACK of a 2xx that we sent.
    case acknowledged(SIPServerTransactionID, SIPRequest)
    /// The peer cancels its INVITE; the CANCEL has its 200 already. Answer the INVITE with 487.
    case cancelled(SIPServerTransactionID)
    /// Our 2xx was repeated for 32 s and never acknowledged: send BYE.
    case acknowledgementMissing(SIPServerTransactionID)
    /// A response to our request: 1xx each time, a final one once. A 2xx to INVITE wants `acknowledge`.
    case response(SIPResponse, SIPClientTransactionID)
    /// No final answer came in time.
    case timeout(SIPClientTransactionID)
    /// The connection went away under our request.
    case flowFailed(SIPClientTransactionID)
}

/// The transaction layer of RFC 3261 17, client and server, UDP and TCP, with RFC 6026's accepted state for INVITE.
///
/// It repeats what was lost, answers repeats from memory and gives the user each request and final answer once.
package struct SIPTransactions {
    package struct Timers: Equatable, Sendable {
        package var t1: TimeAmount = .milliseconds(500)
        package var t2: TimeAmount = .seconds(4)
        package var t4: TimeAmount = .seconds(5)
        /// 64 × T1: timers B, D, F, H and J.
        package var lifetime: TimeAmount { .nanoseconds(t1.nanoseconds &* 64) }
        /// How long a ringing INVITE may stay without a final answer.
        package var ringing: TimeAmount = .minutes(3)

        package init() {}
    }

    package struct Statistics: Equatable, Sendable {
        package var requests = 0
        package var repeatedRequests = 0
        package var strayResponses = 0
        package var strayAcknowledgements = 0
        package var retransmissions = 0
        package var timeouts = 0
        /// Answers forgotten early because the table was full.
        package var evictions = 0
        /// Requests of ours that were refused because the table was full.
        package var refusals = 0
    }

    let timers: Timers
    let limit: Int
    /// The one source of chance, for the user of the layer too.
    package var tokens: SIPTokens
    package internal(set) var statistics = Statistics()

    var nextID: UInt64 = 1
    var wakeups = DeadlineQueue()
    var clients: [UInt64: ClientTransaction] = [:]
    var clientKeys: [ClientKey: UInt64] = [:]
    var servers: [UInt64: ServerTransaction] = [:]
    var serverKeys: [ServerKey: UInt64] = [:]
    var acceptedKeys: [AcceptedKey: UInt64] = [:]
    var completed = CompletedQueue()

    /// - Parameter limit: the number of server transactions held; above it the oldest answers are forgotten.
    package init(timers: Timers = Timers(), limit: Int = 32_768, tokens: SIPTokens) {
        self.timers = timers
        self.limit = limit
        self.tokens = tokens
    }

    package var clientCount: Int { clients.count }
    package var serverCount: Int { servers.count }

    /// When `advance` has something to do.
    package var deadline: NIODeadline? {
        switch (wakeups.earliest, completed.earliest) {
        case (let left?, let right?): min(left, right)
        case (let left, let right): left ?? right
        }
    }

    /// A message came in.
    package mutating func receive(_ message: SIPMessage, from flow: SIPFlow, now: NIODeadline) -> [SIPTransactionAction]
    {
        switch message {
        case .request(let request): receiveRequest(request, from: flow, now: now)
        case .response(let response): receiveResponse(response, now: now)
        }
    }

    /// Time passed.
    package mutating func advance(to now: NIODeadline) -> [SIPTransactionAction] {
        var actions: [SIPTransactionAction] = []
        while let id = completed.popDue(now) { removeServer(id) }
        while let id = wakeups.popDue(now) {
            if clients[id] != nil {
                wakeClient(id, now: now, into: &actions)
            } else if servers[id] != nil {
                wakeServer(id, now: now, into: &actions)
            }
        }
        return actions
    }

    /// A TCP connection is gone: our requests on it fail now, the peer's are forgotten.
    package mutating func flowClosed(_ flow: SIPFlow) -> [SIPTransactionAction] {
        guard flow.connection != 0 else { return [] }
        var actions: [SIPTransactionAction] = []
        let failed = clients.filter { $0.value.flow.connection == flow.connection }.keys.sorted()
        for id in failed {
            let wasWaiting = clients[id]?.isWaiting ?? false
            removeClient(id)
            if wasWaiting { actions.append(.flowFailed(SIPClientTransactionID(raw: id))) }
        }
        let gone = servers.filter { $0.value.flow.connection == flow.connection }.keys
        for id in Array(gone) { removeServer(id) }
        return actions
    }

    mutating func makeID() -> UInt64 {
        defer { nextID &+= 1 }
        return nextID
    }
}

/// Server transactions in the order they began: all of one lifetime, so a queue is enough.
struct CompletedQueue {
    private var entries: [(time: NIODeadline, id: UInt64)] = []
    private var head = 0

    var earliest: NIODeadline? { head < entries.count ? entries[head].time : nil }

    mutating func append(_ id: UInt64, until time: NIODeadline) {
        entries.append((time, id))
    }

    mutating func popDue(_ now: NIODeadline) -> UInt64? {
        guard let earliest, earliest <= now else { return nil }
        return popFirst()
    }

    mutating func popFirst() -> UInt64? {
        guard head < entries.count else { return nil }
        let id = entries[head].id
        head += 1
        if head == entries.count {
            entries.removeAll(keepingCapacity: entries.capacity <= 1024)
            head = 0
        } else if head >= 1024, head * 2 >= entries.count {
            entries.removeFirst(head)
            head = 0
        }
        return id
    }
}
