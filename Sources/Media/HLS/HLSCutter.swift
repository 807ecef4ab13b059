/// Where segments begin and end, by the times of the pictures (or of sound that is alone).
///
/// A segment ends at the first key frame after `fragment`, as lal has it. The playlist promises for its whole life that none
/// is longer than TARGETDURATION (RFC 8216bis 4.4.3.1), and AVPlayer gives up on one that is. Key frames can come later than
/// was seen when the promise was made: then the segment ends without one, in time. Such a segment continues the one before and
/// plays everywhere, since EXT-X-INDEPENDENT-SEGMENTS is not promised; a player who begins there waits for the next key frame,
/// and that one begins a segment at once, however short the one before. lal lets TARGETDURATION grow instead.
///
/// Before the promise a segment can be `longestSegment` long, so that the usual groups of a camera (10 s and more) set it.
struct HLSCutter {
    enum Cut: Equatable {
        case none
        /// The next segment continues this one.
        case plain
        /// Times jump: EXT-X-DISCONTINUITY.
        case jump
    }

    /// How far a time may be behind the last one, in 1/90000 s (lal).
    private static let tolerance: Int64 = 90_000
    /// Frames further apart belong to different clocks.
    private static let largestGap = FMP4Timeline.largestGap
    /// Assumed before two frames are known: 25 a second.
    private static let usualStep: Int64 = 3600

    private let fragment: Int64
    private var limit: Int64
    private(set) var start: Int64 = 0
    private(set) var last: Int64 = 0
    private var step = Self.usualStep
    private var isIndependent = true
    private var isFresh = true

    init(_ configuration: HLSConfiguration) {
        fragment = configuration.fragment
        limit = configuration.longestSegment
    }

    /// EXT-X-TARGETDURATION as lal computes it.
    static func targetSeconds(fragment: Int64, longest: Int64) -> Int {
        max(1, Int(max(fragment, longest &+ 45_000) / 90_000))
    }

    /// From now on no segment is so long that it would be rounded to more.
    mutating func promise(seconds: Int) {
        limit = Int64(seconds) * 90_000 + 44_000
    }

    mutating func begin(at time: Int64, isIndependent: Bool) {
        start = time
        last = time
        isFresh = true
        self.isIndependent = isIndependent
    }

    /// Whether the segment ends before a frame of that time.
    func cut(before time: Int64, isStart: Bool) -> Cut {
        let (age, overflow) = time.subtractingReportingOverflow(start)
        // A frame before the segment's start by more than the tolerance (lal's rule) is behind the last one by more, too.
        if overflow || time < last &- Self.tolerance { return .jump }
        // A gap that no segment may span. lal's ten fragments ahead are always more than the limit.
        if age > limit || time &- last > Self.largestGap { return .jump }
        if isStart, age > 0, age >= fragment || !isIndependent { return .plain }
        return age > 0 && age &+ step > limit ? .plain : .none
    }

    /// Takes a frame in. Times that stand still or go back a little are moved on by the least there is.
    ///
    /// - Returns: its time.
    mutating func advance(to time: Int64) -> Int64 {
        guard !isFresh else {
            isFresh = false
            return time
        }
        let time = max(time, last &+ 1)
        step = min(max(time &- last, 1), fragment)
        last = time
        return time
    }

    /// Where the last frame ends, as far as one knows; not longer than promised.
    var end: Int64 { min(last &+ step, max(latestEnd, last)) }

    /// Where the segment ends at the latest.
    var latestEnd: Int64 { start &+ limit }

    /// Whether sound that goes on without pictures has come to the end of the segment.
    func mustEnd(at time: Int64) -> Bool { time &- start &+ step > limit }
}
