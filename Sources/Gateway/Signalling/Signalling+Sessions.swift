internal import GB28181
internal import Logging
internal import NIOCore
internal import SIP
internal import Transport
internal import Wire

/// A channel and what is asked of it; one session each (R-11).
struct ChannelKey: Hashable, Sendable, CustomStringConvertible {
    var deviceID: String
    var channelID: String
    /// 0: its main stream.
    var streamNumber = 0

    var main: ChannelKey { ChannelKey(deviceID: deviceID, channelID: channelID) }

    var description: String { streamNumber == 0 ? channelID : "\(channelID) (sub stream \(streamNumber))" }
}

/// One invited channel, from the first wish for it to its end.
struct ChannelSession {
    enum State {
        /// The port is being opened.
        case opening
        case inviting
        case streaming
    }

    /// Tells it from other sessions of its channel, earlier and later ones.
    let number: Int
    var state = State.opening
    let streamName: String
    let transport: MediaTransportKind
    /// How many calls of the API want it.
    var references = 1
    /// How long nobody need watch before it ends: the longest that its invitations allow; nil: for ever.
    var idleLimit: TimeAmount?
    /// Since when nobody watches.
    var idleSince: NIODeadline?
    var media: MediaHandle?
    var id: MediaSessionID?
    var ssrc: SSRC?
    /// Calls that wait for the camera's answer.
    var waiting: [CheckedContinuation<GB28181InviteStarted, any Error>] = []
    /// Why the media ended, when that is why the session ends.
    var mediaEnd: MediaEnd?
}

extension Signalling {
    /// Invites a channel, or joins the session that has it, and waits for the camera's final answer.
    func invite(_ request: GB28181InviteRequest) async throws -> GB28181InviteStarted {
        let key = ChannelKey(
            deviceID: request.deviceID,
            channelID: request.channelID,
            streamNumber: request.streamNumber
        )
        guard let device = core.device(key.deviceID) else { throw ControlError.deviceNotFound(key.deviceID) }
        guard !isStopping else { throw ControlError.inviteFailed("the gateway is stopping") }
        if sessions[key] != nil { return try await join(key, request) }
        guard device.isOnline, let flow = device.flow else {
            throw refused(key, "device \(key.deviceID) is offline; last seen \(seen(device))")
        }
        let selection = try selection(key, of: device)
        guard let ssrc = ssrcs.allocate() else {
            throw refused(key, "all \(SSRCAllocator.capacity) SSRCs of this domain are in use")
        }
        let transport = request.transport.map(MediaTransportKind.init) ?? settings.transports[key.deviceID] ?? .udp
        sessionNumber += 1
        let number = sessionNumber
        sessions[key] = ChannelSession(
            number: number,
            streamName: request.streamName,
            transport: transport,
            idleLimit: request.idleLimit,
            ssrc: ssrc
        )
        let host = settings.mediaHost(deviceID: key.deviceID, remoteHost: flow.remoteHost)
        let wanted = MediaRequest(
            stream: request.streamName,
            transport: transport,
            port: request.port,
            advertisedHost: host,
            ssrc: ssrc.value,
            timeout: settings.mediaTimeout,
            signallingHost: flow.remoteHost,
            onEnd: { [weak self] end in
                guard let self else { return }
                Task { await self.mediaEnded(key, number, end) }
            }
        )
        let handle: MediaHandle
        do {
            handle = try await media.open(wanted)
        } catch {
            let failure = refused(key, "\(error)")
            if sessions[key]?.number == number { finish(key, failure) }
            undone.removeValue(forKey: number)?.resume()
            throw failure
        }
        // While the port was being opened the wish may have been taken back, and another session begun.
        guard sessions[key]?.number == number else {
            handle.close()
            await handle.settled()
            undone.removeValue(forKey: number)?.resume()
            throw ControlError.takenBack
        }
        sessions[key]?.media = handle
        return try await withCheckedThrowingContinuation { continuation in
            // Before the INVITE: it may fail at once.
            sessions[key]?.waiting.append(continuation)
            startInvite(key, handle, host: host, ssrc: ssrc, selection)
        }
    }

    private func note(_ why: String, of key: ChannelKey) {
        let stream = key.streamNumber == 0 ? "" : "sub stream \(key.streamNumber): "
        faults.note(stream + why, of: key, at: .now())
    }

    /// An invitation that did not get as far as the camera.
    private func refused(_ key: ChannelKey, _ why: String) -> ControlError {
        note(why, of: key)
        return .inviteFailed(why)
    }

    private func join(_ key: ChannelKey, _ request: GB28181InviteRequest) async throws -> GB28181InviteStarted {
        sessions[key]?.references += 1
        sessions[key]?.stay(request.idleLimit)
        return try await answer(of: key)
    }

    private func answer(of key: ChannelKey) async throws -> GB28181InviteStarted {
        try await withCheckedThrowingContinuation { continuation in
            guard let session = sessions[key] else {
                continuation.resume(
                    throwing: ControlError.inviteFailed("the session of \(key) ended at once")
                )
                return
            }
            if session.state == .streaming, let started = session.started {
                continuation.resume(returning: started)
            } else {
                sessions[key]?.waiting.append(continuation)
            }
        }
    }

    private func startInvite(
        _ key: ChannelKey,
        _ handle: MediaHandle,
        host: String,
        ssrc: SSRC,
        _ selection: SessionDescription.Attribute?
    ) {
        sessions[key]?.state = .inviting
        let (outcome, actions) = core.invite(
            InviteRequest(
                deviceID: key.deviceID,
                channelID: key.channelID,
                mediaHost: host,
                mediaPort: UInt16(truncatingIfNeeded: handle.port),
                transport: handle.transport.offered,
                ssrc: ssrc,
                streamSelection: selection
            ),
            now: .now()
        )
        switch outcome {
        case .started(let id), .joined(let id, _):
            sessions[key]?.id = id
            keys[id] = key
        case .refused(let failure):
            note(failure.reason, of: key)
            finish(key, ControlError.inviteFailed(failure.text))
        }
        perform(actions)
    }

    /// Takes one wish back; the last one ends the session. Afterwards the stream's name is free.
    func bye(_ request: GB28181ByeRequest) async throws -> GB28181ByeDone {
        guard core.device(request.deviceID) != nil else { throw ControlError.deviceNotFound(request.deviceID) }
        let key = key(of: request)
        guard let session = sessions[key], request.streamName == nil || request.streamName == session.streamName else {
            throw ControlError.byeFailed("stream not found: \(request.streamName ?? "\(key)")")
        }
        let done = GB28181ByeDone(streamName: session.streamName, sessionID: session.media?.id ?? "")
        sessions[key]?.references -= 1
        guard session.references <= 1 else { return done }
        end(key, .released)
        if let media = session.media {
            await media.settled()
        } else {
            await withCheckedContinuation { undone[session.number] = $0 }
        }
        return done
    }

    private func key(of request: GB28181ByeRequest) -> ChannelKey {
        var key = ChannelKey(deviceID: request.deviceID, channelID: request.channelID)
        if let number = request.streamNumber {
            key.streamNumber = number
        } else if let name = request.streamName, sessions[key]?.streamName != name {
            let named = sessions.first { $0.key.main == key && $0.value.streamName == name }
            key.streamNumber = named?.key.streamNumber ?? 0
        }
        return key
    }

    func end(_ key: ChannelKey, _ reason: SessionEnd) {
        guard let id = sessions[key]?.id else {
            return finish(key, ControlError.takenBack)
        }
        perform(core.end(id, reason, now: .now()))
    }

    /// The media ended by itself: no packets, kicked, unreachable.
    private func mediaEnded(_ key: ChannelKey, _ number: Int, _ end: MediaEnd) {
        guard sessions[key]?.number == number else { return }
        sessions[key]?.mediaEnd = end
        logger.warning(
            "stream of channel \(key) ends",
            metadata: ["device": "\(key.deviceID)", "why": "\(end.text)"]
        )
        self.end(key, .stopped)
    }

    // From the core

    func answered(_ id: MediaSessionID, _ answer: MediaAnswer) {
        guard let key = keys[id], let session = sessions[key], let handle = session.media else {
            // Nobody here would ever end it.
            return perform(core.end(id, .stopped, now: .now()))
        }
        sessions[key]?.state = .streaming
        watchIdle()
        faults.clear(key)
        let remote = core.device(key.deviceID)?.flow?.remoteHost
        handle.answered(
            ssrc: answer.ssrc.flatMap { $0.value == 0 ? nil : $0.value },
            hosts: [answer.host] + (remote == answer.host ? [] : [remote].compactMap { $0 }),
            port: Int(answer.port)
        )
        logger.info(
            "channel \(key) answers",
            metadata: ["device": "\(key.deviceID)", "stream": "\(session.streamName)", "session": "\(handle.id)"]
        )
        guard let started = sessions[key]?.started else { return }
        for continuation in session.waiting { continuation.resume(returning: started) }
        sessions[key]?.waiting = []
    }

    func failed(_ id: MediaSessionID, _ failure: InviteFailure) {
        guard let key = keys[id] else { return }
        let why = (sessions[key]?.mediaEnd.map { ": \($0.text)" } ?? "") + advice(failure, sessions[key]?.transport)
        // Who takes his wish back, or kicks, knows why.
        let end = sessions[key]?.mediaEnd
        if end.map({ $0 != .kicked }) ?? (failure.kind != .cancelled) {
            note(failure.reason + why, of: key)
        }
        finish(key, ControlError.inviteFailed(failure.text + why))
    }

    func ended(_ id: MediaSessionID, _ reason: SessionEnd) {
        guard let key = keys[id], let session = sessions[key] else { return }
        let why = session.mediaEnd?.text ?? reason.rawValue
        logger.info(
            "session of channel \(key) ended",
            metadata: ["device": "\(key.deviceID)", "why": "\(why)"]
        )
        if session.mediaEnd.map({ $0 != .kicked }) ?? [.deviceBye, .deviceOffline].contains(reason) {
            note(session.mediaEnd?.text ?? reason.explanation, of: key)
        }
        finish(key, ControlError.inviteFailed("the session ended: \(why)"))
    }

    /// Gives everything of a session back and answers who still waits.
    func finish(_ key: ChannelKey, _ failure: ControlError) {
        guard let session = sessions.removeValue(forKey: key) else { return }
        if let id = session.id { keys[id] = nil }
        session.media?.close()
        if let ssrc = session.ssrc { ssrcs.release(ssrc) }
        for continuation in session.waiting { continuation.resume(throwing: failure) }
    }

    private func advice(_ failure: InviteFailure, _ transport: MediaTransportKind?) -> String {
        failure.status == 488 && transport != nil && transport != .udp ? "; set is_tcp_flag 0" : ""
    }

}

extension SessionEnd {
    /// For what the device did.
    fileprivate var explanation: String {
        switch self {
        case .deviceBye: "the device ended the session"
        case .deviceOffline: "the device went offline"
        case .released, .stopped, .finished: rawValue
        }
    }
}

extension ChannelSession {
    /// The answer of the API while the session lives.
    var started: GB28181InviteStarted? {
        media.map { GB28181InviteStarted(streamName: streamName, sessionID: $0.id, port: $0.port) }
    }
}

extension ControlError {
    fileprivate static let takenBack = inviteFailed("taken back before the camera was asked")
}
