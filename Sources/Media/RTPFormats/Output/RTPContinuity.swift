package import NIOCore

/// What the next publisher of a stream needs to know, so that its readers see one stream that goes on: the same sources, the
/// next numbers, and timestamps that have run on with the clock.
///
/// It is a plain value without storage of its own for streams of two medias, so that keeping it with each access unit is cheap.
package struct RTPContinuity: Hashable, Sendable {
    package struct Source: Hashable, Sendable {
        package var ssrc: UInt32
        /// Of the next packet.
        package var sequenceNumber: UInt16
        /// The timestamp that belonged to `time`.
        package var timestamp: UInt32
        package var time: NIODeadline
        package var clockRate: Int

        package init(ssrc: UInt32, sequenceNumber: UInt16, timestamp: UInt32, time: NIODeadline, clockRate: Int) {
            self.ssrc = ssrc
            self.sequenceNumber = sequenceNumber
            self.timestamp = timestamp
            self.time = time
            self.clockRate = clockRate
        }

        /// The timestamp that belongs to `now`.
        package func timestamp(at now: NIODeadline) -> UInt32 {
            timestamp &+ RTPTicks.ticks(ofNanoseconds: (now - time).nanoseconds, clockRate: clockRate)
        }
    }

    /// Names the server in RTCP; all sources of a stream share it.
    package var canonicalName: UInt64
    private var first: Source?
    private var second: Source?
    private var others: [Source] = []

    package init(canonicalName: UInt64) {
        self.canonicalName = canonicalName
    }

    package init(canonicalName: UInt64, sources: [Source]) {
        self.init(canonicalName: canonicalName)
        for source in sources { append(source) }
    }

    package var count: Int { (first == nil ? 0 : 1) &+ (second == nil ? 0 : 1) &+ others.count }

    /// The source of a media; nil when there was none.
    package subscript(media: Int) -> Source? {
        switch media {
        case 0: first
        case 1: second
        default: others.indices.contains(media &- 2) ? others[media &- 2] : nil
        }
    }

    /// When the next publisher goes on that sends its first packet now: the time after the last one's is not the same.
    func resumption(_ now: NIODeadline) -> NIODeadline {
        var time = now
        for source in [first, second] + others.map(Optional.some) {
            if let source { time = max(time, source.time + .milliseconds(20)) }
        }
        return time
    }

    package mutating func append(_ source: Source) {
        if first == nil {
            first = source
        } else if second == nil {
            second = source
        } else {
            others.append(source)
        }
    }
}

/// Arithmetic of RTP time. Nothing of it traps, whatever the numbers.
enum RTPTicks {
    /// Ticks that `nanoseconds` take, rounded down, modulo 2^32.
    @inline(__always)
    static func ticks(ofNanoseconds nanoseconds: Int64, clockRate: Int) -> UInt32 {
        let seconds = nanoseconds / 1_000_000_000
        let rest = nanoseconds % 1_000_000_000
        let rate = Int64(clockRate)
        return UInt32(truncatingIfNeeded: seconds &* rate &+ rest &* rate / 1_000_000_000)
    }

    /// `value` counted in 1/`from` s, in 1/`to` s, rounded to the nearest.
    @inline(__always)
    static func convert(_ value: Int64, from: Int, to: Int) -> Int64 {
        guard from != to, from > 0 else { return value }
        let from = Int64(from)
        let to = Int64(to)
        let seconds = value / from
        var rest = value % from &* to
        rest = rest < 0 ? rest &- from / 2 : rest &+ from / 2
        return seconds &* to &+ rest / from
    }
}

/// Numbers that a peer cannot guess, out of one seed (SplitMix64).
struct RTPRandom {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
