import NIOCore

/// Segments of fragmented MP4, in parts.
///
/// The frames of the first segment are held until it ends: they decide how long parts are, and late sound is still in time.
/// Nobody waits for them, for without a segment there is no playlist. After it one frame is held, whose duration the next one
/// tells: that is when a part is found to be whole, and whether the frame that begins the next one begins a segment too. So the
/// part that the playlist hints at is always the one that comes.
struct HLSPartWriter: Sendable {
    private struct Entry {
        var frame: Frame
        /// By its time the stream is cut.
        var isTimed: Bool
        var isStart: Bool
    }

    private static let lead: Int64 = 10 * 90_000

    private let configuration: HLSConfiguration
    private let names: HLSNames
    private var muxer: FMP4PartMuxer?
    private var description: FMP4Description?
    private var initializations = 0

    /// The first segment; nil once it has ended.
    private var first: [Entry]? = []
    private var firstOpening: HLSOpening?
    private(set) var target: HLSPartTarget?
    /// How long frames are, usually.
    private(set) var step: Int64?

    private var held: Entry?
    private var number = 0
    private var index = 0
    private var partStart: Int64 = 0
    private var partHasStart = false
    private var partHasFrames = false
    private var parts: [ByteBuffer] = []
    private(set) var byteCount = 0

    /// Parts that broke the rule on their length, because frames came unevenly.
    private(set) var unevenParts = 0

    init(_ configuration: HLSConfiguration, names: HLSNames) {
        self.configuration = configuration
        self.names = names
    }

    /// - Parameter jumps: times do not go on from those before.
    mutating func begin(
        _ opening: HLSOpening,
        at time: Int64,
        _ description: FMP4Description,
        jumps: Bool,
        into actions: inout [HLSAction]
    ) {
        number = opening.number
        index = 0
        byteCount = 0
        partStart = time
        if first == nil {
            initialize(description, jumps: jumps, into: &actions)
            actions.append(.opened(opening))
        } else {
            firstOpening = opening
        }
    }

    mutating func append(_ frame: Frame, isTimed: Bool, isStart: Bool, into actions: inout [HLSAction]) {
        byteCount &+= frame.payload.readableBytes &+ 64
        let entry = Entry(frame: frame, isTimed: isTimed, isStart: isStart)
        if first == nil { take(entry, into: &actions) } else { first?.append(entry) }
    }

    /// Sound goes on without pictures.
    mutating func advance(to time: Int64, into actions: inout [HLSAction]) {
        guard first == nil, held == nil, let target, time &- partStart >= target.shortest else { return }
        finishPart(at: time, isLast: false, into: &actions)
    }

    /// - Parameter time: where the next segment begins, or the last frame ends.
    /// - Returns: the whole segment.
    mutating func end(at time: Int64, _ description: FMP4Description?, into actions: inout [HLSAction]) -> ByteBuffer {
        if let first { replay(first, description, into: &actions) }
        releaseHeld(until: time, into: &actions)
        if partHasFrames { finishPart(at: time, isLast: true, into: &actions) }
        var whole = ByteBuffer()
        whole.reserveCapacity(parts.reduce(0) { $0 &+ $1.readableBytes })
        for part in parts { whole.writeImmutableBuffer(part) }
        parts.removeAll(keepingCapacity: true)
        return whole
    }

    private mutating func replay(
        _ entries: [Entry],
        _ description: FMP4Description?,
        into actions: inout [HLSAction]
    ) {
        first = nil
        step = HLSPartTarget.usualStep(entries.filter(\.isTimed).map(\.frame.dts))
        target = HLSPartTarget(
            wanted: configuration.part,
            frame: step ?? configuration.part,
            limit: configuration.longestSegment
        )
        if let description { initialize(description, jumps: true, into: &actions) }
        if let firstOpening { actions.append(.opened(firstOpening)) }
        for entry in entries { take(entry, into: &actions) }
    }

    private mutating func initialize(_ new: FMP4Description, jumps: Bool, into actions: inout [HLSAction]) {
        // The times of the file begin at 10 s: iOS does not bear negative ones, which early sound would have.
        if jumps || muxer == nil { muxer = FMP4PartMuxer(new, origin: partStart &- Self.lead) }
        guard new != description else { return }
        if !jumps { muxer?.change(to: new) }
        description = new
        var bytes = ByteBuffer()
        new.writeInit(into: &bytes)
        actions.append(
            .initialization(
                HLSInitialization(
                    number: initializations,
                    name: names.initialization(initializations),
                    bytes: bytes,
                    codecs: new.codecs,
                    width: new.video?.width ?? 0,
                    height: new.video?.height ?? 0
                )
            )
        )
        initializations &+= 1
    }

    private mutating func take(_ entry: Entry, into actions: inout [HLSAction]) {
        guard entry.isTimed else {
            mux(entry)
            return
        }
        releaseHeld(until: entry.frame.dts, into: &actions)
        held = entry
    }

    /// Puts the held frame, which ends at `time`, where it belongs.
    private mutating func releaseHeld(until time: Int64, into actions: inout [HLSAction]) {
        guard let entry = held, let target else { return }
        held = nil
        // A part that is too short does less harm than one that is too long: hold-backs count on the longest.
        if time &- partStart > target.longest, entry.frame.dts > partStart {
            finishPart(at: entry.frame.dts, isLast: false, into: &actions)
        }
        mux(entry)
        if time &- partStart >= target.shortest { finishPart(at: time, isLast: false, into: &actions) }
    }

    private mutating func mux(_ entry: Entry) {
        muxer?.append(entry.frame)
        partHasFrames = true
        if entry.isStart { partHasStart = true }
    }

    private mutating func finishPart(at time: Int64, isLast: Bool, into actions: inout [HLSAction]) {
        var bytes = ByteBuffer()
        muxer?.finishPart(nextVideoDTS: time, into: &bytes)
        let duration = time &- partStart
        let isIndependent = partHasStart
        partStart = time
        partHasStart = false
        partHasFrames = false
        guard bytes.readableBytes > 0 else { return }
        if let target, duration > target.longest || (duration < target.shortest && !isLast && !isIndependent) {
            unevenParts &+= 1
        }
        parts.append(bytes)
        actions.append(
            .part(
                HLSPart(
                    number: number,
                    index: index,
                    name: names.part(number, index),
                    duration: duration,
                    isIndependent: isIndependent,
                    bytes: bytes
                )
            )
        )
        index &+= 1
    }
}
