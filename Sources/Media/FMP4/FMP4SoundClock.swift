/// Counts samples, and holds the count against the frames' own times: those may be whole milliseconds, or when a packet came,
/// and players hear each step of tfdt. A count that has gone wrong is noticed.
struct FMP4SoundClock: Sendable {
    /// In 1/1000 s. Pictures and sound that are further apart than this are corrected at once...
    private static let largestError: Int64 = 40
    /// ...and a smaller difference when it lasts: a lost packet of 20 ms twice is no jitter.
    private static let lastingError: Int64 = 30
    private static let framesToLast = 16

    private let limit: Int64
    private let lastingLimit: Int64
    /// Where the next sample is, in samples; nil before the first.
    var next: Int64?
    /// How many frames in a row were too early (< 0) or too late, and the least of their errors.
    private var frames = 0
    private var least: Int64 = 0

    init(sampleRate: Int) {
        limit = Int64(sampleRate) &* Self.largestError / 1000
        lastingLimit = Int64(sampleRate) &* Self.lastingError / 1000
    }

    /// What the count is to be moved by, in samples; 0 while `own` agrees with it well enough.
    mutating func correction(own: Int64, count: Int64) -> Int64 {
        let error = own &- count
        if error > limit || error < -limit {
            frames = 0
            return error
        }
        if error > lastingLimit {
            least = frames > 0 ? min(least, error) : error
            frames = max(frames, 0) &+ 1
        } else if error < -lastingLimit {
            least = frames < 0 ? max(least, error) : error
            frames = min(frames, 0) &- 1
        } else {
            frames = 0
        }
        guard abs(frames) >= Self.framesToLast else { return 0 }
        frames = 0
        return least
    }
}
