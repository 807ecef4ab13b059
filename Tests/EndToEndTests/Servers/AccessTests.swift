import Foundation
import Gateway
import Testing

/// Who may publish and play, and what the programs that people use print when they may not.
@Suite(
    .timeLimit(.minutes(1)),
    .enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed")
)
struct AccessTests {
    private static let clip = MatrixClip(video: .h264, audio: .aac)
    /// md5("q191201771" + "test110"), as lal computes it.
    private static let secret = "700997e1595a06c9ffa60ebef79105b0"

    private static let guarded: @Sendable (inout GatewayConfiguration) -> Void = {
        $0.simpleAuth.key = Secret("q191201771")
        $0.simpleAuth.dangerousLalSecret = Secret("Pengrl")
        $0.simpleAuth.pubRtmpEnable = true
        $0.simpleAuth.subRtmpEnable = true
        $0.simpleAuth.subHttpflvEnable = true
    }

    @Test("simple_auth: the md5 of key and stream, or the master secret, lets in; else ffmpeg is told why it may not")
    func checksSecrets() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        try await Site.run(Self.guarded) { site in
            let rtmp = "rtmp://127.0.0.1:\(site.rtmp)/live/test110"
            let http = "http://127.0.0.1:\(site.http)/live/test110.flv"
            for query in ["", "?lal_secret=wrong", "?lal_secret="] {
                let publisher = try ffmpeg.publishing(made.path, to: rtmp + query, loops: false)
                #expect(try await publisher.exit(limit: .seconds(20)) != 0)
                #expect(publisher.errors.contains("Server error: "), "\(publisher.errors)")
                #expect(publisher.errors.contains("lal_secret"), "\(publisher.errors)")
                let player = try await ffmpeg.run(["-i", rtmp + query, "-f", "null", "-"])
                #expect(player.status != 0 && player.errors.contains("lal_secret"), "\(player.errors)")
                let overHTTP = try await ffmpeg.run(["-i", http + query, "-f", "null", "-"])
                #expect(overHTTP.status != 0 && overHTTP.errors.contains("401"), "\(overHTTP.errors)")
            }
            let publisher = try ffmpeg.publishing(made.path, to: rtmp + "?lal_secret=\(Self.secret)")
            try await wait(for: "the publisher") { try await site.input(of: "test110") != nil }
            for url in [
                rtmp + "?lal_secret=\(Self.secret.uppercased())", rtmp + "?a=b&lal_secret=pengrl",
                http + "?lal_secret=Pengrl",
            ] {
                let output = try await ffmpeg.pictures(["-i", url], seconds: 0.5)
                #expect(output.pictures.count >= 10, "\(url): \(output.errors)")
            }
            let group = try await site.api.group("test110").text
            for secret in [Self.secret, "pengrl", "Pengrl"] {
                #expect(!group.contains(secret), "\(group)")
                #expect(!site.log.lines.contains { $0.contains(secret) })
            }
            publisher.kill(SIGKILL)
        }
    }

    @Test("A second publisher is told NetStream.Publish.BadName, and the first goes on")
    func refusesASecondPublisher() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        try await Site.run { site in
            let url = "rtmp://127.0.0.1:\(site.rtmp)/live/m"
            let first = try ffmpeg.publishing(made.path, to: url)
            let watcher = Watcher("m", port: site.http)
            try await watcher.pictures(10)
            let second = try ffmpeg.publishing(made.path, to: url)
            #expect(try await second.exit(limit: .seconds(20)) != 0)
            #expect(second.errors.contains("Server error: "), "\(second.errors)")
            let peer = try await RTMPPeer.with(port: site.rtmp) { peer in
                try await peer.ask("publish", "m", until: "NetStream.Publish.Start")
            }
            #expect(peer == "NetStream.Publish.BadName")
            try await watcher.pictures(20)
            #expect(first.isRunning)
            #expect(watcher.seen.faults == [])
            watcher.leave()
            first.kill(SIGKILL)
        }
    }

    @Test("unknown_stream refuse: NetStream.Play.StreamNotFound over RTMP, 404 over HTTP and WebSocket")
    func refusesUnknownStreams() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        try await Site.run {
            $0.rtmp.unknownStream = .refuse
            $0.httpflv.unknownStream = .refuse
        } _: { site in
            let code = try await RTMPPeer.with(port: site.rtmp) { peer in
                try await peer.ask("play", "nobody", until: "NetStream.Play.Start")
            }
            #expect(code == "NetStream.Play.StreamNotFound")
            let rtmp = try await ffmpeg.run(["-i", "rtmp://127.0.0.1:\(site.rtmp)/live/nobody", "-f", "null", "-"])
            #expect(rtmp.status != 0 && rtmp.errors.contains("nobody"), "\(rtmp.errors)")
            let http = try await ffmpeg.run(["-i", "http://127.0.0.1:\(site.http)/live/nobody.flv", "-f", "null", "-"])
            #expect(http.status != 0 && http.errors.contains("404"), "\(http.errors)")
            let socket = try await WebSocketStream.get("/live/nobody.flv", port: site.http)
            #expect(socket.stream.head.hasPrefix("HTTP/1.1 404 "), "\(socket.stream.head)")
            await socket.stream.connection.close()
            #expect(try await site.api.streams() == [])
        }
    }

    @Test(
        "AV1 has one form: a player that cannot take it is told so, before the publisher comes or after",
        .enabled(if: FFmpeg.recent != nil, "there is no ffmpeg from 6.1 on: scripts/setup.sh test")
    )
    func refusesWhatAPlayerCannotTake() async throws {
        let recent = try #require(FFmpeg.recent)
        let made = try await MatrixClip(video: .av1, audio: .opus).made()
        try await Site.run { site in
            var early = try await WebSocketStream.get("/live/m.flv", port: site.http)
            let publisher = try recent.publishing(made.path, to: "rtmp://127.0.0.1:\(site.rtmp)/live/m")
            #expect(early.isAccepted)
            while try await early.next() != nil {}
            let reason = early.close.map { String(buffer: $0) } ?? ""
            #expect(reason.contains("AV1"), "\(reason)")

            let late = try await HTTPStream.get("/live/m.flv", port: site.http)
            #expect(late.head.hasPrefix("HTTP/1.1 415 "), "\(late.head)")
            await late.connection.close()
            let code = try await RTMPPeer.with(port: site.rtmp) { peer in
                try await peer.ask("play", "m", until: "NetStream.Play.Start")
            }
            #expect(code == "NetStream.Play.Failed")

            let able = try recent.reading("http://127.0.0.1:\(site.http)/live/m.flv", hasVideo: true)
            try await wait(for: "a viewer") { try await site.viewers(of: "m").count == 1 }
            able.program.kill(SIGKILL)
            publisher.kill(SIGKILL)
        }
    }
}
