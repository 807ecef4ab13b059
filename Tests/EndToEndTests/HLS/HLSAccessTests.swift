import Foundation
import Gateway
import Testing

/// Who may watch, and how viewers are told apart: lal's rules.
@Suite(.timeLimit(.minutes(2)), .enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed"))
struct HLSAccessTests {
    private static let clip = MatrixClip(video: .h264, audio: .aac)

    private static func run(
        _ change: @escaping (inout GatewayConfiguration) -> Void,
        _ body: @escaping @Sendable (Site) async throws -> Void
    ) async throws {
        let made = try await clip.made()
        let ffmpeg = try #require(clip.tool)
        try await Site.run {
            $0.hls.fragmentDurationMs = 500
            change(&$0)
        } _: { site in
            let publisher = try ffmpeg.publishing(made.path, to: "rtmp://127.0.0.1:\(site.rtmp)/live/m")
            try await wait(for: "the publisher") { try await site.api.streams() == ["m"] }
            try await body(site)
            publisher.kill(SIGKILL)
        }
    }

    @Test("sub_session_hash_key: a viewer is sent to a session, its media carries it, an unknown one is 404")
    func givesSessions() async throws {
        try await Self.run {
            $0.hls.subSessionHashKey = Secret("hk")
        } _: { site in
            let first = try await Fetched.get("/hls/m.m3u8?a=1", port: site.http)
            #expect(first.status == 302)
            let location = try #require(first.header("location"))
            // md5("HLSSUB1" + "hk"), as lal makes it.
            #expect(location == "/hls/m.m3u8?a=1&session_id=4d6a8482e788b7aa7e4c9803dfa5b337")
            let playlist = try await Fetched.get(location, port: site.http)
            #expect(playlist.status == 200)
            let segment = try #require(playlist.text.split(separator: "\n").last { $0.contains(".ts?") })
            #expect(segment.contains("session_id=") && segment.contains("a=1"))
            #expect(try await Fetched.get("/hls/m/\(segment)", port: site.http).status == 200)
            #expect(
                try await Fetched.get("/hls/m.m3u8?session_id=0f7608512f020d79624a3d2c1984f449", port: site.http).status
                    == 404
            )
            // Without a session media is still served.
            let plain = segment.prefix { $0 != "?" }
            #expect(try await Fetched.get("/hls/m/\(plain)", port: site.http).status == 200)
            #expect(try await site.viewers(of: "m") == ["HLSSUB1"])
            #expect(try await site.api.kick("m", "HLSSUB1").code == 0)
            #expect(try await Fetched.get(location, port: site.http).status == 404)
        }
    }

    @Test("hls_m3u8_enable: playlists ask for lal_secret, which their media carries on")
    func asksForTheSecret() async throws {
        try await Self.run {
            $0.simpleAuth.key = Secret("q191201771")
            $0.simpleAuth.dangerousLalSecret = Secret("open")
            $0.simpleAuth.hlsM3u8Enable = true
            $0.simpleAuth.subHttptsEnable = true
        } _: { site in
            for path in ["/hls/m.m3u8", "/hls/m/ll.m3u8", "/hls/m/index.m3u8", "/hls/m.m3u8?lal_secret=no"] {
                #expect(try await Fetched.get(path, port: site.http).status == 401, "\(path)")
            }
            let playlist = try await Fetched.get("/hls/m.m3u8?lal_secret=open", port: site.http)
            #expect(playlist.status == 200 && playlist.text.contains(".ts?lal_secret=open\n"))
            // fMP4 is no way round.
            for path in ["/live/m.ts", "/live/m.mp4"] {
                #expect(try await Fetched.get(path, port: site.http).status == 401, "\(path)")
            }
        }
    }

    @Test("A viewer of HLS fetches a stream that a rule pulls on demand")
    func startsPulls() async throws {
        try await Self.run { _ in
        } _: { origin in
            try await Site.run {
                var rule = RelayPullRule()
                rule.streamName = "*"
                rule.onDemand = true
                rule.url = RelayTemplate("rtmp://127.0.0.1:\(origin.rtmp)/live/{stream}")
                $0.relay.pulls = [rule]
                $0.hls.fragmentDurationMs = 500
            } _: { edge in
                let playlist = try await Fetched.get("/hls/m.m3u8", port: edge.http)
                #expect(playlist.status == 200 && playlist.text.contains(".ts"), "\(playlist.head) \(playlist.text)")
            }
        }
    }
}
