/// The program clock: which PCR stands at which frame, in 1/90000 s and unwrapped.
///
/// PCR is DTS less a fixed delay, so it runs on the time line of the frames and not on that of the network.
struct TSClock: Sendable {
    /// Added to all times: a stream that begins at 0 has its first PCR at 0.5 s and not just below 2^33.
    static let offset: Int64 = 90_000
    /// How long before it is decoded a frame begins to come in: 0.5 s. More than the 40 ms between two PCRs, in which the frame
    /// arrives, the 80 ms that sound is gathered and what publishers interleave unevenly; less than the second after which
    /// every byte must have left its buffer (ISO/IEC 13818-1 2.4.2.6).
    static let delay: Int64 = 45_000
    /// ISO/IEC 13818-1 2.7.2 asks for a PCR every 100 ms, DVB for one every 40 ms.
    static let interval: Int64 = 3600
    /// A stream of key frames alone has a picture every few seconds: its clock goes on, 25 PCRs a second. What is longer than 5 s
    /// is a new time base.
    static let longestFill: Int64 = 450_000
    /// A picture that comes up to this late (the sound ran ahead, DTS went back a little) finds a PCR that is still before it.
    private static let latest: Int64 = 36_000
    /// Times are cut to this, so that no sum of theirs overflows.
    private static let limit: Int64 = 1 << 60

    struct Advance {
        /// Where the clock stood, how far it goes, in how many steps.
        var start: Int64
        var gap: Int64
        var steps: Int64
        /// The PCR of the frame itself; nil when the clock is there already.
        var pcr: Int64?
        var isDiscontinuity = false

        /// The PCR of a step before the last.
        func pcr(at step: Int64) -> Int64 { start &+ gap &* step / steps }
    }

    private(set) var last: Int64?

    /// A frame's time, safe to calculate with.
    static func time(_ time: Int64) -> Int64 { min(max(time, -limit), limit) &+ offset }

    /// Takes the clock to a PCR.
    ///
    /// ISO/IEC 13818-1 2.4.3.5: the indicator is for a clock that goes on elsewhere. A receiver drops what it knows of the clock
    /// then, so small steps back are waited for instead, and gaps of some seconds filled.
    /// - Parameter isNeeded: the frame must have a PCR, even when the clock is there already.
    mutating func advance(to pcr: Int64, isNeeded: Bool) -> Advance {
        guard let last else {
            self.last = pcr
            return Advance(start: pcr, gap: 0, steps: 1, pcr: pcr)
        }
        let gap = pcr &- last
        if gap > Self.longestFill || gap < -Self.latest {
            self.last = pcr
            return Advance(start: pcr, gap: 0, steps: 1, pcr: pcr, isDiscontinuity: true)
        }
        guard gap > 0 else {
            guard isNeeded else { return Advance(start: last, gap: 0, steps: 1) }
            self.last = last &+ 1
            return Advance(start: last, gap: 0, steps: 1, pcr: last &+ 1)
        }
        self.last = pcr
        return Advance(start: last, gap: gap, steps: (gap &+ Self.interval &- 1) / Self.interval, pcr: pcr)
    }
}
