import Foundation
import Programs
import Synchronization

/// A Firefox without a window that a test drives as a user does. It decodes H.265 by the system's libavcodec.
final class DrivenFirefox: DrivenPage {
    /// The program itself, and what it decodes with.
    static let installed: String? = {
        let path = "/usr/lib/firefox-esr/firefox-esr"
        let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
        let hasDecoder = folders.contains { FileManager.default.fileExists(atPath: "\($0)/libavcodec.so.59") }
        return hasDecoder && FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()

    let process: ProcessGroup
    private let marionette: Marionette
    /// Its profile, and what it prints.
    private let folder: TemporaryFolder

    /// Runs a test in a Firefox that is gone afterwards, whatever the test does.
    static func run<Result>(_ body: (DrivenFirefox) async throws -> Result) async throws -> Result {
        guard let path = installed else { throw NeverHappened(what: "Firefox") }
        let folder = try TemporaryFolder()
        try Data(preferences.map { "user_pref(\"\($0)\", \($1));\n" }.joined().utf8)
            .write(to: URL(filePath: "\(folder.path)/user.js"))
        let process = try ProcessGroup(
            [
                path, "--headless", "--marionette", "--no-remote", "--profile", folder.path, "--width", "1280",
                "--height", "800",
            ],
            environment: ["HOME": folder.path, "MOZ_HEADLESS": "1", "MOZ_CRASHREPORTER_DISABLE": "1"],
            output: "\(folder.path)/firefox.log"
        )
        do {
            let result = try await body(try await DrivenFirefox(process, folder))
            await end(process)
            return result
        } catch {
            await end(process)
            throw error
        }
    }

    private static func end(_ process: ProcessGroup) async {
        process.kill()
        await withCheckedContinuation { continuation in
            DispatchQueue(label: "firefox").async {
                process.reap()
                continuation.resume()
            }
        }
    }

    /// Nothing beyond loopback, and nothing that is not needed here.
    private static let preferences: [(String, String)] = [
        // Chosen by the system, and written into the profile.
        ("marionette.port", "0"), ("media.autoplay.default", "0"), ("media.volume_scale", "\"0\""),
        ("app.update.enabled", "false"), ("app.normandy.enabled", "false"),
        ("browser.backup.enabled", "false"), ("nimbus.rollouts.enabled", "false"),
        ("browser.aboutwelcome.enabled", "false"), ("browser.shell.checkDefaultBrowser", "false"),
        ("browser.safebrowsing.malware.enabled", "false"), ("browser.safebrowsing.phishing.enabled", "false"),
        ("browser.safebrowsing.downloads.enabled", "false"), ("browser.region.network.url", "\"\""),
        ("browser.sessionstore.resume_from_crash", "false"), ("browser.startup.page", "0"),
        ("browser.topsites.contile.enabled", "false"), ("browser.newtabpage.enabled", "false"),
        ("datareporting.policy.dataSubmissionEnabled", "false"), ("datareporting.healthreport.uploadEnabled", "false"),
        ("dom.ipc.processPrelaunch.enabled", "false"),
        ("extensions.update.enabled", "false"), ("extensions.getAddons.cache.enabled", "false"),
        ("extensions.systemAddon.update.enabled", "false"), ("media.gmp-manager.updateEnabled", "false"),
        ("media.gmp-provider.enabled", "false"), ("network.captive-portal-service.enabled", "false"),
        ("network.connectivity-service.enabled", "false"), ("network.dns.disablePrefetch", "true"),
        ("network.prefetch-next", "false"), ("services.settings.server", "\"data:,#remote-settings-dummy/v1\""),
        ("signon.rememberSignons", "false"), ("toolkit.telemetry.enabled", "false"),
        ("toolkit.telemetry.unified", "false"), ("intl.accept_languages", "\"en\""),
    ]

    private init(_ process: ProcessGroup, _ folder: TemporaryFolder) async throws {
        self.process = process
        self.folder = folder
        let file = "\(folder.path)/MarionetteActivePort"
        var port: Int?
        try await EndToEndTests.wait(for: "Firefox's port", limit: .seconds(60)) {
            port = (try? String(contentsOfFile: file, encoding: .utf8)).flatMap {
                Int($0.trimmingCharacters(in: .whitespacesAndNewlines))
            }
            return port != nil
        }
        marionette = try await Marionette(port: port ?? 0)
        try await tell("WebDriver:NewSession")
        try await tell("WebDriver:SetTimeouts", ["script": 40_000, "pageLoad": 40_000])
    }

    var isRunning: Bool { !process.members.isEmpty }

    /// What it printed last.
    var report: String { "firefox: \(log.suffix(500))" }

    /// Exceptions of pages that nobody caught.
    var problems: [String] {
        log.split(separator: "\n").map(String.init).filter {
            $0.hasPrefix("JavaScript error: http") || $0.hasPrefix("JavaScript error: data:")
        }
    }

    private var log: String { (try? String(contentsOfFile: "\(folder.path)/firefox.log", encoding: .utf8)) ?? "" }

    func open(_ url: String) async throws {
        try await tell("WebDriver:Navigate", ["url": .text(url)])
    }

    func click(_ point: PagePoint, count: Int) async throws {
        let move: DevToolsParameter = [
            "type": "pointerMove", "x": .number(point.x.rounded()), "y": .number(point.y.rounded()), "duration": 0,
            "origin": "viewport",
        ]
        let press: [DevToolsParameter] = [
            ["type": "pointerDown", "button": 0], ["type": "pointerUp", "button": 0],
        ]
        let mouse: DevToolsParameter = [
            "type": "pointer", "id": "mouse", "parameters": ["pointerType": "mouse"],
            "actions": .list([move] + (0..<count).flatMap { _ in press }),
        ]
        try await tell("WebDriver:PerformActions", ["actions": .list([mouse])])
    }

    /// Globals of the page are read; what an expression sets stays in a sandbox.
    func evaluate<Value: Decodable>(_ expression: String, as type: Value.Type) async throws -> Value {
        let script = """
            const done = arguments[0];
            Promise.resolve().then(() => (\(expression))).then(
              value => done(JSON.stringify({ value })), error => done(JSON.stringify({ thrown: String(error) })));
            """
        let answer: Result = try await marionette.ask(
            "WebDriver:ExecuteAsyncScript",
            ["script": .text(script), "args": .list([])]
        )
        let outcome = try JSONDecoder().decode(Outcome<Value>.self, from: Data(answer.value.utf8))
        if let thrown = outcome.thrown { throw PageException(text: thrown) }
        guard let value = outcome.value else { throw PageException(text: "\(expression) has no value") }
        return value
    }

    private struct Result: Decodable { var value: String }

    private struct Outcome<Value: Decodable>: Decodable {
        var value: Value?
        var thrown: String?
    }

    func screenshot() async throws -> Data {
        struct Picture: Decodable { var value: Data }
        let picture: Picture = try await marionette.ask("WebDriver:TakeScreenshot", ["full": false])
        return picture.value
    }

    private func tell(_ command: String, _ parameters: [String: DevToolsParameter] = [:]) async throws {
        struct Nothing: Decodable {
            init(from decoder: any Decoder) {}
        }
        let _: Nothing = try await marionette.ask(command, parameters)
    }
}
