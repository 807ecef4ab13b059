import Media
import NIOCore

extension RTMPServerSession {
    mutating func handle(
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
            guard case (.pingRequest, let time)? = RTMPUserControl.parse(message.body) else { return }
            actions.append(.send(RTMPReply.pong(time)))
        case .windowAcknowledgementSize:
            acknowledgement.setWindow(message.body)
        case .acknowledgement, .setPeerBandwidth, .setChunkSize, .abort:
            break
        case nil:
            statistics.unknownMessages &+= 1
        }
    }

    /// The message stream id is not compared: there is one stream, and some encoders publish on 0.
    private mutating func receiveMedia(_ message: RTMPMessage, into actions: inout [RTMPServerAction]) {
        guard role == .publisher else {
            statistics.mediaOutOfPlace &+= 1
            return
        }
        guard let media = FLVMessage(message) else { return }
        actions.append(.message(media))
    }

    private mutating func handle(
        _ command: RTMPCommand,
        now: NIODeadline,
        into actions: inout [RTMPServerAction]
    ) throws(RTMPFault) {
        switch command.name {
        case "connect":
            try connect(command, into: &actions)
        case "createStream":
            // As often as it is asked: there is one stream on a connection, and it has this number.
            answer(command, .number(Double(RTMPChunkWriter.mediaStreamID)), into: &actions)
        case "getStreamLength":
            answer(command, .number(0), into: &actions)
        case "releaseStream", "_checkbw":
            answer(command, into: &actions)
        case "FCPublish":
            announced = true
            answer(command, into: &actions)
        case "FCSubscribe":
            answer(command, into: &actions)
            actions.append(.send(RTMPReply.subscribed()))
        case "publish":
            try ask(.publisher, command, into: &actions)
        case "play":
            try ask(.player, command, into: &actions)
        case "play2":
            actions.append(.send(RTMPReply.refusal(.unavailable, role: .player, description: "play2: use play")))
        case "pause":
            // A live stream goes on; the player knows what to do with it.
            let pauses = command.argument(1) != .boolean(false)
            actions.append(.send(RTMPReply.paused(pauses)))
        case "FCUnpublish", "deleteStream", "closeStream":
            answer(command, into: &actions)
            stop(command, now: now, into: &actions)
        case "_result", "_error", "onStatus", "seek", "receiveAudio", "receiveVideo", "FCUnsubscribe":
            break
        default:
            statistics.unknownCommands &+= 1
            // So that nobody waits: what SRS does.
            answer(command, into: &actions)
        }
    }

    /// Commands with transaction 0 want no answer.
    private func answer(_ command: RTMPCommand, _ value: AMF0Value = .undefined, into actions: inout [RTMPServerAction])
    {
        guard command.transaction != 0 else { return }
        actions.append(.send(RTMPReply.result(of: command, value)))
    }

    private mutating func connect(_ command: RTMPCommand, into actions: inout [RTMPServerAction]) throws(RTMPFault) {
        // Once for a connection.
        guard connection == nil, role == nil else {
            statistics.unknownCommands &+= 1
            return
        }
        let connect: RTMPConnectCommand
        do throws(RTMPFault) {
            connect = try RTMPConnectCommand(command)
        } catch {
            actions += close(saying: RTMPReply.rejected(command, error.explanation), error)
            return
        }
        connection = connect
        if configuration.asksAdmission {
            question = .connect(command)
            actions.append(.connect(connect))
        } else {
            actions.append(.send(RTMPReply.connected(command, connect)))
        }
    }

    private mutating func ask(
        _ role: Role,
        _ command: RTMPCommand,
        into actions: inout [RTMPServerAction]
    ) throws(RTMPFault) {
        guard let connection else {
            // A second one on a connection that plays: the first holds.
            guard self.role == nil else {
                statistics.unknownCommands &+= 1
                return
            }
            throw .notConnected(command: command.name)
        }
        guard self.role == nil else {
            statistics.unknownCommands &+= 1
            return
        }
        // play(name, start, duration, reset): without reset the streams of a playlist follow each other.
        question = .role(role, resets: role == .player && command.argument(4) != .boolean(false))
        let request: RTMPRequest
        do throws(StreamAddress.Fault) {
            request = try connection.request(name: command.argument(1)?.string ?? "")
        } catch {
            actions += refuse(.badName, error.explanation)
            return
        }
        actions.append(role == .publisher ? .publish(request) : .play(request))
    }

    private mutating func stop(_ command: RTMPCommand, now: NIODeadline, into actions: inout [RTMPServerAction]) {
        switch role {
        case .publisher:
            role = nil
            reader.limits = .init()
            roleDeadline = now + configuration.roleTimeout
            actions.append(.send(RTMPReply.unpublished("Stopped publishing", announced: announced)))
            announced = false
            actions.append(.stopped)
        case .player:
            actions += close(nil)
        case nil:
            break
        }
    }
}

extension FLVMessage {
    /// Audio, video or data of a publisher; nil for data that is an order to the server, and for other types.
    init?(_ message: RTMPMessage) {
        switch RTMPMessageType(rawValue: message.type) {
        case .audio:
            self.init(kind: .audio, timestamp: message.timestamp, body: message.body)
        case .video:
            self.init(kind: .video, timestamp: message.timestamp, body: message.body)
        case .dataAMF0, .dataAMF3:
            guard let script = RTMPScript.forwarded(message.amf0Body) else { return nil }
            self.init(kind: .script, timestamp: message.timestamp, body: script)
        default:
            return nil
        }
    }
}
