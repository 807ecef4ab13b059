import Foundation
import Gateway
import Testing

/// A client of Low-Latency HLS (RFC 8216bis 6.2.5): it asks for each part before it is there.
@Suite(.timeLimit(.minutes(2)), .enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed"))
struct LowLatencyTests {
    @Test("Blocking reloads and preload hints bring every part once, and the parts are the segments")
    func followsTheLiveEdge() async throws {
        let clip = MatrixClip(video: .h264, audio: .aac)
        let made = try await clip.made()
        let ffmpeg = try #require(clip.tool)
        try await Turnstile.realTime.pass {
            try await Site.run {
                $0.hls.fragmentDurationMs = 1000
            } _: { site in
                let publisher = try ffmpeg.publishing(made.path, to: "rtmp://127.0.0.1:\(site.rtmp)/live/m")
                try await wait(for: "the publisher") { try await site.api.streams() == ["m"] }
                var text = try await Fetched.get("/hls/m/ll.m3u8", port: site.http).text
                #expect(text.contains("CAN-BLOCK-RELOAD=YES"))
                var parts: [String: [UInt8]] = [:]
                for _ in 0..<12 {
                    let hint = try #require(
                        text.firstMatch(of: /PRELOAD-HINT:TYPE=PART,URI="([^"]+-(\d+)-(\d+)\.m4s)"/)
                    )
                    // Held until the whole part is there.
                    let part = try await Fetched.get("/hls/m/\(hint.1)", port: site.http)
                    #expect(part.status == 200 && part.body.count > 8, "\(hint.1): \(part.text)")
                    #expect(parts.updateValue(part.body, forKey: String(hint.1)) == nil)
                    let query = "_HLS_msn=\(hint.2)&_HLS_part=\(hint.3)"
                    text = try await Fetched.get("/hls/m/ll.m3u8?\(query)", port: site.http).text
                    #expect(text.contains(hint.1), "\(text)")
                }
                let uri = try #require(text.matches(of: /\n([^#\n]+-(\d+)\.m4s)\n/).last)
                let segment = try await Fetched.get("/hls/m/\(uri.1)", port: site.http)
                let own = parts.keys.filter { $0.contains("-\(uri.2)-") }
                let joined = own.sorted { $0.count == $1.count ? $0 < $1 : $0.count < $1.count }.flatMap {
                    parts[$0] ?? []
                }
                // Twelve parts hold all of the newest whole segment.
                let listed = text.matches(of: /#EXT-X-PART:[^\n]*URI="[^"]+-(\d+)-\d+\.m4s"/).count { $0.1 == uri.2 }
                #expect(own.count == listed && listed > 1, "\(own.count) of \(listed)")
                #expect(segment.body == joined)
                #expect(segment.header("cache-control") == "max-age=3600")
                // Too far ahead.
                #expect(try await Fetched.get("/hls/m/ll.m3u8?_HLS_msn=1000", port: site.http).status == 400)
                publisher.kill(SIGKILL)
            }
        }
    }
}
