import NIOCore

/// Puts the RTP clock of one media on the time that all medias of a stream share, in 1/90000 s.
///
/// Times follow the RTP timestamps exactly, at the declared rate: 32 bits are unwrapped, and what jumps goes on behind the last
/// time. Where the clocks of two medias stand to each other is known from the arrival of their first packets, and better from
/// their sender reports: see `moveLater(by:)`.
struct RTPTimeline: Sendable {
    /// Steps forward beyond this are jumps, unless so much time has passed.
    private static let longestStep: Int64 = 900_000
    /// Video: B pictures, at one picture a second. Audio has no order but its own.
    private static let longestStepBack: Int64 = 270_000
    private static let longestAudioStepBack: Int64 = 18_000
    /// What two reports of a source may differ in the time between them, beside a tenth of it: 100 ms.
    private static let reportTolerance: Int64 = 9000
    /// From here on a correction hurries: 200 ms.
    private static let largeCorrection: Int64 = 18_000

    private let rate: Int64
    private let stepBack: Int64
    private var last: (timestamp: UInt32, arrival: NIODeadline)?
    /// RTP ticks of the last timestamp since the last jump.
    private var ticks: Int64 = 0
    private var offset: Int64 = 0
    private var highest: Int64 = 0
    /// What is still to be corrected.
    private var correction: Int64 = 0
    /// The last sender report, and whether it goes with the one before.
    private var report: (time: Int64, timestamp: UInt32, isTrusted: Bool)?
    private(set) var jumps = 0

    init(clockRate: Int, kind: TrackKind) {
        rate = Int64(max(clockRate, 1))
        stepBack = kind == .video ? Self.longestStepBack : Self.longestAudioStepBack
    }

    /// The first packet has come.
    var isAnchored: Bool { last != nil }

    /// The first timestamp is at `time`.
    mutating func anchor(_ timestamp: UInt32, at time: Int64, now: NIODeadline) {
        last = (timestamp, now)
        ticks = 0
        offset = time
        highest = time
    }

    /// The time of a packet, which is not the first.
    mutating func time(of timestamp: UInt32, now: NIODeadline) -> Int64 {
        guard let last else { return highest }
        self.last = (timestamp, now)
        let step = Int64(Int32(bitPattern: timestamp &- last.timestamp))
        let duration = scaled(step)
        let elapsed = min(max((now - last.arrival).nanoseconds / 1000 &* 9 / 100, 0), Self.longestStep &* 360)
        if duration < -stepBack || (duration > Self.longestStep && duration > elapsed &* 2) {
            jumps += 1
            ticks = 0
            offset = highest &+ min(max(elapsed, 1), Self.longestStep)
            report = nil
            correction = 0
        } else {
            ticks &+= step
            if correction != 0, duration > 0 { correct(over: duration) }
        }
        let time = scaled(ticks) &+ offset
        highest = max(highest, time)
        return time
    }

    /// RTP ticks in 1/90000 s.
    func scaled(_ ticks: Int64) -> Int64 {
        rate == 90_000 ? ticks : ticks &* 90_000 / rate
    }

    /// Everything from here on is later by so much: the clock stands still, and its frames go on.
    mutating func push(by difference: Int64) {
        offset &+= difference
        highest = max(highest, scaled(ticks) &+ offset)
    }

    /// Takes `correction` into the time in steps that nobody notices: a twentieth of what goes by, and half of it when it is
    /// large. Forward a large one is a gap, which does no harm.
    private mutating func correct(over duration: Int64) {
        let isLarge = correction.magnitude > UInt64(Self.largeCorrection)
        let room = isLarge ? (correction > 0 ? correction : duration / 2) : duration / 20
        let step = min(max(correction, -max(room, 1)), max(room, 1))
        offset &+= step
        correction &-= step
    }

    /// - Parameter atOnce: nothing has been emitted yet.
    mutating func moveLater(by difference: Int64, atOnce: Bool) {
        guard atOnce else {
            correction = difference
            return
        }
        offset &+= difference
        highest &+= difference
        correction = 0
    }

    /// A sender report of this media's source. One that contradicts the one before is not believed, nor a time of zero.
    mutating func receive(ntp: UInt64, timestamp: UInt32) {
        guard ntp != 0 else { return }
        let time = Int64(ntp >> 32) * 90_000 + Int64(((ntp & 0xFFFF_FFFF) * 90_000) >> 32)
        var isTrusted = true
        if let report {
            let wall = time - report.time
            let clock = scaled(Int64(Int32(bitPattern: timestamp &- report.timestamp)))
            isTrusted = (wall - clock).magnitude <= UInt64(Self.reportTolerance) + clock.magnitude / 10
        }
        report = (time, timestamp, isTrusted)
    }

    /// The sender's time of day less ours, by its last report; nil while there is none to believe.
    var reportedOffset: Int64? {
        guard let report, report.isTrusted, let last else { return nil }
        let position = ticks &+ Int64(Int32(bitPattern: report.timestamp &- last.timestamp))
        return report.time &- scaled(position) &- offset
    }
}
