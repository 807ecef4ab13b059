import Foundation
import Gateway
import Testing

/// One side of a relay dies in the middle: when it is there again, so is the picture, and nobody had to do anything.
@Suite(
    .timeLimit(.minutes(3)),
    .enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed"),
    .enabled(if: Product.path != nil, "the gbgate binary is not built")
)
struct RelayRecoveryTests {
    private static let clip = MatrixClip(video: .h264, audio: .aac)

    /// A server that can be killed and started again on its port.
    private static func serve(
        _ folder: TemporaryFolder,
        rtmp: Int,
        _ more: [String: String] = [:]
    ) async throws -> Product {
        var settings = ["GBGATE_RTMP_ADDR": "127.0.0.1:\(rtmp)", "GBGATE_RELAY_RETRY_MIN_MS": "100"]
        settings["GBGATE_RELAY_RETRY_MAX_MS"] = "500"
        settings.merge(more) { _, new in new }
        return try await Product.serve(folder: folder.path, settings)
    }

    @Test("The origin of a pull is killed and comes back: the viewer at the edge sees one stream")
    func recoversAPull() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        let folders = [try TemporaryFolder(), try TemporaryFolder()]
        let port = try await freePort()
        let origin = try await Self.serve(folders[0], rtmp: port)
        let edge = try await Self.serve(
            folders[1],
            rtmp: 0,
            ["GBGATE_STATIC_RELAY_PULL_ENABLE": "true", "GBGATE_STATIC_RELAY_PULL_ADDR": "127.0.0.1:\(port)"]
        )
        let url = "rtmp://127.0.0.1:\(port)/live/m"
        let first = try ffmpeg.publishing(made.path, to: url)
        let watcher = Watcher("m", port: edge.http)
        try await watcher.pictures(40)
        origin.program.kill(SIGKILL)
        _ = try await origin.program.exit(limit: .seconds(5))
        _ = try await first.exit(limit: .seconds(10))

        let again = try await Self.serve(folders[0], rtmp: port)
        let second = try ffmpeg.publishing(made.path, to: url)
        try await watcher.pictures(40)
        #expect(watcher.seen.faults == [])
        #expect(!watcher.seen.isOver)
        // Nobody watches: nobody pulls.
        watcher.leave()
        try await wait(for: "the end of the pull", limit: .seconds(20)) {
            let group = try await again.api.group("m")
            return (group.data["subs"] as? [Any] ?? []).isEmpty
        }
        second.kill(SIGKILL)
        for product in [again, edge] {
            product.program.kill(SIGTERM)
            #expect(try await product.program.exit(limit: .seconds(10)) == 0)
        }
    }

    @Test("The target of a push is killed and comes back: the push goes on by itself")
    func recoversAPush() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        let folders = [try TemporaryFolder(), try TemporaryFolder()]
        let port = try await freePort()
        let edge = try await Self.serve(folders[0], rtmp: port)
        let origin = try await Self.serve(
            folders[1],
            rtmp: 0,
            ["GBGATE_RELAY_PUSH_ENABLE": "true", "GBGATE_RELAY_PUSH_ADDR_LIST": "127.0.0.1:\(port)"]
        )
        let publisher = try ffmpeg.publishing(made.path, to: "rtmp://127.0.0.1:\(origin.rtmp)/live/m")
        let first = Watcher("m", port: edge.http)
        try await first.pictures(40)
        edge.program.kill(SIGKILL)
        _ = try await edge.program.exit(limit: .seconds(5))
        try await wait(for: "the end of the viewer") { first.seen.isOver }
        #expect(first.seen.faults == [])
        try await wait(for: "a failure in stat") {
            let relays = try await origin.api.get("/api/stat/relays").data["relays"] as? [[String: Any]] ?? []
            return relays.first.map { ($0["last_error"] as? String ?? "").isEmpty == false } ?? false
        }

        let again = try await Self.serve(folders[0], rtmp: port)
        let second = Watcher("m", port: again.http)
        try await second.pictures(40)
        #expect(second.seen.faults == [])
        #expect(publisher.isRunning)
        // A push ends with its publisher.
        publisher.kill(SIGKILL)
        try await wait(for: "the end of the push") {
            let pub = try await again.api.group("m").data["pub"] as? [String: Any]
            return (pub?["session_id"] as? String ?? "").isEmpty
        }
        for product in [again, origin] {
            product.program.kill(SIGTERM)
            #expect(try await product.program.exit(limit: .seconds(10)) == 0)
        }
    }
}
