internal import GB28181
internal import NIOCore
internal import SIP
internal import Wire

extension SimulatedCamera {
    /// REGISTER, first, refreshing or (while stopping) last. A known challenge is answered at once, as cameras do.
    mutating func register(now: NIODeadline) -> [Action] {
        registerAt = nil
        registerSequence += 1
        let uri = "sip:\(platform.id)@\(platform.domain)"
        var request = SIPRequest(method: .register, uri: uri)
        request.headers.append(.from, address(configuration.id, host: platform.domain, tag: registerTag))
        request.headers.append(.to, address(configuration.id, host: platform.domain))
        request.headers.append(.callID, registerCallID)
        request.headers.append(.cseq, SIPSequence(registerSequence, .register).headerValue)
        request.headers.append(.contact, contact)
        request.headers.append(.expires, isStopping ? "0" : String(configuration.expires))
        request.headers.append(.userAgent, Self.userAgent)
        request.headers.append(.xGBVer, configuration.protocolVersion)
        if let challenge {
            nonceCount += 1
            let credentials = DigestCredentials(username: configuration.id, password: configuration.password)
            let answer = credentials.answer(
                challenge: challenge,
                method: "REGISTER",
                uri: uri,
                cnonce: tokens.token(),
                nonceCount: nonceCount
            )
            request.headers.append(.authorization, answer.headerValue)
        }
        return send(request, for: .register, now: now)
    }

    static let userAgent = "gbgate simulated camera"

    mutating func registerAnswered(_ response: SIPResponse, now: NIODeadline) -> [Action] {
        switch response.status {
        case 200..<300:
            hasAnsweredChallenge = false
            if isStopping {
                isRegistered = false
                return [.unregistered]
            }
            // The platform may shorten the lifetime. Refresh well before its end.
            let expires = min(max(response.headers.expires ?? configuration.expires, 10), 7 * 86_400)
            registerAt = now + .milliseconds(Int64(expires) * 800)
            if isRegistered { return [] }
            isRegistered = true
            unansweredKeepalives = 0
            keepaliveAt = now + .seconds(Int64(configuration.keepaliveInterval))
            return [.registered]
        case 401, 407:
            let header = response.headers[response.status == 401 ? .wwwAuthenticate : .proxyAuthenticate]
            guard let fresh = header.flatMap(DigestChallenge.init(parsing:)) else {
                return registrationLost(retryAt: now + retryInterval)
            }
            // A refresh with the nonce of last time may be challenged again; a second time in a row it is the password.
            if hasAnsweredChallenge, !fresh.stale {
                challenge = nil
                return registrationLost(retryAt: now + retryInterval)
            }
            challenge = fresh
            nonceCount = 0
            hasAnsweredChallenge = true
            return register(now: now)
        default:
            challenge = nil
            return registrationLost(retryAt: now + retryInterval)
        }
    }

    mutating func registrationLost(retryAt: NIODeadline) -> [Action] {
        hasAnsweredChallenge = false
        keepaliveAt = nil
        registerAt = isStopping ? nil : retryAt
        guard isRegistered else { return [] }
        isRegistered = false
        return [.unregistered]
    }

    mutating func keepAlive(now: NIODeadline) -> [Action] {
        keepaliveAt = now + .seconds(Int64(configuration.keepaliveInterval))
        keepaliveNumber += 1
        let report = ManscdpReport.keepalive(Keepalive(sn: keepaliveNumber, deviceID: configuration.id))
        return send(message(report.encoded(charset: configuration.charset)), for: .keepalive, now: now)
    }

    mutating func keepaliveAnswered(_ response: SIPResponse, now: NIODeadline) -> [Action] {
        unansweredKeepalives = 0
        // 403: the platform does not know us (any more), because it restarted or thought us gone.
        return response.isSuccess ? [] : registrationLost(retryAt: now)
    }

    mutating func keepaliveUnanswered(now: NIODeadline) -> [Action] {
        unansweredKeepalives += 1
        // Three lost ones mean that the platform is gone (9.6).
        return unansweredKeepalives >= 3 ? registrationLost(retryAt: now) : []
    }

    /// A MESSAGE to the platform. Each has a Call-ID of its own, as Hikvision's have.
    mutating func message(_ body: [UInt8]) -> SIPRequest {
        sequence += 1
        var request = SIPRequest(method: .message, uri: "sip:\(platform.id)@\(platform.domain)", body: body)
        request.headers.append(.from, address(configuration.id, host: platform.domain, tag: tokens.token()))
        request.headers.append(.to, address(platform.id, host: platform.domain))
        request.headers.append(.callID, tokens.token())
        request.headers.append(.cseq, SIPSequence(sequence, .message).headerValue)
        request.headers.append(.userAgent, Self.userAgent)
        request.headers.append(.contentType, ManscdpQuery.contentType)
        return request
    }
}
