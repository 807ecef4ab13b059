import Foundation
import Testing

/// player.js as another site's page embeds it, against a running gateway.
@Suite(
    .timeLimit(.minutes(3)),
    .enabled(if: FFmpeg.installed != nil && Browser.installed != nil, "ffmpeg or chromium-headless-shell is missing")
)
struct PlayerTests {
    private struct Seen: Codable {
        var state = ""
        var codecs = ""
        var width = 0
        var height = 0
        var advanced = 0.0
        var frames = 0
        var audio = 0
        var first = 0.0
    }

    /// Loads the player from the API's port, plays three seconds, and reports.
    private static func page(_ site: Site, stream: String) -> String {
        """
        <div id=cam style="width:320px;height:240px"></div>
        <script type=module>
        const nothing = setTimeout(() => report('nothing played'), 20000);
        try {
          const { Player } = await import('http://127.0.0.1:\(site.api.port)/player.js');
          const player = new Player(document.getElementById('cam'), 'ws://127.0.0.1:\(site.http)/live/\(stream).mp4', { muted: false });
          const video = document.querySelector('video');
          video.addEventListener('playing', () => {
            const from = video.currentTime, frames = video.getVideoPlaybackQuality().totalVideoFrames;
            setTimeout(() => {
              clearTimeout(nothing);
              const seen = player.statistics;
              report(JSON.stringify({
                state: seen.state, codecs: seen.codecs, width: video.videoWidth, height: video.videoHeight,
                advanced: video.currentTime - from, frames: video.getVideoPlaybackQuality().totalVideoFrames - frames,
                audio: video.webkitAudioDecodedByteCount || 0, first: seen.firstPictureMs || 0,
              }));
            }, 3000);
          }, { once: true });
          player.addEventListener('state', event => {
            if (event.detail.state === 'unsupported') { clearTimeout(nothing); report('unsupported ' + event.detail.text); }
          });
        } catch (error) { report('error ' + error); }
        </script>
        """
    }

    private static func watch(_ clip: MatrixClip, publish: Bool = true) async throws -> String {
        let made = try await clip.made()
        let ffmpeg = try #require(clip.tool)
        let result = AsyncStream<String>.makeStream()
        try await Turnstile.realTime.pass {
            try await Site.run { site in
                let publisher = try ffmpeg.publishing(made.path, to: "rtmp://127.0.0.1:\(site.rtmp)/live/m")
                try await wait(for: "the publisher") { try await site.api.streams() == ["m"] }
                result.continuation.yield(try await Browser.run(page(site, stream: publish ? "m" : "absent")))
                publisher.kill(SIGKILL)
            }
        }
        for await report in result.stream { return report }
        return ""
    }

    @Test("The demo's kind of stream plays, with AAC and with G.711", arguments: [MatrixClip.Audio.aac, .g711a])
    func plays(audio: MatrixClip.Audio) async throws {
        let report = try await Self.watch(MatrixClip(video: .h264, audio: audio))
        let seen = try #require(try? JSONDecoder().decode(Seen.self, from: Data(report.utf8)), "\(report)")
        #expect(seen.state == "playing" && seen.width == 320 && seen.height == 240, "\(report)")
        #expect(seen.advanced > 1.5 && seen.frames > 35, "\(report)")
        #expect(seen.audio > 0, "\(report)")
        #expect(seen.codecs.contains("avc1."), "\(report)")
    }

    @Test("A stream that is not there is not said to play")
    func saysThatNothingPlays() async throws {
        #expect(try await Self.watch(MatrixClip(video: .h264, audio: nil), publish: false) == "nothing played")
    }
}
