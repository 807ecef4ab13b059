import CameraSimulator
import Foundation
import Gateway
import Testing

/// The wall, used as an operator does.
@Suite(
    .timeLimit(.minutes(3)),
    .enabled(if: Browser.installed != nil, "chromium-headless-shell is missing")
)
struct WallTests {
    private static func cameras(_ count: Int, clip: String = Project.gateClip) -> [CameraConfiguration] {
        (1...count).map { .numbered($0, password: Site.password, clip: clip) }
    }

    private static func tiles(_ state: String) -> String {
        "document.querySelectorAll('[data-test=tile][data-state=\(state)]').length"
    }

    /// Unfolds every device of the tree.
    private static func unfold(_ browser: DrivenBrowser, _ count: Int) async throws {
        try await browser.wait(until: "document.querySelectorAll('[data-test=tree-device]').length === \(count)")
        // Few devices are unfolded from the start.
        try await browser.run(
            "document.querySelectorAll('[data-test=tree-device][aria-expanded=false] .twist').forEach(twist => twist.click())"
        )
        try await browser.wait(until: "document.querySelectorAll('[data-test=tree-channel]').length === \(count)")
    }

    private static func channel(_ index: Int) -> String {
        let camera = CameraConfiguration.numbered(index)
        return "[data-test=tree-channel][data-key=\"\(camera.id)/\(camera.channels[0].id)\"]"
    }

    @Test("Four cameras are put on the wall, dragged and clicked; they play, also after the page is loaded again")
    func fourPlay() async throws {
        try await Turnstile.realTime.pass {
            try await Site.run(password: Site.password) { site in
                try await site.withCameras(Self.cameras(4)) { _ in
                    try await DrivenBrowser.run { browser in
                        try await browser.open("http://127.0.0.1:\(site.api.port)/#wall")
                        try await Self.unfold(browser, 4)
                        try await browser.drag(
                            from: browser.place(of: Self.channel(1)),
                            to: browser.place(of: "[data-test=tile][data-index=\"3\"]")
                        )
                        try await browser.click("[data-test=tile][data-index=\"0\"]")
                        for index in 2...4 { try await browser.click(Self.channel(index)) }
                        try await browser.wait(until: "\(Self.tiles("playing")) === 4", limit: .seconds(30))
                        let first = try await browser.screenshot()
                        let watched = try await browser.watch("[data-test=wall]")
                        #expect(watched.count == 4 && watched.allSatisfy { $0.faults.isEmpty }, "\(watched)")
                        #expect(watched.allSatisfy { $0.width == 640 && $0.height == 360 }, "\(watched)")
                        #expect(try await browser.screenshot() != first)

                        // The page that is left answers for a while.
                        try await browser.run("globalThis.isLeft = true; location.reload()")
                        try await browser.wait(
                            until: "!globalThis.isLeft && \(Self.tiles("playing")) === 4",
                            limit: .seconds(30)
                        )
                        let again = try await browser.watch("[data-test=wall]")
                        #expect(again.count == 4 && again.allSatisfy { $0.faults.isEmpty }, "\(again)")
                        #expect(browser.complaints.isEmpty, "\(browser.complaints)")
                    }
                }
            }
        }
    }

    @Test("A tab that is gone without a word leaves no camera sending") func crashes() async throws {
        try await Turnstile.realTime.pass {
            try await Site.run(password: Site.password) { site in
                try await site.withCameras(Self.cameras(1)) { _ in
                    func status() async throws -> String? {
                        let channels = try await site.api.devices().first?["channels"] as? [[String: Any]]
                        return channels?.first?["status"] as? String
                    }
                    try await DrivenBrowser.run { browser in
                        try await browser.open("http://127.0.0.1:\(site.api.port)/#wall")
                        // The console's minute, shortened.
                        try await browser.run(
                            """
                            const own = globalThis.fetch;
                            globalThis.fetch = (url, options) =>
                              own(url, { ...options, body: options?.body?.replace('_ms":60000', '_ms":2000') });
                            """
                        )
                        try await browser.click(Self.channel(1))
                        try await browser.wait(until: "\(Self.tiles("playing")) === 1", limit: .seconds(30))
                        // Longer than the limit: it is watched.
                        let watched = try await browser.watch("[data-test=wall]")
                        #expect(watched.allSatisfy { $0.faults.isEmpty }, "\(watched)")
                        try await Task.sleep(for: .seconds(2))
                        #expect(try await status() == "streaming")
                        await browser.process.end()
                    }
                    try await wait(for: "the camera to be let go") { try await status() == "idle" }
                }
            }
        }
    }

    @Test("H.265, which this Chromium does not decode, is named on its tile") func namesWhatItCannotPlay() async throws
    {
        var camera = Self.cameras(1, clip: Project.yardClip)[0]
        camera.protocolVersion = "3.0"
        camera.channels[0].subClip = Project.yardClip
        let cameras = [camera]
        try await Turnstile.realTime.pass {
            try await Site.run(password: Site.password) { site in
                try await site.withCameras(cameras) { simulation in
                    try await DrivenBrowser.run { browser in
                        try await browser.prefer(language: "en")
                        try await browser.open("http://127.0.0.1:\(site.api.port)/#wall")
                        try await Self.unfold(browser, 1)
                        try await browser.click(Self.channel(1))
                        try await browser.wait(until: "\(Self.tiles("faulty")) === 1", limit: .seconds(30))
                        let text: String = try await browser.evaluate(
                            "document.querySelector('[data-test=tile][data-state=faulty]').textContent"
                        )
                        #expect(text.contains("H.265 (hvc1."), "\(text)")
                        // Sub and main are asked for once, whatever the device list says afterwards.
                        try await wait(for: "the main stream") { await simulation.report().invites == 2 }
                        let lists =
                            "performance.getEntriesByType('resource').filter(e => e.name.endsWith('gb28181_devices')).length"
                        let before: Int = try await browser.evaluate(lists)
                        try await browser.wait(until: "\(lists) > \(before + 2)", limit: .seconds(30))
                        #expect(await simulation.report().invites == 2)
                        #expect(await simulation.report().sessions == 1)
                        #expect(browser.complaints.isEmpty, "\(browser.complaints)")
                    }
                }
            }
        }
    }

    @Test(
        "A small tile shows the sub stream, an enlarged one the main stream, and never nothing in between",
        .enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed")
    )
    func changesStreamsWithTheSize() async throws {
        let folder = try TemporaryFolder()
        let small = "\(folder.path)/small.h264"
        let coding = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "25", "-f", "h264", small]
        let made = try await FFmpeg.installed?.run(["-i", Project.gateClip, "-vf", "scale=320:180"] + coding)
        try #require(made?.status == 0, "\(made?.errors ?? "")")
        var camera = Self.cameras(1)[0]
        camera.protocolVersion = "3.0"
        camera.channels[0].subClip = small
        let cameras = [camera]
        let name = "\(camera.id)_\(camera.channels[0].id)"
        try await Turnstile.realTime.pass {
            try await Site.run(password: Site.password) { site in
                try await site.withCameras(cameras) { simulation in
                    try await DrivenBrowser.run { browser in
                        func shows(_ width: Int) async throws {
                            let widths =
                                "[...document.querySelectorAll('[data-test=wall] video')].map(v => v.videoWidth)"
                            try await browser.wait(until: "'' + \(widths) === '\(width)'", limit: .seconds(30))
                            let watched = try await browser.watch("[data-test=wall]")
                            #expect(watched.count == 1 && watched.allSatisfy { $0.faults.isEmpty }, "\(watched)")
                        }
                        try await browser.open("http://127.0.0.1:\(site.api.port)/#wall")
                        try await browser.click(Self.channel(1))
                        try await shows(320)
                        #expect(await simulation.report().sessions == 1)
                        // How often no video of the wall had a picture.
                        try await browser.run(
                            """
                            globalThis.blank = 0;
                            setInterval(() => {
                              const videos = [...document.querySelectorAll('[data-test=wall] video')];
                              if (!videos.some(video => video.readyState >= 2 && video.videoWidth)) blank += 1;
                            }, 10);
                            """
                        )
                        try await browser.click("[data-test=tile-enlarge]")
                        try await shows(640)
                        try await wait(for: "the BYE of the sub stream") { await simulation.report().sessions == 1 }
                        try await browser.click("[data-test=tile-enlarge]")
                        try await shows(320)
                        #expect(try await browser.evaluate("blank") == 0)
                        try await wait(for: "the BYE of the main stream") { await simulation.report().sessions == 1 }
                        #expect(try await site.api.streams() == ["\(name)_1"])
                        #expect(browser.complaints.isEmpty, "\(browser.complaints)")
                    }
                }
            }
        }
    }

    @Test("The demo's H.265, which this Chromium does not decode, gives way to its camera's H.264 sub stream")
    func takesTheSubStreamForH265() async throws {
        let camera = try CameraConfiguration.load(path: "\(Project.cameras)/yard.json")
        let name = "\(camera.id)_\(camera.channels[0].id)"
        try await Turnstile.realTime.pass {
            try await Site.run(password: Site.password) { site in
                try await site.withCameras([camera]) { _ in
                    try await DrivenBrowser.run { browser in
                        try await browser.open("http://127.0.0.1:\(site.api.port)/#wall")
                        // One tile: the main stream is asked for.
                        try await browser.click("[data-test=layout-1]")
                        try await browser.click("[data-test=tree-channel]")
                        try await browser.wait(until: "\(Self.tiles("playing")) === 1", limit: .seconds(30))
                        let watched = try await browser.watch("[data-test=wall]")
                        #expect(watched.count == 1 && watched.allSatisfy { $0.faults.isEmpty }, "\(watched)")
                        #expect(watched.first?.width == 320)
                        let asked = try await site.api.messages(camera.id).filter { $0.line.hasPrefix("INVITE ") }
                        #expect(asked.count == 2 && asked.last?.text.contains("a=streamnumber:1") == true)
                        try await wait(for: "the BYE of the main stream") {
                            try await site.api.streams() == ["\(name)_1"]
                        }
                        #expect(browser.complaints.isEmpty, "\(browser.complaints)")
                    }
                }
            }
        }
    }

    @Test("A wrong token is refused in words, the right one opens the console") func asksForTheToken() async throws {
        try await Site.run {
            $0.httpApi.token = Secret("right")
        } _: { site in
            try await DrivenBrowser.run { browser in
                try await browser.prefer(language: "en")
                try await browser.open("http://127.0.0.1:\(site.api.port)/")
                try await browser.wait(until: "document.querySelector('[data-test=login-form]')")
                try await browser.click("[data-test=token]")
                try await browser.type("wrong")
                try await browser.click("[data-test=login]")
                try await browser.wait(
                    until: "/wrong|not/i.test(document.querySelector('[data-test=login-error]').textContent)"
                )
                #expect(try await browser.evaluate("document.querySelector('[data-test=nav-wall]') === null") == true)
                try await browser.run("document.querySelector('[data-test=token]').select()")
                try await browser.type("right")
                try await browser.press("Enter")
                try await browser.wait(until: "document.querySelector('[data-test=nav-wall]')")
                let stored: String = try await browser.evaluate("JSON.stringify({ ...localStorage })")
                #expect(!stored.contains("right"), "\(stored)")
                #expect(browser.complaints.isEmpty, "\(browser.complaints)")
            }
        }
    }
}
