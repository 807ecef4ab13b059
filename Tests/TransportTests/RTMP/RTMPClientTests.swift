import Foundation
import Hub
import NIOCore
import NIOPosix
import Programs
import Testing
import Transport

/// FFmpeg, which publishes and plays as users' programs do.
private enum FFmpeg {
    static let path = "/usr/bin/ffmpeg"
    static var exists: Bool { FileManager.default.isExecutableFile(atPath: path) }

    /// Standard output once the program has ended.
    static func run(_ arguments: [String]) async throws -> String {
        let program = try Program(path, ["-nostdin", "-v", "error", "-y"] + arguments)
        _ = try await program.exit(limit: .seconds(60))
        return program.output
    }

    /// One line a packet: stream, times, size and sum of its bytes.
    static func packets(of input: String) async throws -> [Substring] {
        try await run(["-i", input, "-c", "copy", "-f", "framemd5", "-"]).split(separator: "\n").filter {
            !$0.hasPrefix("#")
        }
    }
}

@Suite("RTMP with FFmpeg", .timeLimit(.minutes(1)), .enabled(if: FFmpeg.exists))
struct RTMPClientTests {
    @Test(
        "what FFmpeg publishes, FFmpeg plays: every packet, byte and time",
        arguments: [
            ("B-frames and AAC", ["-c:v", "libx264", "-bf", "3", "-c:a", "aac"]),
            ("baseline and A-law", ["-c:v", "libx264", "-profile:v", "baseline", "-c:a", "pcm_alaw", "-ar", "8000"]),
            ("mu-law, several slices", ["-c:v", "libx264", "-slices", "4", "-c:a", "pcm_mulaw", "-ar", "8000"]),
            ("no sound", ["-c:v", "libx264", "-an"]),
            ("sound alone", ["-vn", "-c:a", "aac"]),
        ]
    )
    func carriesExactly(_: String, encoding: [String]) async throws {
        let source = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString + ".flv")
        defer { try? FileManager.default.removeItem(at: source) }
        _ = try await FFmpeg.run(
            ["-f", "lavfi", "-i", "testsrc=s=640x360:r=25:d=3", "-f", "lavfi", "-i", "sine=d=3", "-ac", "1"]
                + ["-pix_fmt", "yuv420p", "-g", "25"] + encoding + [source.path]
        )
        let expected = try await FFmpeg.packets(of: source.path)
        #expect(expected.count > 50)

        let (events, continuation) = AsyncStream<HubEvent>.makeStream()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let hub = Hub(group: group) { continuation.yield($0) }
        let server = try await RTMPServer.start(hub: hub, group: group, host: "127.0.0.1", port: 0)
        let url = "rtmp://127.0.0.1:\(server.port)/live/camera1"

        async let played = FFmpeg.packets(of: url)
        for await event in events {
            if event.kind == .viewerStarted {
                // At a camera's speed: of several groups of pictures that come at once a viewer gets the newest.
                _ = try await FFmpeg.run(["-re", "-i", source.path, "-c", "copy", "-f", "flv", url])
            }
            if event.kind == .publisherStopped { break }
        }
        // The player would wait for the next publisher: it is ended when it has taken everything.
        while let viewer = await hub.snapshot(of: "camera1")?.viewers.first, !viewer.isWaiting || viewer.lagBytes > 0 {
            await Task.yield()
        }
        if let viewer = await hub.snapshot(of: "camera1")?.viewers.first {
            #expect(viewer.skips == 0)
            _ = await hub.kick(session: viewer.info.id, of: "camera1")
        }
        let packets = try await played
        if encoding.contains("-vn") {
            // Without a picture a viewer starts at most a second back, once it is clear that none will come.
            let sums = expected.map { $0.suffix(32) }
            #expect(packets.map { $0.suffix(32) } == sums.suffix(packets.count))
            #expect(packets.count > 20)
        } else {
            #expect(packets == expected)
        }
        try await server.close()
        try await group.shutdownGracefully()
    }
}
