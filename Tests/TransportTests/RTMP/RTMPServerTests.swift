import Hub
import Media
import NIOCore
import NIOPosix
import Testing
import Transport

@testable import Streaming

@Suite("RTMP server", .timeLimit(.minutes(1)))
struct RTMPServerTests {
    private func withServer<Result: Sendable>(
        _ options: RTMPServerOptions = RTMPServerOptions(),
        configuration: HubConfiguration = HubConfiguration(),
        _ body: @Sendable (Hub, Int) async throws -> Result
    ) async throws -> Result {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let hub = Hub(group: group, configuration: configuration)
        let server = try await RTMPServer.start(hub: hub, group: group, host: "127.0.0.1", port: 0, options: options)
        let result: Result
        do {
            result = try await body(hub, server.port)
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
        try await server.close()
        try await group.shutdownGracefully()
        return result
    }

    private static let hevc = VideoParameters(
        codec: .h265,
        vps: [hex("40010c01ffff01600000030090000003000003003c959809")],
        sps: [hex("42010101600000030090000003000003003ca00a080b9f796566924caf016808000003000800000300c840")],
        pps: [hex("4401c172b46240")]
    )
    private static let aac = AudioParameters(codec: .aac, sampleRate: 44_100, channels: 2, configuration: [0x12, 0x10])

    private static func hex(_ text: String) -> [UInt8] {
        let digits = text.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    /// A key frame over several chunks, a picture that is shown later than the next, sound; past the 24 bits of a short time.
    private static func messages(_ format: FLVHEVCFormat) -> [FLVMessage] {
        var packager = FLVPackager(hevc: format)
        var messages: [FLVMessage] = []
        func frame(_ kind: TrackKind, _ time: Int64, shown: Int64, key: Bool, _ size: Int) -> MediaEvent {
            var payload = ByteBuffer()
            if kind == .video {
                payload.writeInteger(UInt32(size))
                payload.writeBytes([key ? 0x26 : 0x02, 1])
            }
            payload.writeRepeatingByte(0x5A, count: kind == .video ? size - 2 : size)
            let base: Int64 = 0xFF_FFF0
            return .frame(
                Frame(track: kind, dts: (base + time) * 90, pts: (base + shown) * 90, isKey: key, payload: payload)
            )
        }
        for event in [
            .video(hevc), .audio(aac),
            frame(.video, 0, shown: 0, key: true, 200_000),
            frame(.audio, 10, shown: 10, key: true, 300),
            frame(.video, 40, shown: 120, key: false, 5000),
            frame(.video, 80, shown: 40, key: false, 900),
            frame(.audio, 81, shown: 81, key: true, 10),
        ] as [MediaEvent] {
            packager.package(event, into: &messages)
        }
        return messages
    }

    private static func isMedia(_ message: FLVMessage) -> Bool {
        message.kind != .script && !message.isSequenceHeader
    }

    @Test(
        "H.265 published in either form reaches players of either form, bytes and times unchanged",
        arguments: FLVHEVCFormat.allCases,
        FLVHEVCFormat.allCases
    )
    func carriesHEVC(published: FLVHEVCFormat, played: FLVHEVCFormat) async throws {
        let expected = Self.messages(played).filter { $0.kind != .script }
        let received = try await withServer { _, port in
            try await RTMPTestPeer.with(port: port, enhanced: played == .enhanced) { player in
                #expect(try await player.ask("play", "x", until: "NetStream.Play.Start") == "NetStream.Play.Start")
                return try await RTMPTestPeer.with(port: port) { publisher in
                    _ = try await publisher.ask("publish", "x", until: "NetStream.Publish.Start")
                    for message in Self.messages(published) { try await publisher.send(message) }
                    return try await player.media(expected.count)
                }
            }
        }
        let headers = received.filter(\.isSequenceHeader).map(\.body)
        #expect(headers == expected.filter(\.isSequenceHeader).map(\.body))
        #expect(received.filter(Self.isMedia) == expected.filter(Self.isMedia))
    }

    @Test("a second publisher is told BadName and why, the first goes on")
    func refusesSecondPublisher() async throws {
        try await withServer { hub, port in
            try await RTMPTestPeer.with(port: port) { first in
                #expect(
                    try await first.ask("publish", "x", until: "NetStream.Publish.Start") == "NetStream.Publish.Start"
                )
                let code = try await RTMPTestPeer.with(port: port) { second in
                    let code = try await second.ask("publish", "x?k=v", until: "NetStream.Publish.Start")
                    #expect(try await second.next() == nil)
                    return code
                }
                #expect(code == "NetStream.Publish.BadName")
                #expect(hub.publisher(of: "x")?.id == "RTMPPUBSUB1")
                try await first.send(.userControl, ByteBuffer(bytes: [0, 6, 0, 0, 0, 1]))
                #expect(try await first.next()?.body == ByteBuffer(bytes: [0, 7, 0, 0, 0, 1]))
            }
        }
    }

    @Test("a publisher that stops frees its stream without closing, and may publish again")
    func publishesAgain() async throws {
        try await withServer { hub, port in
            try await RTMPTestPeer.with(port: port) { peer in
                _ = try await peer.ask("publish", "x", until: "NetStream.Publish.Start")
                try await peer.command("FCUnpublish", .null, .string("x"))
                #expect(
                    try await peer.ask("publish", "y", until: "NetStream.Publish.Start") == "NetStream.Publish.Start"
                )
                #expect(hub.publisher(of: "x") == nil)
                #expect(hub.publisher(of: "y") != nil)
            }
        }
    }

    @Test("who is not allowed is told so")
    func asksForAuthorisation() async throws {
        var options = RTMPServerOptions()
        options.authorize = { access in
            access.request.address.query == "token=good" ? .allow : .deny(.unauthorized, reason: "no token")
        }
        try await withServer(options) { _, port in
            let codes = try await [("publish", "x"), ("play", "x"), ("publish", "x?token=good")].asyncMap {
                name,
                stream in
                try await RTMPTestPeer.with(port: port) { peer in
                    try await peer.ask(name, stream, until: "NetStream.Publish.Start")
                }
            }
            #expect(codes == ["NetStream.Publish.Denied", "NetStream.Play.Failed", "NetStream.Publish.Start"])
        }
    }

    @Test("a limit of the Hub is told before the player is told that it plays")
    func limitsPlayers() async throws {
        var configuration = HubConfiguration()
        configuration.maximumViewers = 1
        try await withServer(configuration: configuration) { _, port in
            try await RTMPTestPeer.with(port: port) { first in
                #expect(try await first.ask("play", "x", until: "NetStream.Play.Start") == "NetStream.Play.Start")
                try await RTMPTestPeer.with(port: port) { second in
                    let code = try await second.ask("play", "x", until: "NetStream.Play.Start")
                    #expect(code == "NetStream.Play.Failed")
                }
            }
        }
    }

    @Test("a player's ping is answered between two messages")
    func answersPlayersPing() async throws {
        try await withServer { _, port in
            try await RTMPTestPeer.with(port: port) { player in
                _ = try await player.ask("play", "x", until: "NetStream.Play.Start")
                try await player.send(.userControl, ByteBuffer(bytes: [0, 6, 0, 0, 0, 9]))
                #expect(try await player.next()?.body == ByteBuffer(bytes: [0, 7, 0, 0, 0, 9]))
            }
        }
    }

    @Test("kicked, a publisher's connection ends")
    func kicksPublisher() async throws {
        try await withServer { hub, port in
            try await RTMPTestPeer.with(port: port) { peer in
                _ = try await peer.ask("publish", "x", until: "NetStream.Publish.Start")
                let session = try #require(hub.publisher(of: "x"))
                #expect(session.url == "rtmp://localhost/live/x")
                #expect(await hub.kick(session: session.id, of: "x") == nil)
                let status = try await peer.nextCommand()
                #expect(status?.argument(1)?["description"] == .string("ended by the API"))
                #expect(try await peer.next() == nil)
                #expect(hub.publisher(of: "x") == nil)
            }
        }
    }

    /// The fault in the report of the first connection that ends.
    private func firstFault(
        _ change: (inout RTMPServerConfiguration) -> Void,
        _ body: @escaping @Sendable (RTMPTestPeer) async throws -> Void
    ) async throws -> RTMPFault? {
        let (reports, continuation) = AsyncStream<RTMPConnectionReport>.makeStream()
        var options = RTMPServerOptions()
        change(&options.session)
        options.onClose = { continuation.yield($0) }
        return try await withServer(options) { _, port in
            // On a busy machine the server may close before the peer has said all that it wanted to.
            try? await RTMPTestPeer.with(port: port, body)
            for await report in reports { return report.fault }
            return nil
        }
    }

    @Test("who says nothing is closed, and the report names the cause")
    func closesSilent() async throws {
        let role = try await firstFault {
            $0.roleTimeout = .milliseconds(50)
        } _: { peer in
            _ = try await peer.next()
        }
        #expect(role == .timeout(.role))
        let media = try await firstFault {
            $0.mediaTimeout = .milliseconds(50)
        } _: { peer in
            _ = try await peer.ask("publish", "x", until: "NetStream.Publish.Start")
            _ = try await peer.next()
        }
        #expect(media == .timeout(.media))
    }
}

extension Array {
    fileprivate func asyncMap<Result>(_ transform: (Element) async throws -> Result) async rethrows -> [Result] {
        var results: [Result] = []
        for element in self { results.append(try await transform(element)) }
        return results
    }
}
