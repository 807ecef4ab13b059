import CameraSimulator
import Foundation
import Gateway
import Programs
import Testing

/// What a wall of 16 costs and gives, told in one line.
@Suite(
    .timeLimit(.minutes(3)),
    .enabled(if: Browser.installed != nil, "chromium-headless-shell is missing")
)
struct SixteenTilesTests {
    private struct Wall: Decodable, CustomStringConvertible {
        struct Tile: Decodable {
            var fps: Double
            var dropped: Int
            /// Of the first picture, in milliseconds since the page was opened.
            var first: Double
        }
        var tiles: [Tile]
        /// When the first camera was asked, and when the last had answered.
        var asked: Double
        var answered: Double

        var description: String {
            let fps = tiles.map(\.fps).sorted()
            let first = tiles.map { Int($0.first) }.sorted()
            let all = fps.map { String(format: "%.1f", $0) }.joined(separator: " ")
            return "fps \(all); dropped \(tiles.reduce(0) { $0 + $1.dropped }); "
                + "cameras asked at \(Int(asked)), all answered at \(Int(answered)), first pictures \(first) ms"
        }
    }

    /// What is reported is for the eye; tests beside it take their share of the processors.
    private static let limit = 2.0

    @Test("Sixteen sub streams play, each at the pace of its camera") func sixteenPlay() async throws {
        try await Turnstile.realTime.pass {
            try await Self.withCameras { api, build in
                try await DrivenBrowser.run { browser in
                    try await browser.open("http://127.0.0.1:\(api.port)/#server")
                    // As if it had been left like this.
                    try await browser.run("localStorage.setItem('gbgate.wall', '\(try Self.remembered())')")
                    try await browser.run("globalThis.isLeft = true; location.hash = 'wall'; location.reload()")
                    try await browser.wait(until: "!globalThis.isLeft && document.querySelector('[data-test=wall]')")
                    let wall = try await Self.measure(browser)
                    print("wall of 16, \(build):", wall)
                    let states: [String] = try await browser.evaluate(
                        "[...document.querySelectorAll('[data-test=tile]')].map(tile => tile.getAttribute('aria-label'))"
                    )
                    #expect(
                        wall.tiles.count == 16 && wall.tiles.allSatisfy { $0.fps > Self.limit },
                        "\(wall) \(states)"
                    )
                    #expect(browser.complaints.isEmpty, "\(browser.complaints)")
                }
            }
        }
    }

    /// The wall as the console keeps it in the browser.
    private static func remembered() throws -> String {
        struct Wall: Encodable {
            struct Tile: Encodable {
                let kind = "channel"
                let device: String
                let channel: String
            }
            let layout = 16
            let tiles: [Tile]
        }
        let tiles = (0..<16).map {
            let camera = CameraConfiguration.numbered($0)
            return Wall.Tile(device: camera.id, channel: camera.channels[0].id)
        }
        return String(decoding: try JSONEncoder().encode(Wall(tiles: tiles)), as: UTF8.self)
    }

    /// Gateway and cameras of `make build` where there are, else in this process, which takes much more of the processors.
    private static func withCameras(
        _ body: @escaping @Sendable (_ api: API, _ build: String) async throws -> Void
    ) async throws {
        guard let release = Product.release else {
            return try await Site.run(password: Site.password) { site in
                let cameras = (0..<16).map {
                    CameraConfiguration.numbered($0, password: Site.password, clip: Project.gateClip)
                }
                try await site.withCameras(cameras) { _ in try await body(site.api, "debug build") }
            }
        }
        let folder = try TemporaryFolder()
        let product = try await Product.serve(folder: folder.path, password: Site.password, binary: release)
        let cameras = try Program(
            release,
            [
                "simulate", "--server", "127.0.0.1:\(product.sip)", "--count", "16", "--password", Site.password,
                "--clip", Project.gateClip, "--spread", "0",
            ]
        )
        try await wait(for: "16 cameras: \(cameras.errors)") { try await product.api.playable() == 16 }
        try await body(product.api, "release build")
        cameras.kill(SIGINT)
        _ = try await cameras.exit(limit: .seconds(10))
    }

    /// Waits until all have a picture, then counts for five seconds.
    private static func measure(_ browser: DrivenBrowser) async throws -> Wall {
        try await browser.evaluate(
            """
            (async () => {
              const first = new Map(), end = performance.now() + 18000;
              const quality = video => video.getVideoPlaybackQuality();
              const shown = video => quality(video).totalVideoFrames - quality(video).droppedVideoFrames;
              const pause = ms => new Promise(done => setTimeout(done, ms));
              while (first.size < 16 && performance.now() < end) {
                for (const video of document.querySelectorAll('[data-test=wall] video'))
                  if (!first.has(video) && quality(video).totalVideoFrames) first.set(video, performance.now());
                await pause(10);
              }
              await pause(3000);
              const videos = [...first.keys()], before = videos.map(shown), from = performance.now();
              const dropped = videos.map(video => quality(video).droppedVideoFrames);
              await pause(5000);
              const seconds = (performance.now() - from) / 1000;
              const invites = performance.getEntriesByType('resource').filter(entry => entry.name.endsWith('gb28181_invite'));
              return { asked: Math.min(...invites.map(entry => entry.startTime)), answered: Math.max(...invites.map(entry => entry.responseEnd)), tiles: videos.map((video, index) => ({
                fps: (shown(video) - before[index]) / seconds,
                dropped: quality(video).droppedVideoFrames - dropped[index], first: first.get(video),
              })) };
            })()
            """
        )
    }
}
