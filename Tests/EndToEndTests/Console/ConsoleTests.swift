import CameraSimulator
import Foundation
import Gateway
import Testing

/// The web console in a browser, against a running gateway.
@Suite(
    .timeLimit(.minutes(2)),
    .enabled(if: Browser.installed != nil, "chromium-headless-shell is missing")
)
struct ConsoleTests {
    /// One that answers INVITE with 480: it has nothing to show.
    private static var blindCamera: CameraConfiguration {
        var camera = CameraConfiguration.numbered(1, password: Site.password)
        // Never to be read as HTML.
        camera.channels[0].name = "<img src=x onerror=alert(1)>"
        return camera
    }

    @Test func aDeviceTellsOfItsCatalogAndOfWhyItsChannelDoesNotPlay() async throws {
        let camera = Self.blindCamera
        try await Site.run(password: Site.password) { site in
            try await site.withCameras([camera]) { _ in
                try await DrivenBrowser.run { browser in
                    try await browser.prefer(language: "en")
                    try await browser.open("http://127.0.0.1:\(site.api.port)/#devices/\(camera.id)")
                    try await browser.wait(until: "document.querySelector('[data-test=channel-row]')")
                    try await browser.wait(
                        until: "document.querySelector('[data-test=catalog-state]').textContent.includes('1 of 1')"
                    )
                    try await browser.click("[data-test=catalog-refresh]")
                    try await wait(for: "a second query") {
                        try await site.api.messages(camera.id).count {
                            $0.direction == "sent" && $0.text.contains("<CmdType>Catalog</CmdType>")
                        } == 2
                    }
                    try await browser.click("[data-test=channel-row]")
                    try await browser.click("[data-test=channel-invite]")
                    try await browser.wait(
                        until: "document.querySelector('[data-test=channel-error]').textContent.includes('480')"
                    )
                    #expect(
                        try await browser.evaluate(
                            "document.querySelector('[data-test=channel-row]').textContent.includes('<img src=x')"
                        ) == true
                    )
                    #expect(browser.problems.isEmpty, "\(browser.problems)")
                }
            }
        }
    }

    @Test("The Watch dialog asks the camera again after a pause in which it was let go")
    func goesOnAfterALongPause() async throws {
        let camera = CameraConfiguration.numbered(1, password: Site.password, clip: Project.gateClip)
        let key = "\(camera.id)/\(camera.channels[0].id)"
        try await Turnstile.realTime.pass {
            try await Site.run(password: Site.password) { site in
                try await site.withCameras([camera]) { simulation in
                    try await DrivenBrowser.run { browser in
                        func plays() async throws {
                            try await browser.wait(
                                until: "document.querySelector('[data-test=watch] video')?.readyState >= 3",
                                limit: .seconds(30)
                            )
                            let watched = try await browser.watch("[data-test=watch]")
                            #expect(watched.count == 1 && watched.allSatisfy { $0.faults.isEmpty }, "\(watched)")
                        }
                        try await browser.open("http://127.0.0.1:\(site.api.port)/#devices/\(key)")
                        // The console's minute, shortened.
                        try await browser.run(
                            """
                            const own = globalThis.fetch;
                            globalThis.fetch = (url, options) =>
                              own(url, { ...options, body: options?.body?.replace('_ms":60000', '_ms":1000') });
                            """
                        )
                        try await browser.click("[data-test=channel-watch]")
                        try await plays()
                        let button = "document.querySelector('[data-test=watch] .gbgate-bar button')"
                        try await browser.run("\(button).click()")
                        try await wait(for: "the BYE") { await simulation.report().sessions == 0 }
                        // At once: the page has not heard of it yet.
                        try await browser.run("\(button).click()")
                        try await wait(for: "another INVITE", limit: .seconds(20)) {
                            await simulation.report().invites == 2
                        }
                        try await plays()
                        let name = "\(camera.id)_\(camera.channels[0].id)"
                        #expect(try await site.viewers(of: name).count == 1)
                        // Later: it has.
                        try await browser.run("\(button).click()")
                        try await wait(for: "the second BYE") { await simulation.report().sessions == 0 }
                        let isIdle = "document.querySelector('[data-test=channel-row] [data-state=good]')"
                        try await browser.wait(until: isIdle, limit: .seconds(20))
                        try await browser.run("\(button).click()")
                        try await wait(for: "a third INVITE") { await simulation.report().invites == 3 }
                        try await plays()
                        #expect(try await site.viewers(of: name).count == 1)
                        #expect(browser.complaints.isEmpty, "\(browser.complaints)")
                    }
                }
            }
        }
    }

    @Test("Names that are scripts are shown as text in every view, and nothing of them runs")
    func namesAreNeverMarkup() async throws {
        let script = "<script>globalThis.hasRun = 1</script><img src=x onerror='hasRun = 1'>"
        var camera = CameraConfiguration.numbered(1, password: Site.password, clip: Project.gateClip)
        camera.name = "Device \(script)"
        camera.channels[0].name = "Channel \(script)"
        let key = "\(camera.id)/\(camera.channels[0].id)"
        let named = camera
        try await Site.run(password: Site.password) { site in
            try await site.withCameras([named]) { _ in
                try await DrivenBrowser.run { browser in
                    func shows(_ selector: String, _ text: String) async throws {
                        let wanted = String(decoding: try JSONEncoder().encode(text), as: UTF8.self)
                        try await browser.wait(
                            until: "document.querySelector('\(selector)')?.textContent.includes(\(wanted))"
                        )
                    }
                    try await browser.open("http://127.0.0.1:\(site.api.port)/#devices/\(key)")
                    try await shows("[data-test=tree-device]", named.name)
                    try await shows("[data-test=channel-row]", named.channels[0].name)
                    try await shows(".detail-head h2", named.name)
                    try await browser.run("location.hash = '#wall'")
                    try await browser.click("[data-test=tree-channel]")
                    try await shows("[data-test=tree-channel]", named.channels[0].name)
                    try await shows("[data-test=tile] .tile-name", named.channels[0].name)
                    try await browser.wait(
                        until: "document.querySelector('[data-test=tile][data-state=playing]')",
                        limit: .seconds(30)
                    )
                    try await browser.run("location.hash = '#streams'")
                    try await browser.click("[data-test=stream-row]")
                    try await shows("[data-test=stream-row]", named.channels[0].name)
                    try await shows(".detail-head h2", named.channels[0].name)
                    #expect(try await browser.evaluate("globalThis.hasRun ?? 0") == 0)
                    #expect(try await browser.evaluate("document.querySelectorAll('script, img[src=x]').length") == 1)
                    #expect(browser.problems.isEmpty, "\(browser.problems)")
                }
            }
        }
    }

    @Test func theLogLevelIsChangedFromThePage() async throws {
        try await Site.run { site in
            try await DrivenBrowser.run { browser in
                try await browser.open("http://127.0.0.1:\(site.api.port)/#server")
                let level = "document.querySelector('[data-test=log-level]')"
                try await browser.wait(until: "\(level)?.disabled === false")
                #expect(
                    try await browser.evaluate("document.querySelectorAll('[data-test=limits] .limit').length") == 5
                )
                try await browser.run(
                    "const level = \(level); level.value = 'warning'; level.dispatchEvent(new Event('change'))"
                )
                try await wait(for: "the level") { await site.gateway.serverStat().logLevel == "warning" }
                #expect(browser.problems.isEmpty, "\(browser.problems)")
            }
        }
    }

    /// Each view at the sizes of a desk and of a telephone, in both languages and colours, without a complaint of the browser.
    @Test(arguments: ["en", "zh-CN"]) func everyViewOpensEverywhere(language: String) async throws {
        try await Site.run(password: Site.password) { site in
            try await site.withCameras([.numbered(1, password: Site.password, clip: Project.gateClip)]) { _ in
                try await DrivenBrowser.run { browser in
                    try await browser.prefer(language: language)
                    try await browser.prefer(colorScheme: language == "en" ? "dark" : "light")
                    try await browser.open("http://127.0.0.1:\(site.api.port)/")
                    for (width, height) in [(1280, 800), (390, 844)] {
                        try await browser.viewport(width: width, height: height, mobile: width < 600)
                        for view in ["wall", "devices", "streams", "server"] {
                            try await browser.run("location.hash = '#\(view)'")
                            try await Task.sleep(for: .milliseconds(300))
                            // Nothing sticks out of the screen's sides.
                            let wide: Int = try await browser.evaluate("document.documentElement.scrollWidth")
                            #expect(wide <= width, "\(view) at \(width) is \(wide) wide")
                        }
                    }
                    #expect(
                        try await browser.evaluate("document.documentElement.lang.slice(0, 2)")
                            == language.prefix(2).description
                    )
                    #expect(browser.problems.isEmpty, "\(browser.problems)")
                }
            }
        }
    }
}
