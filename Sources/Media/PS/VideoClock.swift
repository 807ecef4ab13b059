package import NIOCore

/// The times of one frame as its container gives them, before anything is believed.
package struct RawTime: Equatable, Sendable {
    package var pts: UInt64?
    package var dts: UInt64?
    package var rtpTimestamp: UInt32
    package var arrival: NIODeadline

    package init(pts: UInt64? = nil, dts: UInt64? = nil, rtpTimestamp: UInt32 = 0, arrival: NIODeadline) {
        self.pts = pts
        self.dts = dts
        self.rtpTimestamp = rtpTimestamp
        self.arrival = arrival
    }
}

/// Where a track's time comes from, best first.
enum TimeSource: Equatable, Sendable {
    case pts
    /// RTP timestamps, of which one tick is `ticks`/4 of 1/90000 s.
    case rtp(quarterTicks: Int64)
    case arrival
}

/// Gives the pictures of a session times that only run forward: unwrapped, without jumps, whatever the camera stamps
///
struct VideoClock: Sendable {
    /// Steps of the output beyond this are jumps and are taken out.
    static let largestStep = TimestampUnwrapper.largestStep
    /// Half a second: a step back within it is disorder (B pictures, jitter), beyond it a jump.
    private static let largestDisorder: Int64 = 45_000
    /// 2 s of arrival time, over which the sources are compared.
    private static let window: Int64 = 180_000
    private static let deepestReordering = 4

    private var unwrapper = TimestampUnwrapper()
    private var rtpPosition: Int64 = 0
    private var lastRTP: UInt32?
    private var lastRTPStep: Int64 = 0
    private(set) var source = TimeSource.pts
    /// Output = position of the source + offset.
    private(set) var offset: Int64 = 0
    private(set) var lastDTS: Int64?
    private var lastPosition: Int64?
    private var nominal: Int64 = 3600
    private var reordering: [Int64] = []
    private var depth = 0
    private var check: (arrival: NIODeadline, pts: Int64, rtp: Int64, frames: Int)?
    /// How often a jump was taken out.
    private(set) var jumps = 0
    private(set) var sourceChanges = 0

    init() {}

    /// - Parameter neighbour: the audio's offset, tried first when the picture's time jumps, so that both stay together.
    mutating func next(_ raw: RawTime, neighbour: Int64?) -> (dts: Int64, pts: Int64) {
        let hadPTS = raw.pts != nil
        let decoding = raw.dts ?? raw.pts
        let unwrapped = decoding.map { unwrapper.unwrap($0) }
        advanceRTP(raw.rtpTimestamp)
        examine(raw, hasPTS: unwrapped != nil)

        let position: Int64? =
            switch source {
            case .pts: unwrapped
            case .rtp(let quarter): rtpPosition &* quarter / 4
            case .arrival: Int64(raw.arrival.uptimeNanoseconds / 1000) &* 9 / 100
            }
        guard let lastDTS else { return first(raw, position, neighbour: neighbour) }

        var composition: Int64 = 0
        if source == .pts, let pts = raw.pts, let dts = raw.dts {
            composition = min(max(TimestampUnwrapper.difference(pts, dts, bits: 33), 0), Self.largestStep)
        }
        guard let position else { return emit(lastDTS + fallbackStep, composition: 0) }

        let candidate = position &+ offset
        let step = candidate &- (lastPosition.map { $0 &+ offset } ?? lastDTS)
        lastPosition = position
        if source == .pts, hadPTS, raw.dts == nil, depth > 0 || (step < 0 && step >= -Self.largestDisorder) {
            return reordered(candidate, step: step)
        }
        if candidate > lastDTS, candidate &- lastDTS <= Self.largestStep {
            let taken = candidate &- lastDTS
            if taken < 27_000 { nominal = (nominal * 7 + taken) / 8 }
            return emit(candidate, composition: composition)
        }
        if candidate <= lastDTS, lastDTS &- candidate <= Self.largestDisorder {
            return emit(lastDTS + (step == 0 ? fallbackStep : 1), composition: composition)
        }
        jumps += 1
        if let neighbour, case let other = position &+ neighbour, other > lastDTS, other &- lastDTS <= Self.largestStep
        {
            offset = neighbour
            return emit(other, composition: composition)
        }
        let next = lastDTS + fallbackStep
        offset = next &- position
        return emit(next, composition: composition)
    }

    private mutating func first(_ raw: RawTime, _ position: Int64?, neighbour: Int64?) -> (dts: Int64, pts: Int64) {
        var composition: Int64 = 0
        if let pts = raw.pts, let dts = raw.dts {
            composition = min(max(TimestampUnwrapper.difference(pts, dts, bits: 33), 0), Self.largestStep)
        }
        offset = neighbour ?? 0
        lastPosition = position
        return emit((position ?? 0) &+ offset, composition: composition)
    }

    private mutating func emit(_ dts: Int64, composition: Int64) -> (dts: Int64, pts: Int64) {
        lastDTS = dts
        return (dts, dts + composition)
    }

    /// Pictures with B frames and no DTS: the DTS is the smallest PTS of the last few.
    private mutating func reordered(_ pts: Int64, step: Int64) -> (dts: Int64, pts: Int64) {
        let last = lastDTS ?? pts
        if step > Self.largestStep || step < -Self.largestDisorder {
            jumps += 1
            let next = last + fallbackStep
            offset = offset &+ (next &- pts)
            depth = 0
            reordering = []
            return emit(next, composition: 0)
        }
        if let smallest = reordering.min(), pts < smallest, pts <= last, depth < Self.deepestReordering {
            depth += 1
        } else if depth == 0 {
            depth = 1
        }
        reordering.append(pts)
        var dts = last + 1
        if reordering.count > depth, let smallest = reordering.min(), let index = reordering.firstIndex(of: smallest) {
            reordering.remove(at: index)
            dts = max(smallest, last + 1)
        }
        lastDTS = dts
        return (dts, max(pts, dts))
    }

    /// What a frame lasts when its own time says nothing: the RTP step if it makes sense, else the usual.
    private var fallbackStep: Int64 {
        (1...27_000).contains(lastRTPStep) && lastRTPStep >= 300 ? lastRTPStep : nominal
    }

    private mutating func advanceRTP(_ timestamp: UInt32) {
        guard let lastRTP else {
            self.lastRTP = timestamp
            return
        }
        lastRTPStep = Int64(Int32(bitPattern: timestamp &- lastRTP))
        self.lastRTP = timestamp
        rtpPosition &+= lastRTPStep
    }

    /// Every 2 s: do PTS, RTP time and the clock on the wall agree?
    private mutating func examine(_ raw: RawTime, hasPTS: Bool) {
        guard let check else {
            self.check = (raw.arrival, unwrapper.value, rtpPosition, 0)
            return
        }
        self.check?.frames = check.frames + 1
        let wall = (raw.arrival - check.arrival).nanoseconds / 1000 * 9 / 100
        guard wall >= Self.window else { return }
        self.check = (raw.arrival, unwrapper.value, rtpPosition, 0)
        guard check.frames >= 10 else { return }
        let pts = unwrapper.value &- check.pts
        let rtp = rtpPosition &- check.rtp
        let quarters: [Int64] = [4, 360, 45, 14_400]  // 90 kHz, 1 kHz, 8 kHz, 25 Hz
        // Fast playback and bursts disagree with the wall, but RTP time then agrees with PTS.
        let isBelievable = hasPTS && pts > 0 && (Self.agree(pts, wall) || Self.agree(pts, rtp))
        let better: TimeSource
        if isBelievable {
            better = .pts
        } else if let quarter = quarters.first(where: { Self.agree(rtp &* $0 / 4, wall) }) {
            better = .rtp(quarterTicks: quarter)
        } else {
            better = .arrival
        }
        guard better != source else { return }
        source = better
        sourceChanges += 1
        reordering = []
        depth = 0
        // The next frame follows the last one, whatever the new source counts from.
        let position: Int64 =
            switch better {
            case .pts: unwrapper.value
            case .rtp(let quarter): rtpPosition &* quarter / 4
            case .arrival: Int64(raw.arrival.uptimeNanoseconds / 1000) &* 9 / 100
            }
        offset = (lastDTS ?? 0) &+ nominal &- position
        lastPosition = nil
    }

    private static func agree(_ left: Int64, _ right: Int64) -> Bool {
        right > 0 && (left &- right).magnitude <= UInt64(right) / 2
    }
}
