import NIOCore
import Wire

/// Puts the video of one session together: bytes of PES packets in, parameters and whole access units out.
///
/// The bytes of a picture gather once, start codes and all, and are copied once more into the frame, which has the size of
/// its access unit. NAL units are found as the bytes come, so a picture is known to be over when the next one begins, even
/// where the container says nothing.
package struct VideoTrack {
    /// The time of a PES packet, and where its payload begins.
    private struct Mark {
        var offset: Int
        var time: RawTime
    }

    private static let mostMarks = 16
    /// A start code of 4 bytes and what it takes to classify the unit.
    private static let bytesToDecide = 4 + VideoCodec.bytesToClassify
    /// So many pictures in a row must end at a marker before a marker ends a picture (5.4.6 c).
    private static let markersToTrust = 25
    /// So many before a marker saves the picture that a loss comes after.
    private static let markersToSave = 3

    private let largestFrame: Int
    private let gatesOnLoss: Bool
    /// Times are somebody else's work: pictures are given the PTS that `begin` was told, and no other.
    private let keepsTimes: Bool

    private var gathered = GatheredUnits()
    /// Units whose kind is known.
    private var classified = 0
    private var hasPicture = false
    private var current: RawTime
    private var marks: [Mark] = []
    private var undecided: Mark?

    private var isProven = false
    private var guess = CodecGuess()
    private var markerOffset: Int?
    private var markerTrust = 0
    /// A marker came between the slices of this picture.
    private var hasEarlyMarker = false
    private var closedEarly = false
    private var awaitsKeyFrame = true
    /// H.265: pictures came that no decoder has the references of, since it began at the key frame before them (RASL).
    private var hasLostLeading = false

    private var clock = VideoClock()
    private var lastKept: Int64 = 0
    private var parameterSets = ParameterSetMemory()
    private var announced: VideoParameters?
    private var counters = Statistics()

    package private(set) var codec: VideoCodec?
    /// The audio's clock offset, tried when the picture's time jumps.
    var neighbourOffset: Int64?
    /// RTP timestamp and arrival of the packet being read, for pictures without a stamp of their own.
    var packetTime: RawTime

    /// - Parameters:
    ///   - largestFrame: bytes of a picture; a larger one is dropped.
    ///   - gatesOnLoss: after loss, withhold pictures until the next key frame.
    ///   - keepsTimes: frames have the PTS of `begin` as both of their times; a picture without one has that before it.
    package init(largestFrame: Int = 8 << 20, gatesOnLoss: Bool = true, keepsTimes: Bool = false) {
        self.largestFrame = largestFrame
        self.gatesOnLoss = gatesOnLoss
        self.keepsTimes = keepsTimes
        current = RawTime(arrival: .uptimeNanoseconds(0))
        packetTime = current
    }

    package var statistics: Statistics {
        var statistics = counters
        statistics.timestampJumps = clock.jumps
        statistics.timeSourceChanges = clock.sourceChanges
        return statistics
    }

    /// The last picture's DTS and its clock's offset, for the audio.
    var anchor: (dts: Int64, offset: Int64)? {
        clock.lastDTS.map { ($0, clock.offset) }
    }

    /// A picture waits for its end.
    package var hasPendingPicture: Bool { hasPicture }

    /// What the container's map says; the bits overrule it.
    package mutating func declare(_ codec: VideoCodec) {
        guard !isProven, self.codec != codec else { return }
        adopt(codec)
    }

    private mutating func adopt(_ codec: VideoCodec) {
        self.codec = codec
        parameterSets = ParameterSetMemory()
        awaitsKeyFrame = true
        classified = 0
        hasPicture = false
    }

    /// Parameter sets that came beside the stream, in an SDP.
    package mutating func adopt(_ parameters: VideoParameters, into events: inout [MediaEvent]) {
        declare(parameters.codec)
        parameterSets.take(parameters)
        guard let known = parameterSets.known, known != announced, known.decoderConfiguration != nil else { return }
        announced = known
        events.append(.video(known))
    }

    /// An access unit begins for certain. What is gathered without a picture belongs to it.
    package mutating func beginUnit(_ time: RawTime) {
        guard !hasPicture else { return }
        current = time
        marks.removeAll(keepingCapacity: true)
        undecided = nil
    }

    /// A PES packet begins.
    ///
    /// - Parameter follows: a pack header came since the last video packet.
    package mutating func begin(_ time: RawTime, follows pack: Bool, into events: inout [MediaEvent]) {
        if undecided != nil { decide(isFinal: true, into: &events) }
        guard !gathered.isEmpty else {
            current = time
            return
        }
        let hasOtherPTS = time.pts != nil && time.pts != current.pts
        if hasOtherPTS || (pack && time.rtpTimestamp != current.rtpTimestamp) {
            undecided = Mark(offset: gathered.count, time: time)
        }
    }

    /// Bytes of the elementary stream.
    package mutating func append(_ part: RawSpan, into events: inout [MediaEvent]) {
        guard gathered.count + part.byteCount <= largestFrame else {
            counters.oversized += 1
            discard()
            return
        }
        gathered.append(part)
        if undecided != nil { decide(isFinal: false, into: &events) }
        guard undecided == nil else { return }
        gathered.scan()
        if gathered.isHopeless { discard() }
        classify(upTo: gathered.count, isFinal: false, into: &events)
    }

    /// An RTP packet ended. `isWhole`: no PES packet of known length is open.
    @inline(__always)
    package mutating func packetEnded(marker: Bool, isWhole: Bool, into events: inout [MediaEvent]) {
        if marker, isWhole, !gathered.isEmpty { markerEnded(into: &events) }
    }

    private mutating func markerEnded(into events: inout [MediaEvent]) {
        guard hasPicture, markerOffset != gathered.count else { return }
        if markerOffset != nil { hasEarlyMarker = true }
        markerOffset = gathered.count
        if markerTrust >= Self.markersToTrust { flush(into: &events) }
    }

    /// The picture is over: the stream says so, or nothing has come for long enough.
    package mutating func flush(into events: inout [MediaEvent]) {
        if undecided != nil { decide(isFinal: true, into: &events) }
        gathered.scan()
        classify(upTo: gathered.count, isFinal: true, into: &events)
        guard hasPicture || codec == nil else { return }
        close(at: gathered.count, early: true, into: &events)
        current = packetTime
    }

    /// Packets are missing: the picture that is being gathered is damaged, unless it had just ended.
    package mutating func discontinuity(into events: inout [MediaEvent]) {
        if hasPicture, undecided == nil, markerOffset == gathered.count, markerTrust >= Self.markersToSave {
            flush(into: &events)
        }
        discard()
    }

    /// Drops the picture that is being gathered and waits for a key frame.
    private mutating func discard() {
        if !gathered.isEmpty { counters.damaged += 1 }
        if gatesOnLoss { awaitsKeyFrame = true }
        gathered.discard()
        classified = 0
        hasPicture = false
        marks = []
        undecided = nil
        markerOffset = nil
        hasEarlyMarker = false
        closedEarly = false
        current = packetTime
    }
}

// Where one access unit ends and the next begins (5.4.6).
extension VideoTrack {
    /// Says whether the PES packet that began at the undecided mark begins an access unit. A packet without a start code at
    /// its beginning continues the last NAL unit, and its time belongs to the first access unit that begins in it.
    private mutating func decide(isFinal: Bool, into events: inout [MediaEvent]) {
        guard let mark = undecided, isFinal || gathered.count - mark.offset >= Self.bytesToDecide else { return }
        undecided = nil
        let header = gathered.headerBehindStartCode(at: mark.offset)
        gathered.scan()
        let moved = classify(upTo: mark.offset, isFinal: header != nil, into: &events)
        let offset = mark.offset - moved
        guard let header else {
            keep(Mark(offset: offset, time: mark.time))
            return
        }
        let kind = codec.map { gathered.kind(at: header - moved, of: $0) }
        guard kind?.startsAccessUnit ?? true, hasPicture || codec == nil else {
            if current.pts == nil, mark.time.pts != nil {
                current = mark.time
            } else {
                keep(Mark(offset: offset, time: mark.time))
            }
            return
        }
        close(at: offset, early: false, into: &events)
        current = mark.time
    }

    private mutating func keep(_ mark: Mark) {
        guard mark.time.pts != nil else { return }
        if marks.count >= Self.mostMarks { marks.removeFirst() }
        marks.append(mark)
    }

    /// Classifies the units that begin before `limit` and closes the access unit where the next one begins.
    ///
    /// - Returns: by how much closing moved everything to the front.
    @discardableResult
    private mutating func classify(upTo limit: Int, isFinal: Bool, into events: inout [MediaEvent]) -> Int {
        var moved = 0
        while classified < gathered.units.count {
            let unit = gathered.units[classified]
            guard unit.header <= limit - moved,
                isFinal || gathered.count - unit.header >= VideoCodec.bytesToClassify
            else { break }
            if !unit.isVerified {
                gathered.verified(classified)
                // A change of codec begins the classification anew.
                if verifyCodec(unit.header) { continue }
            }
            guard let codec else {
                classified += 1
                continue
            }
            let kind = gathered.kind(at: unit.header, of: codec)
            if hasPicture, kind.startsAccessUnit, !isSecondField(kind, at: unit.start) {
                moved += unit.start
                split(at: unit.start, into: &events)
                continue
            }
            gathered.classified(classified, as: kind)
            if case .slice = kind { hasPicture = true }
            classified += 1
        }
        return moved
    }

    /// Two fields share the stamp of their frame.
    private func isSecondField(_ kind: NALUnitKind, at start: Int) -> Bool {
        guard parameterSets.mayHaveFields, case .slice = kind else { return false }
        return !marks.contains { $0.offset <= start }
    }

    /// Trusts the bits more than the map. Returns whether the codec was changed.
    private mutating func verifyCodec(_ header: Int) -> Bool {
        if isProven, codec != nil, !isSuspicious(header) { return false }
        let (proof, found) = gathered.withSpan { span in
            let proof = CodecGuess.proof(span, at: header)
            return (proof, proof ?? (codec == nil ? guess.look(at: span, header) : nil))
        }
        guard let found else { return false }
        isProven = isProven || proof != nil
        guard codec != found else { return false }
        if codec != nil { counters.codecCorrections += 1 }
        guess = CodecGuess()
        adopt(found)
        return true
    }

    /// A unit that the present codec cannot have, and that would prove the other.
    private func isSuspicious(_ header: Int) -> Bool {
        guard let first = gathered.byte(at: header) else { return false }
        return codec == .h264 ? first == 0x40 || first == 0x42 : first & 0x9F == 7
    }

    /// Closes the access unit at a NAL unit and gives the next one the time that belongs to it, if any.
    private mutating func split(at start: Int, into events: inout [MediaEvent]) {
        var time = packetTime
        time.pts = nil
        time.dts = nil
        if let index = marks.lastIndex(where: { $0.offset <= start }) {
            time = marks[index].time
            marks.removeSubrange(...index)
        }
        close(at: start, early: false, into: &events)
        current = time
    }

    /// Emits what lies before `end` and moves the rest to the front.
    private mutating func close(at end: Int, early: Bool, into events: inout [MediaEvent]) {
        let count = gathered.unitCount(before: end)
        if !early, hasPicture {
            markerTrust = markerOffset == end && !hasEarlyMarker ? min(markerTrust + 1, Self.markersToTrust) : 0
        }
        emit(units: count, end: end, into: &events)
        closedEarly = early
        markerOffset = nil
        hasEarlyMarker = false
        hasPicture = false
        classified = 0
        gathered.removeFirst(end, units: count)
        if gathered.isEmpty {
            marks.removeAll(keepingCapacity: true)
            return
        }
        marks.removeAll { $0.offset < end }
        for index in marks.indices { marks[index].offset -= end }
    }
}

// What an access unit becomes.
extension VideoTrack {
    /// Makes the first `count` units, which end at `end`, a frame, or says why not.
    private mutating func emit(units count: Int, end: Int, into events: inout [MediaEvent]) {
        guard let codec else {
            if count > 0 { counters.unknownCodec += 1 }
            return
        }
        let picture = gathered.summary(units: count, end: end, codec: codec)
        if picture.hasParameters {
            parameterSets.take(gathered.parameters(units: count, end: end, codec: codec))
        }
        guard let beginsWell = picture.beginsWell else { return }
        // The clock sees withheld pictures too, so that the time after them is right.
        let time = keepsTimes ? keptTime() : clock.next(current, neighbour: neighbourOffset)
        let continuesClosed = closedEarly && gathered.beginsInsideUnit
        // Without its first slice it is the rest of a picture that was lost, unless its head is there.
        guard beginsWell || picture.hasHead, !continuesClosed, !gathered.isFull else {
            counters.damaged += 1
            if closedEarly { markerTrust = 0 }
            if gatesOnLoss { awaitsKeyFrame = true }
            return
        }
        guard picture.isKey || !(awaitsKeyFrame || (hasLostLeading && picture.isLeading)) else {
            counters.awaitingKeyFrame += 1
            return
        }
        if picture.isKey {
            // Sets of which no record can be made start no decoder.
            guard let known = parameterSets.known, known == announced || known.decoderConfiguration != nil else {
                counters.missingParameters += 1
                awaitsKeyFrame = true
                return
            }
            if known != announced {
                if announced != nil { counters.parameterChanges += 1 }
                announced = known
                events.append(.video(known))
            }
            hasLostLeading = awaitsKeyFrame
            awaitsKeyFrame = false
            counters.keyFrames += 1
        }
        counters.frames += 1
        let payload = gathered.payload(units: count, end: end, size: picture.size)
        events.append(
            .frame(Frame(track: .video, dts: time.dts, pts: time.pts, isKey: picture.isKey, payload: payload))
        )
    }

    private mutating func keptTime() -> (dts: Int64, pts: Int64) {
        if let pts = current.pts { lastKept = Int64(bitPattern: pts) }
        return (lastKept, lastKept)
    }
}
