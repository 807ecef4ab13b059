internal import GB28181
package import NIOCore
internal import SIP
internal import Wire

extension SimulatedCamera {
    struct Session {
        enum State {
            /// The media socket is being bound; the INVITE waits.
            case opening
            /// 200 is sent, ACK is due.
            case answered
            case streaming
        }

        var state = State.opening
        var invite: SIPRequest
        var transaction: SIPServerTransactionID
        var dialog: SIPDialog
        var request: MediaRequest
    }

    /// Real cameras allow 4 to 16 streams; the simulator is there to be asked for more.
    private static let sessionLimit = 32

    package var sessionCount: Int { sessions.count }

    mutating func receiveInvite(_ request: SIPRequest, _ id: SIPServerTransactionID, now: NIODeadline) -> [Action] {
        let target = SIPURI(request.uri)?.user ?? ""
        let to = request.headers.to?.uri.user ?? ""
        guard let channel = configuration.channels.first(where: { $0.id == target || $0.id == to }) else {
            return respond(request, id, 404, now: now)
        }
        guard sessions.count < Self.sessionLimit else { return respond(request, id, 486, now: now) }
        guard let clip = channel.clip else { return respond(request, id, 480, now: now) }
        guard let offer = try? SessionDescription.parse(request.body),
            let media = offer.media.first(where: { $0.kind == "video" }),
            let host = (media.connection ?? offer.connection)?.host,
            let dialog = SIPDialog(answering: request, localTag: tokens.token())
        else { return respond(request, id, 488, now: now) }
        let path: MediaRequest.Path
        if !media.transport.uppercased().contains("TCP") {
            path = .udp(host: host, port: media.port)
        } else if media.attribute("setup")?.lowercased() == "active" {
            path = .listen
        } else {
            path = .connect(host: host, port: media.port)
        }
        let isSub = StreamSelection.number(in: media) > 0
        let session = MediaRequest(
            id: nextSession,
            channelID: channel.id,
            clip: isSub ? channel.subClip ?? clip : clip,
            path: path,
            ssrc: offer.other("y").flatMap { SSRC($0) }?.value ?? 0
        )
        nextSession += 1
        sessions[session.id] = Session(invite: request, transaction: id, dialog: dialog, request: session)
        return respond(request, id, 100, now: now) + [.openMedia(session)]
    }

    /// What `openMedia` asked for is bound: answers the INVITE.
    package mutating func mediaOpened(_ id: UInt64, port: UInt16, now: NIODeadline) -> [Action] {
        guard var session = sessions[id], session.state == .opening, let flow else { return [.closeMedia(id)] }
        session.state = .answered
        sessions[id] = session
        var response = SIPResponse(to: session.invite, from: flow, status: 200, tag: session.dialog.localTag)
        response.headers.append(.contact, contact)
        response.headers.append(.userAgent, Self.userAgent)
        response.headers.append(.contentType, MediaOffer.contentType)
        response.body = answer(to: session.request, host: flow.localHost, port: port).serialized()
        return translate(transactions.respond(session.transaction, with: response, now: now), now: now)
    }

    /// What `openMedia` asked for cannot be had (no port, no clip).
    package mutating func mediaFailed(_ id: UInt64, now: NIODeadline) -> [Action] {
        guard let session = sessions[id] else { return [] }
        guard session.state == .opening else { return hangUp(id, now: now) }
        sessions[id] = nil
        return respond(session.invite, session.transaction, 500, now: now)
    }

    private func answer(to request: MediaRequest, host: String, port: UInt16) -> SessionDescription {
        let isTCP: Bool
        var attributes: [SessionDescription.Attribute] = [.init("sendonly"), .init("rtpmap", "96 PS/90000")]
        switch request.path {
        case .udp: isTCP = false
        case .connect:
            isTCP = true
            attributes += [.init("setup", "active"), .init("connection", "new")]
        case .listen:
            isTCP = true
            attributes += [.init("setup", "passive"), .init("connection", "new")]
        }
        return SessionDescription(
            origin: .init(user: request.channelID, host: host),
            name: "Play",
            connection: .init(host: host),
            media: [
                .init(
                    kind: "video",
                    port: port,
                    transport: isTCP ? "TCP/RTP/AVP" : "RTP/AVP",
                    formats: ["96"],
                    attributes: attributes,
                    others: [.init("y", SSRC(value: request.ssrc).text), .init("f", "")]
                )
            ]
        )
    }

    mutating func acknowledged(_ transaction: SIPServerTransactionID) -> [Action] {
        guard let id = sessionID(of: transaction), sessions[id]?.state == .answered else { return [] }
        sessions[id]?.state = .streaming
        return [.startMedia(id)]
    }

    mutating func cancelled(_ transaction: SIPServerTransactionID, now: NIODeadline) -> [Action] {
        guard let id = sessionID(of: transaction), let session = sessions.removeValue(forKey: id) else { return [] }
        return [.closeMedia(id)] + respond(session.invite, transaction, 487, now: now)
    }

    mutating func acknowledgementMissing(_ transaction: SIPServerTransactionID, now: NIODeadline) -> [Action] {
        guard let id = sessionID(of: transaction) else { return [] }
        return hangUp(id, now: now)
    }

    mutating func receiveBye(_ request: SIPRequest, _ id: SIPServerTransactionID, now: NIODeadline) -> [Action] {
        let best = sessions.max { $0.value.dialog.match(request) < $1.value.dialog.match(request) }
        guard let best, best.value.dialog.match(request) != .none else { return respond(request, id, 481, now: now) }
        sessions[best.key] = nil
        return [.closeMedia(best.key)] + respond(request, id, 200, now: now)
    }

    /// The camera ends a session: a broken media connection, or its own stop.
    package mutating func hangUp(_ id: UInt64, now: NIODeadline) -> [Action] {
        guard var session = sessions.removeValue(forKey: id) else { return [] }
        if session.state == .opening {
            return [.closeMedia(id)] + respond(session.invite, session.transaction, 480, now: now)
        }
        var bye = session.dialog.request(.bye)
        bye.headers.append(.userAgent, Self.userAgent)
        return [.closeMedia(id)] + send(bye, for: .bye, now: now)
    }

    private func sessionID(of transaction: SIPServerTransactionID) -> UInt64? {
        sessions.first { $0.value.transaction == transaction }?.key
    }
}
