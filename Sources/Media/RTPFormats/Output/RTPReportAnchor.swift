/// Which media time belongs to which time of day, for sender reports.
struct RTPReportAnchor: Sendable {
    /// Beyond this, media time and the clock have parted: a source that jumped, or a clock that was set.
    static let largestDrift: Int64 = 500_000_000

    private var anchor: (time: Int64, wallClock: WallClock)?

    /// Takes media time (in ticks) that was seen at that time of day, unless it is near to what is known already.
    mutating func observe(_ time: Int64, clockRate: Int, at wallClock: WallClock) {
        if anchor != nil {
            let distance = self.time(at: wallClock, clockRate: clockRate) &- time
            let limit = RTPTicks.convert(Self.largestDrift, from: 1_000_000_000, to: clockRate)
            if distance.magnitude <= UInt64(max(limit, 0)) { return }
        }
        anchor = (time, wallClock)
    }

    /// The media time of a time of day.
    func time(at wallClock: WallClock, clockRate: Int) -> Int64 {
        guard let anchor else { return 0 }
        let elapsed = wallClock.nanoseconds &- anchor.wallClock.nanoseconds
        return anchor.time &+ RTPTicks.convert(elapsed, from: 1_000_000_000, to: clockRate)
    }
}
