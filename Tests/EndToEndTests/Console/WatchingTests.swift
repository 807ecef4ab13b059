import Foundation
import Gateway
import Programs
import Testing

/// The player in the long run: what interrupts it, how late it is, and whether its judge would notice.
@Suite(
    .timeLimit(.minutes(3)),
    .enabled(if: FFmpeg.installed != nil && Browser.installed != nil, "ffmpeg or chromium-headless-shell is missing")
)
struct WatchingTests {
    /// A browser beside a gateway, on a page of the console's origin.
    private static func run(
        _ body: @escaping @Sendable (Site, FFmpeg, DrivenBrowser) async throws -> Void
    ) async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        try await Turnstile.realTime.pass {
            try await Site.run { site in
                try await DrivenBrowser.run { browser in
                    try await browser.open("http://127.0.0.1:\(site.api.port)/#server")
                    try await body(site, ffmpeg, browser)
                }
            }
        }
    }

    private static func url(_ site: Site) -> String { "ws://127.0.0.1:\(site.http)/live/m.mp4" }

    /// Publishes what lavfi makes, in real time.
    static func publish(
        _ ffmpeg: FFmpeg,
        _ site: Site,
        picture: String,
        sound: String? = nil
    ) async throws -> Program {
        var inputs = ["-re", "-f", "lavfi", "-i", picture]
        var codecs = [
            "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "25",
        ]
        if let sound {
            inputs += ["-re", "-f", "lavfi", "-i", sound]
            codecs += ["-c:a", "pcm_alaw", "-ar", "8000", "-ac", "1"]
        }
        let program = try Program(
            ffmpeg.path,
            ["-v", "warning", "-nostdin"] + inputs + codecs + ["-f", "flv", "rtmp://127.0.0.1:\(site.rtmp)/live/m"]
        )
        try await wait(for: "the publisher") { try await isPublished(site) }
        return program
    }

    /// A viewer that waits keeps the stream's group, so it is the publisher that is asked for.
    private static func isPublished(_ site: Site) async throws -> Bool {
        let publisher = try await site.api.group("m").data["pub"] as? [String: Any]
        return publisher?["session_id"] as? String ?? "" != ""
    }

    static let moving = "testsrc2=size=640x360:rate=25"
    private static let playing = "player.statistics.state === 'playing'"

    @Test("A stream that is cut comes back by itself") func comesBack() async throws {
        try await Self.run { site, ffmpeg, browser in
            let first = try await Self.publish(ffmpeg, site, picture: Self.moving)
            try await browser.play(Self.url(site))
            try await browser.wait(until: Self.playing)
            first.kill(SIGKILL)
            try await browser.wait(until: "!(\(Self.playing))", limit: .seconds(30))
            try await wait(for: "the end of the first", limit: .seconds(30)) { try await !Self.isPublished(site) }
            let second = try await Self.publish(ffmpeg, site, picture: Self.moving)
            try await browser.wait(until: Self.playing, limit: .seconds(30))
            let watched = try await browser.watch("#stage")
            #expect(watched.count == 1 && watched.allSatisfy { $0.faults.isEmpty }, "\(watched)")
            second.kill(SIGKILL)
            #expect(browser.complaints.isEmpty, "\(browser.complaints)")
        }
    }

    @Test("The judge notices a pause, a publisher that has stopped, and black") func theJudgeNotices() async throws {
        try await Self.run { site, ffmpeg, browser in
            let publisher = try await Self.publish(ffmpeg, site, picture: Self.moving)
            try await browser.play(Self.url(site))
            try await browser.wait(until: Self.playing)
            #expect(try await browser.watch("#stage").first?.faults == [])
            try await browser.run("player.pause()")
            #expect(try await browser.watch("#stage").first?.faults.contains("paused") == true)
            try await browser.run("player.play()")
            try await browser.wait(until: Self.playing)
            publisher.kill(SIGSTOP)
            try await browser.wait(until: "!(\(Self.playing))", limit: .seconds(30))
            #expect(try await browser.watch("#stage").first?.faults.contains("the picture stands still") == true)
            publisher.kill(SIGKILL)
            try await wait(for: "the end of the first", limit: .seconds(30)) { try await !Self.isPublished(site) }

            let black = try await Self.publish(ffmpeg, site, picture: "color=black:size=640x360:rate=25")
            try await browser.wait(until: Self.playing, limit: .seconds(30))
            let watched = try await browser.watch("#stage").first?.faults ?? []
            #expect(watched.contains { $0.hasPrefix("light") } && watched.contains("the picture stands still"))
            #expect(!watched.contains("paused"), "\(watched)")
            black.kill(SIGKILL)
        }
    }

    private struct Offsets: Decodable {
        var flashes: Int
        var beeps: Int
        /// Of each beep from its flash, in milliseconds; the middle one.
        var middle: Double
    }

    @Test("G.711 is heard, and within 100 ms of the picture") func soundFitsThePicture() async throws {
        try await Self.run { site, ffmpeg, browser in
            let publisher = try await Self.publish(
                ffmpeg,
                site,
                picture: "color=black:size=320x240:rate=25,drawbox=color=white:t=fill:enable='lt(mod(t,1),0.2)'",
                sound: "aevalsrc='if(lt(mod(t,1),0.2),0.5*sin(2*PI*440*t),0)':s=8000"
            )
            try await browser.play(Self.url(site), options: "{ muted: false }")
            try await browser.wait(until: Self.playing)
            let measured: Offsets = try await browser.evaluate(
                """
                (async () => {
                  const video = document.querySelector('#stage video'), context = new AudioContext();
                  video.muted = false;
                  await context.resume();
                  const ear = context.createScriptProcessor(256, 1, 1), flashes = [], beeps = [];
                  let silent = 0, bright = true;
                  context.createMediaElementSource(video).connect(ear).connect(context.destination);
                  ear.onaudioprocess = event => {
                    const loud = event.inputBuffer.getChannelData(0).some(value => Math.abs(value) > 0.1);
                    if (loud && silent > 40) beeps.push(performance.now());
                    silent = loud ? 0 : silent + 1;
                  };
                  const canvas = document.createElement('canvas');
                  canvas.width = canvas.height = 1;
                  const pen = canvas.getContext('2d', { willReadFrequently: true });
                  const look = (now, frame) => {
                    pen.drawImage(video, 0, 0, 1, 1);
                    const is = pen.getImageData(0, 0, 1, 1).data[1] > 128;
                    if (is && !bright) flashes.push(frame.expectedDisplayTime);
                    bright = is;
                    video.requestVideoFrameCallback(look);
                  };
                  video.requestVideoFrameCallback(look);
                  await new Promise(done => setTimeout(done, 8000));
                  const offsets = flashes.map(flash => beeps.map(beep => beep - flash).sort((a, b) => Math.abs(a) - Math.abs(b))[0])
                    .filter(offset => Math.abs(offset) < 500).sort((a, b) => a - b);
                  return { flashes: flashes.length, beeps: beeps.length, middle: offsets[offsets.length >> 1] ?? 9999 };
                })()
                """
            )
            #expect(measured.flashes >= 5 && measured.beeps >= 5, "\(measured)")
            #expect(abs(measured.middle) < 100, "\(measured)")
            publisher.kill(SIGKILL)
            // The test's own ear is old-fashioned: a worklet would need a file of its own.
            let complaints = browser.complaints.filter { !$0.contains("ScriptProcessorNode") }
            #expect(complaints.isEmpty, "\(complaints)")
        }
    }

    private struct Lag: Decodable, CustomStringConvertible {
        var first: Double
        var count: Int
        var p50: Double
        var p95: Double

        var description: String { "first picture \(Int(first)) ms, lag \(Int(p50)) ms, p95 \(Int(p95)) ms of \(count)" }
    }

    /// Each picture has the milliseconds of its making burned in, a bit in 20 columns; the limits leave room for a busy machine.
    @Test("The first picture comes at once, and what is shown is fresh") func isFresh() async throws {
        try await Self.run { site, ffmpeg, browser in
            let base = Int(Date().timeIntervalSince1970) - 5
            let clock =
                "testsrc2=size=640x344:rate=25,split[a][b];[b]scale=32:2,format=gray,geq=lum="
                + "'if(eq(X,0),st(0,floor((time(0)-\(base))*1000)));255*mod(floor(ld(0)/pow(2,X)),2)',"
                + "scale=640:16:flags=neighbor,format=yuv420p[c];[c][a]vstack,setsar=1"
            let publisher = try await Self.publish(ffmpeg, site, picture: clock)
            try await browser.play(Self.url(site))
            try await browser.wait(until: Self.playing)
            let lag: Lag = try await browser.evaluate(
                """
                (async () => {
                  await new Promise(done => setTimeout(done, 3000));
                  const video = document.querySelector('#stage video'), canvas = document.createElement('canvas'), lags = [];
                  canvas.width = 640; canvas.height = 16;
                  const pen = canvas.getContext('2d', { willReadFrequently: true }), until = performance.now() + 5000;
                  await new Promise(done => {
                    const look = () => {
                      pen.drawImage(video, 0, 0, 640, 16, 0, 0, 640, 16);
                      const row = pen.getImageData(0, 8, 640, 1).data;
                      let at = 0;
                      for (let bit = 0; bit < 32; bit++) if (row[(20 * bit + 10) * 4] > 128) at += 2 ** bit;
                      lags.push(Date.now() - \(base) * 1000 - at);
                      performance.now() < until ? video.requestVideoFrameCallback(look) : done();
                    };
                    video.requestVideoFrameCallback(look);
                  });
                  lags.sort((a, b) => a - b);
                  return { first: player.statistics.firstPictureMs, count: lags.length, p50: lags[lags.length >> 1], p95: lags[Math.floor(lags.length * 0.95)] };
                })()
                """
            )
            print("console:", lag)
            #expect(lag.count > 60, "\(lag)")
            #expect(lag.first > 0 && lag.first < 3000, "\(lag)")
            #expect(lag.p50 > 0 && lag.p50 < 2000, "\(lag)")
            publisher.kill(SIGKILL)
        }
    }
}
