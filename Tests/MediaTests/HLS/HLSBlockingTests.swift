import NIOCore
import Testing

@testable import Media

/// RFC 8216bis 6.2.5.2, one row per case.
@Suite("HLS: blocking playlist reload")
struct HLSBlockingTests {
    /// Segments 0...6 are whole (4 s each); of segment 7 there are three parts (200 ms each). TARGETDURATION is 4.
    private static func window() -> (window: HLSWindow, now: NIODeadline, run: HLSRun) {
        var run = HLSRun(HLSConfiguration(container: .fragmentedMP4))
        var camera = HLSCamera()
        camera.announce(&run)
        camera.run(seconds: 28 + 0.64, &run)
        return (run.window, run.now, run)
    }

    enum Outcome: Sendable {
        case full
        case delta
        case wait
        case refuse(Int)
    }

    struct Row: Sendable, CustomTestStringConvertible {
        var why: String
        var directives: HLSDirectives
        var outcome: Outcome
        var testDescription: String { why }
    }

    static let rows: [Row] = [
        Row(why: "no directive: at once", directives: HLSDirectives(), outcome: .full),
        Row(why: "_HLS_part without _HLS_msn: 400", directives: HLSDirectives(part: 1), outcome: .refuse(400)),
        Row(why: "segment that is there", directives: HLSDirectives(segment: 6), outcome: .full),
        Row(
            why: "segment that left long ago: the current playlist",
            directives: HLSDirectives(segment: 0),
            outcome: .full
        ),
        Row(why: "part of one that left long ago", directives: HLSDirectives(segment: 0, part: 3), outcome: .full),
        Row(why: "the open segment: when it is whole", directives: HLSDirectives(segment: 7), outcome: .wait),
        Row(why: "the one after it", directives: HLSDirectives(segment: 8), outcome: .wait),
        Row(why: "more than two ahead: 400", directives: HLSDirectives(segment: 9), outcome: .refuse(400)),
        Row(
            why: "as far as numbers go: 400",
            directives: HLSDirectives(segment: .max, part: .max),
            outcome: .refuse(400)
        ),
        Row(why: "part that is there", directives: HLSDirectives(segment: 7, part: 2), outcome: .full),
        Row(why: "the next part", directives: HLSDirectives(segment: 7, part: 3), outcome: .wait),
        // 3 s / 0.215 s = 13 parts beyond the last one, which is 2.
        Row(why: "part at the advance limit", directives: HLSDirectives(segment: 7, part: 15), outcome: .wait),
        Row(
            why: "part beyond the advance limit: 400",
            directives: HLSDirectives(segment: 7, part: 16),
            outcome: .refuse(400)
        ),
        Row(
            why: "part beyond any number: 400",
            directives: HLSDirectives(segment: 7, part: .max),
            outcome: .refuse(400)
        ),
        Row(
            why: "first part of the segment after the open one",
            directives: HLSDirectives(segment: 8, part: 0),
            outcome: .wait
        ),
        Row(why: "far part of it: 400", directives: HLSDirectives(segment: 8, part: 14), outcome: .refuse(400)),
        Row(
            why: "beyond the last part of a whole segment: the first of the next",
            directives: HLSDirectives(segment: 6, part: 99),
            outcome: .full
        ),
        Row(
            why: "skip, with nothing old enough: the full playlist",
            directives: HLSDirectives(skips: true),
            outcome: .full
        ),
    ]

    @Test(arguments: rows)
    func decides(row: Row) {
        let (window, now, _) = Self.window()
        #expect(window.next == 7 && window.open?.parts.count == 3 && window.target?.seconds == 4)
        let answer = window.answer(row.directives, arrived: now, now: now)
        switch row.outcome {
        case .full: #expect(answer == .playlist(window.full.bytes))
        case .delta: #expect(answer == window.delta.map { .playlist($0.bytes) })
        case .wait: #expect(answer == .wait(until: now + .seconds(12)))
        case .refuse(let status):
            guard case .refuse(status, let reason) = answer else {
                Issue.record("\(answer)")
                return
            }
            #expect(!reason.isEmpty)
        }
    }

    @Test("Part beyond the last of the last whole segment waits for the first of the next")
    func partOfNextSegment() {
        var run = HLSRun(HLSConfiguration(container: .fragmentedMP4))
        var camera = HLSCamera()
        camera.announce(&run)
        // The key frame that ends segment 6 is in, no part of 7 is.
        camera.run(seconds: 28.04, &run)
        #expect(run.window.next == 7 && run.window.open?.parts.count == 0)
        let directives = HLSDirectives(segment: 6, part: 20)
        #expect(run.window.answer(directives, arrived: run.now, now: run.now) == .wait(until: run.now + .seconds(12)))
        let arrived = run.now
        camera.run(seconds: 0.24, &run)
        guard case .playlist = run.window.answer(directives, arrived: arrived, now: run.now) else {
            Issue.record("still waiting")
            return
        }
    }

    @Test("What one waits for comes: answered at the very change")
    func waitsExactly() {
        var (_, _, run) = Self.window()
        var camera = HLSCamera()
        camera.time = 28 * 90_000 + 16 * 3600
        let directives = HLSDirectives(segment: 7, part: 3)
        let arrived = run.now
        var before = 0
        for index in 16..<30 {
            if case .wait = run.window.answer(directives, arrived: arrived, now: run.now) { before = index }
            let time = 28 * 90_000 + Int64(index) * 3600
            run.feed(.frame(Synthetic.picture(.h264, index, isKey: false, size: 100, dts: time)))
            run.pass(40)
        }
        // Part 3 is pictures 15...19, and whole when picture 20 comes.
        #expect(before == 20)
        guard case .playlist(let bytes) = run.window.answer(directives, arrived: arrived, now: run.now) else {
            Issue.record("still waiting")
            return
        }
        #expect(String(buffer: bytes).contains("x7f3-7-3.m4s"))
    }

    @Test("Nobody waits longer than three target durations: 503")
    func limit() {
        let (window, now, _) = Self.window()
        let directives = HLSDirectives(segment: 7, part: 3)
        let late = now + .milliseconds(11_999)
        #expect(window.answer(directives, arrived: now, now: late) == .wait(until: now + .seconds(12)))
        guard case .refuse(503, _) = window.answer(directives, arrived: now, now: now + .seconds(12)) else {
            Issue.record("not refused")
            return
        }
    }

    @Test("After the end directives are ignored")
    func afterTheEnd() {
        var (_, _, run) = Self.window()
        run.finish()
        for directives in [HLSDirectives(segment: 8), HLSDirectives(segment: 500, part: 3), HLSDirectives(skips: true)]
        {
            guard case .playlist(let bytes) = run.window.answer(directives, arrived: run.now, now: run.now) else {
                Issue.record("\(directives)")
                continue
            }
            #expect(String(buffer: bytes).hasSuffix("#EXT-X-ENDLIST\n"))
        }
        guard case .refuse(400, _) = run.window.answer(HLSDirectives(part: 1), arrived: run.now, now: run.now) else {
            Issue.record("a part without segment stays wrong")
            return
        }
    }

    @Test("MPEG-TS offers no blocking, and has none")
    func transportStream() {
        var run = HLSRun(HLSConfiguration(container: .transportStream))
        var camera = HLSCamera()
        camera.announce(&run)
        #expect(run.window.answer(HLSDirectives(), arrived: run.now, now: run.now).isRefusal(404))
        camera.run(seconds: 20, &run)
        let answer = run.window.answer(HLSDirectives(segment: 500), arrived: run.now, now: run.now)
        #expect(answer == .playlist(run.window.full.bytes))
    }

    @Test("Before the first segment a request is held")
    func notReady() {
        var run = HLSRun(HLSConfiguration(container: .fragmentedMP4))
        var camera = HLSCamera()
        camera.announce(&run)
        camera.run(seconds: 1, &run)
        #expect(!run.window.isReady)
        let answer = run.window.answer(HLSDirectives(), arrived: run.now, now: run.now)
        #expect(answer == .wait(until: run.now + .seconds(9)))
        camera.run(seconds: 4, &run)
        #expect(run.window.isReady)
    }

    @Test("With a minimum of three segments the playlist is late, and its promise knows all three")
    func minimum() {
        var run = HLSRun(HLSConfiguration(container: .fragmentedMP4, minimumSegments: 3))
        var camera = HLSCamera()
        camera.announce(&run)
        camera.run(seconds: 8.1, &run)
        camera.group = 125
        camera.startGroup()
        #expect(!run.window.isReady)
        camera.run(seconds: 6, &run)
        #expect(run.window.isReady)
        #expect(run.window.target?.seconds == 5)
        #expect(HLSParsedPlaylist(run.playlist() ?? "").segments.count == 3)
    }

    @Test("The hinted part is held until it is whole, all other unknown names are 404")
    func media() {
        var (_, _, run) = Self.window()
        let now = run.now
        #expect(run.window.media("x7f3-7-3.m4s", arrived: now, now: now) == .wait(until: now + .seconds(12)))
        #expect(run.window.media("x7f3-7-3.m4s", arrived: now, now: now + .seconds(13)).isRefusal(503))
        let unknown = [
            "x7f3-7-4.m4s", "x7f3-8-0.m4s", "x7f3-7.m4s", "x7f3-99.m4s", "x7f3-07-1.m4s", "x7f3-7-01.m4s",
            "x7f3-+7-1.m4s",
            "x7f3--1.m4s", "x7f3-7-1-1.m4s", "x7f3-.m4s", "x7f3-init-9.mp4", "other-7-1.m4s", "", "x7f3-7--1.m4s",
            "x7f3-7-99999999999999999999.m4s",
        ]
        for name in unknown { #expect(run.window.media(name, arrived: now, now: now).isRefusal(404), "\(name)") }
        for name in ["x7f3-7-2.m4s", "x7f3-6.m4s", "x7f3-6-0.m4s", "x7f3-init-0.mp4"] {
            guard case .media(let bytes, "video/mp4", 3600) = run.window.media(name, arrived: now, now: now) else {
                Issue.record("\(name)")
                continue
            }
            #expect(bytes.readableBytes > 0)
        }
        run.finish()
        #expect(run.window.media("x7f3-8-0.m4s", arrived: run.now, now: run.now).isRefusal(404))
    }
}

extension HLSAnswer {
    func isRefusal(_ status: Int) -> Bool {
        if case .refuse(status, _) = self { true } else { false }
    }
}
