/// The time of a file: it begins at 0 or later, goes on when a publisher's clock begins anew, and never goes back. In 1/90000 s.
struct FMP4Timeline: Sendable {
    /// More than this ahead is another clock, not a gap.
    static let largestGap: Int64 = 10 * 90_000
    /// So far back is another clock; less is a picture out of order, or a clock that was set right.
    private static let largestStepBack: Int64 = 45_000
    /// The distance of pictures before any was measured.
    private static let firstStep: Int64 = 3600
    /// Beyond it times of a publisher are nonsense: 1,500 years.
    private static let latest: Int64 = 1 << 52

    /// What is added to a frame's time; nil before the first frame.
    private(set) var offset: Int64?
    /// Where the pictures began, and the last one's time.
    private(set) var videoStart: Int64?
    private(set) var lastVideo: Int64?
    /// The last distance of two pictures that was measured.
    private(set) var step = Self.firstStep
    /// How often the clock began anew.
    private(set) var jumps = 0

    init(origin: Int64?) {
        offset = origin.map { 0 &- $0 }
    }

    /// The time of a frame of sound, as its publisher gives it.
    mutating func place(sound pts: Int64) -> Int64 {
        let offset = offset ?? (0 &- pts)
        self.offset = offset
        return pts &+ offset
    }

    /// The time of the next picture, later than that of the last one.
    ///
    /// - Parameter soundEnd: where sound has come to, which the first picture is held against.
    mutating func place(video dts: Int64, soundEnd: Int64?) -> Int64 {
        let offset = offset ?? (0 &- dts)
        var time = dts &+ offset
        self.offset = offset
        if let lastVideo {
            let step = time &- lastVideo
            if step > Self.largestGap || step < -Self.largestStepBack {
                jumps &+= 1
                self.offset = offset &+ (lastVideo &+ self.step &- time)
                time = lastVideo &+ self.step
            } else if step <= 0 {
                time = lastVideo &+ 1
            } else {
                self.step = step
            }
        } else {
            let other = soundEnd ?? 0
            if soundEnd != nil && (time &- other).magnitude > UInt64(Self.largestGap) || !Self.isSensible(time) {
                jumps &+= soundEnd == nil ? 0 : 1
                self.offset = offset &+ (other &- time)
                time = other
            }
            time = max(time, 0)
            videoStart = time
        }
        lastVideo = time
        return time
    }

    /// A little before the beginning is a frame that came too early for it.
    static func isSensible(_ time: Int64) -> Bool { time >= -largestGap && time < latest }
}
