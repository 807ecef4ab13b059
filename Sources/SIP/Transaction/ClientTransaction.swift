package import NIOCore
internal import Wire

struct ClientKey: Hashable {
    var branch: String
    var method: SIPMethod
}

/// One request of ours.
struct ClientTransaction {
    enum State {
        /// Nothing came back (RFC 3261: calling, trying).
        case calling
        case proceeding
        /// A 2xx to INVITE came; copies of it get the ACK again.
        case accepted
        /// A final answer came; copies are absorbed.
        case completed
    }

    let key: ClientKey
    let flow: SIPFlow
    var state = State.calling
    /// The request as sent; emptied once it need not be repeated.
    var bytes: [UInt8]
    /// Kept for INVITE: CANCEL and the ACK of a failure are made from it.
    var invite: SIPRequest?
    /// The ACK that each copy of the final answer gets.
    var acknowledgement: [UInt8] = []
    var cancelWanted = false
    var cancelSent = false
    /// Next repeat (timers A and E) and the distance to the one after it.
    var repeatAt: NIODeadline?
    var interval: TimeAmount
    /// Timers B, D, F, K and the accepted state's end.
    var endsAt: NIODeadline

    var isInvite: Bool { invite != nil }
    var isWaiting: Bool { state == .calling || state == .proceeding }
    var wakeAt: NIODeadline { repeatAt.map { min($0, endsAt) } ?? endsAt }
}

extension SIPTransactions {
    /// Sends a request that has no Via yet; the layer puts one on top, and Max-Forwards where it is missing.
    ///
    /// - Parameters:
    ///   - flow: where it goes, whatever the Request-URI says.
    ///   - sentBy: our address as the peer knows it, `host:port`.
    /// - Returns: nil for the identity where the table is full.
    package mutating func send(
        _ request: SIPRequest,
        over flow: SIPFlow,
        sentBy: String,
        now: NIODeadline
    ) -> (id: SIPClientTransactionID?, actions: [SIPTransactionAction]) {
        guard clients.count < limit else {
            statistics.refusals += 1
            return (nil, [])
        }
        var request = request
        let branch = tokens.branch()
        if request.headers[.maxForwards] == nil { request.headers.append(.maxForwards, "70") }
        request.headers.prepend(.via, SIPVia(transport: flow.transport, sentBy: sentBy, branch: branch).headerValue)
        return start(request, branch: branch, over: flow, now: now)
    }

    private mutating func start(
        _ request: SIPRequest,
        branch: String,
        over flow: SIPFlow,
        now: NIODeadline
    ) -> (id: SIPClientTransactionID?, actions: [SIPTransactionAction]) {
        let id = makeID()
        let bytes = request.encoded()
        let transaction = ClientTransaction(
            key: ClientKey(branch: branch, method: request.method),
            flow: flow,
            bytes: flow.isReliable ? [] : bytes,
            invite: request.method == .invite ? request : nil,
            repeatAt: flow.isReliable ? nil : now + timers.t1,
            interval: timers.t1,
            endsAt: now + timers.lifetime
        )
        clientKeys[transaction.key] = id
        wakeups.push(id, at: transaction.wakeAt)
        clients[id] = transaction
        return (SIPClientTransactionID(raw: id), [.send(bytes, flow)])
    }

    /// Answers a 2xx to INVITE. The layer repeats this ACK for every copy of the 2xx (RFC 3261 13.2.2.4).
    package mutating func acknowledge(
        _ id: SIPClientTransactionID,
        with request: SIPRequest,
        sentBy: String
    ) -> [SIPTransactionAction] {
        guard var transaction = clients[id.raw], transaction.state == .accepted else { return [] }
        var request = request
        if request.headers[.maxForwards] == nil { request.headers.append(.maxForwards, "70") }
        let via = SIPVia(transport: transaction.flow.transport, sentBy: sentBy, branch: tokens.branch())
        request.headers.prepend(.via, via.headerValue)
        transaction.acknowledgement = request.encoded()
        clients[id.raw] = transaction
        return [.send(transaction.acknowledgement, transaction.flow)]
    }

    /// Gives an INVITE up. CANCEL goes out once a 1xx has come (RFC 3261 9.1); until then the INVITE is not repeated any more.
    /// A 2xx that crosses it is still delivered: ACK it and send BYE.
    package mutating func cancel(_ id: SIPClientTransactionID, now: NIODeadline) -> [SIPTransactionAction] {
        guard var transaction = clients[id.raw], transaction.isInvite, transaction.isWaiting else { return [] }
        transaction.cancelWanted = true
        transaction.repeatAt = nil
        clients[id.raw] = transaction
        return transaction.state == .proceeding ? sendCancel(id.raw, now: now) : []
    }

    private mutating func sendCancel(_ id: UInt64, now: NIODeadline) -> [SIPTransactionAction] {
        guard var transaction = clients[id], let invite = transaction.invite, !transaction.cancelSent else { return [] }
        transaction.cancelSent = true
        transaction.endsAt = now + timers.lifetime
        clients[id] = transaction
        wakeups.push(id, at: transaction.wakeAt)
        let request = Self.derived(.cancel, from: invite)
        return start(request, branch: transaction.key.branch, over: transaction.flow, now: now).actions
    }

    /// CANCEL and the ACK of a failure share Request-URI, top Via, From, Call-ID and CSeq number with their INVITE.
    private static func derived(_ method: SIPMethod, from invite: SIPRequest, to: String? = nil) -> SIPRequest {
        var request = SIPRequest(method: method, uri: invite.uri)
        request.headers.append(.via, invite.headers[.via] ?? "")
        for name in [SIPHeaderName.from, .to, .callID] {
            request.headers.append(name, (name == .to ? to : nil) ?? invite.headers[name] ?? "")
        }
        request.headers.append(.cseq, SIPSequence(invite.headers.cseq?.number ?? 1, method).headerValue)
        request.headers.append(.maxForwards, "70")
        for route in invite.headers.all(.route) { request.headers.append(.route, route) }
        return request
    }

    mutating func receiveResponse(_ response: SIPResponse, now: NIODeadline) -> [SIPTransactionAction] {
        guard let branch = response.headers.topVia?.branch, let sequence = response.headers.cseq,
            let id = clientKeys[ClientKey(branch: branch, method: sequence.method)], var transaction = clients[id]
        else {
            statistics.strayResponses += 1
            return []
        }
        var actions: [SIPTransactionAction] = []
        switch transaction.state {
        case .calling, .proceeding:
            if response.isProvisional {
                receiveProvisional(response, id, &transaction, now: now, into: &actions)
            } else {
                receiveFinal(response, id, &transaction, now: now, into: &actions)
            }
        case .accepted where response.isSuccess, .completed where transaction.isInvite && !response.isProvisional:
            if !transaction.acknowledgement.isEmpty {
                statistics.retransmissions += 1
                actions.append(.send(transaction.acknowledgement, transaction.flow))
            }
        case .accepted, .completed:
            break
        }
        return actions
    }

    private mutating func receiveProvisional(
        _ response: SIPResponse,
        _ id: UInt64,
        _ transaction: inout ClientTransaction,
        now: NIODeadline,
        into actions: inout [SIPTransactionAction]
    ) {
        let isFirst = transaction.state == .calling
        transaction.state = .proceeding
        if transaction.isInvite {
            transaction.repeatAt = nil
            transaction.bytes = []
            if isFirst { transaction.endsAt = now + timers.ringing }
        } else {
            transaction.interval = timers.t2
        }
        clients[id] = transaction
        if transaction.cancelWanted { actions += sendCancel(id, now: now) }
        actions.append(.response(response, SIPClientTransactionID(raw: id)))
    }

    private mutating func receiveFinal(
        _ response: SIPResponse,
        _ id: UInt64,
        _ transaction: inout ClientTransaction,
        now: NIODeadline,
        into actions: inout [SIPTransactionAction]
    ) {
        transaction.repeatAt = nil
        transaction.bytes = []
        let isReliable = transaction.flow.isReliable
        if let invite = transaction.invite {
            if response.isSuccess {
                transaction.state = .accepted
                transaction.endsAt = now + timers.lifetime
            } else {
                transaction.state = .completed
                let acknowledgement = Self.derived(.ack, from: invite, to: response.headers[.to])
                transaction.acknowledgement = acknowledgement.encoded()
                transaction.endsAt = isReliable ? now : now + timers.lifetime
                actions.append(.send(transaction.acknowledgement, transaction.flow))
            }
        } else {
            transaction.state = .completed
            transaction.endsAt = isReliable ? now : now + timers.t4
        }
        if transaction.endsAt <= now {
            removeClient(id)
        } else {
            clients[id] = transaction
            wakeups.push(id, at: transaction.endsAt)
        }
        actions.append(.response(response, SIPClientTransactionID(raw: id)))
    }

    mutating func wakeClient(_ id: UInt64, now: NIODeadline, into actions: inout [SIPTransactionAction]) {
        guard var transaction = clients[id] else { return }
        if transaction.endsAt <= now {
            removeClient(id)
            if transaction.isWaiting {
                statistics.timeouts += 1
                actions.append(.timeout(SIPClientTransactionID(raw: id)))
            }
            return
        }
        guard let repeatAt = transaction.repeatAt else {
            // An entry of an earlier state; the one for the end may be this very one.
            return wakeups.push(id, at: transaction.endsAt)
        }
        if repeatAt <= now {
            statistics.retransmissions += 1
            actions.append(.send(transaction.bytes, transaction.flow))
            transaction.interval = .nanoseconds(transaction.interval.nanoseconds &* 2)
            // Timer A doubles until B, timer E stops growing at T2.
            if !transaction.isInvite || transaction.state == .proceeding {
                transaction.interval = min(transaction.interval, timers.t2)
            }
            transaction.repeatAt = now + transaction.interval
            clients[id] = transaction
        }
        wakeups.push(id, at: transaction.wakeAt)
    }

    mutating func removeClient(_ id: UInt64) {
        guard let transaction = clients.removeValue(forKey: id) else { return }
        clientKeys[transaction.key] = nil
    }
}
