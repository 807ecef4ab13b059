package import Media
package import NIOCore

extension RTSPServerSession {
    /// The answer to the ANNOUNCE that began this session.
    package func announced(_ request: RTSPServerRequest) -> RTSPServerReply {
        // Without a Session field, which comes with SETUP; the connection knows which one it is.
        RTSPServerReply(RTSPResponse(.ok), .serves(id, isInterleaved: false))
    }

    /// Takes a request about this session.
    package mutating func receive(_ request: RTSPServerRequest, now: NIODeadline) -> RTSPSessionStep {
        guard request.peer.address == peerAddress else { return .reply(.status(.badRequest)) }
        // Its media is on another connection.
        guard !isInterleaved || request.peer.connection == connection else { return .reply(.status(.badRequest)) }
        asked(now: now)
        switch request.method {
        case .setup: return setUp(request)
        case .play: return play()
        case .pause: return pause()
        case .record: return record(now: now)
        case .teardown: return .teardown(RTSPServerReply(RTSPResponse(.ok), .ends))
        case .options, .getParameter, .setParameter: return .reply(reply(.alive(request.method)))
        default: return .reply(notValid)
        }
    }

    /// The answer to a SETUP that is granted.
    package mutating func setUp(_ setup: RTSPSetup, _ grant: RTSPGrant = .init(), now: NIODeadline) -> RTSPServerReply {
        // Another connection may have been quicker.
        guard
            !setups.contains(where: {
                $0.media == setup.media || setup.delivery != .multicast && $0.delivery == setup.delivery
            })
        else { return .status(.badRequest) }
        var transport: RTSPTransport
        switch setup.delivery {
        case .udp(let client):
            transport = .udp(clientPort: client, serverPort: grant.serverPorts)
        case .interleaved(let channels):
            transport = .tcp(channels)
            connection = setup.request.peer.connection
        case .multicast:
            transport = RTSPTransport(.udp)
            transport.isMulticast = true
            transport.destination = grant.multicast?.destination
            transport.port = grant.multicast?.port
            transport.ttl = grant.multicast?.ttl
        }
        if setup.isForRecord { transport.mode = .record } else { transport.ssrc = grant.ssrc }
        setups.append(setup.setup)
        if state == .initial { state = .prePlay }
        asked(now: now)
        return reply(RTSPResponse(.ok, headers: ["Transport": transport.text]))
    }

    /// The answer to PLAY; what is sent to the player comes behind it.
    ///
    /// - Parameter start: where the first packet of a media will stand; nil where that is not known, or its media has several formats.
    package mutating func play(_ start: (_ media: Int) -> RTPStart?) -> RTSPServerReply {
        guard state == .prePlay else { return notValid }
        state = .playing
        let information = setups.map { setup in
            var text = "url=" + setup.url
            if let start = start(setup.media) { text += ";seq=\(start.sequenceNumber);rtptime=\(start.timestamp)" }
            return text
        }
        return reply(RTSPResponse(.ok, headers: ["RTP-Info": information.joined(separator: ",")]))
    }

    private func play() -> RTSPSessionStep {
        switch state {
        case .prePlay: .play
        case .playing: .reply(reply(RTSPResponse(.ok)))
        case .initial, .preRecord, .recording: .reply(notValid)
        }
    }

    private mutating func pause() -> RTSPSessionStep {
        switch state {
        case .initial: return .reply(notValid)
        case .playing: state = .prePlay
        case .recording: state = .preRecord
        case .prePlay, .preRecord: break
        }
        return .pause(reply(RTSPResponse(.ok)))
    }

    private mutating func record(now: NIODeadline) -> RTSPSessionStep {
        switch state {
        case .recording: return .reply(reply(RTSPResponse(.ok)))
        case .initial, .prePlay, .playing: return .reply(notValid)
        case .preRecord: break
        }
        guard setups.count == mediaCount else { return .reply(reply(RTSPResponse(.badRequest))) }
        beginsRecording(now: now)
        return .record(reply(RTSPResponse(.ok)))
    }

    private func setUp(_ request: RTSPServerRequest) -> RTSPSessionStep {
        guard state != .playing, state != .recording else { return .reply(notValid) }
        do throws(RTSPSetupFault) {
            return .setUp(try grantable(request))
        } catch {
            return .reply(.status(error == .unsupportedTransport ? .unsupportedTransport : .badRequest))
        }
    }

    private func grantable(_ request: RTSPServerRequest) throws(RTSPSetupFault) -> RTSPSetup {
        let transport = try transport(of: request)
        guard (transport.mode == .record) == isRecord else { throw .badRequest }
        let (media, url) = try media(of: request)
        guard !setups.contains(where: { $0.media == media }) else { throw .badRequest }
        let delivery = try delivery(transport)
        return RTSPSetup(
            request: request,
            setup: RTSPMediaSetup(media: media, delivery: delivery, url: url),
            isForRecord: isRecord
        )
    }

    /// The first alternative that this server does.
    private func transport(of request: RTSPServerRequest) throws(RTSPSetupFault) -> RTSPTransport {
        let alternatives: [RTSPTransport]
        do throws(RTSPTransport.Fault) {
            alternatives = try RTSPTransport.alternatives(request.message.headers)
        } catch {
            throw error == .unknownProfile ? .unsupportedTransport : .badRequest
        }
        let chosen = alternatives.first { transport in
            switch transport.lower {
            case _ where transport.isSecure: false
            case .tcp: request.policy.tcp && !transport.isMulticast
            case .udp where transport.isMulticast: request.policy.multicast && !isRecord
            case .udp: request.policy.udp
            }
        }
        guard let chosen else { throw .unsupportedTransport }
        return chosen
    }

    /// The media that a SETUP names, and its URL for `RTP-Info`.
    private func media(of request: RTSPServerRequest) throws(RTSPSetupFault) -> (Int, String) {
        guard let url = request.url else { throw .badRequest }
        if let announced {
            let index = announced.index(of: url) { index in setups.contains { $0.media == index } }
            guard let index else { throw .badRequest }
            return (index, url.text)
        }
        guard let track = try? RTSPTrackURL(url),
            track.address.app == address.app, track.address.stream == address.stream,
            track.track < mediaCount
        else { throw .badRequest }
        // As the client wrote it, for it compares.
        let isNamed = track.base.pathAndQuery.utf8.count &+ 1 < url.pathAndQuery.utf8.count
        return (track.track, isNamed ? url.text : "\(track.base.text)/trackID=\(track.track)")
    }

    private func delivery(_ transport: RTSPTransport) throws(RTSPSetupFault) -> RTSPMediaSetup.Delivery {
        let first = setups.first?.delivery
        if transport.isMulticast {
            guard first == nil || first == .multicast else { throw .badRequest }
            return .multicast
        }
        switch (transport.lower, first) {
        case (.udp, nil), (.udp, .udp):
            guard let ports = transport.clientPort, ports.rtp > 0, ports.rtcp > 0 else { throw .badRequest }
            return .udp(client: ports)
        case (.tcp, nil), (.tcp, .interleaved):
            return .interleaved(try channels(transport.channels))
        default:
            throw .badRequest
        }
    }

    private func channels(_ asked: RTSPChannels?) throws(RTSPSetupFault) -> RTSPChannels {
        var used: Set<UInt8> = []
        for case .interleaved(let channels) in setups.map(\.delivery) {
            used.insert(channels.rtp)
            used.insert(channels.rtcp)
        }
        if let asked {
            guard asked.isAdjacent, !used.contains(asked.rtp), !used.contains(asked.rtcp) else { throw .badRequest }
            return asked
        }
        for channel in stride(from: UInt8(0), to: 254, by: 2)
        where !used.contains(channel) && !used.contains(channel &+ 1) {
            return RTSPChannels(channel, channel &+ 1)
        }
        throw .badRequest
    }

    /// With the Session field; the connection serves this session from then on.
    private func reply(_ response: RTSPResponse) -> RTSPServerReply {
        var response = response
        let seconds = max(1, (timeouts.control - timeouts.margin).nanoseconds / 1_000_000_000)
        response.headers.add("Session", isRecord ? id : "\(id);timeout=\(seconds)")
        return RTSPServerReply(response, .serves(id, isInterleaved: isInterleaved))
    }

    /// 455, and what would be valid.
    private var notValid: RTSPServerReply {
        let methods: [RTSPMethod] =
            switch state {
            case .initial: [.setup]
            case .prePlay: [.setup, .play, .pause]
            case .playing: [.play, .pause]
            case .preRecord: [.setup, .record, .pause]
            case .recording: [.record, .pause]
            }
        let allowed = methods + [.options, .teardown, .getParameter, .setParameter]
        return reply(RTSPResponse(.notValidInState, headers: ["Allow": RTSPMethod.list(allowed)]))
    }
}

private enum RTSPSetupFault: Error {
    case badRequest
    case unsupportedTransport
}
