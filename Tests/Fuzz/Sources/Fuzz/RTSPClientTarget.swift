import NIOCore

@testable import Streaming

/// Input: a byte of options, a byte of the cut, a byte that parts the rest between two connections, then what a server sends.
func fuzzRTSPClient(_ input: [UInt8]) {
    var input = InputReader(input)
    let options = input.byte()
    let cut = input.byte()
    let parted = Int(input.byte()) * 8
    let rest = input.remaining()
    let connections = parted == 0 ? [rest, []] : [Array(rest.prefix(parted)), Array(rest.dropFirst(parted))]
    let whole = converse(connections.map { [ByteBuffer(bytes: $0)] }, options)
    let split = converse(connections.map { pieces($0, cut: cut) }, options)
    require(split, is: whole, "depends on the cut")
}

private func converse(_ connections: [[ByteBuffer]], _ options: UInt8) -> [RTSPClientAction] {
    guard let url = try? RTSPURL(options & 4 == 0 ? "rtsp://h/live/x?token=y" : "rtsp://user:secret@h/live/x") else {
        return []
    }
    var configuration = RTSPClientConfiguration(
        options & 8 == 0 ? .player : .publisher(sdp: Array("v=0".utf8), mediaCount: 2),
        url
    )
    if options & 16 != 0 { configuration.transport = .udp }
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    var session = RTSPClientSession(configuration, seed: 7, now: now)
    var all: [RTSPClientAction] = []
    var isClosed = false
    var isConnected = false

    func perform(_ actions: [RTSPClientAction]) {
        for action in actions {
            precondition(!isClosed && isConnected, "goes on after its end")
            all.append(action)
            switch action {
            case .send(let bytes): checkMessage(bytes, user: options & 4 == 0)
            case .described, .announced:
                let ports = [RTSPPorts(7000, 7001), RTSPPorts(7002, 7003)]
                if case .announced = action {
                    perform(session.setUp(ports: ports, now: now))
                } else {
                    perform(
                        session.setUp(
                            media: [0, 1, 7],
                            controls: ["trackID=0", nil],
                            sessionControl: options & 32 == 0 ? "*" : nil,
                            ports: ports,
                            now: now
                        )
                    )
                }
            case .media(let media): precondition((0...1).contains(media.media))
            case .started(let acceptance): precondition(acceptance.starts.keys.allSatisfy { (0...1).contains($0) })
            case .packet(let media, let isRTCP, _):
                precondition((0...1).contains(media))
                precondition(isRTCP || options & 8 == 0, "media for a publisher")
            case .reconnect(let target):
                precondition(target.host == "h" || target.password != "secret", "tells the password")
                isConnected = false
            case .close(let fault):
                precondition(!fault.explanation.contains("secret"), "tells the password")
                isClosed = true
            }
        }
    }

    for pieces in connections where !isClosed {
        isConnected = true
        perform(session.start(now: now))
        for piece in pieces where !isClosed && isConnected {
            now = now + .milliseconds(1)
            perform(session.receive(piece, now: .uptimeNanoseconds(2_000_000_000)))
        }
        if let goodbye = session.goodbye() { checkMessage(goodbye, user: options & 4 == 0) }
        guard !isConnected else { break }
    }
    for _ in 0..<200 where !isClosed {
        guard let deadline = session.deadline else { preconditionFailure("no deadline, and no end") }
        if !isConnected { isConnected = true }
        now = max(now, deadline)
        perform(session.advance(to: deadline))
    }
    precondition(!isClosed || session.deadline == nil)
    return all
}

private func checkMessage(_ bytes: ByteBuffer, user: Bool) {
    var rest = bytes
    var reader = RTSPReader(.server)
    guard let event = try? reader.next(from: &rest) else { preconditionFailure("sends what cannot be read") }
    if case .request(let request) = event {
        precondition(request.cseq != nil && !request.target.contains("secret"))
        if user { precondition(request.headers["Authorization"] == nil) }
    }
    precondition(rest.readableBytes == 0)
}
