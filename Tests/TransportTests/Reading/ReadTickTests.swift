import Hub
import Media
import NIOCore
import NIOPosix
import Testing

@testable import Streaming
@testable import Transport

/// The RTMP port with its publishers on the tick from the first byte on.
@Suite("Publishers that are read on a tick", .timeLimit(.minutes(1)))
struct ReadTickTests {
    private func withServer<Result: Sendable>(
        messagesBeforeTicking: Int = -1,
        _ body: @Sendable (Hub, Int, AsyncStream<HubEvent>) async throws -> Result
    ) async throws -> Result {
        let (events, continuation) = AsyncStream<HubEvent>.makeStream()
        // One loop, so that all share one tick.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let hub = Hub(group: group) { continuation.yield($0) }
        var options = RTMPServerOptions()
        options.reads = ReadTicks(messagesBeforeTicking: messagesBeforeTicking)
        let server = try await RTMPServer.start(hub: hub, group: group, host: "127.0.0.1", port: 0, options: options)
        let result: Result
        do {
            result = try await body(hub, server.port, events)
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
        try await server.close()
        try await group.shutdownGracefully()
        return result
    }

    private static let aac = AudioParameters(codec: .aac, sampleRate: 44_100, channels: 2, configuration: [0x12, 0x10])
    private static let avc = VideoParameters(
        codec: .h264,
        sps: [[0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x00, 0xA0, 0x47, 0xFE, 0xC8]],
        pps: [[0x68, 0xCE, 0x3C, 0x80]]
    )

    /// Headers, a key frame greater than one read, then pictures and sound.
    private static func messages(pictures: Int) -> [FLVMessage] {
        var packager = FLVPackager(hevc: .legacy)
        var messages: [FLVMessage] = []
        packager.package(.video(avc), into: &messages)
        packager.package(.audio(aac), into: &messages)
        for number in 0..<pictures {
            let time = Int64(number) * 3600
            let size = number == 0 ? 700_000 : 100 + number
            var picture = ByteBuffer(integer: UInt32(size))
            picture.writeInteger(number == 0 ? 0x65 : 0x41, as: UInt8.self)
            picture.writeRepeatingByte(UInt8(truncatingIfNeeded: number), count: size - 1)
            packager.package(
                .frame(Frame(track: .video, dts: time, pts: time, isKey: number == 0, payload: picture)),
                into: &messages
            )
            let sound = ByteBuffer(repeating: UInt8(truncatingIfNeeded: number), count: 40)
            packager.package(
                .frame(Frame(track: .audio, dts: time, pts: time, isKey: true, payload: sound)),
                into: &messages
            )
        }
        return messages
    }

    private static func isMedia(_ message: FLVMessage) -> Bool {
        message.kind != .script && !message.isSequenceHeader
    }

    /// The next so many frames.
    private static func receive(_ count: Int, _ player: RTMPTestPeer) async throws -> [FLVMessage] {
        var frames: [FLVMessage] = []
        while frames.count < count {
            let messages = try await player.media(1)
            if messages.isEmpty { return frames }
            frames += messages.filter(isMedia)
        }
        return frames
    }

    private static func publish(_ messages: [FLVMessage], as stream: String, _ publisher: RTMPTestPeer) async throws {
        let code = try await publisher.ask("publish", stream, until: "NetStream.Publish.Start")
        #expect(code == "NetStream.Publish.Start")
        for message in messages where message.kind != .script { try await publisher.send(message) }
    }

    @Test("every message of several publishers arrives, in order")
    func carriesAll() async throws {
        let sent = Self.messages(pictures: 100)
        let expected = sent.filter(Self.isMedia)
        try await withServer { _, port, _ in
            try await withThrowingTaskGroup { tasks in
                for number in 0..<4 {
                    tasks.addTask {
                        try await RTMPTestPeer.with(port: port) { player in
                            _ = try await player.ask("play", "s\(number)", until: "NetStream.Play.Start")
                            let received = try await RTMPTestPeer.with(port: port) { publisher in
                                try await Self.publish(sent, as: "s\(number)", publisher)
                                return try await Self.receive(expected.count, player)
                            }
                            #expect(received == expected)
                        }
                    }
                }
                try await tasks.waitForAll()
            }
        }
    }

    @Test("what a publisher sent before it closed arrives, and its end is noticed", arguments: [-1, 0])
    func carriesTheLast(messagesBeforeTicking: Int) async throws {
        let sent = Self.messages(pictures: 50)
        let expected = sent.filter(Self.isMedia)
        try await withServer(messagesBeforeTicking: messagesBeforeTicking) { hub, port, events in
            try await RTMPTestPeer.with(port: port) { player in
                _ = try await player.ask("play", "x", until: "NetStream.Play.Start")
                for _ in 0..<3 {
                    try await RTMPTestPeer.with(port: port) { publisher in
                        try await Self.publish(sent, as: "x", publisher)
                        // As FFmpeg says goodbye.
                        try await publisher.command("FCUnpublish", .null, .string("x"))
                        try await publisher.command("deleteStream", .null, .number(1))
                    }
                    let received = try await Self.receive(expected.count, player)
                    #expect(received.map(\.payload) == expected.map(\.payload))
                    for await event in events where event.kind == .publisherStopped { break }
                    #expect(hub.publisher(of: "x") == nil)
                }
            }
        }
    }

    @Test("a publisher that stops, goes on with another stream or is kicked leaves the tick, the others stay")
    func leaves() async throws {
        try await withServer { hub, port, _ in
            try await RTMPTestPeer.with(port: port) { other in
                try await Self.publish([], as: "other", other)
                try await RTMPTestPeer.with(port: port) { peer in
                    try await Self.publish(Self.messages(pictures: 2), as: "x", peer)
                    try await peer.command("FCUnpublish", .null, .string("x"))
                    try await Self.publish(Self.messages(pictures: 2), as: "y", peer)
                    #expect(hub.publisher(of: "x") == nil)
                    let session = try #require(hub.publisher(of: "y"))
                    #expect(await hub.kick(session: session.id, of: "y") == nil)
                    while try await peer.next() != nil {}
                    #expect(hub.publisher(of: "y") == nil)
                }
                // Answered only if it is read.
                try await other.send(.userControl, ByteBuffer(bytes: [0, 6, 0, 0, 0, 1]))
                while let message = try await other.next(), message.type != 4 {}
                #expect(hub.publisher(of: "other") != nil)
            }
        }
    }

    @Test("bytes that are no RTMP close the connection")
    func closesNonsense() async throws {
        try await withServer { hub, port, _ in
            try await RTMPTestPeer.with(port: port) { peer in
                try await Self.publish([], as: "x", peer)
                // A chunk size of 0.
                try await peer.send(.setChunkSize, ByteBuffer(integer: UInt32(0)))
                while try await peer.next() != nil {}
                #expect(hub.publisher(of: "x") == nil)
            }
        }
    }
}
