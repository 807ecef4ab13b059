internal import NIOCore
internal import SIP
internal import Wire

/// Requests of ours, and what comes back.
extension SignallingCore {
    /// Our address as the device knows it, `host:port`.
    func announced(_ slot: Int, over flow: SIPFlow) -> String {
        let provisioned = configuration.provisioned[allDevices[slot].id]?.announceHost
        let host = provisioned ?? configuration.announceHost ?? flow.localHost
        return "\(SIPURI.bracketed(host)):\(configuration.announcePort ?? flow.localPort)"
    }

    func contact(_ announced: String, over flow: SIPFlow) -> String {
        "<sip:\(configuration.platformID)@\(announced)\(flow.transport == .tcp ? ";transport=tcp" : "")>"
    }

    /// A request outside of dialogs: From is us, To and Request-URI are `user` at the observed address (2.1).
    mutating func makeRequest(
        _ method: SIPMethod,
        user: String,
        over flow: SIPFlow,
        announced: String,
        body: [UInt8]
    ) -> SIPRequest {
        let uri = SIPURI(user: user, host: flow.remoteHost, port: flow.remotePort)
        var request = SIPRequest(method: method, uri: uri.text, body: body)
        let us = SIPURI(user: configuration.platformID, host: configuration.domain)
        request.headers.append(.from, SIPAddress(uri: us, tag: transactions.tokens.token()).headerValue)
        request.headers.append(.to, SIPAddress(uri: uri).headerValue)
        let host = announced.prefix { $0 != ":" && $0 != "[" }
        request.headers.append(
            .callID,
            transactions.tokens.callID(host: host.isEmpty ? configuration.domain : String(host))
        )
        request.headers.append(.cseq, SIPSequence(1, method).headerValue)
        request.headers.append(.userAgent, configuration.userAgent)
        return request
    }

    /// Sends a MANSCDP body in a MESSAGE to the device's current flow.
    mutating func sendMessage(_ body: [UInt8], to slot: Int, role: ClientRole, now: NIODeadline) {
        guard let flow = allDevices[slot].flow else { return }
        let announced = announced(slot, over: flow)
        var request = makeRequest(.message, user: allDevices[slot].id, over: flow, announced: announced, body: body)
        request.headers.append(.contentType, ManscdpQuery.contentType)
        send(request, to: slot, over: flow, announced: announced, role: role, now: now)
    }

    /// Nil where the transaction table is full.
    @discardableResult
    mutating func send(
        _ request: SIPRequest,
        to slot: Int,
        over flow: SIPFlow,
        announced: String,
        role: ClientRole,
        now: NIODeadline
    ) -> SIPClientTransactionID? {
        let (id, list) = transactions.send(request, over: flow, sentBy: announced, now: now)
        guard let id else {
            log(
                .error,
                "transactions-full",
                "\(request.method.text) to \(flow) not sent: too many transactions are open"
            )
            return nil
        }
        roles[id] = role
        for case .send(let bytes, let flow) in list {
            trace.add(bytes, of: allDevices[slot].id, isOutgoing: true, flow: flow, at: clock.milliseconds(now))
        }
        perform(list, now: now)
        return id
    }

    mutating func receiveResponse(_ response: SIPResponse, to id: SIPClientTransactionID, now: NIODeadline) {
        guard let role = roles[id] else { return }
        if !response.isProvisional { roles[id] = nil }
        if let slot = slot(of: role) {
            // An answer is traffic, but it says nothing of the address: it comes where the request went.
            allDevices[slot].liveness.seen(now)
            let text = SIPMessage.response(response).encoded()
            if let flow = allDevices[slot].flow {
                trace.add(text, of: allDevices[slot].id, isOutgoing: false, flow: flow, at: clock.milliseconds(now))
            }
        }
        switch role {
        case .deviceInfo, .catalog:
            if response.status >= 300 { queryFailed(role, "\(response.status) \(response.phrase)", now: now) }
        case .report:
            break
        case .invite(let session):
            inviteAnswered(session, id, response, now: now)
        case .abandonedInvite(let request, let deviceID, let channelID):
            guard response.isSuccess, let slot = slots[deviceID] else { return }
            hangUp(request, response, id, slot, channelID: channelID, now: now)
        case .bye(let farewell):
            if !response.isProvisional { endFarewell(farewell) }
        }
    }

    /// No answer came, or the connection broke.
    mutating func requestFailed(_ id: SIPClientTransactionID, connectionClosed: Bool, now: NIODeadline) {
        guard let role = roles.removeValue(forKey: id) else { return }
        switch role {
        case .deviceInfo, .catalog:
            queryFailed(role, connectionClosed ? "the connection closed" : "no answer", now: now)
        case .report, .abandonedInvite:
            break
        case .invite(let session):
            inviteLost(session, connectionClosed: connectionClosed, now: now)
        case .bye(let farewell):
            byeLost(farewell, now: now)
        }
    }

    private func slot(of role: ClientRole) -> Int? {
        switch role {
        case .deviceInfo(let slot, let deviceID), .catalog(let slot, let deviceID): slots[deviceID] == slot ? slot : nil
        case .invite(let session): sessions[session]?.slot
        case .bye(let farewell): farewells[farewell].flatMap { slots[$0.stored.deviceID] }
        case .abandonedInvite(_, let deviceID, _): slots[deviceID]
        case .report: nil
        }
    }
}
