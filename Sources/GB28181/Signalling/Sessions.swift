package import NIOCore
internal import SIP
internal import Wire

/// Media sessions: what the gateway asks for, and how they end (4.1, 4.2); `Inviting.swift` has what lies between.
extension SignallingCore {
    // What the gateway asks for

    /// Asks a device for a stream, or joins the session that has it already.
    package mutating func invite(
        _ request: InviteRequest,
        now: NIODeadline
    ) -> (outcome: InviteOutcome, actions: [SignallingAction]) {
        let subject = "invite \(request.channelID) of device \(request.deviceID)"
        guard let slot = slots[request.deviceID] else {
            return (
                .refused(InviteFailure(kind: .deviceUnknown, subject: subject, reason: "the device is not known")), []
            )
        }
        let key = SessionKey(request)
        if let number = sessionsByKey[key], let session = sessions[number] {
            sessions[number]?.references += 1
            return (.joined(session.id, isStreaming: !session.isCalling), [])
        }
        guard allDevices[slot].isOnline, allDevices[slot].flow != nil else {
            return (
                .refused(InviteFailure(kind: .deviceOffline, subject: subject, reason: "the device is offline")), []
            )
        }
        guard sessions.count < configuration.maximumSessions else {
            let reason = "\(configuration.maximumSessions) sessions are open already"
            return (.refused(InviteFailure(kind: .tooManySessions, subject: subject, reason: reason)), [])
        }
        statistics.invites += 1
        let number = nextSession
        nextSession += 1
        sessions[number] = MediaSession(number: number, request: request, slot: slot, giveUpAt: now)
        sessionsByKey[key] = number
        startInvite(number, now: now)
        return (.started(MediaSessionID(number: number)), take())
    }

    /// One wish less; the last one ends the session with BYE or CANCEL.
    package mutating func release(_ id: MediaSessionID, now: NIODeadline) -> [SignallingAction] {
        guard let references = sessions[id.number]?.references else { return [] }
        sessions[id.number]?.references = references - 1
        if references <= 1 { endSession(id.number, .released, saysBye: true, now: now) }
        return take()
    }

    /// Ends a session whoever wants it: kicked, no media, no viewers.
    package mutating func end(
        _ id: MediaSessionID,
        _ reason: SessionEnd = .stopped,
        now: NIODeadline
    ) -> [SignallingAction] {
        endSession(id.number, reason, saysBye: true, now: now)
        return take()
    }

    /// Ends every session, for the end of the process. Go on driving until `openFarewells` is 0, a few seconds at most.
    package mutating func shutDown(now: NIODeadline) -> [SignallingAction] {
        for number in sessions.keys.sorted() { endSession(number, .stopped, saysBye: true, now: now) }
        return take()
    }

    /// BYEs that nobody has answered yet, and INVITEs given up that a camera may still accept.
    package var openFarewells: Int {
        farewells.count
            + roles.values.count { role in
                if case .abandonedInvite = role { true } else { false }
            }
    }

    /// Ends dialogs that a former process left open. Restore the devices first.
    package mutating func endStoredDialogs(_ dialogs: [StoredDialog], now: NIODeadline) -> [SignallingAction] {
        for stored in dialogs {
            if slots[stored.deviceID] == nil {
                actions.append(.forgetDialog(callID: stored.dialog.callID))
            } else {
                bid(stored, now: now)
            }
        }
        return take()
    }

    package func session(_ id: MediaSessionID) -> MediaSessionSummary? {
        sessions[id.number].map(MediaSessionSummary.init)
    }

    /// The live session of a channel, streaming or being set up.
    package func liveSession(deviceID: String, channelID: String) -> MediaSessionSummary? {
        allSessions.first {
            $0.request.deviceID == deviceID && $0.request.channelID == channelID && $0.request.purpose == .play
        }
    }

    package var allSessions: [MediaSessionSummary] {
        sessions.values.sorted { $0.number < $1.number }.map(MediaSessionSummary.init)
    }

    // The end

    mutating func endSession(_ number: UInt64, _ reason: SessionEnd, saysBye: Bool, now: NIODeadline) {
        guard let session = sessions[number] else { return }
        guard let dialog = session.dialog else {
            let failure = InviteFailure(
                kind: .cancelled,
                subject: subject(number),
                reason: "given up (\(reason.rawValue))"
            )
            abandon(session, now: now)
            return fail(number, failure)
        }
        removeSession(number)
        actions.append(.sessionEnded(session.id, reason))
        if saysBye {
            bid(stored(session.request, dialog), now: now)
        } else {
            actions.append(.forgetDialog(callID: dialog.callID))
        }
    }

    mutating func endSessions(_ slot: Int, _ reason: SessionEnd, saysBye: Bool, now: NIODeadline) {
        guard !sessions.isEmpty else { return }
        for number in sessions.values.filter({ $0.slot == slot }).map(\.number).sorted() {
            endSession(number, reason, saysBye: saysBye, now: now)
        }
    }

    @discardableResult
    mutating func removeSession(_ number: UInt64) -> MediaSession? {
        guard let session = sessions.removeValue(forKey: number) else { return nil }
        sessionsByKey[SessionKey(session.request)] = nil
        forgetCallID(session)
        calling.remove(number)
        return session
    }

    mutating func forgetCallID(_ session: MediaSession) {
        let callID = session.dialog?.callID ?? session.invite?.headers.callID
        if let callID { sessionsByCallID[callID] = nil }
    }

    // What the device says about sessions

    func sessionID(of request: SIPRequest) -> UInt64? {
        sessionsByCallID[request.headers.callID]
    }

    mutating func receiveBye(_ incoming: IncomingRequest, now: NIODeadline) {
        let callID = incoming.request.headers.callID
        guard let number = sessionsByCallID[callID], let session = sessions[number], session.dialog != nil else {
            // Ours and theirs may cross.
            let isLeaving = farewells.values.contains { $0.stored.dialog.callID == callID }
            return answer(incoming, isLeaving ? 200 : 481, forget: !isLeaving, now: now)
        }
        answer(incoming, 200, now: now)
        keepTrace(incoming, session.slot, now: now)
        if allDevices[session.slot].isOnline { touch(session.slot, incoming.flow, now: now) }
        endSession(number, .deviceBye, saysBye: false, now: now)
    }

    /// MediaStatus 121: by its dialog, else by the channel that it names.
    mutating func finishSession(of request: SIPRequest, _ status: MediaStatus, _ slot: Int, now: NIODeadline) {
        if let number = sessionID(of: request) { return endSession(number, .finished, saysBye: true, now: now) }
        let names = [status.deviceID, request.headers.from?.uri.user ?? ""]
        let candidates = sessions.values.filter {
            $0.slot == slot && $0.request.purpose != .play && names.contains($0.request.channelID)
        }
        if let number = candidates.map(\.number).min() { endSession(number, .finished, saysBye: true, now: now) }
    }
}
