import Media
import NIOCore
import Testing

@testable import Streaming

@Suite("RTMP client session")
struct RTMPClientSessionTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private static let url = RTMPURL(host: "h", app: "live", stream: "x?token=1", user: "cam", password: "s3cret")

    private static func client(_ role: RTMPServerSession.Role) -> RTMPClientSession {
        RTMPClientSession(RTMPClientConfiguration(role, url), seed: 11, now: start)
    }

    /// A client and our own server session, joined; the server says yes to everything.
    private struct Pair {
        var client: RTMPClientSession
        var server = RTMPServerSession(seed: 7, now: RTMPClientSessionTests.start)
        var asked: [RTMPRequest] = []
        var clientActions: [RTMPClientAction] = []
        var serverActions: [RTMPServerAction] = []
        /// The length of the parts in which bytes travel.
        var step = Int.max

        mutating func run(_ actions: [RTMPClientAction]) {
            for action in actions {
                guard case .send(let bytes) = action else {
                    clientActions.append(action)
                    continue
                }
                for part in bytes.parts(of: step) { answer(server.receive(part, now: start)) }
            }
        }

        mutating func answer(_ actions: [RTMPServerAction]) {
            for action in actions {
                switch action {
                case .send(let bytes):
                    for part in bytes.parts(of: step) { run(client.receive(part, now: start)) }
                case .publish(let request), .play(let request):
                    asked.append(request)
                    answer(server.accept(now: start))
                default:
                    serverActions.append(action)
                }
            }
        }
    }

    @Test(
        "publishes to our server: the request arrives, the stream's number is the server's",
        arguments: [Int.max, 1, 7]
    )
    func publishes(step: Int) {
        var pair = Pair(client: Self.client(.publisher))
        pair.step = step
        pair.run(pair.client.start())
        #expect(pair.client.handshakeForm == .signed)
        #expect(pair.server.role == .publisher)
        #expect(pair.asked.first?.address == StreamAddress(app: "live", stream: "x", query: "token=1"))
        #expect(pair.asked.first?.tcURL == "rtmp://h:1935/live")
        #expect(pair.clientActions == [.started(RTMPAcceptance(streamID: 1, hevc: .enhanced))])
        #expect(pair.client.deadline == nil)

        var media = ByteBuffer()
        let message = FLVMessage(kind: .video, timestamp: 5, body: ByteBuffer(bytes: [0x17, 1, 0, 0, 0, 9]))
        RTMPChunkWriter.write(message, streamID: 1, isPublishing: true, into: &media)
        pair.answer(pair.server.receive(media, now: Self.start))
        #expect(pair.serverActions == [.message(message)])

        if let goodbye = pair.client.goodbye { pair.answer(pair.server.receive(goodbye, now: Self.start)) }
        #expect(pair.serverActions.last == .stopped)
    }

    @Test("plays from our server: media comes out, and the server's end ends it", arguments: [Int.max, 1])
    func plays(step: Int) {
        var pair = Pair(client: Self.client(.player))
        pair.step = step
        pair.run(pair.client.start())
        #expect(pair.server.role == .player)
        #expect(pair.asked.first?.hevc == .enhanced)
        #expect(pair.clientActions == [.started(RTMPAcceptance(streamID: 1, hevc: .enhanced))])

        var media = ByteBuffer()
        let message = FLVMessage(kind: .audio, timestamp: 5, body: ByteBuffer(repeating: 0xAF, count: 130_000))
        RTMPChunkWriter.write(message, into: &media)
        media.writeImmutableBuffer(RTMPFarewell.ended("gone"))
        for part in media.parts(of: step) { pair.run(pair.client.receive(part, now: Self.start)) }
        #expect(
            pair.clientActions.dropFirst() == [
                .message(message), .close(.ended(code: "NetStream.Play.UnpublishNotify", description: "gone")),
            ]
        )
    }

    @Test("a server of the plain handshake is answered with its own S1")
    func shakesHandsPlainly() {
        var client = Self.client(.player)
        _ = client.start()
        let s1 = (0..<1536).map { UInt8(truncatingIfNeeded: $0) }
        let actions = client.receive(ByteBuffer(bytes: [3] + s1 + s1), now: Self.start)
        guard case .send(let bytes)? = actions.first else {
            Issue.record("no C2")
            return
        }
        #expect(bytes.getBytes(at: 0, length: 1536) == s1)
        #expect(client.handshakeForm == .plain)
    }

    /// One whose server speaks by hand from here on.
    private static func afterHandshake(_ role: RTMPServerSession.Role = .player) -> RTMPClientSession {
        var client = client(role)
        _ = client.start()
        _ = client.receive(ByteBuffer(bytes: [3] + [UInt8](repeating: 0, count: 3072)), now: start)
        return client
    }

    private static func facts(_ code: String, _ description: String, level: String = "error") -> AMF0Value {
        .object([
            AMF0Property("level", .string(level)), AMF0Property("code", .string(code)),
            AMF0Property("description", .string(description)),
        ])
    }

    private static let connected = RTMPTestClient.command(
        "_result",
        1,
        .object([]),
        facts("NetConnection.Connect.Success", "", level: "status")
    )

    @Test("any stream number is used, in publish and afterwards")
    func usesStreamNumber() throws {
        var client = Self.afterHandshake(.publisher)
        _ = client.receive(Self.connected, now: Self.start)
        var actions = client.receive(RTMPTestClient.command("_result", 4, .null, .number(77)), now: Self.start)
        guard case .send(let bytes)? = actions.first else {
            Issue.record("no publish")
            return
        }
        var reader = RTMPChunkReader()
        let publish = try #require(try reader.all(in: bytes).first)
        #expect(publish.streamID == 77)
        #expect(RTMPCommand(publish)?.arguments == [.null, .string("x?token=1"), .string("live")])
        let status = Self.facts("NetStream.Publish.Start", "", level: "status")
        actions = client.receive(RTMPTestClient.command("onStatus", 0, .null, status), now: Self.start)
        #expect(actions == [.started(RTMPAcceptance(streamID: 77, hevc: .legacy))])
    }

    @Test("errors about releaseStream and FCPublish do not matter")
    func ignoresLesserErrors() {
        var client = Self.afterHandshake(.publisher)
        _ = client.receive(Self.connected, now: Self.start)
        for transaction in [2.0, 3.0] {
            let error = RTMPTestClient.command(
                "_error",
                transaction,
                .null,
                Self.facts("NetConnection.Call.Failed", "")
            )
            #expect(client.receive(error, now: Self.start).isEmpty)
        }
    }

    @Test("what a server refuses with survives, without what follows a question mark")
    func keepsReasons() {
        func fault(_ command: ByteBuffer, after steps: [ByteBuffer] = [Self.connected]) -> RTMPClientFault? {
            var client = Self.afterHandshake()
            for step in steps { _ = client.receive(step, now: Self.start) }
            guard case .close(let fault)? = client.receive(command, now: Self.start).last else { return nil }
            return fault
        }
        let created = RTMPTestClient.command("_result", 4, .null, .number(1))
        let notFound = Self.facts("NetStream.Play.StreamNotFound", "No such stream: x?token=1 there")
        let refused = fault(RTMPTestClient.command("onStatus", 0, .null, notFound), after: [Self.connected, created])
        #expect(refused?.explanation == "NetStream.Play.StreamNotFound (No such stream: x?… there)")

        let rejected = RTMPTestClient.command(
            "_error",
            1,
            .null,
            Self.facts("NetConnection.Connect.Rejected", "closed")
        )
        #expect(fault(rejected, after: []) == .refused(code: "NetConnection.Connect.Rejected", description: "closed"))
        #expect(
            fault(RTMPTestClient.command("_error", 4, .null, Self.facts("a", "b")))
                == .refused(code: "a", description: "b")
        )
        #expect(fault(RTMPTestClient.command("_result", 4, .null)) != nil)
        let closed = fault(RTMPTestClient.command("close", 0, .null))
        #expect(closed == .ended(code: "", description: "the server closes the connection"))
    }

    @Test("a redirect is refused, naming the other host alone")
    func refusesRedirects() {
        var client = Self.afterHandshake()
        var properties: [AMF0Property] = [
            AMF0Property("level", .string("error")), AMF0Property("code", .string("NetConnection.Connect.Rejected")),
        ]
        properties.append(
            AMF0Property(
                "ex",
                .object([
                    AMF0Property("code", .number(302)),
                    AMF0Property("redirect", .string("rtmp://joe:secret@other.example:1936/live?k=v")),
                ])
            )
        )
        let error = RTMPTestClient.command("_error", 1, .null, .object(properties))
        #expect(client.receive(error, now: Self.start) == [.close(.redirected(host: "other.example:1936"))])
    }

    @Test("the server's authentication is answered on new connections, within one time limit")
    func authenticates() throws {
        var client = Self.afterHandshake(.publisher)
        func reject(_ description: String) -> [RTMPClientAction] {
            let error = Self.facts("NetConnection.Connect.Rejected", description)
            return client.receive(RTMPTestClient.command("_error", 1, .null, error), now: Self.start)
        }
        /// The app of the connect on the next connection.
        func reconnect() throws -> String? {
            _ = client.start()
            let handshake = ByteBuffer(bytes: [3] + [UInt8](repeating: 0, count: 3072))
            guard case .send(var bytes)? = client.receive(handshake, now: Self.start).first else { return nil }
            bytes.moveReaderIndex(forwardBy: 1536)
            var reader = RTMPChunkReader()
            let connect = try reader.all(in: bytes).first.flatMap(RTMPCommand.init)
            return connect?.argument(0)?["app"]?.string
        }
        #expect(reject("[ code=403 need auth; authmod=adobe ]") == [.reconnect])
        #expect(try reconnect() == "live?authmod=adobe&user=cam")
        #expect(reject("[ authmod=adobe ] : ?reason=needauth&user=cam&salt=s&challenge=c&opaque=o") == [.reconnect])
        #expect(client.deadline == Self.start + .seconds(10))
        let app = try #require(try reconnect())
        #expect(app.hasPrefix("live?authmod=adobe&user=cam&challenge="))
        #expect(!app.contains("s3cret"))
    }

    @Test("time limits: one up to the acceptance that names the step, one for silence of a stream that is played")
    func timesOut() {
        var client = Self.client(.player)
        #expect(client.advance(to: Self.start + .seconds(9)).isEmpty)
        #expect(
            client.advance(to: Self.start + .seconds(10)) == [.close(.timeout(step: "the TCP connection"))]
        )
        client = Self.afterHandshake()
        #expect(client.advance(to: Self.start + .seconds(10)) == [.close(.timeout(step: "connect"))])

        var pair = Pair(client: Self.client(.player))
        pair.run(pair.client.start())
        let ping = RTMPTestClient.message(.userControl, body: ByteBuffer(bytes: [0, 6, 0, 0, 0, 1]))
        #expect(pair.client.receive(ping, now: Self.start + .seconds(29)).count == 1)
        // A ping is no media.
        #expect(pair.client.advance(to: Self.start + .seconds(30)) == [.close(.silence)])
    }

    @Test("noise from a server ends in a fault or in silence, never in a crash")
    func survivesNoise() {
        for seed in 0..<200 as Range<UInt64> {
            var random = SplitMix64(state: seed)
            var client = Self.afterHandshake(seed.isMultiple(of: 2) ? .player : .publisher)
            _ = client.receive(Self.connected, now: Self.start)
            for _ in 0..<8 {
                let noise = random.bytes(Int(random.next() % 300) + 1)
                for case .message(let message) in client.receive(ByteBuffer(bytes: noise), now: Self.start) {
                    #expect(message.length < 4000)
                }
            }
        }
    }
}

extension ByteBuffer {
    /// In parts of at most so many bytes.
    fileprivate func parts(of length: Int) -> [ByteBuffer] {
        guard length < readableBytes else { return [self] }
        var rest = self
        var parts: [ByteBuffer] = []
        while let part = rest.readSlice(length: Swift.min(length, rest.readableBytes)), part.readableBytes > 0 {
            parts.append(part)
        }
        return parts
    }
}
