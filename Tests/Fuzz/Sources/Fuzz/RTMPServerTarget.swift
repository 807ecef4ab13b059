import Media
import NIOCore

@testable import Streaming

/// Input: a byte of options, a byte of the cut, a byte of decisions, then what a client sends.
///
/// What the session does must not depend on how the bytes were cut, what it sends must be RTMP, and what it holds is bounded.
func fuzzRTMPServer(_ input: [UInt8]) {
    var input = InputReader(input)
    let options = input.byte()
    let cut = input.byte()
    let decisions = input.byte()
    let start = handshake(options)
    let asks = options & 0x80 != 0
    let stream = input.remaining()
    // Three thousand bytes one by one, now and then.
    let cuts =
        options & 4 == 0 ? [ByteBuffer(bytes: start)] + pieces(stream, cut: cut) : pieces(start + stream, cut: cut)
    let whole = converse([ByteBuffer(bytes: start + stream)], decisions: decisions, asks: asks, weighs: false)
    let split = converse(cuts, decisions: decisions, asks: asks, weighs: options & 0x38 == 0x38)
    require(split, is: whole, "depends on the cut")
    checkAnswers(whole)
}

/// C0, C1 and C2, which no mutation finds: plain, signed with either scheme, or left to the input.
private func handshake(_ options: UInt8) -> [UInt8] {
    var c1 = [UInt8](repeating: 0, count: RTMPHandshake.blockLength)
    switch options & 3 {
    case 0: break
    case 1, 2:
        c1.replaceSubrange(4..<8, with: [128, 0, 7, 2])
        RTMPDigest.sign(&c1, scheme: options & 3 == 1 ? .first : .second, key: RTMPDigest.playerKey)
    default: return []
    }
    return [RTMPHandshake.version] + c1 + [UInt8](repeating: 0, count: RTMPHandshake.blockLength)
}

private func converse(_ pieces: [ByteBuffer], decisions: UInt8, asks: Bool, weighs: Bool) -> [RTMPServerAction] {
    var decisions = decisions
    var now: UInt64 = 1_000_000_000
    var configuration = RTMPServerConfiguration()
    configuration.asksAdmission = asks
    var session = RTMPServerSession(configuration: configuration, seed: 7, now: .uptimeNanoseconds(now))
    var all: [RTMPServerAction] = []
    var isClosed = false
    var isPublishing = false

    func perform(_ actions: [RTMPServerAction]) {
        for action in actions {
            precondition(!isClosed, "goes on after its end")
            switch action {
            case .send(let bytes) where isAcknowledgement(bytes):
                // How often one is due depends on how much came at once.
                continue
            case .publish(let request), .play(let request):
                check(request.address)
            case .message:
                precondition(isPublishing, "media of nobody")
            case .stopped:
                precondition(isPublishing)
                isPublishing = false
            case .close:
                isClosed = true
            default:
                break
            }
            all.append(action)
        }
        guard !isClosed else { return }
        let question = actions.last { action in
            switch action {
            case .connect, .publish, .play: true
            default: false
            }
        }
        guard let question else { return }
        let isRefused = decisions & 3 == 3
        decisions = decisions >> 2 | decisions << 6
        if isRefused {
            perform(session.refuse(.badName, "no"))
        } else {
            if case .publish = question { isPublishing = true }
            perform(session.accept(now: .uptimeNanoseconds(now)))
        }
    }

    for piece in pieces where !isClosed {
        now += 1_000_000
        perform(session.receive(piece, now: .uptimeNanoseconds(now)))
    }
    // Twice the most that messages may hold, for buffers grow by doubling.
    if weighs { precondition(footprint(session) <= (isPublishing ? 48 << 20 : 12 << 20)) }
    let said = all
    // A player is asked whether it is there before it is given up.
    for _ in 0..<2 where !isClosed {
        guard let deadline = session.deadline else { break }
        let last = session.advance(to: deadline)
        precondition(!last.isEmpty, "a deadline for nothing")
        perform(last)
    }
    precondition(!isClosed || session.deadline == nil)
    // The end tells the time, and the pieces took longer.
    return said
}

/// A message of 4 bytes of that type, as `RTMPReply` writes it.
func isAcknowledgement(_ bytes: ByteBuffer) -> Bool {
    bytes.readableBytes == 16 && bytes.getInteger(at: bytes.readerIndex + 7, as: UInt8.self) == 3
}

/// What is sent must be readable by our own reader.
private func checkAnswers(_ actions: [RTMPServerAction]) {
    var sent = ByteBuffer()
    for action in actions {
        if case .send(let bytes) = action { sent.writeImmutableBuffer(bytes) }
    }
    guard sent.readableBytes > 0 else { return }
    precondition(sent.readInteger(as: UInt8.self) == RTMPHandshake.version)
    precondition(sent.readSlice(length: 2 * RTMPHandshake.blockLength) != nil)
    checkMessages(sent)
}

/// Chunks that we wrote: whole messages, and each command can be read.
func checkMessages(_ chunks: ByteBuffer) {
    var rest = chunks
    // Read as such only when what comes before it is complete.
    RTMPControl.write(.acknowledgement, 0x0102_0304, into: &rest)
    var reader = RTMPChunkReader()
    reader.limits = .publisher
    var last: RTMPMessage?
    do {
        while let message = try reader.next(from: &rest) {
            last = message
            guard message.type == RTMPMessageType.commandAMF0.rawValue else { continue }
            precondition(RTMPCommand(message) != nil, "a command that nobody can read")
        }
    } catch {
        preconditionFailure("sends what is no RTMP: \(error.explanation)")
    }
    precondition(last?.body == ByteBuffer(integer: 0x0102_0304 as UInt32), "sends half a message")
}

/// What a name may not hold, for it becomes a file name and a log line.
func check(_ address: StreamAddress) {
    precondition(!address.stream.isEmpty && !address.stream.contains("/"))
    for name in [address.app, address.stream] {
        precondition(name.utf8.count <= StreamAddress.maximumLength)
        precondition(!name.contains("..") && !name.contains("\\") && !name.utf8.contains { $0 < 0x20 || $0 == 0x7F })
    }
}
