import NIOCore
internal import SIP
internal import Wire

/// INVITE: the offer, the answer, and what stands for one (4.1).
extension SignallingCore {
    mutating func startInvite(_ number: UInt64, now: NIODeadline) {
        guard var session = sessions[number], let flow = allDevices[session.slot].flow else { return }
        let wish = session.request
        let offer = MediaOffer(
            channelID: wish.channelID,
            platformID: configuration.platformID,
            host: wish.mediaHost,
            port: wish.mediaPort,
            transport: wish.transport,
            ssrc: wish.ssrc,
            purpose: wish.purpose,
            onlyPS: session.onlyPS,
            streamSelection: wish.streamSelection
        )
        let announced = announced(session.slot, over: flow)
        var request = makeRequest(.invite, user: wish.channelID, over: flow, announced: announced, body: offer.body)
        request.headers.append(.contact, contact(announced, over: flow))
        request.headers.append(.subject, offer.subject.text)
        request.headers.append(.contentType, MediaOffer.contentType)
        session.state = .calling
        session.invite = request
        session.flow = flow
        session.retryAt = nil
        session.hasProvisional = false
        session.giveUpAt = now + configuration.inviteTimeout
        sessions[number] = session
        calling.insert(number)
        sessionsByCallID[request.headers.callID] = number
        schedule(.session, number, at: session.giveUpAt)
        let client = send(
            request,
            to: session.slot,
            over: flow,
            announced: announced,
            role: .invite(session: number),
            now: now
        )
        guard let client else {
            return fail(
                number,
                .init(
                    kind: .tooManySessions,
                    subject: subject(number),
                    reason: "too many SIP transactions are open"
                )
            )
        }
        sessions[number]?.client = client
    }

    /// "invite CHANNEL of device ID at FLOW": how every message about a session begins.
    func subject(_ number: UInt64) -> String {
        guard let session = sessions[number] else { return "invite" }
        let place = session.flow.map { " at \($0)" } ?? ""
        let stream = session.request.streamSelection.map { " (\($0.name):\($0.value ?? ""))" } ?? ""
        return "invite \(session.request.channelID)\(stream) of device \(session.request.deviceID)\(place)"
    }

    private func offered(_ request: InviteRequest) -> String {
        let transport =
            switch request.transport {
            case .udp: "UDP"
            case .tcpPassive: "TCP passive"
            case .tcpActive: "TCP active"
            }
        return "offered \(transport) to \(SIPURI.bracketed(request.mediaHost)):\(request.mediaPort)"
    }

    mutating func inviteAnswered(
        _ number: UInt64,
        _ client: SIPClientTransactionID,
        _ response: SIPResponse,
        now: NIODeadline
    ) {
        guard let session = sessions[number], session.client == client, let invite = session.invite else { return }
        if response.isProvisional {
            guard !session.hasProvisional else { return }
            sessions[number]?.hasProvisional = true
            let giveUpAt = now + configuration.ringingTimeout
            sessions[number]?.giveUpAt = giveUpAt
            schedule(.session, number, at: giveUpAt)
        } else if response.isSuccess {
            accepted(number, session, invite, response, now: now)
        } else {
            rejected(number, session, response, now: now)
        }
    }

    private mutating func accepted(
        _ number: UInt64,
        _ session: MediaSession,
        _ invite: SIPRequest,
        _ response: SIPResponse,
        now: NIODeadline
    ) {
        guard let client = session.client, let dialog = acknowledge(invite, response, client, session.slot, now: now)
        else {
            let reason = "the 200 has no readable To or CSeq"
            return fail(number, .init(kind: .badAnswer, subject: subject(number), reason: reason))
        }
        do throws(MediaAnswerError) {
            let answer = try MediaAnswer.parse(response.body)
            sessions[number]?.state = .streaming
            sessions[number]?.client = nil
            sessions[number]?.invite = nil
            sessions[number]?.dialog = dialog
            sessions[number]?.answer = answer
            sessions[number]?.startedAt = clock.milliseconds(now)
            calling.remove(number)
            actions.append(.persistDialog(stored(session.request, dialog)))
            actions.append(.inviteAnswered(session.id, answer))
        } catch {
            fail(
                number,
                .init(
                    kind: .badAnswer,
                    status: response.status,
                    phrase: response.phrase,
                    subject: subject(number),
                    reason: "\(error)"
                )
            )
            bid(stored(session.request, dialog), now: now)
        }
    }

    func stored(_ request: InviteRequest, _ dialog: SIPDialog) -> StoredDialog {
        StoredDialog(deviceID: request.deviceID, channelID: request.channelID, dialog: dialog)
    }

    private mutating func acknowledge(
        _ invite: SIPRequest,
        _ response: SIPResponse,
        _ client: SIPClientTransactionID,
        _ slot: Int,
        now: NIODeadline
    ) -> SIPDialog? {
        guard let dialog = SIPDialog(invite: invite, response: response), let flow = allDevices[slot].flow else {
            return nil
        }
        let acknowledgement = dialog.acknowledgement(sequence: dialog.localSequence)
        perform(transactions.acknowledge(client, with: acknowledgement, sentBy: announced(slot, over: flow)), now: now)
        return dialog
    }

    private mutating func rejected(_ number: UInt64, _ session: MediaSession, _ response: SIPResponse, now: NIODeadline)
    {
        sessions[number]?.client = nil
        let pause: TimeAmount? =
            switch response.status {
            // Old equipment dislikes a long list of formats: offer PS alone.
            case 488 where !session.onlyPS: .zero
            // Busy, perhaps with a session that is just ending.
            case 486: .seconds(1)
            case 500, 503: .seconds(2)
            default: nil
            }
        if let pause, !session.hasRetried {
            sessions[number]?.hasRetried = true
            sessions[number]?.onlyPS = response.status == 488
            forgetCallID(session)
            if pause == .zero { return startInvite(number, now: now) }
            sessions[number]?.state = .waiting
            sessions[number]?.retryAt = now + pause
            sessions[number]?.giveUpAt = now + pause + configuration.inviteTimeout
            return schedule(.session, number, at: now + pause)
        }
        // A sub stream may be missing where its channel is not.
        if response.status == 404, session.request.streamSelection == nil {
            channelIsMissing(session.slot, session.request.channelID, now: now)
        }
        let warning = response.headers[.warning]
        var reason = "\(response.status) \(response.phrase) (\(offered(session.request)))"
        if let warning { reason += ", warning: \(warning)" }
        fail(
            number,
            InviteFailure(
                kind: .rejected,
                status: response.status,
                phrase: response.phrase,
                warning: warning,
                subject: subject(number),
                reason: reason
            )
        )
    }

    private mutating func channelIsMissing(_ slot: Int, _ channelID: String, now: NIODeadline) {
        if let place = allDevices[slot].channels.firstIndex(where: { $0.deviceID == channelID }) {
            allDevices[slot].channels[place].isOnline = false
            actions.append(
                .catalogUpdated(deviceID: allDevices[slot].id, isComplete: allDevices[slot].catalog == .complete)
            )
        }
        planQueries(slot, notBefore: .seconds(30), now: now)
    }
}

// No answer, or one too late
extension SignallingCore {
    /// The transaction is over without an answer.
    mutating func inviteLost(_ number: UInt64, connectionClosed: Bool, now: NIODeadline) {
        guard let session = sessions[number], session.isCalling else { return }
        sessions[number]?.client = nil
        guard connectionClosed, !session.hasReinvited else {
            let kind: InviteFailure.Kind = connectionClosed ? .connectionClosed : .timeout
            let what = connectionClosed ? "the connection closed" : "no final answer"
            let reason = "\(what) (\(offered(session.request)))"
            return fail(number, .init(kind: kind, subject: subject(number), reason: reason))
        }
        // Some cameras reconnect at once: wait for that until the invite timeout.
        sessions[number]?.state = .waiting
        sessions[number]?.retryAt = nil
    }

    /// The device has a new flow: what waits for an answer on the old one is asked again, once (R-3).
    mutating func reinvite(_ slot: Int, now: NIODeadline) {
        guard !calling.isEmpty else { return }
        for number in calling.sorted() {
            guard let session = sessions[number], session.slot == slot, !session.hasReinvited, !session.hasProvisional,
                session.retryAt == nil, session.flow != allDevices[slot].flow
            else { continue }
            sessions[number]?.hasReinvited = true
            abandon(session, now: now)
            startInvite(number, now: now)
        }
    }

    /// Gives an INVITE up: CANCEL when possible, and BYE should it be accepted all the same.
    mutating func abandon(_ session: MediaSession, now: NIODeadline) {
        forgetCallID(session)
        guard let client = session.client, let invite = session.invite else { return }
        roles[client] = .abandonedInvite(
            invite,
            deviceID: session.request.deviceID,
            channelID: session.request.channelID
        )
        sessions[session.number]?.client = nil
        perform(transactions.cancel(client, now: now), now: now)
    }

    /// The late 200 of an INVITE that was given up.
    mutating func hangUp(
        _ invite: SIPRequest,
        _ response: SIPResponse,
        _ client: SIPClientTransactionID,
        _ slot: Int,
        channelID: String,
        now: NIODeadline
    ) {
        guard let dialog = acknowledge(invite, response, client, slot, now: now) else { return }
        bid(StoredDialog(deviceID: allDevices[slot].id, channelID: channelID, dialog: dialog), now: now)
    }

    mutating func wakeSession(_ number: UInt64, now: NIODeadline) {
        guard let session = sessions[number], session.isCalling else { return }
        if session.state == .waiting, let retryAt = session.retryAt, retryAt <= now {
            return startInvite(number, now: now)
        }
        guard session.giveUpAt <= now else { return }
        let text =
            session.hasProvisional
            ? "the device said that it is working on it, and no final answer came"
            : "no answer: its address may be outdated, or the way loses large datagrams (let it register over TCP then)"
        let reason = "\(text) (\(offered(session.request)))"
        let failure = InviteFailure(kind: .timeout, subject: subject(number), reason: reason)
        abandon(session, now: now)
        fail(number, failure)
    }

    mutating func fail(_ number: UInt64, _ failure: InviteFailure) {
        guard let session = removeSession(number) else { return }
        statistics.failedInvites += 1
        actions.append(.inviteFailed(session.id, failure))
        log(.info, "invite-\(session.request.channelID)", failure.text)
    }
}
