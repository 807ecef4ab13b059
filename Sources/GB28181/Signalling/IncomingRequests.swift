internal import NIOCore
internal import SIP
internal import Wire

struct IncomingRequest {
    var request: SIPRequest
    var id: SIPServerTransactionID
    var flow: SIPFlow
}

extension SignallingCore {
    mutating func receive(_ incoming: IncomingRequest, now: NIODeadline) {
        switch incoming.request.method {
        case .register: register(incoming, now: now)
        case .message, .notify: receiveMessage(incoming, now: now)
        case .bye: receiveBye(incoming, now: now)
        case .info: answer(incoming, sessionID(of: incoming.request) == nil ? 481 : 200, now: now)
        case .options:
            answer(incoming, 200, forget: true, now: now) { $0.append(.allow, Self.allowed) }
        case .invite:
            answer(incoming, 488, now: now)
            log(.info, "invite-to-us", "INVITE from \(incoming.flow) refused: talk and broadcast are not offered")
        case .subscribe: answer(incoming, 489, now: now)
        case .ack, .cancel: break
        case .other:
            answer(incoming, 405, forget: true, now: now) { $0.append(.allow, Self.allowed) }
        }
    }

    private static let allowed = "INVITE, ACK, INFO, CANCEL, BYE, OPTIONS, MESSAGE, NOTIFY, REGISTER"

    /// - Parameter forget: the answer need not survive for repeats; for strangers.
    mutating func answer(
        _ incoming: IncomingRequest,
        _ status: Int,
        phrase: String? = nil,
        forget: Bool = false,
        now: NIODeadline,
        headers: (inout SIPHeaders) -> Void = { _ in }
    ) {
        var response = SIPResponse(
            to: incoming.request,
            from: incoming.flow,
            status: status,
            phrase: phrase,
            tag: transactions.tokens.token()
        )
        headers(&response.headers)
        perform(transactions.respond(incoming.id, with: response, forget: forget, now: now), now: now)
    }

    // MESSAGE and NOTIFY

    mutating func receiveMessage(_ incoming: IncomingRequest, now: NIODeadline) {
        statistics.messages += 1
        guard let slot = sender(of: incoming), isAdmitted(slot, from: incoming.flow) else {
            // 403 makes most cameras register again (3.2).
            statistics.strangers += 1
            answer(incoming, 403, forget: true, now: now)
            let user = incoming.request.headers.from?.uri.user ?? ""
            log(
                .info,
                "stranger",
                "\(incoming.request.method.text) of \(user) at \(incoming.flow) refused: it is not registered"
            )
            return
        }
        answer(incoming, 200, now: now)
        touch(slot, incoming.flow, now: now)
        allDevices[slot].statistics.messages += 1
        let body = incoming.request.body
        guard !body.isEmpty else { return }
        if KeepaliveScanner.isPlainKeepalive(body), !trace.isWatched(allDevices[slot].id) {
            return receiveKeepalive(slot, now: now)
        }
        keepTrace(incoming, slot, now: now)
        do throws(ManscdpError) {
            let document = try ManscdpDocument.parse(body)
            if document.isRepaired { allDevices[slot].statistics.repairedBodies += 1 }
            learnCharset(document.charset, slot)
            receive(document.message, from: slot, incoming, now: now)
        } catch {
            allDevices[slot].statistics.unreadableBodies += 1
            log(.warning, "manscdp", "device \(allDevices[slot].id): \(error)")
        }
    }

    private mutating func receive(
        _ message: ManscdpMessage,
        from slot: Int,
        _ incoming: IncomingRequest,
        now: NIODeadline
    ) {
        switch message {
        case .keepalive:
            receiveKeepalive(slot, now: now)
        case .catalogResponse(let part):
            receiveCatalog(part, slot, now: now)
        case .catalogNotification(let part):
            applyNotification(part, slot)
        case .deviceInfoResponse(let info):
            receiveInfo(info, slot)
        case .alarm(let alarm):
            receiveAlarm(alarm, slot, now: now)
        case .mediaStatus(let status):
            if status.notifyType == 121 { finishSession(of: incoming.request, status, slot, now: now) }
        case .unknown(_, let cmdType, _, _):
            let id = allDevices[slot].id
            log(
                .info,
                "unknown-\(id)-\(cmdType.prefix(32))",
                "device \(id) sent \(cmdType.prefix(32)), which is not understood"
            )
        case .deviceStatusResponse, .recordInfoResponse, .query:
            break
        }
    }

    mutating func receiveKeepalive(_ slot: Int, now: NIODeadline) {
        statistics.keepalives += 1
        allDevices[slot].statistics.keepalives += 1
        allDevices[slot].keepaliveAt = clock.milliseconds(now)
        allDevices[slot].liveness.keepalive(now)
    }

    private mutating func learnCharset(_ charset: Charset, _ slot: Int) {
        let device = allDevices[slot]
        allDevices[slot].charset = configuration.provisioned[device.id]?.charset ?? charset
    }

    private mutating func receiveAlarm(_ alarm: Alarm, _ slot: Int, now: NIODeadline) {
        // The standard wants a Response besides the 200 (9.4).
        let report = ManscdpReport.result(cmdType: "Alarm", sn: alarm.sn, deviceID: alarm.deviceID, isOK: true)
        sendMessage(report.encoded(charset: charset(slot)), to: slot, role: .report, now: now)
        var hasher = Hasher()
        hasher.combine(alarm.sn)
        hasher.combine(alarm.deviceID)
        hasher.combine(alarm.time)
        let mark = hasher.finalize()
        guard allDevices[slot].lastAlarm != mark else { return }
        allDevices[slot].lastAlarm = mark
        actions.append(.alarm(deviceID: allDevices[slot].id, alarm))
    }

    mutating func keepTrace(_ incoming: IncomingRequest, _ slot: Int, now: NIODeadline) {
        let bytes = incoming.request.encoded()
        trace.add(bytes, of: allDevices[slot].id, isOutgoing: false, flow: incoming.flow, at: clock.milliseconds(now))
    }

    // Who speaks

    /// The registered device behind a request: by From, else by the dialog, the session's channel or the address. Hikvision
    /// sends MediaStatus and alarms in the name of a channel.
    func sender(of incoming: IncomingRequest) -> Int? {
        let user = incoming.request.headers.from?.uri.user ?? ""
        if let slot = slots[user] { return slot }
        if let id = sessionsByCallID[incoming.request.headers.callID], let session = sessions[id] {
            return session.slot
        }
        return slotsByFlow[incoming.flow]
    }

    /// Whether a message without registration counts (3.2): the device is online, or it is back at its last address.
    private func isAdmitted(_ slot: Int, from flow: SIPFlow) -> Bool {
        let device = allDevices[slot]
        if device.isOnline { return true }
        guard let last = device.flow, !device.hasUnregistered else { return false }
        return last.remoteHost == flow.remoteHost
    }

    /// Any message shows that the device lives, and where.
    mutating func touch(_ slot: Int, _ flow: SIPFlow, now: NIODeadline) {
        allDevices[slot].liveness.seen(now)
        if allDevices[slot].flow != flow {
            if allDevices[slot].flow != nil { allDevices[slot].statistics.flowChanges += 1 }
            setFlow(flow, slot, now: now)
            actions.append(.persistDevice(deviceID: allDevices[slot].id))
        }
        if !allDevices[slot].isOnline { goOnline(slot, .traffic, now: now) }
    }
}

/// Recognises the commonest message without an XML parser: nine of ten messages are keepalives.
enum KeepaliveScanner {
    private static let open = Array("<CmdType>Keepalive</CmdType>".utf8)

    /// True for a Notify/Keepalive without further content; anything unusual goes the long way.
    static func isPlainKeepalive(_ body: [UInt8]) -> Bool {
        guard body.count < 512, let at = find(open, in: body) else { return false }
        // An upper bound on what a plain one has besides: declaration and root in front, SN, DeviceID, Status behind.
        return at < 160 && body.count(where: { $0 == UInt8(ascii: "<") }) <= 12
    }

    private static func find(_ pattern: [UInt8], in body: [UInt8]) -> Int? {
        guard let first = pattern.first, body.count >= pattern.count else { return nil }
        for start in 0...(body.count - pattern.count) where body[start] == first {
            if body[start..<start + pattern.count].elementsEqual(pattern) { return start }
        }
        return nil
    }
}
