import Media
import NIOCore

@testable import Streaming

/// Input: a byte of options, a byte of the cut, a byte that parts the rest between two connections, then what a server sends
/// behind its handshake. The second connection is for servers that want a password.
func fuzzRTMPClient(_ input: [UInt8]) {
    var input = InputReader(input)
    let options = input.byte()
    let cut = input.byte()
    let parted = Int(input.byte()) * 8
    let rest = input.remaining()
    let connections = parted == 0 ? [rest, []] : [Array(rest.prefix(parted)), Array(rest.dropFirst(parted))]
    let whole = converse(connections.map { [ByteBuffer(bytes: $0)] }, options: options, weighs: false)
    let split = converse(connections.map { pieces($0, cut: cut) }, options: options, weighs: options & 0x70 == 0x70)
    require(split, is: whole, "depends on the cut")
}

private func converse(_ connections: [[ByteBuffer]], options: UInt8, weighs: Bool) -> [RTMPClientAction] {
    let url = RTMPURL(
        host: "203.0.113.5",
        app: "live",
        stream: "camera1?token=x",
        user: options & 4 == 0 ? "" : "user",
        password: options & 4 == 0 ? "" : "word"
    )
    let publishes = options & 8 != 0
    var now: UInt64 = 1_000_000_000
    let configuration = RTMPClientConfiguration(publishes ? .publisher : .player, url)
    var session = RTMPClientSession(configuration, seed: 7, now: .uptimeNanoseconds(now))
    var all: [RTMPClientAction] = []
    var isClosed = false
    var isStarted = false
    var sent = ByteBuffer()

    /// - Returns: whether another connection is asked for.
    func perform(_ actions: [RTMPClientAction]) -> Bool {
        var reconnects = false
        for action in actions {
            precondition(!isClosed && !reconnects, "goes on after its end")
            switch action {
            case .send(let bytes):
                sent.writeImmutableBuffer(bytes)
                // How often an acknowledgement is due depends on how much came at once.
                if isAcknowledgement(bytes) { continue }
            case .started:
                precondition(!isStarted, "starts twice")
                isStarted = true
            case .message:
                precondition(isStarted && !publishes, "media of nobody")
            case .reconnect:
                precondition(!isStarted)
                reconnects = true
            case .close(let fault):
                precondition(!fault.explanation.contains("word"), "tells the password")
                isClosed = true
            }
            all.append(action)
        }
        return reconnects
    }

    for pieces in connections where !isClosed {
        sent = ByteBuffer()
        _ = perform(session.start())
        var reconnects = false
        for piece in handshake(options, hello: sent) + pieces where !isClosed && !reconnects {
            now += 1_000_000
            reconnects = perform(session.receive(piece, now: .uptimeNanoseconds(now)))
        }
        if let goodbye = session.goodbye { sent.writeImmutableBuffer(goodbye) }
        checkSent(sent)
        guard reconnects else { break }
    }
    if weighs { precondition(footprint(session) <= (publishes ? 12 << 20 : 48 << 20)) }
    if !isClosed, let deadline = session.deadline {
        guard case .close = session.advance(to: deadline).last else {
            preconditionFailure("a deadline without an end")
        }
    }
    precondition(!isClosed || session.deadline == nil && session.goodbye == nil)
    return all
}

/// S0, S1 and S2: plain, or as our own server signs them.
private func handshake(_ options: UInt8, hello: ByteBuffer) -> [ByteBuffer] {
    switch options & 3 {
    case 0:
        let block = [UInt8](repeating: 0, count: RTMPHandshake.blockLength)
        return [ByteBuffer(bytes: [RTMPHandshake.version] + block + block)]
    case 1, 2:
        let c1 = Array(buffer: hello).dropFirst()
        let noise = [UInt8](repeating: 0x5A, count: 2 * RTMPHandshake.blockLength)
        return [RTMPHandshake.answer(c1: Array(c1), random: noise)]
    default:
        return []
    }
}

private func checkSent(_ sent: ByteBuffer) {
    var rest = sent
    precondition(rest.readInteger(as: UInt8.self) == RTMPHandshake.version)
    precondition(rest.readSlice(length: RTMPHandshake.blockLength) != nil)
    // C2 follows the server's part.
    guard rest.readSlice(length: RTMPHandshake.blockLength) != nil else { return }
    checkMessages(rest)
}
