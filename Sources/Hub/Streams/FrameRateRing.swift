/// Video messages per second of wall clock over the last 32 s (lal's `in_frame_per_sec`).
struct FrameRateRing {
    private static let size = 32
    private var slots: [FrameCount] = []

    mutating func count(at second: Int64) {
        if let last = slots.last, last.unixSecond >= second {
            slots[slots.count &- 1].count &+= 1
            return
        }
        if slots.count == Self.size { slots.removeFirst() }
        slots.append(FrameCount(unixSecond: second, count: 1))
    }

    /// The finished seconds that are not older than the ring, newest first.
    func finished(before now: Int64) -> [FrameCount] {
        slots.reversed().filter { $0.unixSecond < now && $0.unixSecond >= now &- Int64(Self.size) }
    }
}
