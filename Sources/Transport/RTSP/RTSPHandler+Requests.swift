import Hub
import Media
import NIOCore
import Streaming
import Wire

/// A stream that a client was told of.
struct RTSPDescribed {
    var address: StreamAddress
    var offer: RTPOffer
    var reservation: ViewerReservation
}

// Which stream a request is about, and whether its client may have it.
extension RTSPHandler {
    func describe(_ request: RTSPServerRequest) {
        do throws(StreamAddress.Fault) {
            let address = try request.address()
            learn(address, for: request) { [self] described in
                let isForVLC = address.query.split(separator: "&").contains { $0.hasPrefix("vlcmulticast") }
                let multicast = isForVLC ? multicastAddress(of: described) : nil
                let sdp = described.offer.description.sessionDescription(
                    origin: .init(sessionID: "\(peer.connection)", version: "1", host: localHost),
                    multicast: multicast,
                    includesBackChannel: request.wantsBackChannel
                )
                self.described = described
                respond(to: request, .description(sdp.serialized(), of: request))
            }
        } catch {
            respond(to: request, .status(error == .empty ? .notFound : .badRequest))
        }
    }

    private var localHost: String { context?.channel.localAddress?.ipAddress ?? "127.0.0.1" }

    private func multicastAddress(of described: RTSPDescribed) -> String? {
        guard let options = options.multicast else { return nil }
        return "\(options.group(ofStream: described.address.stream, media: 0))/\(options.ttl)"
    }

    /// Finds out what a stream consists of, and answers where that cannot be told.
    private func learn(
        _ address: StreamAddress,
        for request: RTSPServerRequest,
        then: @escaping (RTSPDescribed) -> Void
    ) {
        guard let context, isAllowed(.player, address, request) else { return }
        described?.reservation.cancel()
        described = nil
        let info = hub.makeSession(
            .rtspViewer,
            .viewer,
            remoteAddress: remoteAddress,
            url: request.url?.text ?? "",
            query: address.query
        )
        do throws(HubError) {
            let reservation = try hub.reserve(address.stream, app: address.app, session: info, on: context.eventLoop)
            reservation.describe(within: options.describeTimeout) { [weak self] result in
                guard let self, !isClosed else {
                    reservation.cancel()
                    return
                }
                switch result {
                case .success(let offer):
                    then(RTSPDescribed(address: address, offer: offer, reservation: reservation))
                case .failure(let failure):
                    reservation.cancel()
                    if failure != .cancelled { respond(to: request, .status(.notFound)) }
                }
            }
        } catch {
            respond(to: request, .status(Self.status(error)))
        }
    }

    func announce(_ request: RTSPServerRequest) {
        guard let context else { return }
        let address: StreamAddress
        let described: DescribedStream
        do {
            address = try request.address()
            described = try DescribedStream(sdp: Array(request.message.body.readableBytesView))
        } catch {
            respond(to: request, .status(.badRequest))
            return
        }
        guard isAllowed(.publisher, address, request) else { return }
        let core = RTSPServerSession(
            announcing: request,
            id: newID,
            address: address,
            controls: described.controls,
            timeouts: options.timeouts,
            now: context.eventLoop.now
        )
        guard let core else {
            respond(to: request, .status(.badRequest))
            return
        }
        let session = RTSPSession(core, hub: hub, options: options, remoteAddress: remoteAddress, on: context.eventLoop)
        do throws(HubError) {
            try session.publish(described.description, url: request.url?.text ?? "")
        } catch {
            respond(to: request, .status(Self.status(error)))
            return
        }
        begin(session)
        respond(to: request, core.announced(request))
    }

    /// A request about a session, which may live on another loop.
    func route(_ request: RTSPServerRequest) {
        guard let context else { return }
        guard let id = request.sessionID else {
            if request.method == .setup { setUpFirst(request) } else { respond(to: request, .status(.sessionNotFound)) }
            return
        }
        guard let entry = options.shared[id] else {
            respond(to: request, .status(.sessionNotFound))
            return
        }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        guard !entry.loop.inEventLoop else {
            let session = entry.session.value
            session.receive(request, on: self) { [weak self] in self?.respond(to: request, $0) }
            return
        }
        let loop = context.eventLoop
        entry.loop.execute {
            entry.session.value.receive(request, on: nil) { reply in
                loop.execute { bound.value.respond(to: request, reply) }
            }
        }
    }

    /// SETUP that begins a session of a player.
    private func setUpFirst(_ request: RTSPServerRequest) {
        do throws(RTSPTrackURL.Fault) {
            let address = try request.track().address
            if let described, described.address.app == address.app, described.address.stream == address.stream {
                // It was allowed at DESCRIBE. The query, which may hold the secret, is lost where GStreamer joins URLs.
                setUp(request, described)
            } else {
                learn(address, for: request) { [self] in setUp(request, $0) }
            }
        } catch {
            respond(to: request, .status(.badRequest))
        }
    }

    private func setUp(_ request: RTSPServerRequest, _ described: RTSPDescribed) {
        guard let context else { return }
        let core = RTSPServerSession(
            playing: request,
            id: newID,
            address: described.address,
            mediaCount: described.offer.description.media.count,
            timeouts: options.timeouts,
            now: context.eventLoop.now
        )
        let session = RTSPSession(core, hub: hub, options: options, remoteAddress: remoteAddress, on: context.eventLoop)
        session.offer = described.offer
        session.receive(request, on: self) { [weak self] reply in
            guard let self else { return }
            if session.isSetUp {
                session.reservation = described.reservation
                self.described = nil
                begin(session)
            } else {
                // The client may try another transport.
                self.described = described
                session.end(nil)
            }
            respond(to: request, reply)
        }
    }

    private func begin(_ session: RTSPSession) {
        guard let context else { return }
        self.session = session
        session.handler = self
        options.shared.add(session, id: session.id, on: context.eventLoop)
        session.schedule()
    }

    private var newID: String { RTSPServerSession.id((.random(in: .min ... .max), .random(in: .min ... .max))) }

    private func isAllowed(_ role: RTSPAccess.Role, _ address: StreamAddress, _ request: RTSPServerRequest) -> Bool {
        let access = RTSPAccess(
            role: role,
            address: address,
            remoteAddress: remoteAddress,
            isWebSocket: isWebSocket
        )
        switch options.authorize(access) {
        case .allow: return true
        case .deny(let status):
            respond(to: request, .status(status))
            return false
        }
    }

    static func status(_ error: HubError) -> RTSPStatus {
        switch error {
        case .alreadyPublished: .badRequest
        case .tooManyStreams, .tooManyViewers, .tooManyViewersOfStream: .notEnoughBandwidth
        case .unsupportedCodec, .foreignEventLoop: .internalError
        }
    }
}
