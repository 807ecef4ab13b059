import Foundation
import Gateway
import Testing

/// Relays with nginx-rtmp on either side, in both directions, and with either side killed in the middle.
@Suite(
    .timeLimit(.minutes(3)),
    .enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed"),
    .enabled(if: Nginx.isInstalled, "nginx-rtmp (libnginx-mod-rtmp) is not installed")
)
struct NginxRelayTests {
    private static let clip = MatrixClip(video: .h264B, audio: .aac)

    @Test("gbgate pushes to nginx-rtmp, which is killed and comes back")
    func pushesToNginx() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        let port = try await freePort()
        let nginx = try await Nginx(port: port)
        try await Site.run {
            $0.relayPush.enable = true
            $0.relayPush.addrList = ["127.0.0.1:\(port)"]
            $0.relay.retryMinMs = 100
            $0.relay.retryMaxMs = 500
        } _: { site in
            let publisher = try ffmpeg.publishing(made.path, to: "rtmp://127.0.0.1:\(site.rtmp)/live/m")
            try await Self.expectPictures(at: "rtmp://127.0.0.1:\(port)/live/m", of: made)
            try await nginx.kill()
            try await wait(for: "the loss in stat") { try await site.relay()["state"] as? String != "running" }
            #expect(try await (site.relay()["last_error"] as? String)?.isEmpty == false)
            let again = try await Nginx(port: port)
            try await wait(for: "the push again") { try await site.relay()["state"] as? String == "running" }
            try await Self.expectPictures(at: "rtmp://127.0.0.1:\(port)/live/m", of: made)
            publisher.kill(SIGKILL)
            try await again.kill()
        }
    }

    @Test("gbgate pulls from nginx-rtmp while somebody watches; nginx is killed and comes back")
    func pullsFromNginx() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        let port = try await freePort()
        let nginx = try await Nginx(port: port)
        let url = "rtmp://127.0.0.1:\(port)/live/m"
        try await Site.run {
            $0.staticRelayPull.enable = true
            $0.staticRelayPull.addr = "127.0.0.1:\(port)"
            $0.relay.retryMinMs = 100
            $0.relay.retryMaxMs = 500
            $0.relay.pullIdleMs = 0
        } _: { site in
            let first = try ffmpeg.publishing(made.path, to: url)
            let watcher = Watcher("m", port: site.http)
            try await watcher.pictures(40)
            try await nginx.kill()
            _ = try await first.exit(limit: .seconds(10))
            let again = try await Nginx(port: port)
            let second = try ffmpeg.publishing(made.path, to: url)
            try await watcher.pictures(40)
            #expect(watcher.seen.faults == [])
            try await Self.expectPictures(at: "rtmp://127.0.0.1:\(site.rtmp)/live/m", of: made)
            watcher.leave()
            try await wait(for: "the end of the pull") { try await site.api.streams().isEmpty }
            second.kill(SIGKILL)
            try await again.kill()
        }
    }

    @Test("nginx-rtmp pushes to gbgate, and is killed and comes back")
    func receivesFromNginx() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        let port = try await freePort()
        try await Site.run { site in
            let push = "push rtmp://127.0.0.1:\(site.rtmp)/live;"
            let nginx = try await Nginx(port: port, push)
            let url = "rtmp://127.0.0.1:\(port)/live/m"
            let first = try ffmpeg.publishing(made.path, to: url)
            let watcher = Watcher("m", port: site.http)
            try await watcher.pictures(40)
            try await nginx.kill()
            _ = try await first.exit(limit: .seconds(10))
            let again = try await Nginx(port: port, push)
            let second = try ffmpeg.publishing(made.path, to: url)
            try await watcher.pictures(40)
            #expect(watcher.seen.faults == [])
            try await Self.expectPictures(at: "rtmp://127.0.0.1:\(site.rtmp)/live/m", of: made)
            watcher.leave()
            second.kill(SIGKILL)
            try await again.kill()
        }
    }

    @Test("nginx-rtmp pulls from gbgate")
    func servesNginx() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        let port = try await freePort()
        try await Site.run { site in
            let publisher = try ffmpeg.publishing(made.path, to: "rtmp://127.0.0.1:\(site.rtmp)/live/m")
            try await wait(for: "the publisher") { try await site.input(of: "m") != nil }
            let nginx = try await Nginx(port: port, "pull rtmp://127.0.0.1:\(site.rtmp)/live/m name=m live=1;")
            try await Self.expectPictures(at: "rtmp://127.0.0.1:\(port)/live/m", of: made)
            publisher.kill(SIGKILL)
            try await nginx.kill()
        }
    }

    @Test(
        "gbgate is killed and comes back: nginx-rtmp pushes to it again",
        .enabled(if: Product.path != nil, "the gbgate binary is not built")
    )
    func comesBackToNginx() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        let folder = try TemporaryFolder()
        let ports = [try await freePort(), try await freePort()]
        let settings = ["GBGATE_RTMP_ADDR": "127.0.0.1:\(ports[0])"]
        let product = try await Product.serve(folder: folder.path, settings)
        let nginx = try await Nginx(port: ports[1], "push rtmp://127.0.0.1:\(ports[0])/live;")
        let publisher = try ffmpeg.publishing(made.path, to: "rtmp://127.0.0.1:\(ports[1])/live/m")
        let first = Watcher("m", port: product.http)
        try await first.pictures(40)
        product.program.kill(SIGKILL)
        _ = try await product.program.exit(limit: .seconds(5))
        let again = try await Product.serve(folder: folder.path, settings)
        let second = Watcher("m", port: again.http)
        try await second.pictures(40)
        #expect(second.seen.faults == [])
        second.leave()
        publisher.kill(SIGKILL)
        try await nginx.kill()
        again.program.kill(SIGTERM)
        #expect(try await again.program.exit(limit: .seconds(10)) == 0)
    }

    /// Whether thirty pictures of a live stream are pictures of the clip in its order, which goes round and round.
    private static func expectPictures(at url: String, of made: MatrixClip.Made) async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let clip = made.recording.pictures.map(\.hash)
        let output = try await ffmpeg.run(
            ["-i", url, "-frames:v", "30", "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-"]
        )
        let seen = output.pictures
        #expect(seen.count == 30, "\(url): \(output.errors)")
        guard let first = seen.first else { return }
        let start = try #require(clip.firstIndex(of: first))
        #expect(seen.indices.allSatisfy { seen[$0] == clip[(start + $0) % clip.count] })
    }
}

extension Site {
    /// The only relay there is; empty while there is none.
    fileprivate func relay() async throws -> [String: Any] {
        (try await api.get("/api/stat/relays").data["relays"] as? [[String: Any]])?.first ?? [:]
    }
}
