/// Gives audio frames their times. The count of samples is the most even clock there is; the container's times are believed
/// when they run at 90 kHz, rescaled when they run at the sample rate or at 1 kHz, and left aside otherwise.
struct AudioClock: Sendable {
    /// How the stamps of this track run, as far as is known.
    enum Pace: Equatable {
        case unknown
        case ticks90k
        /// One tick is 90000/`rate` of 1/90000 s.
        case ticks(rate: Int64)
        /// No use: only samples are counted.
        case samples
    }

    /// 300 ms away from the picture for a while: anchored again.
    private static let largestDrift: Int64 = 27_000
    private static let framesOfDrift = 25
    private static let framesToJudge = 8

    private var unwrapper = TimestampUnwrapper()
    private(set) var pace = Pace.unknown
    private(set) var offset: Int64 = 0
    private(set) var last: Int64?
    private var duration: Int64 = 0
    private var lastRaw: Int64?
    private var sincePTS: Int64 = 0
    private var judged: (raw: Int64, duration: Int64, frames: Int) = (0, 0, 0)
    private var anchor: (raw: Int64, out: Int64) = (0, 0)
    private var drifting = 0

    init() {}

    /// - Parameters:
    ///   - duration: of this frame by its samples, in 1/90000 s.
    ///   - video: the last picture's DTS and the video's offset, if there is one.
    mutating func next(
        pts: UInt64?,
        duration: Int64,
        sampleRate: Int,
        video: (dts: Int64, offset: Int64)?
    ) -> Int64 {
        let raw = pts.map { unwrapper.unwrap($0) }
        defer { self.duration = duration }
        guard let last else { return first(raw, video: video) }
        let expected = last + self.duration
        sincePTS += self.duration
        var out = expected
        if let raw {
            judge(raw, sampleRate: Int64(sampleRate), expected: expected)
            out = place(raw, expected: expected, last: last, video: video)
            lastRaw = raw
            sincePTS = 0
        }
        if pace != .ticks90k, let video { out = anchored(out, to: video.dts, last: last) }
        out = max(out, last + 1)
        self.last = out
        return out
    }

    private mutating func first(_ raw: Int64?, video: (dts: Int64, offset: Int64)?) -> Int64 {
        var out = raw ?? 0
        if let video {
            out &+= video.offset
            if raw == nil || (out &- video.dts).magnitude > UInt64(VideoClock.largestStep) { out = video.dts }
        }
        offset = out &- (raw ?? 0)
        lastRaw = raw
        last = out
        return out
    }

    private mutating func place(
        _ raw: Int64,
        expected: Int64,
        last: Int64,
        video: (dts: Int64, offset: Int64)?
    ) -> Int64 {
        switch pace {
        case .ticks90k:
            let candidate = raw &+ offset
            if candidate > last - 9000, candidate &- last <= VideoClock.largestStep { return candidate }
            if let video, case let other = raw &+ video.offset, other > last, other &- last <= VideoClock.largestStep {
                offset = video.offset
                return other
            }
            offset = expected &- raw
            return expected
        case .ticks(let rate):
            let candidate = anchor.out &+ (raw &- anchor.raw) &* 90_000 / rate
            if candidate > last - 9000, candidate &- last <= VideoClock.largestStep { return candidate }
            anchor = (raw, expected)
            return expected
        case .unknown:
            // Until there is enough to judge by, a stamp that fits is believed and another is not.
            let candidate = raw &+ offset
            let error = (candidate &- expected).magnitude
            return error <= UInt64(max(self.duration / 2, 900)) ? candidate : expected
        case .samples:
            return expected
        }
    }

    /// Compares how far the stamps and the samples have come.
    private mutating func judge(_ raw: Int64, sampleRate: Int64, expected: Int64) {
        guard let lastRaw else { return }
        let step = raw &- lastRaw
        if step < 0 || step > VideoClock.largestStep {
            judged = (0, 0, 0)
            return
        }
        judged = (judged.raw + step, judged.duration + sincePTS, judged.frames + 1)
        guard judged.frames >= Self.framesToJudge, judged.duration > 0 else { return }
        let found: Pace =
            if Self.agree(judged.raw, judged.duration) {
                .ticks90k
            } else if Self.agree(judged.raw &* 90_000, judged.duration &* sampleRate) {
                .ticks(rate: sampleRate)
            } else if Self.agree(judged.raw &* 90, judged.duration) {
                .ticks(rate: 1000)
            } else {
                .samples
            }
        judged = (0, 0, 0)
        guard found != pace else { return }
        if found == .ticks90k {
            // At first the stamps were taken as they are: keep the picture's offset if it still fits.
            if (raw &+ offset &- expected).magnitude > UInt64(Self.largestDrift) { offset = expected &- raw }
        }
        anchor = (raw, expected)
        pace = found
    }

    private mutating func anchored(_ out: Int64, to video: Int64, last: Int64) -> Int64 {
        let drift = out &- video
        guard drift.magnitude > UInt64(Self.largestDrift) else {
            drifting = 0
            return out
        }
        drifting += 1
        guard drifting >= Self.framesOfDrift else { return out }
        drifting = 0
        // Ahead of the picture it cannot go back: it stands until the picture has caught up.
        let moved = max(video, last + 1)
        anchor.out &+= moved &- out
        return moved
    }

    private static func agree(_ left: Int64, _ right: Int64) -> Bool {
        right > 0 && (left &- right).magnitude <= UInt64(right) / 2
    }
}
