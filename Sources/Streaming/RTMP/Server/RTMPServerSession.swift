package import NIOCore

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

    /// What waits for the owner's answer.
    enum Question {
        case connect(RTMPCommand)
        case role(Role, resets: Bool)
    }

    private enum Phase {
        case handshake(ByteBuffer)
        /// C2 is not looked at: nothing depends on it, and some clients send nonsense.
        case secondHalf(missing: Int)
        case messages
        case closed
    }

    package internal(set) var statistics = Statistics()
    /// The role that was accepted.
    package internal(set) var role: Role?

    let configuration: RTMPServerConfiguration
    private let seed: UInt64
    private var phase = Phase.handshake(ByteBuffer())
    var reader = RTMPChunkReader()
    var connection: RTMPConnectCommand?
    var question: Question?
    /// The publisher has sent FCPublish: it waits for onFCPublish.
    var announced = false
    private var held = ByteBuffer()
    var roleDeadline: NIODeadline
    /// Publishers: of the last complete message, so that a byte now and then does not hold a stream.
    var lastReceived: NIODeadline
    /// When a player was asked whether it is there and nothing came since.
    private var pinged: NIODeadline?
    var acknowledgement = RTMPAcknowledgement()

    /// - Parameter seed: random; it fills the handshake's blocks, which nothing secret depends on.
    package init(configuration: RTMPServerConfiguration = .init(), seed: UInt64, now: NIODeadline) {
        self.configuration = configuration
        self.seed = seed
        roleDeadline = now + configuration.roleTimeout
        lastReceived = now
    }

    /// When to call `advance` next.
    package var deadline: NIODeadline? {
        if case .closed = phase { return nil }
        if question != nil { return nil }
        return switch role {
        case .publisher: lastReceived + configuration.mediaTimeout
        case .player: pinged.map { $0 + configuration.pingTimeout } ?? lastReceived + configuration.pingInterval
        case nil: roleDeadline
        }
    }

    package mutating func advance(to now: NIODeadline) -> [RTMPServerAction] {
        guard let deadline, now >= deadline else { return [] }
        if role == .player, pinged == nil {
            pinged = now
            return [.send(RTMPReply.ping(at: now))]
        }
        phase = .closed
        let limit: RTMPTimeout =
            switch role {
            case .publisher: .media
            case .player: .ping
            case nil: .role
            }
        return [.close(.timeout(limit))]
    }

    /// Takes bytes of the client.
    package mutating func receive(_ input: ByteBuffer, now: NIODeadline) -> [RTMPServerAction] {
        var actions: [RTMPServerAction] = []
        if role != .publisher { lastReceived = now }
        pinged = nil
        statistics.bytesReceived &+= UInt64(input.readableBytes)
        var input = input
        readOrClose(&input, now: now, into: &actions)
        if case .messages = phase, role != .player, let bytes = acknowledgement.due(statistics.bytesReceived) {
            actions.append(.send(bytes))
        }
        return actions
    }

    /// Answers connect, publish or play with yes, then reads on in what was held.
    package mutating func accept(now: NIODeadline) -> [RTMPServerAction] {
        guard let question, case .messages = phase else { return [] }
        self.question = nil
        lastReceived = now
        var actions: [RTMPServerAction] = []
        switch question {
        case .connect(let command):
            if let connection { actions.append(.send(RTMPReply.connected(command, connection))) }
        case .role(.publisher, _):
            role = .publisher
            reader.limits = .publisher
            actions.append(.send(RTMPReply.publishStart(announced: announced)))
        case .role(.player, let resets):
            role = .player
            // Of no more use: there are many players, and they stay for long.
            connection = nil
            actions.append(.send(RTMPReply.playStart(resets: resets)))
        }
        var input = held
        held = ByteBuffer()
        readOrClose(&input, now: now, into: &actions)
        return actions
    }

    /// Answers connect, publish or play with no, and ends the connection.
    package mutating func refuse(_ refusal: RTMPRefusal, _ description: String) -> [RTMPServerAction] {
        guard let question else { return [] }
        self.question = nil
        let answer =
            switch question {
            case .connect(let command): RTMPReply.rejected(command, description)
            case .role(let role, _): RTMPReply.refusal(refusal, role: role, description: description)
            }
        return close(saying: answer, .refused(description))
    }

    /// Ends a publisher that shall publish no longer: it is told why.
    package mutating func end(_ description: String) -> [RTMPServerAction] {
        guard case .messages = phase else { return [] }
        let farewell = role == .publisher ? RTMPReply.unpublished(description, level: "error") : ByteBuffer()
        return close(saying: farewell, .ended(description))
    }

    mutating func close(saying bytes: ByteBuffer = ByteBuffer(), _ fault: RTMPFault?) -> [RTMPServerAction] {
        held = ByteBuffer()
        phase = .closed
        return (bytes.readableBytes > 0 ? [.send(bytes)] : []) + [.close(fault)]
    }

    private mutating func readOrClose(
        _ input: inout ByteBuffer,
        now: NIODeadline,
        into actions: inout [RTMPServerAction]
    ) {
        do throws(RTMPFault) {
            try read(&input, now: now, into: &actions)
        } catch {
            actions += close(error)
        }
    }

    private mutating func read(
        _ input: inout ByteBuffer,
        now: NIODeadline,
        into actions: inout [RTMPServerAction]
    ) throws(RTMPFault) {
        try readHandshake(&input, into: &actions)
        while case .messages = phase {
            guard question == nil else {
                held.writeBuffer(&input)
                guard held.readableBytes <= configuration.heldBytes else {
                    throw .tooMuchBeforeAnswer(held.readableBytes)
                }
                return
            }
            guard let message = try reader.next(from: &input) else { return }
            lastReceived = now
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
            let noise = random.bytes(2 * RTMPHandshake.blockLength)
            actions.append(.send(RTMPHandshake.answer(c1: c1, random: noise)))
            phase = .secondHalf(missing: RTMPHandshake.blockLength)
        }
        if case .secondHalf(let missing) = phase {
            let skipped = min(missing, input.readableBytes)
            input.moveReaderIndex(forwardBy: skipped)
            phase = missing == skipped ? .messages : .secondHalf(missing: missing - skipped)
        }
    }
}
