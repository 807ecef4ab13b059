internal import NIOCore
internal import SIP
internal import Wire

/// REGISTER (2.4).
extension SignallingCore {
    mutating func register(_ incoming: IncomingRequest, now: NIODeadline) {
        let request = incoming.request
        let deviceID = request.headers.from?.uri.user ?? ""
        let host = incoming.flow.remoteHost
        if let complaint = complaint(deviceID, request) {
            return refuse(incoming, complaint, now: now)
        }
        let known = slots[deviceID]
        if let known, isHasty(known, incoming, now: now) {
            statistics.repeatedRegistrations += 1
            return accept(incoming, expires: allDevices[known].expires, now: now)
        }
        let isAtHome = known.map { allDevices[$0].isOnline && allDevices[$0].flow?.remoteHost == host } ?? false
        if !isAtHome, guardian.isBanned(host: host, deviceID: deviceID, now: now) {
            statistics.refusedRegistrations += 1
            return answer(incoming, 403, forget: true, now: now, headers: addVersion)
        }
        let password = configuration.provisioned[deviceID]?.password ?? configuration.password
        if !password.isEmpty {
            guard let authorization = request.headers[.authorization].flatMap(DigestAuthorization.init(parsing:)) else {
                return challenge(incoming, stale: false, now: now)
            }
            guard nonces.check(authorization.nonce, now: now) == .valid else {
                return challenge(incoming, stale: true, now: now)
            }
            guard authorization.isValid(method: request.method.text, password: password) else {
                return wrongPassword(incoming, deviceID, now: now)
            }
            guardian.succeed(host: host, deviceID: deviceID)
        }
        let asked = request.headers.expires ?? configuration.defaultExpires
        if asked <= 0 { return unregister(incoming, deviceID, now: now) }
        let expires = min(max(asked, configuration.minimumExpires), configuration.maximumExpires)
        guard let slot = slot(creating: deviceID) else {
            statistics.refusedRegistrations += 1
            log(
                .error,
                "devices-full",
                "device \(deviceID) refused: \(configuration.maximumDevices) devices are known already"
            )
            return answer(incoming, 503, forget: true, now: now, headers: addVersion)
        }
        accept(incoming, expires: expires, now: now)
        registered(slot, incoming, expires: expires, now: now)
    }

    /// What is wrong with the ID or the place of a device, in words that help who typed it.
    private mutating func complaint(_ deviceID: String, _ request: SIPRequest) -> String? {
        let id = GBID(deviceID)
        if deviceID == configuration.platformID {
            return
                "its device ID is this platform's own ID \(deviceID): the fields for server ID and device ID are mixed up"
        }
        guard id.isAcceptable else { return "\"\(deviceID.prefix(80))\" is no device ID" }
        if configuration.strictDeviceID, let complaint = id.complaint { return complaint }
        if configuration.onlyProvisioned, configuration.provisioned[deviceID] == nil {
            return "device \(deviceID) is not configured here"
        }
        guard slots[deviceID].map({ allDevices[$0].registeredAt == nil }) ?? true else { return nil }
        if let complaint = id.complaint { log(.warning, "id-\(deviceID)", "device \(complaint)") }
        let target = SIPURI(request.uri)?.user ?? ""
        if !target.isEmpty, target != configuration.platformID {
            log(
                .warning,
                "server-id-\(deviceID)",
                "device \(deviceID) registers with server ID \(target), this platform is \(configuration.platformID)"
            )
        }
        return nil
    }

    private mutating func refuse(_ incoming: IncomingRequest, _ reason: String, now: NIODeadline) {
        statistics.refusedRegistrations += 1
        log(.warning, "refused-\(incoming.flow.remoteHost)", "REGISTER from \(incoming.flow) refused: \(reason)")
        answer(incoming, 403, forget: true, now: now, headers: addVersion)
    }

    private mutating func challenge(_ incoming: IncomingRequest, stale: Bool, now: NIODeadline) {
        statistics.challenges += 1
        let nonce = nonces.issue(now: now, salt: UInt32(truncatingIfNeeded: transactions.tokens.number()))
        let challenge = DigestChallenge(
            realm: configuration.domain,
            nonce: nonce,
            qop: configuration.digestQOP ? "auth" : nil,
            stale: stale
        )
        answer(incoming, 401, forget: true, now: now) { headers in
            headers.append(.wwwAuthenticate, challenge.headerValue)
            headers.append(.xGBVer, "3.0")
        }
    }

    private mutating func wrongPassword(_ incoming: IncomingRequest, _ deviceID: String, now: NIODeadline) {
        statistics.wrongPasswords += 1
        let place = "device \(deviceID) at \(incoming.flow)"
        switch guardian.fail(host: incoming.flow.remoteHost, deviceID: deviceID, now: now) {
        case .failed(let count):
            log(
                .warning,
                "password-\(deviceID)",
                "\(place): wrong password (\(count) of \(RegistrationGuard.failuresPerDevice))"
            )
            challenge(incoming, stale: false, now: now)
        case .banned(let time):
            let seconds = time.nanoseconds / 1_000_000_000
            log(.warning, "banned-\(deviceID)", "\(place): wrong password again, refused for \(seconds) s")
            answer(incoming, 403, forget: true, now: now, headers: addVersion)
        }
    }

    private func addVersion(_ headers: inout SIPHeaders) {
        headers.append(.xGBVer, "3.0")
    }

    private mutating func accept(_ incoming: IncomingRequest, expires: Int, now: NIODeadline) {
        // Without Contact some stacks count zero bindings and start again.
        let contact = incoming.request.headers.contact?.uri.text
        let date = configuration.sendsDate ? WallClock.beijing(clock.milliseconds(now)) : nil
        let userAgent = configuration.userAgent
        answer(incoming, 200, now: now) { headers in
            if let contact { headers.append(.contact, "<\(contact)>;expires=\(expires)") }
            headers.append(.expires, String(expires))
            if let date { headers.append(.date, date) }
            headers.append(.userAgent, userAgent)
            headers.append(.xGBVer, "3.0")
        }
    }

    /// faulty firmware registers hundreds of times a minute. Beyond the limit the answer comes from memory and nothing
    /// changes here, so it needs no proof; only the flow that proved itself gets it.
    private mutating func isHasty(_ slot: Int, _ incoming: IncomingRequest, now: NIODeadline) -> Bool {
        let device = allDevices[slot]
        guard device.isOnline, device.flow == incoming.flow, incoming.request.headers.expires != 0,
            now - device.registrationWindow.start < .minutes(1)
        else { return false }
        return device.registrationWindow.count >= configuration.registrationsPerMinute
    }

    private mutating func registered(_ slot: Int, _ incoming: IncomingRequest, expires: Int, now: NIODeadline) {
        statistics.registrations += 1
        let headers = incoming.request.headers
        let callID = headers.callID.hashValue
        let isRestart = allDevices[slot].registrationCallID != callID
        let wasOnline = allDevices[slot].isOnline
        let isNewFlow = allDevices[slot].flow != incoming.flow
        allDevices[slot].statistics.registrations += 1
        allDevices[slot].registrationCallID = callID
        allDevices[slot].registeredAt = clock.milliseconds(now)
        allDevices[slot].expires = expires
        allDevices[slot].hasUnregistered = false
        allDevices[slot].userAgent = String((headers[.userAgent] ?? "").prefix(128))
        allDevices[slot].protocolVersion = String((headers[.xGBVer] ?? "2.0").prefix(8))
        allDevices[slot].liveness.seen(now)
        if now - allDevices[slot].registrationWindow.start >= .minutes(1) {
            allDevices[slot].registrationWindow = (now, 0)
        }
        allDevices[slot].registrationWindow.count += 1
        if isNewFlow { setFlow(incoming.flow, slot, now: now) }
        keepTrace(incoming, slot, now: now)
        if !wasOnline {
            goOnline(slot, .registered, now: now)
        } else if isRestart {
            planQueries(slot, notBefore: .minutes(10), now: now)
        }
        if !wasOnline || isNewFlow || isRestart { actions.append(.persistDevice(deviceID: allDevices[slot].id)) }
    }

    private mutating func unregister(_ incoming: IncomingRequest, _ deviceID: String, now: NIODeadline) {
        accept(incoming, expires: 0, now: now)
        guard let slot = slots[deviceID] else { return }
        allDevices[slot].hasUnregistered = true
        goOffline(slot, .unregistered, now: now)
        // It forgot its dialogs: no BYE.
        endSessions(slot, .deviceOffline, saysBye: false, now: now)
        actions.append(.persistDevice(deviceID: deviceID))
    }
}
