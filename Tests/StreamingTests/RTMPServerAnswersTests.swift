import Media
import NIOCore
import Testing

@testable import Streaming

@Suite("RTMP server: what clients wait for")
struct RTMPServerAnswersTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private static func session(
        _ configuration: RTMPServerConfiguration = .init(),
        after input: ByteBuffer = RTMPTestClient.connect()
    ) -> RTMPServerSession {
        var session = RTMPServerSession(configuration: configuration, seed: 7, now: start)
        _ = session.receive(RTMPTestClient.handshake, now: start)
        _ = session.receive(input, now: start)
        return session
    }

    private static func codes(_ actions: [RTMPServerAction]) throws -> [String] {
        try RTMPTestClient.commands(in: actions, skippingHandshake: false).map {
            $0.argument(1)?["code"]?.string ?? $0.name
        }
    }

    @Test("FCPublish is answered, and onFCPublish comes with the start, for Flash Media Live Encoder's heirs")
    func answersFCPublish() throws {
        var session = Self.session()
        var actions = session.receive(RTMPTestClient.command("FCPublish", 3, .null, .string("x")), now: Self.start)
        #expect(try RTMPTestClient.commands(in: actions, skippingHandshake: false).map(\.transaction) == [3])
        _ = session.receive(RTMPTestClient.publish("x"), now: Self.start)
        actions = session.accept(now: Self.start)
        let commands = try RTMPTestClient.commands(in: actions, skippingHandshake: false)
        #expect(commands.map(\.name) == ["onFCPublish", "onStatus"])

        actions = session.receive(RTMPTestClient.command("FCUnpublish", 5, .null, .string("x")), now: Self.start)
        #expect(try Self.codes(actions) == ["_result", "NetStream.Unpublish.Success", "NetStream.Unpublish.Success"])
        #expect(actions.last == .stopped)
        // deleteStream behind it changes nothing.
        let delete = RTMPTestClient.command("deleteStream", 0, .null, .number(1))
        #expect(session.receive(delete, now: Self.start).isEmpty)
    }

    @Test("publish needs no type, and a stream that was deleted is published again")
    func publishesAgain() throws {
        var session = Self.session()
        for name in ["x", "y"] {
            let create = session.receive(RTMPTestClient.command("createStream", 4, .null), now: Self.start)
            #expect(
                try RTMPTestClient.commands(in: create, skippingHandshake: false).first?.argument(1) == .number(1)
            )
            let publish = RTMPTestClient.command("publish", 0, .null, .string(name))
            guard case .publish(let request)? = session.receive(publish, now: Self.start).last else {
                Issue.record("no publish of \(name)")
                return
            }
            #expect(request.address.stream == name)
            #expect(try Self.codes(session.accept(now: Self.start)) == ["NetStream.Publish.Start"])
            let delete = RTMPTestClient.command("deleteStream", 0, .null, .number(1))
            #expect(session.receive(delete, now: Self.start).last == .stopped)
        }
    }

    @Test(
        "play with and without reset",
        arguments: [(AMF0Value.boolean(true), true), (.boolean(false), false), (.number(1), true)]
    )
    func resets(argument: AMF0Value, resets: Bool) throws {
        var session = Self.session()
        let play = RTMPTestClient.command("play", 0, .null, .string("x"), .number(-2), .number(-1), argument)
        _ = session.receive(play, now: Self.start)
        let codes = try Self.codes(session.accept(now: Self.start))
        #expect(codes == (resets ? ["NetStream.Play.Reset"] : []) + ["NetStream.Play.Start"])
    }

    @Test("pause is answered and changes nothing; play2 is refused; the rest is answered where an answer is asked for")
    func answersPlayers() throws {
        var session = Self.session()
        _ = session.receive(RTMPTestClient.play("x"), now: Self.start)
        _ = session.accept(now: Self.start)
        func codes(_ name: String, _ transaction: Double, _ argument: AMF0Value) throws -> [String] {
            try Self.codes(
                session.receive(RTMPTestClient.command(name, transaction, .null, argument), now: Self.start)
            )
        }
        #expect(try codes("pause", 0, .boolean(true)) == ["NetStream.Pause.Notify"])
        #expect(try codes("pause", 0, .boolean(false)) == ["NetStream.Unpause.Notify"])
        #expect(try codes("play2", 0, .object([])) == ["NetStream.Play.Failed"])
        #expect(try codes("receiveAudio", 0, .boolean(false)) == [])
        #expect(try codes("seek", 0, .number(0)) == [])
        #expect(try codes("_checkbw", 9, .null) == ["_result"])
        #expect(try codes("FCSubscribe", 9, .string("x")) == ["_result", "NetStream.Play.Start"])
        #expect(try codes("somethingNew", 9, .null) == ["_result"])
        #expect(try codes("somethingNew", 0, .null) == [])
        #expect(session.role == .player)
        #expect(session.statistics.unknownCommands == 2)
    }

    @Test("connect without an app is told Connect.Rejected")
    func rejects() throws {
        var session = RTMPServerSession(seed: 7, now: Self.start)
        _ = session.receive(RTMPTestClient.handshake, now: Self.start)
        let actions = session.receive(RTMPTestClient.command("connect", 1, .object([])), now: Self.start)
        guard case .send(let bytes)? = actions.first else {
            Issue.record("nothing said: \(actions)")
            return
        }
        // No Set Chunk Size was sent: it is in chunks of 128.
        var reader = RTMPChunkReader()
        let command = try #require(try reader.all(in: bytes).first.flatMap(RTMPCommand.init))
        #expect(command.name == "_error")
        #expect(command.transaction == 1)
        #expect(command.argument(1)?["code"] == .string("NetConnection.Connect.Rejected"))
        #expect(command.argument(1)?["level"] == .string("error"))
        #expect(actions.last == .close(.connectWithoutApp))
    }

    @Test("where the owner admits, connect waits for its word")
    func asksAdmission() throws {
        var configuration = RTMPServerConfiguration()
        configuration.asksAdmission = true
        func asked() -> (RTMPServerSession, RTMPConnectCommand?) {
            var session = RTMPServerSession(configuration: configuration, seed: 7, now: Self.start)
            _ = session.receive(RTMPTestClient.handshake, now: Self.start)
            let input = RTMPTestClient.joined(
                RTMPTestClient.connect(app: "/live/?k=v"),
                RTMPTestClient.command("createStream", 2, .null)
            )
            guard case .connect(let connect)? = session.receive(input, now: Self.start).last else {
                return (session, nil)
            }
            return (session, connect)
        }
        var (session, connect) = asked()
        #expect(connect?.app == "live")
        #expect(connect?.query == "k=v")
        #expect(try Self.codes(session.accept(now: Self.start)) == ["NetConnection.Connect.Success", "_result"])
        (session, connect) = asked()
        let actions = session.refuse(.unauthorized, "not you")
        #expect(actions.last == .close(.refused("not you")))
        #expect(session.receive(RTMPTestClient.publish("x"), now: Self.start).isEmpty)
    }

    @Test("an enhanced client hears which codecs are carried, another one does not")
    func offersCodecs() throws {
        func facts(_ more: AMF0Property...) throws -> AMF0Value? {
            var session = RTMPServerSession(seed: 7, now: Self.start)
            _ = session.receive(RTMPTestClient.handshake, now: Self.start)
            var connect = RTMPTestClient.connect()
            if let property = more.first { connect = RTMPTestClient.connect(app: "live", property) }
            let actions = session.receive(connect, now: Self.start)
            return try RTMPTestClient.commands(in: actions, skippingHandshake: false).first?.argument(1)
        }
        let enhanced = try facts(AMF0Property("videoFourCcInfoMap", .object([AMF0Property("*", .number(7))])))
        #expect(
            enhanced?["fourCcList"]
                == .strictArray(["av01", "vp09", "hvc1", "avc1", "Opus", "mp4a", ".mp3"].map { .string($0) })
        )
        #expect(enhanced?["videoFourCcInfoMap"]?["hvc1"] == .number(4))
        #expect(enhanced?["audioFourCcInfoMap"]?["Opus"] == .number(4))
        #expect(enhanced?["capsEx"] == .number(0))
        #expect(try facts()?["fourCcList"] == nil)
        #expect(try facts(AMF0Property("objectEncoding", .number(3)))?["objectEncoding"] == .number(3))
    }

    @Test("a publisher that is ended hears why")
    func endsPublisher() throws {
        var session = Self.session()
        _ = session.receive(RTMPTestClient.publish("x"), now: Self.start)
        _ = session.accept(now: Self.start)
        let actions = session.end("taken over by 10.0.0.9:4711")
        let status = try #require(try RTMPTestClient.commands(in: actions, skippingHandshake: false).first)
        #expect(status.argument(1)?["code"] == .string("NetStream.Unpublish.Success"))
        #expect(status.argument(1)?["description"] == .string("taken over by 10.0.0.9:4711"))
        #expect(actions.last == .close(.ended("taken over by 10.0.0.9:4711")))
        #expect(session.deadline == nil)
    }

    @Test("a silent player is pinged after 60 s and closed 30 s later; any byte keeps it")
    func pingsPlayers() throws {
        var session = Self.session()
        _ = session.receive(RTMPTestClient.play("x"), now: Self.start)
        _ = session.accept(now: Self.start)
        #expect(session.deadline == Self.start + .seconds(60))
        var actions = session.advance(to: Self.start + .seconds(60))
        let ping = try #require(try RTMPTestClient.messages(in: actions, skippingHandshake: false).first)
        #expect(ping.type == 4)
        #expect(ping.body.getInteger(at: ping.body.readerIndex, as: UInt16.self) == 6)
        #expect(session.deadline == Self.start + .seconds(90))
        _ = session.receive(
            RTMPTestClient.message(.userControl, body: ByteBuffer(bytes: [0, 7, 0, 0, 0, 1])),
            now: Self.start + .seconds(80)
        )
        #expect(session.deadline == Self.start + .seconds(140))
        _ = session.advance(to: Self.start + .seconds(140))
        actions = session.advance(to: Self.start + .seconds(170))
        #expect(actions == [.close(.timeout(.ping))])
    }

    @Test("a byte now and then does not keep a publisher")
    func endsSlowPublishers() {
        var session = Self.session()
        _ = session.receive(RTMPTestClient.publish("x"), now: Self.start)
        _ = session.accept(now: Self.start)
        let frame = RTMPTestClient.message(.audio, streamID: 1, body: ByteBuffer(repeating: 0xAF, count: 100))
        for (second, byte) in frame.singleBytes.prefix(30).enumerated() {
            #expect(session.advance(to: Self.start + .seconds(Int64(second))).isEmpty)
            _ = session.receive(byte, now: Self.start + .seconds(Int64(second)))
        }
        #expect(session.advance(to: Self.start + .seconds(30)) == [.close(.timeout(.media))])
    }

    @Test("AMF3 commands: the first byte is skipped whatever it is, values of AMF3 end the reading, not the connection")
    func readsAMF3() {
        for first in [0, 3] as [UInt8] {
            var session = Self.session()
            var body = ByteBuffer(bytes: [first])
            body.writeImmutableBuffer(RTMPCommand("publish", transaction: 2, .null, .string("x")).encoded)
            // avmplus-object-marker and an AMF3 object.
            body.writeBytes([0x11, 0x0A, 0x0B, 0x01, 0x01])
            let actions = session.receive(RTMPTestClient.message(.commandAMF3, body: body), now: Self.start)
            guard case .publish(let request)? = actions.last else {
                Issue.record("no publish: \(actions)")
                continue
            }
            #expect(request.address.stream == "x")
        }
    }

    @Test("lal's own client: plain handshake, connect, Set Chunk Size first, then publish or play")
    func servesLalsClient() throws {
        for name in ["publish", "play"] {
            var session = RTMPServerSession(seed: 7, now: Self.start)
            let version = name == "play" ? "LNX 9,0,124,2" : "FMLE/3.0 (compatible; lal0.37.4)"
            let properties: [AMF0Property] = [
                AMF0Property("app", .string("live")), AMF0Property("type", .string("nonprivate")),
                AMF0Property("flashVer", .string(version)), AMF0Property("fpad", .boolean(false)),
                AMF0Property("tcUrl", .string("rtmp://127.0.0.1:1935/live")),
            ]
            _ = session.receive(RTMPTestClient.handshake, now: Self.start)
            var bytes = RTMPTestClient.message(.setChunkSize, body: ByteBuffer(integer: 4096 as UInt32))
            RTMPChunkWriter.write(
                type: .commandAMF0,
                chunkStream: 3,
                body: RTMPCommand("connect", transaction: 1, .object(properties)).encoded,
                chunkSize: 4096,
                into: &bytes
            )
            var actions = session.receive(bytes, now: Self.start)
            #expect(try Self.codes(actions) == ["NetConnection.Connect.Success"])
            actions = session.receive(RTMPTestClient.command("createStream", 2, .null), now: Self.start)
            #expect(try Self.codes(actions) == ["_result"])
            let ask = RTMPTestClient.command(name, 3, .null, .string("test110"), .string("live"))
            actions = session.receive(ask, now: Self.start)
            #expect(actions.count == 1)
            #expect(try Self.codes(session.accept(now: Self.start)).last?.hasSuffix(".Start") == true)
        }
    }
}
