package import NIOCore
import Wire

/// Takes a program stream apart as it comes in RTP payloads, in order, and feeds its video and audio.
///
/// Nothing is gathered but headers: payload bytes go straight from the packet to their track. What is not a program stream is
/// searched through for the next pack (spec 5.3, 5.4).
package struct PSDemuxer {
    package struct Statistics: Equatable, Sendable {
        package var packs = 0
        package var maps = 0
        package var packets = 0
        /// Maps that could not be read.
        package var badMaps = 0
        /// How often the next unit had to be searched for, and the bytes passed over.
        package var resynchronisations = 0
        package var skippedBytes = 0
        /// PES packets whose length was too large: the next pack came first.
        package var truncatedPackets = 0
        /// PES packets whose length was too small: more of the picture followed.
        package var extendedPackets = 0
        /// Private and unknown streams skipped by length.
        package var skippedUnits = 0
        /// Video or audio of a second camera or a second track.
        package var otherStreams = 0
    }

    private typealias Destination = TrackKind

    private enum State: Equatable {
        /// A unit begins here.
        case unit
        case payload(Destination, remaining: Int)
        /// A packet of length 0, or one that turned out to be longer than it said: until the next unit.
        case open(Destination)
        case skip(remaining: Int)
        /// Nothing is known: until the next unit that looks like one.
        case search
    }

    private var state = State.search
    /// The beginning of a header, or of a start code, that the last payload ended in.
    private var pending: [UInt8] = []
    private var selection = StreamSelection()
    private var packSinceVideo = false
    private var lastTimestamp: UInt32?
    private var lastVideoTimestamp: UInt32?
    private var lastPayload: Destination?
    package private(set) var statistics = Statistics()

    package init() {}

    /// The names of codecs that the map announces and this gateway cannot carry on.
    package var unsupportedCodecs: [String] {
        selection.unsupported.map(\.name).sorted()
    }

    /// Whether a pack has been seen: this is a program stream.
    package var hasSeenPack: Bool { statistics.packs > 0 }

    /// Reads the payload of the next RTP packet.
    package mutating func receive(
        _ payload: RawSpan,
        rtpTimestamp: UInt32,
        marker: Bool,
        now: NIODeadline,
        streams: inout ElementaryStreams,
        into events: inout [MediaEvent]
    ) {
        streams.beginPacket(rtpTimestamp: rtpTimestamp, now: now)
        if rtpTimestamp != lastTimestamp {
            abandonIfPackBegins(payload, &streams, &events)
            lastTimestamp = rtpTimestamp
        }
        var at = 0
        if !pending.isEmpty { at = completePending(payload, &streams, &events) }
        read(payload, from: at, &streams, &events)
        streams.video.packetEnded(marker: marker, isWhole: isWhole, into: &events)
    }

    /// Packets are missing: what was begun is given up.
    package mutating func discontinuity(streams: inout ElementaryStreams, into events: inout [MediaEvent]) {
        streams.discontinuity(into: &events)
        state = .search
        pending = []
        lastPayload = nil
    }

    /// No video packet of known length is open: silence may end the picture.
    package var isWhole: Bool {
        switch state {
        case .payload(.video, _): false
        default: true
        }
    }

    // A new time stamp and a pack header at the payload's beginning: whatever length the last packet gave was wrong.
    private mutating func abandonIfPackBegins(
        _ payload: RawSpan,
        _ streams: inout ElementaryStreams,
        _ events: inout [MediaEvent]
    ) {
        guard pending.isEmpty || state == .search, payload.uint32(at: 0) == 0x1BA,
            case .pack = PSUnit.read(payload, 0)
        else { return }
        switch state {
        case .payload(.audio, _):
            statistics.truncatedPackets += 1
            end(.audio, &streams, &events)
        case .payload, .skip: statistics.truncatedPackets += 1
        case .unit, .open, .search: return
        }
        state = .unit
    }

    /// Joins what the last payload left with the beginning of this one. Returns how many bytes of this one were used.
    private mutating func completePending(
        _ payload: RawSpan,
        _ streams: inout ElementaryStreams,
        _ events: inout [MediaEvent]
    ) -> Int {
        var at = 0
        while !pending.isEmpty, at < payload.byteCount {
            switch state {
            case .unit:
                let unit = pending.withSpan { PSUnit.read($0, 0) }
                if case .needs(let count) = unit {
                    let taken = min(max(count - pending.count, 1), payload.byteCount - at)
                    pending.append(payload.extracting(at..<at + taken))
                    at += taken
                    let next = pending.withSpan { PSUnit.read($0, 0) }
                    if case .needs = next { continue }
                }
                // It is a whole header now, or none at all.
                replayPending(&streams, &events)
            case .open, .search:
                // The bytes held back are the beginning of a start code, or not, with the next few.
                let held = pending.count
                let taken = min(3, payload.byteCount - at)
                pending.append(payload.extracting(at..<at + taken))
                let found = pending.withSpan { Self.unitStart($0, from: 0, limit: held) }
                switch found {
                case .at(let offset):
                    pending.removeLast(taken)
                    let before = Array(pending[..<offset])
                    pending.removeFirst(offset)
                    before.withSpan { pass($0, &streams, &events) }
                    endOpen(&streams, &events)
                    state = .unit
                case .maybe(let offset):
                    // Still undecided, and the payload has ended.
                    let before = Array(pending[..<offset])
                    pending.removeFirst(offset)
                    before.withSpan { pass($0, &streams, &events) }
                    at += taken
                case .none:
                    pending.removeLast(taken)
                    let before = pending
                    pending = []
                    before.withSpan { pass($0, &streams, &events) }
                }
            case .payload, .skip:
                pending = []
            }
        }
        return at
    }

    private mutating func replayPending(_ streams: inout ElementaryStreams, _ events: inout [MediaEvent]) {
        let bytes = pending
        pending = []
        bytes.withSpan { read($0, from: 0, &streams, &events) }
    }

    private mutating func read(
        _ bytes: RawSpan,
        from start: Int,
        _ streams: inout ElementaryStreams,
        _ events: inout [MediaEvent]
    ) {
        var at = start
        let count = bytes.byteCount
        while at < count {
            switch state {
            case .payload(let destination, let remaining):
                let taken = min(remaining, count - at)
                feed(bytes.extracting(at..<at + taken), destination, &streams, &events)
                at += taken
                if taken < remaining {
                    state = .payload(destination, remaining: remaining - taken)
                } else {
                    end(destination, &streams, &events)
                    state = .unit
                }
            case .skip(let remaining):
                let taken = min(remaining, count - at)
                at += taken
                state = taken < remaining ? .skip(remaining: remaining - taken) : .unit
            case .unit:
                at = readUnit(bytes, at, &streams, &events)
            case .open, .search:
                switch Self.unitStart(bytes, from: at, limit: count) {
                case .at(let offset):
                    pass(bytes.extracting(at..<offset), &streams, &events)
                    at = offset
                    guard Self.looksLikeUnit(bytes, at) else {
                        pass(bytes.extracting(at..<at + 1), &streams, &events)
                        at += 1
                        continue
                    }
                    endOpen(&streams, &events)
                    state = .unit
                case .maybe(let offset):
                    pass(bytes.extracting(at..<offset), &streams, &events)
                    pending.append(bytes.extracting(offset..<count))
                    at = count
                case .none:
                    pass(bytes.extracting(at..<count), &streams, &events)
                    at = count
                }
            }
        }
    }

    /// Reads the unit at `at`, of which there is at least one byte, and returns where to go on.
    private mutating func readUnit(
        _ bytes: RawSpan,
        _ at: Int,
        _ streams: inout ElementaryStreams,
        _ events: inout [MediaEvent]
    ) -> Int {
        switch PSUnit.read(bytes, at) {
        case .pack(let length):
            statistics.packs += 1
            packSinceVideo = true
            lastPayload = nil
            return at + length
        case .map(let length):
            statistics.maps += 1
            if let map = ProgramStreamMap(bytes.extracting(at..<at + length)) {
                selection.adopt(map, &streams)
            } else {
                statistics.badMaps += 1
            }
            lastPayload = nil
            return at + length
        case .packet(let id, let time, let header, let payload):
            begin(id, time, payload, &streams, &events)
            return at + header
        case .skip(_, let header, let body):
            statistics.skippedUnits += 1
            lastPayload = nil
            if body > 0 { state = .skip(remaining: body) }
            return at + header
        case .end:
            lastPayload = nil
            return at + 4
        case .needs:
            pending.append(bytes.extracting(at..<bytes.byteCount))
            return bytes.byteCount
        case .invalid:
            // The length was too small, or overflowed, when the same picture goes on: these bytes are its own.
            if lastPayload == .video, lastVideoTimestamp == lastTimestamp {
                statistics.extendedPackets += 1
                state = .open(.video)
                return at
            }
            statistics.resynchronisations += 1
            state = .search
            lastPayload = nil
            return at
        }
    }

    /// A PES packet begins: finds out whose it is.
    private mutating func begin(
        _ id: UInt8,
        _ time: PESTime,
        _ length: Int?,
        _ streams: inout ElementaryStreams,
        _ events: inout [MediaEvent]
    ) {
        statistics.packets += 1
        lastPayload = nil
        let destination: Destination?
        switch selection.choose(id, &streams) {
        case .track(let track): destination = track
        case .other:
            statistics.otherStreams += 1
            destination = nil
        case .unused:
            statistics.skippedUnits += 1
            destination = nil
        }
        switch destination {
        case .video:
            let raw = RawTime(
                pts: time.pts,
                dts: time.dts,
                rtpTimestamp: streams.video.packetTime.rtpTimestamp,
                arrival: streams.video.packetTime.arrival
            )
            streams.video.begin(raw, follows: packSinceVideo, into: &events)
            packSinceVideo = false
            lastVideoTimestamp = lastTimestamp
        case .audio: streams.audio.begin(pts: time.pts)
        case nil:
            // Of length 0 and of no use: on to the next unit.
            if length == nil { state = .search }
            if let length, length > 0 { state = .skip(remaining: length) }
            return
        }
        guard let destination else { return }
        switch length {
        // Only video may leave its length out; sound would be taken for start codes.
        case nil: state = destination == .video ? .open(.video) : .search
        case 0: end(destination, &streams, &events)
        case let length?: state = .payload(destination, remaining: length)
        }
    }

    @inline(__always)
    private mutating func feed(
        _ part: RawSpan,
        _ destination: Destination,
        _ streams: inout ElementaryStreams,
        _ events: inout [MediaEvent]
    ) {
        switch destination {
        case .video: streams.video.append(part, into: &events)
        case .audio: streams.audio.append(part)
        }
    }

    /// A packet is complete.
    private mutating func end(
        _ destination: Destination,
        _ streams: inout ElementaryStreams,
        _ events: inout [MediaEvent]
    ) {
        lastPayload = destination
        guard destination == .audio else { return }
        streams.alignAudio()
        streams.audio.end(into: &events)
        streams.alignVideo()
    }

    private mutating func endOpen(_ streams: inout ElementaryStreams, _ events: inout [MediaEvent]) {
        if case .open(let destination) = state { end(destination, &streams, &events) }
    }

    /// Bytes before the next unit: of the open packet, or skipped.
    private mutating func pass(
        _ part: RawSpan,
        _ streams: inout ElementaryStreams,
        _ events: inout [MediaEvent]
    ) {
        guard part.byteCount > 0 else { return }
        if case .open(let destination) = state {
            feed(part, destination, &streams, &events)
        } else {
            statistics.skippedBytes += part.byteCount
        }
    }

    private enum Found {
        case at(Int)
        /// The bytes from here to the end may begin a unit.
        case maybe(Int)
        case none
    }

    /// The first start code of a program stream unit that begins in `from..<limit`. In H.264 and H.265 no byte after
    /// 00 00 01 is above 7F, so one above B8 is a unit's.
    private static func unitStart(_ bytes: RawSpan, from: Int, limit: Int) -> Found {
        var at = from
        while let found = bytes.startCode(from: at), found < limit {
            guard let id = bytes.uint8(at: found + 3) else { return .maybe(found) }
            if id >= 0xB9 { return .at(found) }
            at = found + 3
        }
        // Up to three bytes at the end may be the beginning of one.
        for tail in max(from, bytes.byteCount - 2)..<max(bytes.byteCount, from)
        where tail < limit && PSUnit.mayBegin(bytes, tail) {
            return .maybe(tail)
        }
        return .none
    }

    /// A header must make sense: in private data any four bytes may look like a start code.
    private static func looksLikeUnit(_ bytes: RawSpan, _ at: Int) -> Bool {
        PSUnit.read(bytes, at) != .invalid
    }
}
