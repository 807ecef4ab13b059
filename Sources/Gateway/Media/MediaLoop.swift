internal import Hub
internal import NIOCore
internal import Transport

/// The media sessions of one event loop.
final class MediaLoop {
    let loop: any EventLoop
    private let hub: Hub
    private let pool: PortPool
    private let bindHost: String
    private let reactor: RTPReactor
    private var sessions: [ObjectIdentifier: MediaSession] = [:]
    /// The single-port mode, on one loop of all.
    private var shared: SharedMediaPort?

    init(loop: any EventLoop, hub: Hub, pool: PortPool, bindHost: String) throws {
        self.loop = loop
        self.hub = hub
        self.pool = pool
        self.bindHost = bindHost
        reactor = try RTPReactor(eventLoop: loop)
    }

    /// Opens the port that all sessions of this loop share.
    func openShared(port: Int) throws {
        shared = try SharedMediaPort(on: reactor, host: bindHost, port: port)
    }

    /// Publishes the stream and opens its port; on a failure nothing stays.
    func open(_ request: MediaRequest, session id: String) throws -> MediaHandle {
        let session = MediaSession(id: id, request: request)
        session.attach(
            try hub.publish(
                request.stream,
                app: "live",
                session: hub.makeSession(.ps, .publisher, id: id),
                on: loop,
                policy: .reject,
                onKick: { [weak session] _ in session?.kick() }
            )
        )
        do {
            let receiver = try bind(session, request)
            session.attach(receiver)
            if request.countsSilenceAtOnce { session.arm(now: loop.now) }
            sessions[ObjectIdentifier(session)] = session
            return MediaHandle(stream: request.stream, port: receiver.localPort, session: session, owner: self)
        } catch {
            session.close()
            throw error
        }
    }

    private func bind(_ session: MediaSession, _ request: MediaRequest) throws -> MediaReceiver {
        let onEvent: (MediaReceiverEvent) -> Void = { [weak session] in session?.changed($0) }
        if let shared, let ssrc = request.ssrc, request.transport != .tcpActive,
            request.port == 0 || request.port == shared.localPort
        {
            let receiver = shared.open(
                request.transport.receiver,
                ssrc: ssrc,
                signallingHost: request.signallingHost,
                sink: session,
                onEvent: onEvent
            )
            guard let receiver else { throw MediaOpenError.ssrcTaken(ssrc) }
            return receiver
        }
        return try MediaReceiver(
            request.transport.receiver,
            on: reactor,
            ports: pool,
            host: bindHost,
            port: request.port == 0 ? nil : request.port,
            expectedSSRC: request.ssrc,
            sink: session,
            onEvent: onEvent
        )
    }

    func close(_ session: MediaSession) {
        session.close()
        sessions[ObjectIdentifier(session)] = nil
    }

    func closeAll() {
        for session in sessions.values { session.close() }
        sessions = [:]
        shared?.close()
        shared = nil
        reactor.shutdown()
    }

    /// What RTP says about each session, by session id.
    func report() -> [String: MediaReport] {
        Dictionary(sessions.values.map { ($0.id, $0.report) }, uniquingKeysWith: { first, _ in first })
    }

    var counts: MediaCounts {
        MediaCounts(
            sessions: sessions.count,
            sockets: reactor.statistics.sockets,
            unmatchedPackets: shared?.statistics.unmatchedPackets ?? 0
        )
    }
}

/// One session as the statistics show it.
struct MediaReport: Sendable {
    var remoteAddress: String
    var rtp: RTPStat
}

struct MediaCounts: Sendable {
    var sessions = 0
    var sockets = 0
    var unmatchedPackets = 0
}

enum MediaOpenError: Error, Hashable, Sendable, CustomStringConvertible {
    case ssrcTaken(UInt32)

    var description: String {
        switch self {
        case .ssrcTaken(let ssrc): "SSRC \(ssrc) belongs to another session on the shared RTP port"
        }
    }
}
