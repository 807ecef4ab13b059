import Media
import NIOCore
import Wire

extension RTSPClientSession {
    mutating func take(
        _ channel: UInt8,
        _ payload: ByteBuffer,
        now: NIODeadline,
        into actions: inout [RTSPClientAction]
    ) {
        if step == .play || step == .record || step == .started {
            for item in media {
                guard case .interleaved(let channels) = item.delivery else { continue }
                guard channels.rtp == channel || channels.rtcp == channel else { continue }
                lastPacket = now
                let isRTCP = channels.rtp != channel
                guard isRTCP || configuration.isPlayer else { break }
                actions.append(.packet(media: item.media, isRTCP: isRTCP, payload))
                return
            }
        }
        statistics.unknownChannels &+= 1
    }

    /// Servers ask, too: whether we are there, for the most part.
    mutating func take(_ request: RTSPRequest) -> [RTSPClientAction] {
        let isKnown = [.options, .getParameter, .setParameter, .announce, .teardown].contains(request.method)
        var response = RTSPResponse(isKnown ? .ok : .notImplemented)
        if let cseq = request.cseq { response.headers.add("CSeq", cseq) }
        if request.method == .options {
            response.headers.add("Public", RTSPMethod.list([.options, .getParameter, .setParameter]))
        }
        var bytes = ByteBuffer()
        response.write(into: &bytes)
        guard request.method == .teardown else { return [.send(bytes)] }
        return [.send(bytes)] + close(.ended("the server ends the session"))
    }

    mutating func take(_ response: RTSPResponse, now: NIODeadline) -> [RTSPClientAction] {
        guard response.status.code >= 200 else { return [] }
        let number = response.headers["CSeq"].flatMap { Int($0) }
        if let keepalive, keepalive.cseq == number {
            statistics.otherResponses &+= 1
            return takeKeepalive(response, keepalive)
        }
        guard let pending, number == nil || number == pending.cseq else {
            statistics.otherResponses &+= 1
            return []
        }
        self.pending = nil
        switch response.status.code {
        case 401: return authenticate(response, pending)
        case 300...305: return redirect(response)
        default: break
        }
        if let header = RTSPSessionHeader(response.headers) { session = header }
        switch step {
        case .options: return options(response)
        case .describe: return described(response)
        case .announce: return announced(response)
        case .setup: return setUp(response, now: now)
        case .play, .record: return begun(response, now: now)
        case .connection, .owner, .started, .closed: return []
        }
    }

    private mutating func authenticate(_ response: RTSPResponse, _ pending: Pending) -> [RTSPClientAction] {
        guard authentication.hasCredentials else {
            return close(.unauthorized("the server asks for a user and a password, and the URL has none"))
        }
        guard authentication.take(response.headers) else {
            let text = "the server asks for an authentication that is not known here, or does not take the password"
            return close(.unauthorized(text))
        }
        // Cameras lock out who tries often.
        guard pending.attempts < (authentication.isStale ? 3 : 2) else {
            return close(.unauthorized("the server does not take the user and password of the URL"))
        }
        let (bytes, cseq) = write(pending.request)
        self.pending = Pending(request: pending.request, cseq: cseq, attempts: pending.attempts &+ 1)
        return [.send(bytes)]
    }

    private mutating func redirect(_ response: RTSPResponse) -> [RTSPClientAction] {
        let locations = response.headers.all("Location")
        guard locations.count == 1, let location = locations.first else { return refused(response) }
        redirects &+= 1
        guard redirects <= configuration.maximumRedirects else {
            return close(.redirected("the server redirects more than \(configuration.maximumRedirects) times"))
        }
        do throws(RTSPClientFault) {
            let target = try url.redirected(to: location)
            if target.host != url.host || target.user != url.user || target.password != url.password {
                authentication = RTSPClientAuthentication(user: target.user, password: target.password)
            }
            return reconnect(to: target)
        } catch {
            return close(error)
        }
    }

    /// Whatever the answer, DESCRIBE may work: cameras answer 404, 405 and 501.
    private mutating func options(_ response: RTSPResponse) -> [RTSPClientAction] {
        methods = response.headers.all("Public").flatMap { value in
            HeaderText.split(value[...], separator: UInt8(ascii: ",")).prefix(64).map { $0.uppercased() }
        }
        switch configuration.role {
        case .player:
            return ask(.describe, RTSPRequest(.describe, url.text, headers: ["Accept": "application/sdp"]))
        case .publisher(let sdp, _):
            let headers: RTSPHeaders = ["Content-Type": "application/sdp"]
            return ask(
                .announce,
                RTSPRequest(.announce, url.text, headers: headers, body: ByteBuffer(bytes: sdp))
            )
        }
    }

    private mutating func described(_ response: RTSPResponse) -> [RTSPClientAction] {
        guard response.status.code == 200 else { return refused(response) }
        let type = String(HeaderText.trim((response.headers["Content-Type"] ?? "").prefix { $0 != ";" }))
        guard type.isEmpty || HeaderText.isEqual(type, "application/sdp") else {
            return close(.unusable(step: "DESCRIBE", "answered with something else than SDP"))
        }
        guard response.body.readableBytes > 0 else {
            return close(.unusable(step: "DESCRIBE", "answered without a description"))
        }
        contentBase = response.headers["Content-Base"]
        advanceStep(.owner)
        return [.described(response.body)]
    }

    private mutating func announced(_ response: RTSPResponse) -> [RTSPClientAction] {
        guard response.status.code == 200 else { return refused(response) }
        advanceStep(.owner)
        return [.announced]
    }

    mutating func setUpNext(now: NIODeadline) -> [RTSPClientAction] {
        guard wanted.indices.contains(media.count) else { return begin() }
        let next = wanted[media.count]
        var asked: RTSPTransport
        switch transport {
        case .tcp:
            asked = .tcp(RTSPChannels(UInt8(truncatingIfNeeded: media.count &* 2)))
        case .udp:
            guard let ports = next.ports else {
                return close(.unusable(step: "SETUP", "there are no ports for it"))
            }
            asked = .udp(clientPort: ports)
        }
        // A player's mode is left out, as some cameras want.
        if !configuration.isPlayer { asked.mode = .record }
        return ask(.setup, RTSPRequest(.setup, next.url.text, headers: ["Transport": asked.text]))
    }

    private mutating func setUp(_ response: RTSPResponse, now: NIODeadline) -> [RTSPClientAction] {
        if response.status.code == 461, transport == .udp, configuration.fallsBackToTCP {
            return retryOverTCP(now: now)
        }
        guard response.status.code == 200 else { return refused(response) }
        guard wanted.indices.contains(media.count) else { return [] }
        let next = wanted[media.count]
        let text = response.headers["Transport"] ?? ""
        let answer = try? RTSPTransport(text.prefix { $0 != "," }, isLenient: true)
        let delivery: RTSPClientMedia.Delivery
        switch (transport, answer?.lower ?? transport) {
        case (.tcp, .tcp):
            // What the server says counts, whatever was asked for.
            guard
                let channels = answer?.channels ?? RTSPChannels(UInt8(truncatingIfNeeded: media.count &* 2)),
                !media.contains(where: { $0.delivery == .interleaved(channels) })
            else { return close(.unusable(step: "SETUP", "two medias on one channel")) }
            delivery = .interleaved(channels)
        case (.udp, .udp):
            guard let client = next.ports else { return [] }
            // Some cameras answer 0-1, or nothing.
            let server = answer?.serverPort.flatMap { $0.rtp > 0 && $0.rtcp > 0 ? $0 : nil }
            delivery = .udp(client: client, server: server, source: answer?.source)
        case (.udp, .tcp):
            guard configuration.fallsBackToTCP else {
                return close(.unusable(step: "SETUP", "the server offers TCP alone"))
            }
            return retryOverTCP(now: now)
        case (.tcp, .udp):
            return close(.unusable(step: "SETUP", "the server offers UDP alone"))
        }
        let item = RTSPClientMedia(media: next.media, delivery: delivery, ssrc: answer?.ssrc)
        media.append(item)
        return [.media(item)] + setUpNext(now: now)
    }

    private mutating func begin() -> [RTSPClientAction] {
        // Without Range Parrot's drones send nothing.
        let headers: RTSPHeaders = ["Range": "npt=0-"]
        let actions =
            configuration.isPlayer
            ? ask(.play, RTSPRequest(.play, base.text, headers: headers))
            : ask(.record, RTSPRequest(.record, base.text, headers: headers))
        expectChannels()
        return actions
    }

    private mutating func begun(_ response: RTSPResponse, now: NIODeadline) -> [RTSPClientAction] {
        guard response.status.code == 200 else { return refused(response) }
        advanceStep(.started)
        expectChannels()
        started = now
        nextKeepalive = now + keepaliveInterval
        return [.started(RTSPClientAcceptance(media: media, starts: starts(response.headers)))]
    }

    private mutating func refused(_ response: RTSPResponse) -> [RTSPClientAction] {
        close(.refused(step: step.rawValue, code: response.status.code, reason: response.status.reason))
    }

    // MARK: - Keepalive

    private var keepaliveInterval: TimeAmount {
        guard let seconds = session?.timeout else { return configuration.keepaliveInterval }
        return .seconds(Int64(max(1, seconds &- 5)))
    }

    /// The answer is not waited for: lal's does not come.
    mutating func writeKeepalive(now: NIODeadline) -> ByteBuffer {
        nextKeepalive = now + keepaliveInterval
        let method: RTSPMethod = methods.contains(RTSPMethod.getParameter.rawValue) ? .getParameter : .options
        let request = RTSPRequest(method, base.text)
        let (bytes, cseq) = write(request)
        keepalive = Pending(request: request, cseq: cseq)
        return bytes
    }

    private mutating func takeKeepalive(_ response: RTSPResponse, _ sent: Pending) -> [RTSPClientAction] {
        keepalive = nil
        // A nonce grows old.
        guard response.status.code == 401, sent.attempts < 2, authentication.take(response.headers) else { return [] }
        let (bytes, cseq) = write(sent.request)
        keepalive = Pending(request: sent.request, cseq: cseq, attempts: sent.attempts &+ 1)
        return [.send(bytes)]
    }

    // MARK: - RTP-Info

    private func starts(_ headers: RTSPHeaders) -> [Int: RTPStart] {
        var starts: [Int: RTPStart] = [:]
        let entries = headers.all("RTP-Info").flatMap { HeaderText.split($0[...], separator: UInt8(ascii: ",")) }
        for (index, entry) in entries.enumerated().prefix(RTSPServerSession.maximumMedia) {
            let parameters = HeaderParameters(parsing: entry, separator: UInt8(ascii: ";"))
            guard let sequence = parameters["seq"].flatMap({ UInt16($0) }),
                let time = parameters["rtptime"].flatMap({ UInt32($0) }),
                let place = place(parameters["url"] ?? "", index)
            else { continue }
            starts[place] = RTPStart(sequenceNumber: sequence, timestamp: time)
        }
        return starts
    }

    /// The media of a URL: the one that was set up with it, or with the end of it; else the one that has its turn.
    private func place(_ text: String, _ index: Int) -> Int? {
        let named = (try? RTSPURL(text))?.pathAndQuery ?? text
        let same = wanted.filter { $0.url.pathAndQuery == named }
        if same.count == 1 { return same.first?.media }
        let ending = wanted.filter { !named.isEmpty && $0.url.pathAndQuery.hasSuffix(named) }
        if ending.count == 1 { return ending.first?.media }
        return wanted.indices.contains(index) ? wanted[index].media : nil
    }
}
