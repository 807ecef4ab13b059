import Media
import NIOCore

@testable import Streaming

/// What owns connections and sessions, without sockets: streams with two medias, and what was published.
struct RTSPTestServer {
    static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    static let sdp = Array("v=0\r\n".utf8)

    struct Connection {
        var connection: RTSPServerConnection
        var sent = ByteBuffer()
        var closed: RTSPFault??
        var isClosed = false
    }

    var now = Self.start
    var configuration = RTSPServerConfiguration()
    var policy = RTSPTransportPolicy()
    var connections: [UInt64: Connection] = [:]
    var sessions: [String: RTSPServerSession] = [:]
    var medias = 2
    var starts: [Int: RTPStart] = [:]
    /// Of announced streams.
    var controls: [String?] = ["trackID=0", "trackID=1"]
    /// DESCRIBEs that are not answered.
    var holds = false
    var held: [(UInt64, RTSPServerRequest)] = []
    /// What was asked of the owner, and media.
    var log: [String] = []
    private var ids: UInt64 = 0

    mutating func connect(_ number: UInt64 = 1, address: String = "192.0.2.1") {
        let peer = RTSPPeer(connection: number, address: address)
        connections[number] = Connection(
            connection: RTSPServerConnection(
                configuration: configuration,
                peer: peer,
                policy: policy,
                nonce: "0123456789abcdef0123456789abcdef",
                now: now
            )
        )
    }

    /// Sends text whose lines end in LF alone in the source, and gives what was answered.
    @discardableResult
    mutating func send(_ text: String, on number: UInt64 = 1) -> String {
        receive(ByteBuffer(string: text.replacing("\n", with: "\r\n")), on: number)
    }

    @discardableResult
    mutating func receive(_ bytes: ByteBuffer, on number: UInt64 = 1) -> String {
        guard let actions = connections[number]?.connection.receive(bytes, now: now) else { return "" }
        perform(actions, on: number)
        return takeSent(number)
    }

    /// A request with CSeq, and its answer.
    mutating func ask(
        _ method: String,
        _ url: String,
        _ headers: [String] = [],
        body: String = "",
        on number: UInt64 = 1
    ) throws -> RTSPResponse {
        var text = "\(method) \(url) RTSP/1.0\r\nCSeq: 7\r\n"
        for header in headers { text += header + "\r\n" }
        if !body.isEmpty { text += "Content-Length: \(body.utf8.count)\r\n" }
        let answer = receive(ByteBuffer(string: text + "\r\n" + body), on: number)
        return try RTSPResponse(text: answer)
    }

    mutating func setUp(
        _ url: String,
        _ transport: String,
        session: String? = nil,
        on number: UInt64 = 1
    ) throws -> RTSPResponse {
        try ask(
            "SETUP",
            url,
            ["Transport: \(transport)"] + (session.map { ["Session: \($0)"] } ?? []),
            on: number
        )
    }

    mutating func takeSent(_ number: UInt64) -> String {
        let text = String(buffer: connections[number]?.sent ?? ByteBuffer())
        connections[number]?.sent = ByteBuffer()
        return text
    }

    mutating func advance(to time: NIODeadline) {
        now = time
        for number in connections.keys {
            guard let actions = connections[number]?.connection.advance(to: now) else { continue }
            perform(actions, on: number)
        }
        for (id, session) in sessions {
            guard let fault = session.advance(to: now) else { continue }
            log.append("over: \(fault)")
            end(id)
        }
    }

    mutating func disconnect(_ number: UInt64 = 1) {
        connections[number] = nil
        for (id, session) in sessions where session.endsWith(connection: number) { end(id) }
    }

    mutating func answerHeld() {
        let all = held
        held = []
        holds = false
        for (number, request) in all { respond(request, .description(Self.sdp, of: request), on: number) }
    }

    private mutating func end(_ id: String) {
        sessions[id] = nil
        for number in connections.keys { connections[number]?.connection.sessionEnded(id, now: now) }
    }

    private mutating func perform(_ actions: [RTSPServerAction], on number: UInt64) {
        for action in actions {
            switch action {
            case .send(let bytes):
                connections[number]?.sent.writeImmutableBuffer(bytes)
            case .describe(let request):
                describe(request, on: number)
            case .announce(let request):
                announce(request, on: number)
            case .session(let request):
                serve(request, on: number)
            case .frame(let channel, let payload):
                guard let id = connections[number]?.connection.sessionID,
                    let route = sessions[id]?.route(channel: channel, now: now)
                else { continue }
                log.append("\(route.media)\(route.isRTCP ? "c" : ""): \(payload.readableBytes)")
            case .close(let fault):
                connections[number]?.closed = .some(fault)
                connections[number]?.isClosed = true
            }
        }
    }

    private mutating func respond(_ request: RTSPServerRequest, _ reply: RTSPServerReply, on number: UInt64) {
        guard let actions = connections[number]?.connection.respond(to: request, reply, now: now) else { return }
        perform(actions, on: number)
    }

    private mutating func describe(_ request: RTSPServerRequest, on number: UInt64) {
        guard !holds else { return held.append((number, request)) }
        guard let address = try? request.address(), address.stream != "nothing" else {
            return respond(request, .status(.notFound), on: number)
        }
        if address.stream == "moved" {
            return respond(request, .redirect(to: "rtsp://elsewhere/live/moved"), on: number)
        }
        log.append("describe \(address.app)/\(address.stream)?\(address.query)")
        respond(request, .description(Self.sdp, of: request), on: number)
    }

    private mutating func announce(_ request: RTSPServerRequest, on number: UInt64) {
        guard let address = try? request.address(),
            let session = RTSPServerSession(
                announcing: request,
                id: nextID(),
                address: address,
                controls: controls,
                now: now
            )
        else { return respond(request, .status(.badRequest), on: number) }
        sessions[session.id] = session
        respond(request, session.announced(request), on: number)
    }

    private mutating func serve(_ request: RTSPServerRequest, on number: UInt64) {
        var id = request.sessionID
        if id == nil, request.method == .setup {
            guard let track = try? request.track() else {
                return respond(request, .status(.badRequest), on: number)
            }
            let session = RTSPServerSession(
                playing: request,
                id: nextID(),
                address: track.address,
                mediaCount: medias,
                now: now
            )
            sessions[session.id] = session
            id = session.id
        }
        guard let id, let step = sessions[id]?.receive(request, now: now) else {
            return respond(request, .status(.sessionNotFound), on: number)
        }
        switch step {
        case .reply(let reply):
            respond(request, reply, on: number)
        case .setUp(let setup):
            var grant = RTSPGrant(ssrc: 0xAB)
            switch setup.delivery {
            case .udp: grant.serverPorts = RTSPPorts(8000, 8001)
            case .interleaved: break
            case .multicast:
                grant.multicast = .init(destination: "239.0.0.1", port: RTSPPorts(5000, 5001), ttl: 16)
            }
            guard let reply = sessions[id]?.setUp(setup, grant, now: now) else { return }
            respond(request, reply, on: number)
        case .play:
            let starts = starts
            guard let reply = sessions[id]?.play({ starts[$0] }) else { return }
            respond(request, reply, on: number)
            log.append("playing")
        case .pause(let reply):
            log.append("paused")
            respond(request, reply, on: number)
        case .record(let reply):
            respond(request, reply, on: number)
            log.append("recording")
        case .teardown(let reply):
            respond(request, reply, on: number)
            end(id)
        }
        if let session = sessions[id], session.setups.isEmpty, !session.isRecord { sessions[id] = nil }
    }

    private mutating func nextID() -> String {
        ids += 1
        return RTSPServerSession.id((0, ids))
    }
}

struct NoResponse: Error {
    var text: String
}

extension RTSPResponse {
    /// The first of a text.
    init(text: String) throws {
        var reader = RTSPReader(.client)
        var bytes = ByteBuffer(string: text)
        guard case .response(let response)? = try reader.next(from: &bytes) else { throw NoResponse(text: text) }
        self = response
    }

    var session: String? { RTSPSessionHeader(headers)?.id }
}

extension RTSPReader {
    /// All events of a stream that comes in parts.
    static func all(_ side: Side, _ parts: [ByteBuffer]) throws(RTSPFault) -> [RTSPEvent] {
        var reader = RTSPReader(side)
        var events: [RTSPEvent] = []
        for part in parts {
            var part = part
            while let event = try reader.next(from: &part) { events.append(event) }
            precondition(part.readableBytes == 0)
        }
        return events
    }
}
