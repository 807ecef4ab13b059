import CameraSimulator
import Foundation
import Gateway
import Programs
import Testing

/// How the views look, for docs/images: written only where `GBGATE_SCREENSHOTS` names a folder.
@Suite(
    .timeLimit(.minutes(5)),
    .enabled(if: FFmpeg.installed != nil && Browser.installed != nil, "ffmpeg or chromium-headless-shell is missing")
)
struct ScreenshotTests {
    private static let folder = ProcessInfo.processInfo.environment["GBGATE_SCREENSHOTS"]

    private static let recorder = "34020000001180000001"

    /// A recorder with four pictures and a lens that is not connected, and a camera.
    private static func cameras(yard: String) -> [CameraConfiguration] {
        var recorder = CameraConfiguration.numbered(1, password: Site.password)
        recorder.id = Self.recorder
        recorder.name = "Recorder, building A"
        let names = [
            ("Gate", Project.gateClip), ("Yard", yard), ("Gate, inside", Project.gateClip), ("Car park", yard),
            ("Loading dock", nil),
        ]
        recorder.channels = names.enumerated().map {
            .init(id: "3402000000131000000\($0.offset + 1)", name: $0.element.0, clip: $0.element.1)
        }
        var camera = CameraConfiguration.numbered(2, password: Site.password, clip: Project.gateClip)
        camera.name = "Camera, main entrance"
        camera.channels[0].id = "34020000001310000011"
        camera.channels[0].name = "Main entrance"
        return [recorder, camera]
    }

    private struct Look: Decodable, CustomStringConvertible {
        var light: Double
        var colours: Int
        var missing: [String]

        var description: String { "light \(light), \(colours) colours, missing \(missing)" }
    }

    /// Takes a picture, and looks at it: neither black nor empty, and what a view is for is on it.
    private static func take(
        _ name: String,
        _ browser: DrivenBrowser,
        shows elements: [String]
    ) async throws {
        let isPhotograph = name.hasSuffix(".jpg")
        let picture = isPhotograph ? try await browser.photograph(quality: 82) : try await browser.screenshot()
        let look: Look = try await browser.evaluate(
            """
            (async () => {
              const bytes = Uint8Array.from(atob('\(picture.base64EncodedString())'), one => one.charCodeAt(0));
              const bitmap = await createImageBitmap(new Blob([bytes])), canvas = new OffscreenCanvas(160, 100);
              const pen = canvas.getContext('2d');
              pen.drawImage(bitmap, 0, 0, 160, 100);
              const data = pen.getImageData(0, 0, 160, 100).data, colours = new Set();
              let light = 0;
              for (let i = 0; i < data.length; i += 4) { light += data[i + 1]; colours.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]); }
              const missing = \(String(decoding: try JSONEncoder().encode(elements), as: UTF8.self)).filter(name => {
                const box = document.querySelector(`[data-test=${name}]`)?.getBoundingClientRect();
                return !(box?.width > 0 && box.height > 0 && box.top < innerHeight && box.bottom > 0 && box.left < innerWidth && box.right > 0);
              });
              return { light: light / (data.length / 4), colours: colours.size, missing };
            })()
            """
        )
        #expect(look.missing.isEmpty && look.colours > 60 && (8...252).contains(look.light), "\(name): \(look)")
        if let folder {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try picture.write(to: URL(filePath: "\(folder)/\(name)"))
        }
    }

    @Test("Every view is worth looking at, on a desk and on a telephone") func everyView() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let clips = try TemporaryFolder()
        let yard = "\(clips.path)/yard.h264"
        let made = try await ffmpeg.run(
            ["-f", "hevc", "-i", Project.yardClip, "-c:v", "libx264", "-preset", "fast", "-bf", "0", "-g", "25", yard]
        )
        #expect(made.status == 0, "\(made.errors)")
        let cameras = Self.cameras(yard: yard)
        try await Turnstile.realTime.pass {
            try await Site.run(password: Site.password) {
                $0.gb28181.localSipDomain = "3402000000"
            } _: { site in
                _ = try await site.api.post("/api/ctrl/log_level", #"{"level":"info"}"#)
                try await site.withCameras(cameras) { _ in
                    try await wait(for: "all channels") {
                        try await site.api.devices().contains { ($0["channels"] as? [Any])?.count == 5 }
                    }
                    for channel in cameras[0].channels.dropLast() {
                        _ = try await site.api.invite(Self.recorder, channel.id)
                    }
                    try await DrivenBrowser.run { browser in
                        try await browser.prefer(language: "en")
                        try await browser.prefer(colorScheme: "dark")
                        try await browser.open("http://127.0.0.1:\(site.api.port)/")
                        try await Self.streams(browser, site, "\(Self.recorder)_\(cameras[0].channels[0].id)")
                        try await Self.wall(browser, cameras[0])
                        try await Self.server(browser)
                        try await Self.devices(browser, cameras[0])
                        try await Self.telephone(browser)
                        #expect(browser.complaints.isEmpty, "\(browser.complaints)")
                    }
                }
            }
        }
    }

    /// With two viewers, and graphs of some time.
    private static func streams(_ browser: DrivenBrowser, _ site: Site, _ stream: String) async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let watcher = Watcher(stream, port: site.http)
        let player = try Program(
            ffmpeg.path,
            [
                "-v", "error", "-nostdin", "-i", "rtmp://127.0.0.1:\(site.rtmp)/live/\(stream)", "-c", "copy", "-f",
                "null", "-",
            ]
        )
        try await browser.run("location.hash = '#streams/\(stream)'")
        try await browser.wait(until: "document.querySelectorAll('[data-test=viewer]').length === 2")
        // A point every two seconds: for the pictures of the documentation half the graph.
        try await Task.sleep(for: .seconds(folder == nil ? 5 : 150))
        try await take(
            "streams.png",
            browser,
            shows: ["streams", "stream-row", "stream-watch", "publisher", "viewer", "kick-viewer"]
        )
        player.kill(SIGKILL)
        watcher.leave()
    }

    private static func wall(_ browser: DrivenBrowser, _ recorder: CameraConfiguration) async throws {
        try await browser.run("location.hash = '#wall'")
        try await browser.wait(until: playing, limit: .seconds(30))
        try await browser.click("[data-test=tree-channel]:not(.none) .tree-name")
        try await take("wall.jpg", browser, shows: ["tree-device", "tree-channel", "tile", "carousel", "layout-16"])
    }

    private static let playing = "document.querySelectorAll('[data-test=tile][data-state=playing]').length === 4"

    private static func server(_ browser: DrivenBrowser) async throws {
        try await browser.prefer(colorScheme: "light")
        try await browser.run("location.hash = '#server'")
        try await browser.wait(until: "document.querySelectorAll('[data-test=limits] .limit').length > 3")
        try await Task.sleep(for: .seconds(folder == nil ? 3 : 60))
        try await take("server.png", browser, shows: ["server-facts", "limits", "log-level"])
    }

    private static func devices(_ browser: DrivenBrowser, _ recorder: CameraConfiguration) async throws {
        let channel = try #require(recorder.channels.last)
        try await browser.run("location.hash = '#devices/\(recorder.id)/\(channel.id)'")
        try await browser.click("[data-test=channel-invite]")
        try await browser.wait(until: "document.querySelector('[data-test=channel-error]').textContent.includes('480')")
        // What says that it failed goes by itself.
        try await browser.wait(until: "!document.querySelector('[data-test=toast-error]')", limit: .seconds(30))
        try await browser.run("document.activeElement.blur()")
        try await browser.move(to: .init(x: 700, y: 4))
        try await take(
            "devices.png",
            browser,
            shows: [
                "devices-summary", "tree-device", "tree-channel", "channel-error", "channel-row", "catalog-refresh",
            ]
        )
    }

    private static func telephone(_ browser: DrivenBrowser) async throws {
        try await browser.viewport(width: 390, height: 844, mobile: true, scale: 2)
        try await take("devices-phone.png", browser, shows: ["channel-error", "detail-back", "channel-watch"])
        try await browser.prefer(colorScheme: "dark")
        try await browser.run("location.hash = '#wall'")
        try await browser.wait(until: playing, limit: .seconds(30))
        try await take("wall-phone.jpg", browser, shows: ["tile", "drawer", "nav-devices"])
    }
}
