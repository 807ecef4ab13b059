/// Apple's rules for a live playlist that is loaded again and again (RFC 8216bis 4.4, 6.2 and the authoring specification).
struct HLSRules {
    enum Rule: String {
        case targetDurationIsAtLeastEveryDuration
        case targetDurationIsConstant
        case partTargetIsConstant
        case durationsAreDecimal
        case partIsNotLongerThanTarget
        case partIsNotShorterThanMost
        case partsComeToTheirSegment
        case partsOfTheLastThreeTargets
        case holdBack
        case partHoldBack
        case skipBoundary
        case blockingReload
        case versionForWhatIsUsed
        case sequenceNeverDecreases
        case segmentStaysTheSame
        case discontinuitySequence
        case windowOfThreeTargets
        case independentSegments
        case hintComesTrue
        case hintIsThere
        case dates
        case map
        case mapChangesAtDiscontinuity
        case nothingAfterTheEnd
        case unknownTag
    }

    /// URIs of segments and parts in which a decoder can start.
    var independent: Set<String> = []
    private(set) var violations: [(Rule, String)] = []
    private var last: HLSParsedPlaylist?
    private var seen: [Int: HLSParsedPlaylist.Segment] = [:]
    private(set) var checked = 0

    var broken: Set<String> { Set(violations.map(\.0.rawValue)) }
    var report: String { violations.prefix(5).map { "\($0.0.rawValue): \($0.1)" }.joined(separator: "\n") }

    private mutating func demand(_ rule: Rule, _ holds: Bool, _ what: @autoclosure () -> String) {
        if !holds { violations.append((rule, "load \(checked): \(what())")) }
    }

    mutating func check(_ text: String) {
        let list = HLSParsedPlaylist(text)
        checked += 1
        demand(.unknownTag, list.unknown.isEmpty, "\(list.unknown)")
        checkSegments(list)
        if list.partTarget != nil { checkParts(list) }
        if let last { compare(list, with: last) }
        last = list
    }

    private mutating func checkSegments(_ list: HLSParsedPlaylist) {
        for segment in list.segments {
            let rounded = Int(segment.duration.rounded())
            demand(
                .targetDurationIsAtLeastEveryDuration,
                rounded <= list.targetDuration,
                "\(segment.uri) \(segment.duration)"
            )
            let digits = segment.durationText.split(separator: ".").last?.count ?? 0
            let isDecimal = segment.durationText.allSatisfy { $0.isNumber || $0 == "." }
            demand(.durationsAreDecimal, isDecimal && digits <= 5 && segment.duration > 0, segment.durationText)
            if list.isIndependent { demand(.independentSegments, independent.contains(segment.uri), segment.uri) }
            if let former = seen[segment.number] {
                let isSame =
                    former.uri == segment.uri && former.durationText == segment.durationText
                    && former.isDiscontinuous == segment.isDiscontinuous && former.date == segment.date
                demand(.segmentStaysTheSame, isSame, "\(segment.number) \(segment.uri)")
                let count = segment.discontinuities
                demand(.discontinuitySequence, former.discontinuities == count, "\(segment.number): \(count)")
            }
            seen[segment.number] = segment
        }
        for (former, segment) in zip(list.segments, list.segments.dropFirst()) {
            demand(
                .mapChangesAtDiscontinuity,
                former.map == segment.map || segment.isDiscontinuous,
                segment.uri
            )
            guard let from = former.date.flatMap(seconds), let to = segment.date.flatMap(seconds) else { continue }
            let isNear = abs(to - from - former.duration) < 0.004
            demand(.dates, isNear || segment.isDiscontinuous, "\(segment.uri) \(to - from) \(former.duration)")
        }
        let duration = list.segments.reduce(0) { $0 + $1.duration }
        let isWide = list.sequence == 0 || duration >= Double(3 * list.targetDuration)
        demand(.windowOfThreeTargets, isWide || list.skipped > 0, "\(duration)")
    }

    private mutating func checkParts(_ list: HLSParsedPlaylist) {
        guard let target = list.partTarget else { return }
        let number = { (name: String) in list.control[name].flatMap { Double($0) } ?? 0 }
        let seconds = Double(list.targetDuration)
        demand(.versionForWhatIsUsed, list.version >= 9, "\(list.version)")
        demand(.blockingReload, list.control["CAN-BLOCK-RELOAD"] == "YES", "")
        demand(.holdBack, number("HOLD-BACK") >= 3 * seconds, "\(number("HOLD-BACK"))")
        // The RFC says twice, Apple's authoring specification three times.
        demand(.partHoldBack, number("PART-HOLD-BACK") >= 3 * target - 0.000_01, "\(number("PART-HOLD-BACK"))")
        demand(.skipBoundary, number("CAN-SKIP-UNTIL") >= 6 * seconds, "\(number("CAN-SKIP-UNTIL"))")
        demand(.hintIsThere, list.hint != nil || list.hasEnded, "")
        let all = list.segments + (list.open.map { [$0] } ?? [])
        var distance = all.reduce(0) { $0 + ($1.uri.isEmpty ? $1.parts.reduce(0) { $0 + $1.duration } : $1.duration) }
        for segment in all {
            demand(.map, segment.map != nil, segment.uri)
            demand(.dates, segment.date.flatMap(self.seconds) != nil, segment.uri)
            let sum = segment.parts.reduce(0) { $0 + $1.duration }
            distance -= segment.uri.isEmpty ? sum : segment.duration
            if !segment.uri.isEmpty {
                if distance < 3 * seconds - 0.001 {
                    demand(.partsOfTheLastThreeTargets, !segment.parts.isEmpty, segment.uri)
                }
                if !segment.parts.isEmpty {
                    demand(.partsComeToTheirSegment, abs(sum - segment.duration) < 0.001, "\(segment.uri) \(sum)")
                }
            }
            for (index, part) in segment.parts.enumerated() {
                let isLast = index == segment.parts.count - 1 && !segment.uri.isEmpty
                demand(.partIsNotLongerThanTarget, part.duration <= target + 0.000_01, "\(part)")
                // Whether it is the last one is known when its segment has ended.
                guard !segment.uri.isEmpty, !isLast, !part.isIndependent else { continue }
                demand(.partIsNotShorterThanMost, part.duration >= 0.85 * target - 0.000_01, "\(part)")
            }
        }
    }

    private mutating func compare(_ list: HLSParsedPlaylist, with last: HLSParsedPlaylist) {
        demand(.targetDurationIsConstant, list.targetDuration == last.targetDuration, "\(list.targetDuration)")
        demand(.partTargetIsConstant, list.partTarget == last.partTarget, "\(list.partTarget ?? 0)")
        demand(.sequenceNeverDecreases, list.sequence >= last.sequence, "\(list.sequence)")
        demand(.nothingAfterTheEnd, !last.hasEnded, "")
        guard let hint = last.hint, list.hint != hint else { return }
        let parts = (list.segments + (list.open.map { [$0] } ?? [])).flatMap(\.parts)
        demand(.hintComesTrue, parts.contains { $0.uri == hint } || list.hasEnded, hint)
    }

    /// Within a day.
    private func seconds(_ date: String) -> Double? {
        let clock = date.split(separator: "T").last?.dropLast().split(separator: ":").compactMap { Double($0) } ?? []
        return clock.count == 3 && date.hasSuffix("Z") ? clock[0] * 3600 + clock[1] * 60 + clock[2] : nil
    }
}
