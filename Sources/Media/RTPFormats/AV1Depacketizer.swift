import NIOCore
import Wire

/// Takes AV1 out of RTP (AOM's "RTP Payload Format For AV1", 4.4): OBU elements, whole or in parts, of one temporal unit.
struct AV1Depacketizer: Sendable {
    private static let continues: UInt8 = 0x80
    private static let isContinued: UInt8 = 0x40

    private var track: WholeFrameTrack
    /// The OBUs so far, each with its size.
    private var unit: [UInt8] = []
    private var fragment: [UInt8]?
    private var timestamp: UInt32?
    private var pts: Int64 = 0
    private var isDamaged = false
    private var isKey = false
    private var hasFrame = false
    private var header: AV1SequenceHeader?
    private var parameters: VideoParameters?
    private(set) var malformed = 0

    init(largestFrame: Int, gatesOnLoss: Bool) {
        track = WholeFrameTrack(.av1, largestFrame: largestFrame, gatesOnLoss: gatesOnLoss)
    }

    var statistics: VideoTrack.Statistics { track.statistics }
    var hasPendingPicture: Bool { !unit.isEmpty }

    mutating func receive(
        _ payload: RawSpan,
        timestamp: UInt32,
        marker: Bool,
        pts: Int64,
        into events: inout [MediaEvent]
    ) {
        if timestamp != self.timestamp {
            flush(into: &events)
            self.timestamp = timestamp
            self.pts = pts
        }
        guard let first = payload.uint8(at: 0) else {
            malformed += 1
            return
        }
        if !read(payload, aggregation: first) {
            malformed += 1
            isDamaged = true
        }
        if marker { flush(into: &events) }
    }

    /// The elements of one packet. False when they do not fit together.
    private mutating func read(_ payload: RawSpan, aggregation: UInt8) -> Bool {
        let count = Int(aggregation >> 4 & 3)
        let begins = fragment == nil
        // A part whose beginning was lost.
        guard (aggregation & Self.continues == 0) == begins else { return false }
        var at = 1
        var index = 0
        while at < payload.byteCount {
            index += 1
            var end = payload.byteCount
            // With a count the last element has no length.
            if index != count {
                guard let size = payload.leb128(at: at) else { return false }
                at += size.length
                guard size.value <= payload.byteCount - at else { return false }
                end = at + size.value
            }
            let isLast = end == payload.byteCount
            guard add(payload.extracting(at..<end), isPart: isLast && aggregation & Self.isContinued != 0) else {
                return false
            }
            at = end
            if count != 0, index == count { break }
        }
        return index > 0 && (count == 0 || index == count)
    }

    private mutating func add(_ element: RawSpan, isPart: Bool) -> Bool {
        guard unit.count + (fragment?.count ?? 0) + element.byteCount + 8 <= track.largestFrame else {
            unit = []
            fragment = nil
            track.lose(isOversized: true)
            return false
        }
        if isPart {
            if fragment == nil { fragment = [] }
            fragment?.append(element)
            return true
        }
        guard var whole = fragment else { return addUnit(element) }
        fragment = nil
        whole.append(element)
        return whole.withSpan { addUnit($0) }
    }

    /// One OBU, without its size in RTP and with it in a frame.
    private mutating func addUnit(_ bytes: RawSpan) -> Bool {
        // An empty element is of no use, and no harm.
        guard let first = bytes.uint8(at: 0) else { return true }
        guard first & 0x80 == 0 else { return false }
        var start = first & 4 == 0 ? 1 : 2
        guard start <= bytes.byteCount else { return false }
        let headerEnd = start
        var end = bytes.byteCount
        if first & 2 != 0 {
            guard let size = bytes.leb128(at: start), size.value <= bytes.byteCount - start - size.length else {
                return false
            }
            start += size.length
            end = start + size.value
        }
        let content = bytes.extracting(start..<end)
        switch first >> 3 & 0xF {
        // Temporal delimiter, tile list, padding.
        case 2, 8, 15: return true
        case 1: take(sequenceHeader: content, header: bytes.array(0..<headerEnd))
        case 3, 6:
            if !hasFrame { isKey = startsKeyFrame(content) }
            hasFrame = true
        default: break
        }
        unit.append(first | 2)
        if headerEnd == 2, let second = bytes.uint8(at: 1) { unit.append(second) }
        unit.append(leb128: content.byteCount)
        unit.append(content)
        return true
    }

    /// AV1 codec ISO media file format binding 2.3.3.
    private mutating func take(sequenceHeader content: RawSpan, header bytes: [UInt8]) {
        guard content.byteCount <= 1024, let found = AV1SequenceHeader(payload: content.array(0..<content.byteCount)),
            let profile = found.profile, let first = bytes.first
        else { return }
        var record: [UInt8] = [0x81, profile.0, profile.1, 0, first & ~4 | 2]
        record.append(leb128: content.byteCount)
        record.append(content)
        header = found
        parameters = VideoParameters(
            codec: .av1,
            sps: [],
            pps: [],
            record: record,
            width: found.width,
            height: found.height
        )
    }

    /// 5.9.2 Uncompressed header: shown anew is no key frame here.
    private func startsKeyFrame(_ content: RawSpan) -> Bool {
        guard let first = content.uint8(at: 0) else { return false }
        if header?.isReduced == true { return true }
        return first & 0x80 == 0 && first & 0x60 == 0
    }

    mutating func discontinuity() {
        if !unit.isEmpty || fragment != nil { track.lose() }
        reset()
        // What follows at this time is the rest of a picture; at another time it begins anew.
        isDamaged = true
        track.discontinuity()
    }

    private mutating func reset() {
        unit.removeAll(keepingCapacity: unit.capacity <= 64 << 10)
        fragment = nil
        isKey = false
        hasFrame = false
    }

    /// The temporal unit is over.
    mutating func flush(into events: inout [MediaEvent]) {
        defer {
            reset()
            isDamaged = false
        }
        guard !unit.isEmpty || fragment != nil else {
            if isDamaged { track.discontinuity() }
            return
        }
        guard fragment == nil, !isDamaged else {
            track.lose()
            return
        }
        guard hasFrame else { return }
        track.emit(unit, isKey: isKey, parameters: isKey ? parameters : nil, pts: pts, into: &events)
    }
}

extension RawSpan {
    /// leb128() of the AV1 bitstream specification, 4.10.5.
    fileprivate func leb128(at offset: Int) -> (value: Int, length: Int)? {
        var value = 0
        for index in 0..<5 {
            guard let byte = uint8(at: offset + index) else { return nil }
            value |= Int(byte & 0x7F) << (7 * index)
            if byte & 0x80 == 0 { return (value, index + 1) }
        }
        return nil
    }
}

extension [UInt8] {
    fileprivate mutating func append(leb128 value: Int) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }
}
