import NIOCore
import Testing

@testable import Media

@Suite("HLS: how long parts and segments are")
struct HLSPartRuleTests {
    @Test(
        "PART-TARGET is the smallest number of frames with room for jitter",
        arguments: [
            (wanted: Int64(18_000), frame: Int64(3600), longest: Int64(215), frames: Int64(5)),
            (18_000, 3003, 216, 6), (18_000, 6000, 215, 3), (18_000, 7500, 269, 3), (18_000, 18_000, 215, 1),
            (18_000, 90_000, 1075, 1), (18_000, 1920, 224, 10), (18_000, 1500, 209, 12), (45_000, 3600, 540, 13),
        ]
    )
    func partTarget(wanted: Int64, frame: Int64, longest: Int64, frames: Int64) {
        let target = HLSPartTarget(wanted: wanted, frame: frame, limit: 12 * 90_000)
        #expect(target.longest / 90 == longest)
        #expect(target.longest % 90 == 0)
        // That many frames fit, and are 85 % at least.
        #expect(frames * frame <= target.longest && frames * frame >= target.shortest)
        #expect(frames * frame >= wanted)
    }

    @Test(
        "lal: int(max(fragment, longest + 0.5))",
        arguments: [(3, 4.0, 4), (3, 4.49, 4), (3, 4.5, 5), (3, 1, 3), (10, 3, 10)]
    )
    func targetDuration(fragment: Int64, longest: Double, seconds: Int) {
        #expect(HLSCutter.targetSeconds(fragment: fragment * 90_000, longest: Int64(longest * 90_000)) == seconds)
    }

    @Test("A target duration of 0 never appears")
    func noZero() {
        #expect(HLSCutter.targetSeconds(fragment: 9000, longest: 9000) == 1)
    }

    @Test("The hint of a part never fails, and parts count from 0 without a hole")
    func partNumbers() {
        var run = HLSRun(HLSConfiguration(container: .fragmentedMP4))
        var camera = HLSCamera()
        camera.announce(&run)
        camera.run(seconds: 30, &run)
        for opening in run.openings {
            let indices = run.parts.filter { $0.number == opening.number }.map(\.index)
            #expect(indices == Array(0..<indices.count))
        }
        // A part begins with the key frame: it is independent, and so are no others of these.
        let first = run.parts.filter { $0.index == 0 }
        #expect(first.allSatisfy { $0.isIndependent })
        // In groups of 2 s a segment of 4 s has a second key frame.
        #expect(run.parts.filter { $0.number == 2 }.filter(\.isIndependent).map(\.index) == [0, 10])
    }

    @Test("A segment is its parts, one after the other")
    func concatenation() {
        var run = HLSRun(HLSConfiguration(container: .fragmentedMP4))
        var camera = HLSCamera()
        camera.announce(&run)
        camera.run(seconds: 30, &run)
        run.finish()
        for closing in run.closings {
            var whole = ByteBuffer()
            for part in run.parts where part.number == closing.number { whole.writeImmutableBuffer(part.bytes) }
            #expect(whole == closing.bytes)
            #expect(whole.readableBytes > 0)
        }
        // And the window serves the same.
        for part in run.parts.suffix(10) {
            let answer = run.window.media(part.name, arrived: run.now, now: run.now)
            #expect(answer == .media(part.bytes, contentType: "video/mp4", cacheSeconds: 3600))
        }
    }

    @Test("Late sound still belongs to the first segment")
    func lateSound() {
        var run = HLSRun(HLSConfiguration(container: .fragmentedMP4))
        var camera = HLSCamera(hasAudio: false)
        camera.announce(&run)
        camera.run(seconds: 1, &run)
        camera.hasAudio = true
        run.feed(.audio(Synthetic.aac))
        camera.run(seconds: 12, &run)
        #expect(run.openings.filter(\.isDiscontinuous).count == 1)
        #expect(run.rules.violations.isEmpty, "\(run.rules.report)")
        #expect(String(buffer: run.window.multivariantPlaylist()).contains("mp4a.40.2"))
    }
}
