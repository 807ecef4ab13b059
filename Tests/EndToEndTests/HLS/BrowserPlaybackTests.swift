import Foundation
import Gateway
import Testing

/// What a browser plays: HLS by its own player, fMP4 over WebSocket by Media Source Extensions.
@Suite(
    .timeLimit(.minutes(3)),
    .enabled(if: FFmpeg.installed != nil && Browser.installed != nil, "ffmpeg or chromium-headless-shell is missing")
)
struct BrowserPlaybackTests {
    /// Plays for three seconds from the first picture on and says what it saw.
    private static let judge = """
        function judge(video, more) {
          video.muted = false;
          video.addEventListener('error', () => report('error ' + video.error.code + ' ' + video.error.message));
          video.addEventListener('playing', () => {
            const from = video.currentTime, frames = video.getVideoPlaybackQuality().totalVideoFrames;
            setTimeout(() => {
              const canvas = document.createElement('canvas');
              canvas.width = 64; canvas.height = 36;
              const at = canvas.getContext('2d');
              at.drawImage(video, 0, 0, 64, 36);
              let light = 0;
              try { const d = at.getImageData(0, 0, 64, 36).data; for (let i = 0; i < d.length; i += 4) light += d[i]; } catch (e) { light = 128 * 2304; }
              const quality = video.getVideoPlaybackQuality();
              report(JSON.stringify({
                width: video.videoWidth, height: video.videoHeight, advanced: video.currentTime - from,
                frames: quality.totalVideoFrames - frames, dropped: quality.droppedVideoFrames, light: light / 2304,
                audio: video.webkitAudioDecodedByteCount || 0, more: more ? more() : ''
              }));
            }, 3000);
          }, { once: true });
          setTimeout(() => report('nothing played: readyState ' + video.readyState + ' ' + (more ? more() : '')), 25000);
        }
        """

    private struct Seen: Codable {
        var width = 0
        var height = 0
        var advanced = 0.0
        var frames = 0
        var dropped = 0
        var light = 0.0
        var audio = 0
        var more = ""
    }

    private static func watch(_ clip: MatrixClip, _ page: @escaping @Sendable (Site) -> String) async throws -> String {
        let made = try await clip.made()
        let ffmpeg = try #require(clip.tool)
        let result = AsyncStream<String>.makeStream()
        try await Turnstile.realTime.pass {
            try await Site.run {
                $0.hls.fragmentDurationMs = 1000
            } _: { site in
                let publisher = try ffmpeg.publishing(made.path, to: "rtmp://127.0.0.1:\(site.rtmp)/live/m")
                try await wait(for: "the publisher") { try await site.api.streams() == ["m"] }
                result.continuation.yield(try await Browser.run(page(site)))
                publisher.kill(SIGKILL)
            }
        }
        for await report in result.stream { return report }
        return ""
    }

    private static func expectPlayed(_ report: String, hasAudio: Bool) throws {
        let seen = try #require(try? JSONDecoder().decode(Seen.self, from: Data(report.utf8)), "\(report)")
        #expect(seen.width == 320 && seen.height == 240, "\(report)")
        #expect(seen.advanced > 1.5 && seen.frames > 35, "\(report)")
        #expect((20...235).contains(seen.light), "\(report)")
        #expect(seen.audio > 0 || !hasAudio, "\(report)")
    }

    @Test("Chromium's own HLS player", arguments: ["m.m3u8", "m/ll.m3u8"])
    func playsHLS(path: String) async throws {
        let report = try await Self.watch(MatrixClip(video: .h264, audio: .aac)) { site in
            """
            <video id=v autoplay playsinline crossorigin></video><script>\(Self.judge)
            // It gives up on a list of fewer than three segments.
            const url = 'http://127.0.0.1:\(site.http)/hls/\(path)';
            const v = document.getElementById('v');
            judge(v);
            (async () => {
              while (((await (await fetch(url)).text()).match(/#EXTINF/g) || []).length < 3)
                await new Promise(r => setTimeout(r, 300));
              v.src = url; v.play();
            })();
            </script>
            """
        }
        try Self.expectPlayed(report, hasAudio: true)
    }

    @Test(
        "fMP4 over WebSocket in Media Source Extensions",
        arguments: [
            MatrixClip(video: .h264, audio: .aac), MatrixClip(video: .h264, audio: .g711a),
            MatrixClip(video: .h264B, audio: .aac), MatrixClip(video: .h264, audio: nil),
        ]
    )
    func playsFragments(clip: MatrixClip) async throws {
        let report = try await Self.watch(clip) { site in
            """
            <video id=v autoplay playsinline></video><script>\(Self.judge)
            const v = document.getElementById('v'), source = new MediaSource();
            let buffer, queue = [], codecs = '', first = 0;
            judge(v, () => codecs + ' first ' + first);
            v.src = URL.createObjectURL(source);
            function append() { if (buffer && !buffer.updating && queue.length) buffer.appendBuffer(queue.shift()); }
            source.addEventListener('sourceopen', () => {
              const socket = new WebSocket('ws://127.0.0.1:\(site.http)/live/m.mp4');
              socket.binaryType = 'arraybuffer';
              socket.onmessage = message => {
                if (typeof message.data === 'string') {
                  codecs = JSON.parse(message.data).codecs;
                  const type = 'video/mp4; codecs="' + codecs + '"';
                  if (!MediaSource.isTypeSupported(type)) { report('not supported: ' + type); return; }
                  if (buffer) { buffer.changeType(type); return; }
                  buffer = source.addSourceBuffer(type);
                  buffer.addEventListener('updateend', () => {
                    const b = v.buffered;
                    if (b.length && v.currentTime < b.start(0)) v.currentTime = b.start(0);
                    append();
                  });
                } else {
                  first = first || message.data.byteLength;
                  queue.push(message.data); append();
                }
              };
              socket.onclose = () => report('closed');
            }, { once: true });
            </script>
            """
        }
        try Self.expectPlayed(report, hasAudio: clip.audio != nil)
    }
}
