import Media
import NIOCore
import Testing

@testable import Streaming

@Suite("RTMP server session")
struct RTMPServerSessionTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private static func session() -> RTMPServerSession { RTMPServerSession(seed: 7, now: start) }

    private static let opening = RTMPTestClient.joined(
        RTMPTestClient.handshake,
        RTMPTestClient.connect(),
        RTMPTestClient.command("releaseStream", 2, .null, .string("camera1")),
        RTMPTestClient.command("FCPublish", 3, .null, .string("camera1")),
        RTMPTestClient.command("createStream", 4, .null)
    )

    private static func request(_ actions: [RTMPServerAction]) -> RTMPRequest? {
        for action in actions {
            switch action {
            case .publish(let request), .play(let request): return request
            default: break
            }
        }
        return nil
    }

    @Test("a publisher is answered step by step, then its media comes out")
    func publishes() throws {
        var session = Self.session()
        var actions = session.receive(Self.opening, now: Self.start)
        let commands = try RTMPTestClient.commands(in: actions)
        #expect(commands.map(\.name) == ["_result", "_result", "_result", "_result"])
        #expect(commands.map(\.transaction) == [1, 2, 3, 4])
        #expect(commands[0].argument(1)?["code"] == .string("NetConnection.Connect.Success"))
        #expect(commands[3].argument(1) == .number(1))

        actions = session.receive(RTMPTestClient.publish("camera1?token=a%20b"), now: Self.start)
        let request = try #require(Self.request(actions))
        #expect(request.address == StreamAddress(app: "live", stream: "camera1", query: "token=a%20b"))
        #expect(request.tcURL == "rtmp://localhost/live")
        #expect(actions.count == 1)

        actions = session.accept(now: Self.start)
        let status = try #require(try RTMPTestClient.commands(in: actions, skippingHandshake: false).last)
        #expect(status.name == "onStatus")
        #expect(status.argument(1)?["code"] == .string("NetStream.Publish.Start"))
        #expect(session.role == .publisher)

        let body = ByteBuffer(bytes: [0x17, 1, 0, 0, 40, 0, 0, 0, 1, 0x65])
        actions = session.receive(
            RTMPTestClient.message(.video, timestamp: 1234, streamID: 1, body: body),
            now: Self.start
        )
        #expect(actions == [.message(FLVMessage(kind: .video, timestamp: 1234, body: body))])

        actions = session.receive(RTMPTestClient.command("FCUnpublish", 5, .null, .string("camera1")), now: Self.start)
        #expect(actions.last == .stopped)
        #expect(session.role == nil)
        // The same connection publishes again.
        #expect(Self.request(session.receive(RTMPTestClient.publish("camera2"), now: Self.start)) != nil)
    }

    @Test("byte by byte and at every split the actions are the same")
    func everySplit() {
        let script = RTMPTestClient.joined(
            Self.opening,
            RTMPTestClient.publish("camera1"),
            RTMPTestClient.message(.audio, timestamp: 5, streamID: 1, body: ByteBuffer(bytes: [0xAF, 0, 0x12, 0x10]))
        )
        /// All that the server sends is joined: where the sends are cut is of no matter.
        func run(_ parts: [ByteBuffer]) -> (sent: ByteBuffer, others: [RTMPServerAction]) {
            var session = Self.session()
            var sent = ByteBuffer()
            var others: [RTMPServerAction] = []
            func take(_ actions: [RTMPServerAction]) {
                for action in actions {
                    if case .send(let bytes) = action {
                        sent.writeImmutableBuffer(bytes)
                    } else {
                        others.append(action)
                    }
                    if case .publish = action { take(session.accept(now: Self.start)) }
                }
            }
            for part in parts { take(session.receive(part, now: Self.start)) }
            return (sent, others)
        }
        let whole = run([script])
        #expect(whole.others.count == 2)
        let slow = run(script.singleBytes)
        #expect(slow.sent == whole.sent)
        #expect(slow.others == whole.others)
        for (first, second) in script.splits {
            let result = run([first, second])
            #expect(result.sent == whole.sent)
            #expect(result.others == whole.others)
        }
    }

    @Test("a player gets StreamBegin, Reset and Start")
    func plays() throws {
        var session = Self.session()
        _ = session.receive(Self.opening, now: Self.start)
        let actions = session.receive(RTMPTestClient.play("camera1"), now: Self.start)
        guard case .play(let request) = actions.first else {
            Issue.record("no play: \(actions)")
            return
        }
        #expect(request.hevc == .legacy)
        let sent = session.accept(now: Self.start)
        let messages = try RTMPTestClient.messages(in: sent, skippingHandshake: false)
        #expect(messages.first?.type == 4)
        #expect(messages.first?.body == ByteBuffer(bytes: [0, 0, 0, 0, 0, 1]))
        #expect(
            messages.dropFirst().compactMap(RTMPCommand.init).map { $0.argument(1)?["code"]?.string }
                == ["NetStream.Play.Reset", "NetStream.Play.Start"]
        )
        #expect(session.role == .player)
        // A player's media has no place, and its closeStream ends it.
        let stray = RTMPTestClient.message(.audio, streamID: 1, body: ByteBuffer(bytes: [0xAF, 1, 2]))
        #expect(session.receive(stray, now: Self.start).isEmpty)
        #expect(session.statistics.mediaOutOfPlace == 1)
        #expect(session.receive(RTMPTestClient.command("closeStream", 0, .null), now: Self.start) == [.close(nil)])
    }

    @Test(
        "fourCcList or videoFourCcInfoMap with hvc1, or with everything, asks for enhanced H.265",
        arguments: [
            AMF0Property("fourCcList", .strictArray([.string("av01"), .string("hvc1")])),
            AMF0Property("fourCcList", .strictArray([.string("*")])),
            AMF0Property("videoFourCcInfoMap", .object([AMF0Property("hvc1", .number(1))])),
        ]
    )
    func readsCapabilities(property: AMF0Property) throws {
        var session = Self.session()
        let opening = RTMPTestClient.joined(RTMPTestClient.handshake, RTMPTestClient.connect(app: "live", property))
        let answer = try RTMPTestClient.commands(in: session.receive(opening, now: Self.start))
        guard case .strictArray(let codecs)? = answer.first?.argument(1)?["fourCcList"] else {
            Issue.record("no codecs: \(answer)")
            return
        }
        #expect(codecs.contains(.string("hvc1")))
        let actions = session.receive(RTMPTestClient.play("camera1"), now: Self.start)
        #expect(Self.request(actions)?.hevc == .enhanced)
    }

    @Test("the query can choose the form of H.265 too")
    func readsQueryForm() {
        for (name, format) in [
            ("x?a=b&hevc=enhanced", FLVHEVCFormat.enhanced), ("x?hevc=legacy", .legacy), ("x", .legacy),
        ] {
            var session = Self.session()
            _ = session.receive(Self.opening, now: Self.start)
            #expect(Self.request(session.receive(RTMPTestClient.play(name), now: Self.start))?.hevc == format)
        }
    }

    @Test("a player that only watches costs less than 2 KB")
    func isSmall() {
        // What a player uses: the control and the command stream, and one for play.
        #expect(MemoryLayout<RTMPServerSession>.size + 4 * MemoryLayout<RTMPChunkStream>.stride < 2048)
    }

    @Test("app and name together are the path; a query behind the app counts when the name has none")
    func splitsNames() {
        func address(app: String, name: String) -> StreamAddress? {
            var session = Self.session()
            let opening = RTMPTestClient.joined(RTMPTestClient.handshake, RTMPTestClient.connect(app: app))
            _ = session.receive(opening, now: Self.start)
            return Self.request(session.receive(RTMPTestClient.play(name), now: Self.start))?.address
        }
        #expect(address(app: "a/b", name: "c/d/x?k=v") == StreamAddress(app: "a/b/c/d", stream: "x", query: "k=v"))
        #expect(address(app: "live/?k=v", name: "x") == StreamAddress(app: "live", stream: "x", query: "k=v"))
        #expect(address(app: "live", name: "x?a=1?b=2") == StreamAddress(app: "live", stream: "x", query: "a=1?b=2"))
    }

    @Test(
        "names that would leave a directory or split a line are refused with BadName",
        arguments: ["", "?k=v", "../../victim", "a\u{0}b", "a\\b", "a\nb", String(repeating: "x", count: 201)]
    )
    func refusesNames(name: String) throws {
        var session = Self.session()
        _ = session.receive(Self.opening, now: Self.start)
        let actions = session.receive(RTMPTestClient.publish(name), now: Self.start)
        #expect(Self.request(actions) == nil)
        let status = try #require(try RTMPTestClient.commands(in: actions, skippingHandshake: false).first)
        #expect(status.argument(1)?["code"] == .string("NetStream.Publish.BadName"))
        #expect(status.argument(1)?["level"] == .string("error"))
        guard case .close(.refused) = actions.last else {
            Issue.record("not closed: \(actions)")
            return
        }
    }

    @Test("refusals have the code of the role")
    func refusalCodes() throws {
        func code(_ ask: ByteBuffer, _ refusal: RTMPRefusal) throws -> String? {
            var session = Self.session()
            _ = session.receive(Self.opening, now: Self.start)
            _ = session.receive(ask, now: Self.start)
            let actions = session.refuse(refusal, "no")
            return try RTMPTestClient.commands(in: actions, skippingHandshake: false).first?.argument(1)?["code"]?
                .string
        }
        #expect(try code(RTMPTestClient.publish("x"), .badName) == "NetStream.Publish.BadName")
        #expect(try code(RTMPTestClient.publish("x"), .unauthorized) == "NetStream.Publish.Denied")
        #expect(try code(RTMPTestClient.play("x"), .notFound) == "NetStream.Play.StreamNotFound")
        #expect(try code(RTMPTestClient.play("x"), .unavailable) == "NetStream.Play.Failed")
    }

    @Test("media that comes before the answer is held and comes out after it, in order")
    func holdsMedia() {
        var session = Self.session()
        let body = ByteBuffer(bytes: [0xAF, 1, 2])
        let pipelined = RTMPTestClient.joined(
            Self.opening,
            RTMPTestClient.publish("camera1"),
            RTMPTestClient.message(.audio, timestamp: 1, streamID: 1, body: body)
        )
        _ = session.receive(pipelined, now: Self.start)
        _ = session.receive(RTMPTestClient.message(.audio, timestamp: 2, streamID: 1, body: body), now: Self.start)
        #expect(
            session.accept(now: Self.start).dropFirst() == [
                .message(FLVMessage(kind: .audio, timestamp: 1, body: body)),
                .message(FLVMessage(kind: .audio, timestamp: 2, body: body)),
            ]
        )
    }

    @Test("but only up to a limit")
    func limitsHeldMedia() {
        var session = Self.session()
        _ = session.receive(RTMPTestClient.joined(Self.opening, RTMPTestClient.publish("camera1")), now: Self.start)
        let actions = session.receive(ByteBuffer(repeating: 0, count: 1 << 20 | 1), now: Self.start)
        #expect(actions == [.close(.tooMuchBeforeAnswer(1 << 20 | 1))])
    }

    @Test("media before publish is counted, not a crash")
    func mediaBeforePublish() {
        var session = Self.session()
        _ = session.receive(Self.opening, now: Self.start)
        let body = ByteBuffer(bytes: [0x17])
        let actions = session.receive(RTMPTestClient.message(.video, streamID: 1, body: body), now: Self.start)
        #expect(actions.isEmpty)
        #expect(session.statistics.mediaOutOfPlace == 1)
    }

    @Test("metadata comes without @setDataFrame; access rules do not come")
    func forwardsMetadata() throws {
        var session = Self.session()
        _ = session.receive(RTMPTestClient.joined(Self.opening, RTMPTestClient.publish("camera1")), now: Self.start)
        _ = session.accept(now: Self.start)
        var metadata = ByteBuffer()
        AMF0Value.string("onMetaData").write(into: &metadata)
        AMF0Value.ecmaArray([AMF0Property("width", .number(320))]).write(into: &metadata)
        var order = ByteBuffer()
        AMF0Value.string("@setDataFrame").write(into: &order)
        order.writeImmutableBuffer(metadata)
        var access = ByteBuffer()
        AMF0Value.string("|RtmpSampleAccess").write(into: &access)
        let expected = FLVMessage(kind: .script, timestamp: 0, body: metadata)
        let set = RTMPTestClient.message(.dataAMF0, streamID: 1, body: order)
        #expect(session.receive(set, now: Self.start) == [.message(expected)])
        #expect(session.receive(RTMPTestClient.message(.dataAMF0, streamID: 1, body: access), now: Self.start).isEmpty)
    }

    @Test("AMF3 commands are AMF0 behind one byte")
    func amf3Commands() {
        var session = Self.session()
        _ = session.receive(Self.opening, now: Self.start)
        let publish = RTMPTestClient.command("publish", 5, .null, .string("camera1"), type: .commandAMF3)
        #expect(Self.request(session.receive(publish, now: Self.start))?.address.stream == "camera1")
    }

    @Test("a ping is answered, and bytes are acknowledged once in half a window")
    func answersControl() throws {
        var session = Self.session()
        _ = session.receive(RTMPTestClient.joined(Self.opening, RTMPTestClient.publish("camera1")), now: Self.start)
        _ = session.accept(now: Self.start)
        let ping = RTMPTestClient.message(.userControl, body: ByteBuffer(bytes: [0, 6, 1, 2, 3, 4]))
        var messages = try RTMPTestClient.messages(in: session.receive(ping, now: Self.start), skippingHandshake: false)
        #expect(messages.map(\.body) == [ByteBuffer(bytes: [0, 7, 1, 2, 3, 4])])
        let window = RTMPTestClient.message(.windowAcknowledgementSize, body: ByteBuffer(integer: 200_000 as UInt32))
        #expect(session.receive(window, now: Self.start).isEmpty)
        let audio = RTMPTestClient.message(.audio, streamID: 1, body: ByteBuffer(repeating: 0xAF, count: 60_000))
        #expect(session.receive(audio, now: Self.start).count == 1)
        let actions = session.receive(audio, now: Self.start)
        messages = try RTMPTestClient.messages(in: actions, skippingHandshake: false)
        #expect(messages.map(\.type) == [3])
        #expect(
            messages.first?.body == ByteBuffer(integer: UInt32(truncatingIfNeeded: session.statistics.bytesReceived))
        )
    }

    @Test("who neither publishes nor plays in 10 s is closed, at whatever step")
    func timesOut() {
        for count in [0, 100, Self.opening.readableBytes] {
            var session = Self.session()
            _ = session.receive(Self.opening.getSlice(at: 0, length: count) ?? ByteBuffer(), now: Self.start)
            #expect(session.deadline == Self.start + .seconds(10))
            #expect(session.advance(to: Self.start + .seconds(9)).isEmpty)
            #expect(session.advance(to: Self.start + .seconds(10)) == [.close(.timeout(.role))])
            #expect(session.deadline == nil)
        }
    }

    @Test("a publisher that falls silent is closed after 30 s, one that sends is not")
    func mediaTimeout() {
        var session = Self.session()
        _ = session.receive(RTMPTestClient.joined(Self.opening, RTMPTestClient.publish("camera1")), now: Self.start)
        #expect(session.deadline == nil)
        _ = session.accept(now: Self.start)
        let audio = RTMPTestClient.message(.audio, streamID: 1, body: ByteBuffer(bytes: [0xAF, 1, 2]))
        _ = session.receive(audio, now: Self.start + .seconds(20))
        #expect(session.advance(to: Self.start + .seconds(40)).isEmpty)
        #expect(session.advance(to: Self.start + .seconds(50)) == [.close(.timeout(.media))])
    }

    @Test("what is not RTMP is closed at its first byte", arguments: [0x16, 0x47] as [UInt8])
    func refusesOthers(first: UInt8) {
        var session = Self.session()
        #expect(session.receive(ByteBuffer(bytes: [first]), now: Self.start) == [.close(.badVersion(first))])
        #expect(session.receive(ByteBuffer(bytes: [3]), now: Self.start).isEmpty)
    }

    @Test("publish before connect, and connect without an app, end the connection")
    func needsConnect() {
        var session = Self.session()
        _ = session.receive(RTMPTestClient.handshake, now: Self.start)
        #expect(
            session.receive(RTMPTestClient.publish("x"), now: Self.start) == [.close(.notConnected(command: "publish"))]
        )
        session = Self.session()
        _ = session.receive(RTMPTestClient.handshake, now: Self.start)
        let connect = RTMPTestClient.command("connect", 1, .object([]))
        #expect(session.receive(connect, now: Self.start).last == .close(.connectWithoutApp))
    }

    @Test("random bytes after the handshake end in a fault or in silence, never in a crash")
    func survivesNoise() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            var session = Self.session()
            _ = session.receive(Self.opening, now: Self.start)
            _ = session.receive(RTMPTestClient.publish("x"), now: Self.start)
            _ = session.accept(now: Self.start)
            for _ in 0..<8 {
                let noise = (0..<Int.random(in: 1...400)).map { _ in UInt8.random(in: 0...255, using: &generator) }
                for case .message(let message) in session.receive(ByteBuffer(bytes: noise), now: Self.start) {
                    #expect(message.length < 4000)
                }
            }
        }
    }
}
