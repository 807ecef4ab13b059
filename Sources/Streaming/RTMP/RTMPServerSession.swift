package import Media
package import NIOCore

package struct RTMPServerConfiguration: Hashable, Sendable {
    /// From the connection to publish or play.
    package var roleTimeout: TimeAmount = .seconds(10)
    /// A publisher that sends nothing for so long has gone.
    package var mediaTimeout: TimeAmount = .seconds(30)
    /// Bytes that are held between publish or play and the answer.
    package var heldBytes = 1 << 20

    package init() {}
}

/// What a client asks for, with what it said of itself in `connect`.
package struct RTMPRequest: Hashable, Sendable {
    package var address: StreamAddress
    package var tcURL: String
    package var flashVersion: String
    /// `.enhanced` when the client listed `hvc1` among the codecs that it can take (Enhanced RTMP `fourCcList`), or asked for
    /// it in the query.
    package var hevc: FLVHEVCFormat
}

/// Why a publish or play is refused; it chooses the code that the client is told.
package enum RTMPRefusal: Hashable, Sendable {
    /// Another publisher holds the stream, or the name cannot be one.
    case badName
    case notFound
    case unauthorized
    /// A limit is reached.
    case unavailable
}

package enum RTMPServerAction: Hashable, Sendable {
    case send(ByteBuffer)
    /// To be answered with `accept()` or `refuse(_:_:)`; until then input is held.
    case publish(RTMPRequest)
    case play(RTMPRequest)
    /// Audio, video or metadata of the publisher.
    case message(FLVMessage)
    /// The publisher has stopped, the connection stays: it may publish again.
    case stopped
    /// After what was sent. Nil: the client is done.
    case close(RTMPFault?)
}

/// One RTMP client of this server, from its first byte: handshake, commands, media of a publisher. The media for a player is not
/// its business: the hub writes it, with `RTMPChunkWriter`.
package struct RTMPServerSession: Sendable {
    package struct Statistics: Hashable, Sendable {
        package var bytesReceived: UInt64 = 0
        /// Media before publish was accepted, or from a player.
        package var mediaOutOfPlace = 0
        package var unknownCommands = 0
        package var unknownMessages = 0

        package init() {}
    }

    package enum Role: Hashable, Sendable {
        case publisher
        case player
    }

    private enum Phase {
        case handshake(ByteBuffer)
        /// C2 is not looked at: nothing depends on it, and some clients send nonsense.
        case secondHalf(missing: Int)
        case messages
        case closed
    }

    package private(set) var statistics = Statistics()
    /// The role that was accepted.
    package private(set) var role: Role?

    private let configuration: RTMPServerConfiguration
    private var seed: UInt64
    private var phase = Phase.handshake(ByteBuffer())
    private var reader = RTMPChunkReader()
    private var connection: RTMPConnectCommand?
    private var deciding: Role?
    private var held = ByteBuffer()
    private var roleDeadline: NIODeadline
    private var lastReceived: NIODeadline
    /// The peer wants to hear of every so many bytes; 2.5 MB is what lal tells unasked.
    private var acknowledgementWindow: UInt64 = 2_500_000
    private var acknowledged: UInt64 = 0

    /// - Parameter seed: random; it fills the handshake's blocks, which nothing secret depends on.
    package init(configuration: RTMPServerConfiguration = .init(), seed: UInt64, now: NIODeadline) {
        self.configuration = configuration
        self.seed = seed
        roleDeadline = now + configuration.roleTimeout
        lastReceived = now
    }

    /// When to call `advance` next; nil for players: whether they take what is sent is seen where it is sent.
    package var deadline: NIODeadline? {
        if case .closed = phase { return nil }
        if deciding != nil { return nil }
        return switch role {
        case .publisher: lastReceived + configuration.mediaTimeout
        case .player: nil
        case nil: roleDeadline
        }
    }

    package mutating func advance(to now: NIODeadline) -> [RTMPServerAction] {
        guard let deadline, now >= deadline else { return [] }
        phase = .closed
        return [.close(.timeout(role == .publisher ? .media : .role))]
    }

    /// Takes bytes of the client.
    package mutating func receive(_ input: ByteBuffer, now: NIODeadline) -> [RTMPServerAction] {
        var actions: [RTMPServerAction] = []
        lastReceived = now
        statistics.bytesReceived &+= UInt64(input.readableBytes)
        var input = input
        do throws(RTMPFault) {
            try read(&input, now: now, into: &actions)
        } catch {
            phase = .closed
            actions.append(.close(error))
        }
        acknowledge(into: &actions)
        return actions
    }

    /// Answers publish or play with yes, then reads on in what was held.
    package mutating func accept(now: NIODeadline) -> [RTMPServerAction] {
        guard let role = deciding, case .messages = phase else { return [] }
        deciding = nil
        self.role = role
        lastReceived = now
        var actions: [RTMPServerAction] = []
        switch role {
        case .publisher:
            reader.limits = .publisher
            actions.append(.send(RTMPReply.publishStart()))
        case .player:
            // Of no more use: there are many players, and they stay for long.
            connection = nil
            actions.append(.send(RTMPReply.playStart()))
        }
        var input = held
        held = ByteBuffer()
        do throws(RTMPFault) {
            try read(&input, now: now, into: &actions)
        } catch {
            phase = .closed
            actions.append(.close(error))
        }
        return actions
    }

    /// Answers publish or play with no, and ends the connection.
    package mutating func refuse(_ refusal: RTMPRefusal, _ description: String) -> [RTMPServerAction] {
        guard let role = deciding else { return [] }
        deciding = nil
        held = ByteBuffer()
        phase = .closed
        return [
            .send(RTMPReply.refusal(refusal, role: role, description: description)),
            .close(.refused(description)),
        ]
    }

    private mutating func read(
        _ input: inout ByteBuffer,
        now: NIODeadline,
        into actions: inout [RTMPServerAction]
    ) throws(RTMPFault) {
        try readHandshake(&input, into: &actions)
        while case .messages = phase {
            guard deciding == nil else {
                held.writeBuffer(&input)
                guard held.readableBytes <= configuration.heldBytes else {
                    throw .tooMuchBeforeAnswer(held.readableBytes)
                }
                return
            }
            guard let message = try reader.next(from: &input) else { return }
            try handle(message, now: now, into: &actions)
        }
    }

    private mutating func readHandshake(
        _ input: inout ByteBuffer,
        into actions: inout [RTMPServerAction]
    ) throws(RTMPFault) {
        if case .handshake(var received) = phase {
            phase = .closed
            let missing = 1 + RTMPHandshake.blockLength - received.readableBytes
            if let part = input.readSlice(length: min(missing, input.readableBytes)) {
                received.writeImmutableBuffer(part)
            }
            if let version = received.getInteger(at: 0, as: UInt8.self), version != RTMPHandshake.version {
                throw .badVersion(version)
            }
            guard let c1 = received.getBytes(at: 1, length: RTMPHandshake.blockLength) else {
                phase = .handshake(received)
                return
            }
            var random = SplitMix64(state: seed)
            let noise = (0..<2 * RTMPHandshake.blockLength).map { _ in UInt8.random(in: 0...255, using: &random) }
            actions.append(.send(RTMPHandshake.answer(c1: c1, random: noise)))
            phase = .secondHalf(missing: RTMPHandshake.blockLength)
        }
        if case .secondHalf(let missing) = phase {
            let skipped = min(missing, input.readableBytes)
            input.moveReaderIndex(forwardBy: skipped)
            phase = missing == skipped ? .messages : .secondHalf(missing: missing - skipped)
        }
    }

    private mutating func acknowledge(into actions: inout [RTMPServerAction]) {
        guard case .messages = phase, role != .player else { return }
        guard statistics.bytesReceived &- acknowledged >= acknowledgementWindow else { return }
        acknowledged = statistics.bytesReceived
        // Sequence numbers wrap at 2^32 (section 5.4.3).
        actions.append(.send(RTMPReply.acknowledgement(UInt32(truncatingIfNeeded: acknowledged))))
    }
}

extension RTMPServerSession {
    private mutating func handle(
        _ message: RTMPMessage,
        now: NIODeadline,
        into actions: inout [RTMPServerAction]
    ) throws(RTMPFault) {
        switch RTMPMessageType(rawValue: message.type) {
        case .audio, .video, .dataAMF0, .dataAMF3:
            receiveMedia(message, into: &actions)
        case .aggregate:
            var parts: [RTMPMessage] = []
            RTMPAggregate.split(message, into: &parts)
            for part in parts { receiveMedia(part, into: &actions) }
        case .commandAMF0, .commandAMF3:
            guard let command = RTMPCommand(message) else {
                statistics.unknownCommands &+= 1
                return
            }
            try handle(command, now: now, into: &actions)
        case .userControl:
            guard let ping = RTMPReply.pingBody(message.body) else { return }
            actions.append(.send(RTMPReply.pong(ping)))
        case .windowAcknowledgementSize:
            guard let size = message.body.getInteger(at: message.body.readerIndex, as: UInt32.self) else { return }
            // Half of it, so that the peer never has to wait; not below 64 KB, so that nobody makes us chatter.
            acknowledgementWindow = max(UInt64(size) / 2, 65_536)
        case .acknowledgement, .setPeerBandwidth, .setChunkSize, .abort:
            break
        case nil:
            statistics.unknownMessages &+= 1
        }
    }

    private mutating func receiveMedia(_ message: RTMPMessage, into actions: inout [RTMPServerAction]) {
        guard role == .publisher else {
            statistics.mediaOutOfPlace &+= 1
            return
        }
        switch RTMPMessageType(rawValue: message.type) {
        case .audio:
            actions.append(.message(FLVMessage(kind: .audio, timestamp: message.timestamp, body: message.body)))
        case .video:
            actions.append(.message(FLVMessage(kind: .video, timestamp: message.timestamp, body: message.body)))
        default:
            guard let script = RTMPScript.forwarded(message.amf0Body) else { return }
            actions.append(.message(FLVMessage(kind: .script, timestamp: message.timestamp, body: script)))
        }
    }

    private mutating func handle(
        _ command: RTMPCommand,
        now: NIODeadline,
        into actions: inout [RTMPServerAction]
    ) throws(RTMPFault) {
        switch command.name {
        case "connect":
            let connect = try RTMPConnectCommand(command)
            connection = connect
            actions.append(.send(RTMPReply.connected(command, connect)))
        case "createStream":
            actions.append(.send(RTMPReply.result(of: command, .number(Double(RTMPChunkWriter.mediaStreamID)))))
        case "getStreamLength":
            actions.append(.send(RTMPReply.result(of: command, .number(0))))
        case "releaseStream", "FCPublish", "FCSubscribe":
            guard command.transaction != 0 else { return }
            actions.append(.send(RTMPReply.result(of: command, .undefined)))
        case "publish":
            try ask(.publisher, command, into: &actions)
        case "play":
            try ask(.player, command, into: &actions)
        case "deleteStream", "closeStream", "FCUnpublish":
            stop(now: now, into: &actions)
        case "_result", "_error", "onStatus", "pause", "seek", "receiveAudio", "receiveVideo", "_checkbw":
            break
        default:
            statistics.unknownCommands &+= 1
        }
    }

    private mutating func ask(
        _ role: Role,
        _ command: RTMPCommand,
        into actions: inout [RTMPServerAction]
    ) throws(RTMPFault) {
        guard let connection else { throw .notConnected(command: command.name) }
        // A second one on the same connection: the first holds.
        guard self.role == nil else {
            statistics.unknownCommands &+= 1
            return
        }
        deciding = role
        let request: RTMPRequest
        do throws(StreamAddress.Fault) {
            request = try connection.request(name: command.argument(1)?.string ?? "")
        } catch {
            actions += refuse(.badName, error.explanation)
            return
        }
        actions.append(role == .publisher ? .publish(request) : .play(request))
    }

    private mutating func stop(now: NIODeadline, into actions: inout [RTMPServerAction]) {
        switch role {
        case .publisher:
            role = nil
            reader.limits = .init()
            roleDeadline = now + configuration.roleTimeout
            actions.append(.stopped)
        case .player:
            phase = .closed
            actions.append(.close(nil))
        case nil:
            break
        }
    }
}

/// A small random generator (Steele, Lea, Flood 2014), so that a session is repeatable from its seed.
private struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
