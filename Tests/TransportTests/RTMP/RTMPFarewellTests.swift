import Hub
import Media
import NIOCore
import NIOPosix
import Testing
import Transport

@testable import Streaming

@Suite("RTMP: how connections are ended", .timeLimit(.minutes(1)))
struct RTMPFarewellTests {
    private func withServer<Result: Sendable>(
        _ configuration: HubConfiguration,
        _ body: @Sendable (Hub, Int) async throws -> Result
    ) async throws -> Result {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let hub = Hub(group: group, configuration: configuration)
        let server = try await RTMPServer.start(hub: hub, group: group, host: "127.0.0.1", port: 0)
        let result: Result
        do {
            result = try await body(hub, server.port)
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
        return result
    }

    /// Codes of what is said up to the end of the connection.
    private static func codes(_ peer: RTMPTestPeer) async throws -> [String] {
        var codes: [String] = []
        while let command = try await peer.nextCommand() { codes.append(command.argument(1)?["code"]?.string ?? "") }
        return codes
    }

    @Test("a player whose publisher is gone for good is told so, then closed")
    func endsPlayers() async throws {
        var configuration = HubConfiguration()
        configuration.gracePeriod = .zero
        let codes = try await withServer(configuration) { hub, port in
            try await RTMPTestPeer.with(port: port) { publisher in
                _ = try await publisher.ask("publish", "x", until: "NetStream.Publish.Start")
                return try await RTMPTestPeer.with(port: port) { player in
                    _ = try await player.ask("play", "x", until: "NetStream.Play.Start")
                    try await publisher.command("FCUnpublish", .null, .string("x"))
                    return try await Self.codes(player)
                }
            }
        }
        #expect(codes == ["NetStream.Play.UnpublishNotify", "NetStream.Play.Stop"])
    }

    @Test("a publisher that is taken over is told by whom, then closed; its successor goes on")
    func tellsTakeOver() async throws {
        var configuration = HubConfiguration()
        configuration.publisherPolicy = .takeOver
        try await withServer(configuration) { hub, port in
            try await RTMPTestPeer.with(port: port) { first in
                _ = try await first.ask("publish", "x", until: "NetStream.Publish.Start")
                try await RTMPTestPeer.with(port: port) { second in
                    let code = try await second.ask("publish", "x", until: "NetStream.Publish.Start")
                    #expect(code == "NetStream.Publish.Start")
                    let status = try #require(try await first.nextCommand()?.argument(1))
                    #expect(status["code"] == .string("NetStream.Unpublish.Success"))
                    #expect(status["description"]?.string?.hasPrefix("taken over by ") == true)
                    #expect(try await first.next() == nil)
                    #expect(hub.publisher(of: "x")?.id == "RTMPPUBSUB2")
                }
            }
        }
    }

    @Test("a player that cannot take the codec is told Play.Failed and why")
    func refusesCodec() async throws {
        // av1C, then a key frame, as Enhanced RTMP has them.
        let header: [UInt8] = [0x90, 0x61, 0x76, 0x30, 0x31, 0x81, 0x04, 0x0C, 0x00]
        let frame: [UInt8] = [0x91, 0x61, 0x76, 0x30, 0x31, 0x12, 0x00, 0x0A]
        try await withServer(HubConfiguration()) { hub, port in
            try await RTMPTestPeer.with(port: port, enhanced: true) { publisher in
                _ = try await publisher.ask("publish", "x", until: "NetStream.Publish.Start")
                // Long enough for the Hub to believe that there will be no sound.
                for (index, body) in ([header] + Array(repeating: frame, count: 20)).enumerated() {
                    let time = UInt32(40 * index)
                    try await publisher.send(FLVMessage(kind: .video, timestamp: time, body: ByteBuffer(bytes: body)))
                }
                while await hub.snapshot(of: "x")?.video == nil { await Task.yield() }
                let legacy = try await RTMPTestPeer.with(port: port) { player in
                    try await player.ask("play", "x", until: "NetStream.Play.Start")
                }
                #expect(legacy == "NetStream.Play.Failed")
                let enhanced = try await RTMPTestPeer.with(port: port, enhanced: true) { player in
                    try await player.ask("play", "x", until: "NetStream.Play.Start")
                }
                #expect(enhanced == "NetStream.Play.Start")
            }
        }
    }
}
