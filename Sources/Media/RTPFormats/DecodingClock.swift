import NIOCore
import Wire

/// Gives the pictures of RTP their decoding times: RTP says when a picture is shown, and the order of the packets is that of
/// decoding.
///
/// With B pictures `depth` pictures may come before one that is shown earlier. The decoding time of a picture is then the
/// presentation time that is `depth` places back in the order of showing: it rises with every picture and is never later than the
/// picture's own. The depth is what the SPS says; where an H.264 SPS is silent, the picture order counts tell of B pictures before
/// the first one comes. A first wrong guess costs one picture its exact time.
struct DecodingClock: Sendable {
    private static let deepest = 16
    /// Without a word of the stream no depth beyond this is believed.
    private static let deepestGuess = 4
    /// What a picture is taken to last before two have come.
    private static let usualDuration: Int64 = 3600
    /// A gap after which the times of before are of no use.
    private static let longestPause: Int64 = 90_000
    /// So many pictures without a step of their clock, and the clock on the wall counts.
    private static let standstill = 3
    private static let longestStep: Int64 = 450_000

    private var depth = 0
    /// The SPS says how deep, so pictures need not be looked at.
    private var isTold = true
    private var order: SequenceParameterSet.PictureOrder?
    private var orderOfLast: UInt32?

    /// Presentation times that are not yet decoding times.
    private var waiting: [Int64] = []
    /// While there are fewer than the depth, decoding times stay below this.
    private var ceiling: Int64?
    private var lastDTS: Int64?
    private var lastRaw: Int64?
    private var lastArrival = NIODeadline.uptimeNanoseconds(0)
    private var standing = 0
    private var shift: Int64 = 0
    /// Pictures whose times were not as the depth promised.
    private(set) var corrections = 0

    /// Reads what the stream's parameters say of the order of pictures.
    mutating func adopt(_ parameters: VideoParameters) {
        orderOfLast = nil
        let set = parameters.sps.first?.withSpan { SequenceParameterSet(parameters.codec, $0) }
        order = set?.pictureOrder
        isTold = set?.reordering != nil || !parameters.codec.hasNALUnits
        depth = min(set?.reordering ?? 0, Self.deepest)
    }

    /// Corrects the times of a picture whose `pts` is what its RTP timestamp says.
    mutating func place(_ frame: inout Frame, now: NIODeadline) {
        let pts = presented(frame.pts, now: now)
        if !isTold { look(at: frame, pts: pts) }
        frame.pts = pts
        guard depth > 0 || !waiting.isEmpty else {
            emit(pts, &frame)
            return
        }
        if frame.isKey, let lastDTS, pts &- lastDTS > Self.longestPause &+ Int64(depth) &* Self.usualDuration {
            waiting = []
        }
        if waiting.isEmpty { begin(pts) }
        waiting.append(pts)
        var dts: Int64?
        while waiting.count > depth, let smallest = waiting.min(), let index = waiting.firstIndex(of: smallest) {
            waiting.remove(at: index)
            dts = smallest
            ceiling = nil
        }
        if dts == nil, let last = lastDTS, let first = waiting.min() {
            let steps = Int64(depth &+ 1 &- waiting.count)
            dts = last &+ max((min(ceiling ?? first, first) &- last) / (steps &+ 1), 1)
        }
        emit(dts ?? pts, &frame)
    }

    /// No pictures wait: decoding times start as far below the first as there are to be.
    private mutating func begin(_ pts: Int64) {
        let start = pts &- Int64(depth &+ 1) &* Self.usualDuration
        if lastDTS.map({ $0 < start && pts &- $0 > Self.longestPause }) ?? true { lastDTS = start }
    }

    private mutating func emit(_ dts: Int64, _ frame: inout Frame) {
        frame.dts = max(dts, lastDTS.map { $0 &+ 1 } ?? dts)
        lastDTS = frame.dts
        guard frame.pts < frame.dts else { return }
        // It should have been decoded before one that is out: a jitter of the camera, or B pictures that nothing told of.
        if !isTold, depth < Self.deepestGuess, frame.dts &- frame.pts <= Self.longestPause / 2 {
            depth += 1
            ceiling = frame.dts &+ 2
        }
        frame.pts = frame.dts
        corrections += 1
    }

    /// A clock that stands still is moved by the one on the wall.
    private mutating func presented(_ raw: Int64, now: NIODeadline) -> Int64 {
        defer {
            lastRaw = raw
            lastArrival = now
        }
        guard raw == lastRaw else {
            standing = 0
            return raw &+ shift
        }
        standing += 1
        let elapsed = min(max((now - lastArrival).nanoseconds / 1000 &* 9 / 100, 1), Self.longestStep)
        shift &+= standing < Self.standstill ? 1 : elapsed
        return raw &+ shift
    }

    /// Finds out from the picture order count how many pictures are still to come that are shown earlier.
    private mutating func look(at frame: Frame, pts: Int64) {
        guard let order, let count = order.count(ofPicture: frame.payload.readableBytesSpan) else { return }
        guard !frame.isKey, let last = orderOfLast else {
            orderOfLast = count
            return
        }
        let range = UInt32(1) << UInt32(order.orderBits)
        var step = Int64((count &- last) & (range - 1))
        if step >= Int64(range / 2) { step -= Int64(range) }
        guard step > 0 else { return }
        orderOfLast = count
        // Two for each frame, as encoders count.
        let missing = Int(step / 2) - 1
        guard missing > 0, missing <= Self.deepest else { return }
        // A hierarchy of B pictures halves the gap with each level.
        let levels = Int.bitWidth - missing.leadingZeroBitCount
        let found = min(levels, max(order.references, 1), Self.deepestGuess)
        guard found > depth else { return }
        depth = found
        if let lastDTS, pts > lastDTS { ceiling = lastDTS &+ (pts &- lastDTS) / Int64(missing + 1) }
    }
}

extension SequenceParameterSet.PictureOrder {
    private static let bytesToRead = 32

    /// pic_order_cnt_lsb of the first slice in a frame (ITU-T H.264 7.3.3).
    func count(ofPicture payload: RawSpan) -> UInt32? {
        for range in LengthPrefixed.units(in: payload) {
            guard let header = payload.uint8(at: range.lowerBound) else { continue }
            let type = header & 0x1F
            guard type == 1 || type == 5 else { continue }
            var reader = BitReader(rbspOf: payload.extracting(range), headerLength: 1, limit: Self.bytesToRead)
            guard reader.unsignedGolomb() != nil, reader.unsignedGolomb() != nil, reader.unsignedGolomb() != nil,
                reader.skip((separatePlanes ? 2 : 0) + frameNumberBits)
            else { return nil }
            if !framesOnly {
                guard let isField = reader.flag(), reader.skip(isField ? 1 : 0) else { return nil }
            }
            if type == 5, reader.unsignedGolomb() == nil { return nil }
            return reader.bits(orderBits)
        }
        return nil
    }
}
