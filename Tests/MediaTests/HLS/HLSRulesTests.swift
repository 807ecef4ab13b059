import Foundation
import Testing

@testable import Media

/// The rules catch what they are there for.
@Suite("HLS: the validator catches violations")
struct HLSRulesTests {
    struct Fault: Sendable, CustomTestStringConvertible {
        var rule: HLSRules.Rule
        /// Changes the last of the playlists.
        var damage: @Sendable (String) -> String
        var testDescription: String { rule.rawValue }
    }

    private static func replace(_ rule: HLSRules.Rule, _ old: String, _ new: String) -> Fault {
        Fault(rule: rule) { text in
            guard let range = text.range(of: old) else { return text }
            return text.replacingCharacters(in: range, with: new)
        }
    }

    static let faults: [Fault] = [
        replace(.targetDurationIsAtLeastEveryDuration, "#EXTINF:4.00000", "#EXTINF:4.60000"),
        replace(.targetDurationIsConstant, "#EXT-X-TARGETDURATION:4", "#EXT-X-TARGETDURATION:5"),
        replace(.partTargetIsConstant, "PART-TARGET=0.215", "PART-TARGET=0.216"),
        replace(.durationsAreDecimal, "#EXTINF:4.00000", "#EXTINF:4e0"),
        replace(.partIsNotLongerThanTarget, "#EXT-X-PART:DURATION=0.20000", "#EXT-X-PART:DURATION=0.25000"),
        replace(
            .partIsNotShorterThanMost,
            "#EXT-X-PART:DURATION=0.20000,URI=\"x7f3-6-1",
            "#EXT-X-PART:DURATION=0.15000,URI=\"x7f3-6-1"
        ),
        replace(.partsComeToTheirSegment, "#EXT-X-PART:DURATION=0.20000", "#EXT-X-PART:DURATION=0.19000"),
        Fault(rule: .partsOfTheLastThreeTargets) { text in
            text.split(separator: "\n").filter { !$0.hasPrefix("#EXT-X-PART:") }.joined(separator: "\n")
        },
        replace(.holdBack, "HOLD-BACK=12.0", "HOLD-BACK=11.0"),
        replace(.partHoldBack, "PART-HOLD-BACK=0.645", "PART-HOLD-BACK=0.300"),
        replace(.skipBoundary, "CAN-SKIP-UNTIL=24.0", "CAN-SKIP-UNTIL=12.0"),
        replace(.blockingReload, "CAN-BLOCK-RELOAD=YES,", ""),
        replace(.versionForWhatIsUsed, "#EXT-X-VERSION:9", "#EXT-X-VERSION:6"),
        replace(.sequenceNeverDecreases, "#EXT-X-MEDIA-SEQUENCE:2", "#EXT-X-MEDIA-SEQUENCE:0"),
        replace(.segmentStaysTheSame, "\nx7f3-5.m4s", "\nother.m4s"),
        replace(.discontinuitySequence, "#EXT-X-DISCONTINUITY-SEQUENCE:1", "#EXT-X-DISCONTINUITY-SEQUENCE:0"),
        Fault(rule: .windowOfThreeTargets) { text in
            let lines = text.split(separator: "\n")
            guard let start = lines.firstIndex(where: { $0.hasPrefix("#EXT-X-MAP") }) else { return text }
            return (lines[..<start] + lines[(start + 1)...].suffix(45)).joined(separator: "\n")
        },
        replace(.independentSegments, "\nx7f3-4.m4s", "\nx7f3-dependent.m4s"),
        replace(.hintComesTrue, "x7f3-8-0.m4s", "x7f3-8-9.m4s"),
        replace(.hintIsThere, "#EXT-X-PRELOAD-HINT", "#EXT-X-PRELOAD-HINTS"),
        replace(.dates, "T02:34:13", "T02:34:17"),
        replace(.map, "#EXT-X-MAP", "#EXT-X-MAPS"),
        replace(.mapChangesAtDiscontinuity, "\nx7f3-4.m4s\n", "\nx7f3-4.m4s\n#EXT-X-MAP:URI=\"other.mp4\"\n"),
        replace(.nothingAfterTheEnd, "#EXT-X-PRELOAD-HINT", "#EXT-X-ENDLIST\n#EXT-X-PRELOAD-HINT"),
        replace(.unknownTag, "#EXT-X-PART-INF", "#EXT-X-PART-INFO"),
    ]

    /// A stream of whose states the last one is damaged and followed by another one.
    private static let states: (HLSRules, [String]) = {
        var run = HLSRun(HLSConfiguration(container: .fragmentedMP4))
        var camera = HLSCamera()
        camera.announce(&run)
        camera.run(seconds: 32.3, &run)
        return (run.rules, run.playlists)
    }()

    @Test(arguments: faults)
    func catches(fault: Fault) throws {
        let (final, playlists) = Self.states
        var rules = HLSRules()
        rules.independent = final.independent
        // The last state in which the first part of segment 8 is awaited.
        let index = try #require(
            playlists.lastIndex { $0.contains("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"x7f3-8-0.m4s") }
        )
        for text in playlists[..<index] { rules.check(text) }
        #expect(rules.violations.isEmpty, "\(rules.report)")
        let damaged = fault.damage(playlists[index])
        #expect(damaged != playlists[index], "nothing was damaged")
        rules.check(damaged)
        if fault.rule == .nothingAfterTheEnd || fault.rule == .hintComesTrue { rules.check(playlists[index + 1]) }
        #expect(rules.broken.contains(fault.rule.rawValue), "caught: \(rules.broken)")
    }
}
