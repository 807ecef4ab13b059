import CameraSimulator
import Foundation
import Gateway
import Programs
import Testing

/// The console in Firefox, which decodes H.265 where Debian's Chromium does not.
@Suite(
    .timeLimit(.minutes(3)),
    .enabled(if: DrivenFirefox.installed != nil, "firefox-esr or libavcodec59 is missing")
)
struct FirefoxTests {
    private static let playing = "document.querySelectorAll('[data-test=tile][data-state=playing]').length === 1"

    /// A camera's only channel on the wall, playing.
    private static func onTheWall(
        _ clip: String,
        _ body: @escaping @Sendable (DrivenFirefox) async throws -> Void
    ) async throws {
        try await Turnstile.realTime.pass {
            try await Site.run(password: Site.password) { site in
                try await site.withCameras([.numbered(1, password: Site.password, clip: clip)]) { _ in
                    try await DrivenFirefox.run { firefox in
                        try await firefox.open("http://127.0.0.1:\(site.api.port)/#wall")
                        try await firefox.click("[data-test=tree-channel]")
                        try await firefox.wait(until: playing, limit: .seconds(40))
                        try await body(firefox)
                    }
                }
            }
        }
    }

    @Test(
        "A camera's H.265 with AAC and its H.264 with G.711 play",
        arguments: [Project.yardClip, Project.gateClip]
    ) func plays(clip: String) async throws {
        try await Self.onTheWall(clip) { firefox in
            let first = try await firefox.screenshot()
            let watched = try await firefox.watch("[data-test=wall]")
            #expect(watched.count == 1 && watched.allSatisfy { $0.faults.isEmpty }, "\(watched) \(firefox.report)")
            #expect(watched.allSatisfy { $0.width == 640 && $0.height == 360 }, "\(watched)")
            #expect(try await firefox.screenshot() != first)
            #expect(firefox.problems.isEmpty, "\(firefox.problems)")
        }
    }

    @Test("The judge notices a pause, and a publisher that has stopped", .enabled(if: FFmpeg.installed != nil))
    func theJudgeNotices() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        try await Turnstile.realTime.pass {
            try await Site.run { site in
                let publisher = try await WatchingTests.publish(ffmpeg, site, picture: WatchingTests.moving)
                try await DrivenFirefox.run { firefox in
                    let plays = "document.querySelector('[data-test=watch-state]')?.textContent === 'Playing'"
                    try await firefox.open("http://127.0.0.1:\(site.api.port)/#watch=m")
                    try await firefox.wait(until: plays, limit: .seconds(30))
                    #expect(try await firefox.watch().first?.faults == [])
                    try await firefox.run("document.querySelector('.gbgate-bar button').click()")
                    let paused = try await firefox.watch().first?.faults ?? []
                    #expect(paused.contains("paused") && paused.contains("the picture stands still"), "\(paused)")
                    try await firefox.run("document.querySelector('.gbgate-bar button').click()")
                    try await firefox.wait(until: plays)
                    publisher.kill(SIGSTOP)
                    try await firefox.wait(until: "!(\(plays))", limit: .seconds(30))
                    let stopped = try await firefox.watch().first?.faults ?? []
                    #expect(stopped.contains("the picture stands still"), "\(stopped)")
                    #expect(firefox.problems.isEmpty, "\(firefox.problems)")
                }
                publisher.kill(SIGKILL)
            }
        }
    }

    @Test func itTellsOfExceptionsAndIsGoneAfterwards() async throws {
        let process = try await DrivenFirefox.run { firefox in
            try await firefox.open("data:text/html,<title>one</title><script>throw new Error('uncaught')</script>")
            #expect(try await firefox.evaluate("document.title") == "one")
            await #expect(throws: PageException.self) {
                try await firefox.evaluate("Promise.reject(new Error('no such thing'))", as: Int.self)
            }
            try await wait(for: "its exception") { firefox.problems.contains { $0.contains("uncaught") } }
            #expect(firefox.process.members.count > 1)
            return firefox.process
        }
        try await wait(for: "the end of its children") { process.members.isEmpty }
        let failed = await #expect(throws: FailedTest.self) {
            try await DrivenFirefox.run { throw FailedTest(process: $0.process) }
        }
        let group = try #require(failed?.process)
        try await wait(for: "the end of its children") { group.members.isEmpty }
    }

    private struct FailedTest: Error { let process: ProcessGroup }
}
