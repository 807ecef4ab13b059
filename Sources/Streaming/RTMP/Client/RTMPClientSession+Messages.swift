import Media
import NIOCore

extension RTMPClientSession {
    mutating func handle(_ message: RTMPMessage, now: NIODeadline, into actions: inout [RTMPClientAction]) {
        switch RTMPMessageType(rawValue: message.type) {
        case .audio, .video, .dataAMF0, .dataAMF3:
            receiveMedia(message, now: now, into: &actions)
        case .aggregate:
            var parts: [RTMPMessage] = []
            RTMPAggregate.split(message, into: &parts)
            for part in parts { receiveMedia(part, now: now, into: &actions) }
        case .commandAMF0, .commandAMF3:
            guard let command = RTMPCommand(message) else {
                statistics.unknownCommands &+= 1
                return
            }
            handle(command, now: now, into: &actions)
        case .userControl:
            guard case (.pingRequest, let time)? = RTMPUserControl.parse(message.body) else { return }
            var pong = ByteBuffer()
            RTMPControl.write(.pingResponse, time, into: &pong)
            actions.append(.send(pong))
        case .windowAcknowledgementSize:
            acknowledgement.setWindow(message.body)
        case .acknowledgement, .setPeerBandwidth, .setChunkSize, .abort:
            break
        case nil:
            statistics.unknownMessages &+= 1
        }
    }

    private mutating func receiveMedia(
        _ message: RTMPMessage,
        now: NIODeadline,
        into actions: inout [RTMPClientAction]
    ) {
        guard let media = FLVMessage(message) else { return }
        guard configuration.role == .player, step == .role || step == .started else {
            statistics.mediaOutOfPlace &+= 1
            return
        }
        if media.kind != .script {
            // Some servers send media and no status.
            accept(now: now, into: &actions)
            lastMedia = now
        } else if step != .started {
            return
        }
        actions.append(.message(media))
    }

    private mutating func accept(now: NIODeadline, into actions: inout [RTMPClientAction]) {
        guard step == .role else { return }
        advanceStep(.started)
        lastMedia = now
        actions.append(.started(RTMPAcceptance(streamID: streamID, hevc: hevc)))
    }

    private mutating func handle(_ command: RTMPCommand, now: NIODeadline, into actions: inout [RTMPClientAction]) {
        switch command.name {
        case "_result": result(command, into: &actions)
        case "_error": failure(command, into: &actions)
        case "onStatus": status(command, now: now, into: &actions)
        case "close": actions += close(.ended(code: "", description: "the server closes the connection"))
        case "onBWDone", "onFCPublish", "onFCUnpublish", "onFCSubscribe", "onFCUnsubscribe", "_onbwcheck": break
        default: statistics.unknownCommands &+= 1
        }
    }

    private mutating func result(_ command: RTMPCommand, into actions: inout [RTMPClientAction]) {
        switch (step, command.transaction) {
        case (.connect, RTMPClientRequest.connectTransaction):
            for argument in command.arguments where hevc == .legacy {
                hevc = RTMPEnhancement.hevc(RTMPEnhancement.codecs(in: argument))
            }
            // A rejection as a result, as some servers write it.
            if let facts = command.argument(1), facts["level"] == .string("error") {
                actions += close(Self.refusal(facts))
                return
            }
            advanceStep(.createStream)
            actions.append(.send(RTMPClientRequest.createStream(configuration)))
        case (.createStream, RTMPClientRequest.createStreamTransaction):
            guard let number = command.argument(1)?.number, let id = UInt32(exactly: number) else {
                actions += close(.refused(code: "", description: "createStream was answered without a stream number"))
                return
            }
            streamID = id
            advanceStep(.role)
            actions.append(.send(RTMPClientRequest.role(configuration, streamID: id)))
        default:
            break
        }
    }

    private mutating func failure(_ command: RTMPCommand, into actions: inout [RTMPClientAction]) {
        let facts = command.argument(1) ?? .null
        switch (step, command.transaction) {
        case (.connect, _):
            actions += rejected(facts)
        case (.createStream, RTMPClientRequest.createStreamTransaction),
            (.role, RTMPClientRequest.roleTransaction):
            actions += close(Self.refusal(facts))
        default:
            // Of releaseStream, FCPublish and the like: nothing depends on them.
            break
        }
    }

    private mutating func rejected(_ facts: AMF0Value) -> [RTMPClientAction] {
        if let details = facts["ex"], let target = details["redirect"]?.string {
            return close(.redirected(host: RTMPURL.hostAlone(target)))
        }
        do throws(RTMPClientFault) {
            let description = facts["description"]?.string ?? ""
            let app = configuration.url.app
            guard try authentication.answer(description, app: app, nonce: nonce()) else {
                return close(Self.refusal(facts))
            }
            advanceStep(.connection)
            return [.reconnect]
        } catch {
            return close(error)
        }
    }

    private mutating func status(_ command: RTMPCommand, now: NIODeadline, into actions: inout [RTMPClientAction]) {
        // The command object is missing in what some servers send.
        guard let facts = command.arguments.first(where: { $0["code"] != nil }) else { return }
        let code = facts["code"]?.string ?? ""
        if facts["level"] == .string("error") {
            actions += close(step == .started ? Self.end(facts) : Self.refusal(facts))
            return
        }
        switch code {
        case "NetStream.Publish.Start":
            if configuration.role == .publisher { accept(now: now, into: &actions) }
        case "NetStream.Play.Start", "NetStream.Play.PublishNotify":
            if configuration.role == .player { accept(now: now, into: &actions) }
        case "NetStream.Play.StreamNotFound", "NetStream.Play.Failed", "NetStream.Publish.BadName",
            "NetStream.Publish.Denied", "NetConnection.Connect.Rejected":
            // Some servers leave the level out.
            actions += close(Self.refusal(facts))
        case "NetStream.Play.Stop", "NetStream.Play.Complete", "NetStream.Play.UnpublishNotify",
            "NetStream.Unpublish.Success", "NetConnection.Connect.Closed":
            actions += close(Self.end(facts))
        default:
            break
        }
    }

    private static func refusal(_ facts: AMF0Value) -> RTMPClientFault {
        .refused(code: facts["code"]?.string ?? "", description: facts["description"]?.string ?? "")
    }

    private static func end(_ facts: AMF0Value) -> RTMPClientFault {
        .ended(code: facts["code"]?.string ?? "", description: facts["description"]?.string ?? "")
    }
}

extension RTMPURL {
    /// The host of any URL, for messages.
    static func hostAlone(_ text: String) -> String {
        let rest = text.firstRange(of: "://").map { text[$0.upperBound...] } ?? text[...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let host = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        return RTMPClientFault.withoutQueries(String(host))
    }
}
