import Media
import NIOCore
import Wire

@testable import Streaming

/// Input: a byte of options, a byte of the cut, then what a client sends. Whatever else it asks, it may write `@` where a session's
/// id is wanted.
func fuzzRTSPServer(_ input: [UInt8]) {
    var input = InputReader(input)
    let options = input.byte()
    let cut = input.byte()
    let stream = input.remaining().flatMap { $0 == UInt8(ascii: "@") ? Array(sessionID.utf8) : [$0] }
    // More of them at once are too many, at least if the owner is slow.
    guard String(decoding: stream, as: UTF8.self).ranges(of: "RTSP/").count < 32 else { return }
    let whole = converse([ByteBuffer(bytes: stream)], options)
    let split = converse(pieces(stream, cut: cut), options)
    // Where frames stand among requests that wait depends on the cut; the answers do not.
    require([split], is: [whole], "depends on the cut")
}

private let sessionID = "00000000000000010000000000000001"

private func converse(_ pieces: [ByteBuffer], _ options: UInt8) -> ByteBuffer {
    var owner = Owner(options)
    for (index, piece) in pieces.enumerated() where !owner.isClosed {
        owner.now = .uptimeNanoseconds(1_000_000_000 + UInt64(index))
        owner.perform(owner.connection.receive(piece, now: owner.now))
    }
    owner.finish()
    return owner.sent
}

private struct Owner {
    var connection: RTSPServerConnection
    var session: RTSPServerSession?
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    var sent = ByteBuffer()
    var isClosed = false
    private let options: UInt8
    private var ids: UInt64 = 0

    init(_ options: UInt8) {
        self.options = options
        var configuration = RTSPServerConfiguration()
        if options & 1 != 0 { configuration.credentials = DigestCredentials(username: "u", password: "p") }
        let policy = RTSPTransportPolicy(udp: options & 2 == 0, tcp: options & 4 == 0, multicast: options & 8 != 0)
        connection = RTSPServerConnection(
            configuration: configuration,
            peer: RTSPPeer(connection: 1, address: "192.0.2.1"),
            policy: policy,
            nonce: "n",
            now: now
        )
    }

    mutating func perform(_ actions: [RTSPServerAction]) {
        for action in actions {
            // The answer to a request may end the connection: what stands behind that request is of no more use.
            if isClosed, case .frame = action { continue }
            precondition(!isClosed, "goes on after its end")
            switch action {
            case .send(let bytes):
                checkMessage(bytes)
                sent.writeImmutableBuffer(bytes)
            case .describe(let request):
                if let address = try? request.address() { check(address) }
                respond(request, .description(Array("v=0".utf8), of: request))
            case .announce(let request): announce(request)
            case .session(let request): serve(request)
            case .frame(let channel, _):
                if let route = session?.route(channel: channel, now: now) {
                    precondition((0..<3).contains(route.media))
                }
            case .close:
                isClosed = true
            }
        }
    }

    /// Whatever waits, waits for something that comes.
    mutating func finish() {
        for _ in 0..<4 where !isClosed {
            guard let deadline = connection.deadline else {
                precondition(connection.sessionID != nil)
                return
            }
            now = deadline
            perform(connection.advance(to: now))
            precondition(isClosed, "a deadline without an end")
        }
        precondition(connection.deadline == nil)
        if let deadline = session?.deadline { precondition(session?.advance(to: deadline) != nil) }
    }

    private mutating func respond(_ request: RTSPServerRequest, _ reply: RTSPServerReply) {
        perform(connection.respond(to: request, reply, now: now))
        precondition(connection.respond(to: request, reply, now: now).isEmpty, "answers twice")
    }

    private mutating func nextID() -> String {
        ids += 1
        return RTSPServerSession.id((ids, 1))
    }

    private mutating func announce(_ request: RTSPServerRequest) {
        guard let address = try? request.address(),
            let new = RTSPServerSession(
                announcing: request,
                id: nextID(),
                address: address,
                controls: options & 16 == 0 ? ["trackID=0", "trackID=1"] : [nil],
                now: now
            )
        else { return respond(request, .status(.badRequest)) }
        check(address)
        session = new
        respond(request, new.announced(request))
    }

    private mutating func serve(_ request: RTSPServerRequest) {
        if request.sessionID == nil, request.method == .setup {
            guard let track = try? request.track() else { return respond(request, .status(.badRequest)) }
            session = RTSPServerSession(
                playing: request,
                id: nextID(),
                address: track.address,
                mediaCount: 3,
                now: now
            )
        } else if request.sessionID != session?.id {
            return respond(request, .status(.sessionNotFound))
        }
        guard let step = session?.receive(request, now: now) else {
            return respond(request, .status(.sessionNotFound))
        }
        switch step {
        case .reply(let reply), .pause(let reply): respond(request, reply)
        case .record(let reply):
            precondition(session?.state == .recording)
            respond(request, reply)
        case .setUp(let setup):
            let grant = RTSPGrant(serverPorts: RTSPPorts(8000, 8001), ssrc: 5)
            guard let reply = session?.setUp(setup, grant, now: now) else { return }
            respond(request, reply)
        case .play:
            let start = RTPStart(sequenceNumber: 1, timestamp: 2)
            guard let reply = session?.play({ $0 == 0 ? start : nil }) else { return }
            precondition(session?.state == .playing)
            respond(request, reply)
        case .teardown(let reply):
            session = nil
            respond(request, reply)
        }
        checkSession()
    }

    private func checkSession() {
        guard let session else { return }
        let setups = session.setups
        precondition(Set(setups.map(\.media)).count == setups.count, "a media twice")
        precondition(setups.count <= 3)
        let channels = setups.flatMap { setup -> [UInt8] in
            if case .interleaved(let pair) = setup.delivery { [pair.rtp, pair.rtcp] } else { [] }
        }
        precondition(Set(channels).count == channels.count, "a channel twice")
    }
}

/// One whole response, and nothing behind it.
func checkMessage(_ bytes: ByteBuffer) {
    var rest = bytes
    var reader = RTSPReader(.client)
    guard let event = try? reader.next(from: &rest) else { preconditionFailure("sends what cannot be read") }
    if case .frame = event { preconditionFailure("sends a frame") }
    precondition(rest.readableBytes == 0)
}
