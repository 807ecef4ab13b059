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

    @Test func theLogLevelIsChangedFromThePage() async throws {
        try await Site.run { site in
            try await DrivenBrowser.run { browser in
                try await browser.open("http://127.0.0.1:\(site.api.port)/#server")
                let level = "document.querySelector('[data-test=log-level]')"
                try await browser.wait(until: "\(level)?.disabled === false")
                #expect(
                    try await browser.evaluate("document.querySelectorAll('[data-test=limits] .limit').length") == 4
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
