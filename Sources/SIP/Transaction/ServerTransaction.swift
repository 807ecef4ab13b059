package import NIOCore
internal import Wire

/// What makes two requests the same one. Beyond RFC 3261 17.2.3 it holds Call-ID and CSeq number: some firmware uses one branch
/// for all it sends.
struct ServerKey: Hashable {
    var branch: String
    var sentBy: String
    var callID: String
    var sequence: UInt32
    var method: SIPMethod

    init(_ request: SIPRequest, method: SIPMethod) {
        let via = request.headers.topVia
        callID = request.headers.callID
        sequence = request.headers.cseq?.number ?? 0
        self.method = method
        sentBy = via?.sentBy ?? ""
        if let branch = via?.branch, branch.hasPrefix(SIPVia.cookie) {
            self.branch = branch
        } else {
            // RFC 2543: no cookie, so the branch alone means nothing.
            branch = "\(request.headers.from?.tag ?? "") \(request.headers[.via] ?? "")"
        }
    }
}

/// An ACK of a 2xx has a branch of its own: it is found by its dialog.
struct AcceptedKey: Hashable {
    var callID: String
    var sequence: UInt32
    var fromTag: String

    init(_ request: SIPRequest) {
        callID = request.headers.callID
        sequence = request.headers.cseq?.number ?? 0
        fromTag = request.headers.from?.tag ?? ""
    }
}

/// One request of a peer.
struct ServerTransaction {
    enum State {
        /// No final answer yet.
        case proceeding
        /// A final answer is stored; INVITE failures are repeated until ACK.
        case completed
        /// A 2xx to INVITE is repeated until ACK.
        case accepted
        /// The ACK came; repeats are absorbed.
        case confirmed
    }

    let key: ServerKey
    let flow: SIPFlow
    var state = State.proceeding
    /// The last answer, as sent.
    var answer: [UInt8] = []
    var accepted: AcceptedKey?
    var repeatAt: NIODeadline?
    var interval: TimeAmount
    var endsAt: NIODeadline

    var isInvite: Bool { key.method == .invite }
    var wakeAt: NIODeadline { repeatAt.map { min($0, endsAt) } ?? endsAt }
}

extension SIPTransactions {
    mutating func receiveRequest(_ request: SIPRequest, from flow: SIPFlow, now: NIODeadline) -> [SIPTransactionAction]
    {
        if request.method == .ack { return receiveAcknowledgement(request, now: now) }
        statistics.requests += 1
        let key = ServerKey(request, method: request.method)
        if let id = serverKeys[key], let transaction = servers[id] {
            statistics.repeatedRequests += 1
            let isAnswered = !transaction.answer.isEmpty && transaction.state != .confirmed
            // The repeat may come through a new NAT binding.
            return isAnswered ? [.send(transaction.answer, flow)] : []
        }
        let id = start(key, from: flow, now: now)
        if request.method == .cancel { return receiveCancel(request, id, from: flow, now: now) }
        return [.request(request, SIPServerTransactionID(raw: id), flow)]
    }

    private mutating func start(_ key: ServerKey, from flow: SIPFlow, now: NIODeadline) -> UInt64 {
        while servers.count >= limit, let oldest = completed.popFirst() {
            if servers[oldest] != nil {
                removeServer(oldest)
                statistics.evictions += 1
            }
        }
        let id = makeID()
        let isInvite = key.method == .invite
        let end = now + (isInvite ? timers.ringing : timers.lifetime)
        servers[id] = ServerTransaction(key: key, flow: flow, interval: timers.t1, endsAt: end)
        serverKeys[key] = id
        // The peer's own timer F began no later than this, so J may count from here and a queue does for a heap.
        if isInvite { wakeups.push(id, at: end) } else { completed.append(id, until: end) }
        return id
    }

    private mutating func receiveCancel(
        _ request: SIPRequest,
        _ id: UInt64,
        from flow: SIPFlow,
        now: NIODeadline
    ) -> [SIPTransactionAction] {
        let invite = serverKeys[ServerKey(request, method: .invite)]
        let status = invite == nil ? 481 : 200
        let response = SIPResponse(to: request, from: flow, status: status, tag: tokens.token())
        var actions = respond(SIPServerTransactionID(raw: id), with: response, now: now)
        if let invite, servers[invite]?.state == .proceeding {
            actions.append(.cancelled(SIPServerTransactionID(raw: invite)))
        }
        return actions
    }

    private mutating func receiveAcknowledgement(_ request: SIPRequest, now: NIODeadline) -> [SIPTransactionAction] {
        if let id = serverKeys[ServerKey(request, method: .invite)], var transaction = servers[id],
            transaction.state == .completed
        {
            if transaction.flow.isReliable {
                removeServer(id)
            } else {
                transaction.state = .confirmed
                transaction.repeatAt = nil
                transaction.endsAt = now + timers.t4
                servers[id] = transaction
                wakeups.push(id, at: transaction.endsAt)
            }
            return []
        }
        if let id = acceptedKeys[AcceptedKey(request)], var transaction = servers[id] {
            guard transaction.state == .accepted else { return [] }
            // Keep it, so that a late copy of the INVITE is not taken for a new one.
            transaction.state = .confirmed
            transaction.repeatAt = nil
            transaction.endsAt = now + timers.lifetime
            servers[id] = transaction
            wakeups.push(id, at: transaction.endsAt)
            return [.acknowledged(SIPServerTransactionID(raw: id), request)]
        }
        statistics.strayAcknowledgements += 1
        return []
    }

    /// Answers a request of a peer, over the flow it came from.
    ///
    /// - Parameter forget: do not keep the answer for repeats; for strangers, whose requests must not fill the table.
    package mutating func respond(
        _ id: SIPServerTransactionID,
        with response: SIPResponse,
        forget: Bool = false,
        now: NIODeadline
    ) -> [SIPTransactionAction] {
        guard var transaction = servers[id.raw], transaction.state == .proceeding else { return [] }
        transaction.answer = response.encoded()
        let action = SIPTransactionAction.send(transaction.answer, transaction.flow)
        defer { if servers[id.raw] != nil { servers[id.raw] = transaction } }
        if response.isProvisional { return [action] }
        guard transaction.isInvite else {
            transaction.state = .completed
            if forget || transaction.flow.isReliable { removeServer(id.raw) }
            return [action]
        }
        transaction.endsAt = now + timers.lifetime
        if response.isSuccess {
            transaction.state = .accepted
            let key = AcceptedKey(callID: transaction.key.callID, response: response)
            transaction.accepted = key
            acceptedKeys[key] = id.raw
            transaction.repeatAt = now + timers.t1
        } else {
            transaction.state = .completed
            transaction.repeatAt = transaction.flow.isReliable ? nil : now + timers.t1
        }
        wakeups.push(id.raw, at: transaction.wakeAt)
        return [action]
    }

    mutating func wakeServer(_ id: UInt64, now: NIODeadline, into actions: inout [SIPTransactionAction]) {
        // Others than INVITE end by the queue of completed ones.
        guard var transaction = servers[id], transaction.isInvite else { return }
        if transaction.endsAt <= now {
            removeServer(id)
            if transaction.state == .accepted {
                actions.append(.acknowledgementMissing(SIPServerTransactionID(raw: id)))
            }
            return
        }
        if let repeatAt = transaction.repeatAt, repeatAt <= now {
            statistics.retransmissions += 1
            actions.append(.send(transaction.answer, transaction.flow))
            transaction.interval = min(.nanoseconds(transaction.interval.nanoseconds &* 2), timers.t2)
            transaction.repeatAt = now + transaction.interval
            servers[id] = transaction
        }
        wakeups.push(id, at: transaction.wakeAt)
    }

    mutating func removeServer(_ id: UInt64) {
        guard let transaction = servers.removeValue(forKey: id) else { return }
        serverKeys[transaction.key] = nil
        if let accepted = transaction.accepted { acceptedKeys[accepted] = nil }
    }
}

extension AcceptedKey {
    init(callID: String, response: SIPResponse) {
        self.callID = callID
        sequence = response.headers.cseq?.number ?? 0
        fromTag = response.headers.from?.tag ?? ""
    }
}
