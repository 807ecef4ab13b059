internal import GB28181
internal import NIOCore
internal import Transport

/// How a session's media comes, in the words of the API.
enum MediaTransportKind: String, Hashable, Sendable {
    case udp
    /// The camera connects to us.
    case tcpPassive = "tcp_passive"
    /// We connect to the camera.
    case tcpActive = "tcp_active"

    init(_ transport: GB28181InviteRequest.MediaTransport) {
        switch transport {
        case .udp: self = .udp
        case .tcpPassive: self = .tcpPassive
        case .tcpActive: self = .tcpActive
        }
    }

    var receiver: Transport.MediaTransport {
        switch self {
        case .udp: .udp
        case .tcpPassive: .tcpPassive
        case .tcpActive: .tcpActive
        }
    }

    var offered: GB28181.MediaTransport {
        switch self {
        case .udp: .udp
        case .tcpPassive: .tcpPassive
        case .tcpActive: .tcpActive
        }
    }
}

/// Why a media session ends without anybody asking for it.
enum MediaEnd: Hashable, Sendable {
    /// Nothing came, or nothing more; the text says what was advertised and what arrived instead.
    case timeout(String)
    /// The connection went away and did not come back.
    case disconnected(String)
    /// TCP active: the camera could not be reached.
    case connectFailed(String)
    case kicked

    var text: String {
        switch self {
        case .timeout(let text), .disconnected(let text), .connectFailed(let text): text
        case .kicked: "kicked"
        }
    }
}

/// What a media session is opened with.
struct MediaRequest: Sendable {
    var stream: String
    var transport: MediaTransportKind
    /// 0: the pool chooses.
    var port = 0
    /// Where the camera was told to send, for texts; the port is put behind it.
    var advertisedHost: String
    /// What the camera was asked to put into its RTP; nil: anything.
    var ssrc: UInt32?
    /// Silence that ends the session; nil: none does.
    var timeout: TimeAmount?
    /// Whether silence counts at once, or from ``MediaHandle/answered`` on.
    var countsSilenceAtOnce = false
    /// Where the camera's SIP comes from: on the shared port its media may come from there with another SSRC.
    var signallingHost: String?
    /// Called once on the session's loop, when it ends by itself. The owner then closes the handle.
    var onEnd: @Sendable (MediaEnd) -> Void
}

/// A media session that is open: what other threads may do with it.
final class MediaHandle: Sendable {
    let id: String
    let stream: String
    let port: Int
    let transport: MediaTransportKind
    private let loop: any EventLoop
    private let session: NIOLoopBound<MediaSession>
    private let owner: NIOLoopBound<MediaLoop>

    init(stream: String, port: Int, session: MediaSession, owner: MediaLoop) {
        id = session.id
        self.stream = stream
        self.port = port
        transport = session.transport
        loop = owner.loop
        self.session = NIOLoopBound(session, eventLoop: owner.loop)
        self.owner = NIOLoopBound(owner, eventLoop: owner.loop)
    }

    /// The camera has answered: from now on silence counts. TCP active connects to the answered port of `hosts`, in order.
    func answered(ssrc: UInt32?, hosts: [String], port: Int) {
        loop.execute {
            let session = self.session.value
            session.arm(now: .now())
            session.answered(ssrc: ssrc, host: hosts.first ?? "", port: port)
            if session.transport == .tcpActive { session.connect(to: hosts, port: port) }
        }
    }

    func close() {
        loop.execute { self.owner.value.close(self.session.value) }
    }

    /// Returns when everything that was asked for before is done, `close` among it.
    func settled() async {
        try? await loop.submit {}.get()
    }

    /// Switches the dump.
    /// - Returns: the file that is written, or was.
    /// - Throws: ``ControlError/sessionNotFound`` when the session has ended meanwhile.
    func dump(_ writer: DumpWriter?) async throws -> String? {
        let old = try await loop.submit { try self.session.value.setDump(writer)?.path }.get()
        return writer?.path ?? old
    }
}
