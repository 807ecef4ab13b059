import NIOCore
import Wire

/// Takes VP9 out of RTP (RFC 9628): a descriptor, then a part of a frame. The frames of all layers of one time make one picture.
struct VP9Depacketizer: Sendable {
    private var track: WholeFrameTrack
    private var bytes: [UInt8] = []
    private var timestamp: UInt32?
    private var pts: Int64 = 0
    private var isDamaged = false
    /// The last packet had the end of a frame.
    private var isWhole = false
    private(set) var malformed = 0

    init(largestFrame: Int, gatesOnLoss: Bool) {
        track = WholeFrameTrack(.vp9, largestFrame: largestFrame, gatesOnLoss: gatesOnLoss)
    }

    var statistics: VideoTrack.Statistics { track.statistics }
    var hasPendingPicture: Bool { !bytes.isEmpty }

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
        guard let descriptor = VP9Descriptor(payload) else {
            malformed += 1
            isDamaged = true
            return
        }
        // A frame begins where none is open, and only there.
        if descriptor.beginsFrame != (isWhole || bytes.isEmpty) { isDamaged = true }
        let part = payload.extracting(descriptor.length..<payload.byteCount)
        guard bytes.count + part.byteCount <= track.largestFrame else {
            bytes = []
            if !isDamaged { track.lose(isOversized: true) }
            isDamaged = true
            return
        }
        bytes.append(part)
        isWhole = descriptor.endsFrame
        if marker { flush(into: &events) }
    }

    mutating func discontinuity() {
        if !bytes.isEmpty { track.lose() }
        bytes = []
        isWhole = false
        // What follows at this time is the rest of a picture; at another time it begins anew.
        isDamaged = true
        track.discontinuity()
    }

    /// The picture is over.
    mutating func flush(into events: inout [MediaEvent]) {
        defer {
            bytes.removeAll(keepingCapacity: bytes.capacity <= 64 << 10)
            isWhole = false
            isDamaged = false
        }
        guard !bytes.isEmpty else {
            if isDamaged { track.discontinuity() }
            return
        }
        guard isWhole, !isDamaged else {
            track.lose()
            return
        }
        let header = bytes.withSpan { VP9FrameHeader(keyFrame: $0) }
        let parameters = header.map {
            VideoParameters(
                codec: .vp9,
                sps: [],
                pps: [],
                record: $0.configuration,
                width: $0.width,
                height: $0.height
            )
        }
        track.emit(bytes, isKey: header != nil, parameters: parameters, pts: pts, into: &events)
    }
}

/// RFC 9628 4.2, the payload descriptor: how long it is, and what lies behind it.
struct VP9Descriptor: Equatable {
    var length: Int
    var beginsFrame: Bool
    var endsFrame: Bool

    private static let mostReferences = 3

    init?(_ payload: RawSpan) {
        guard let first = payload.uint8(at: 0) else { return nil }
        beginsFrame = first & 0x08 != 0
        endsFrame = first & 0x04 != 0
        let isFlexible = first & 0x10 != 0
        var at = 1
        if first & 0x80 != 0 {
            guard let picture = payload.uint8(at: at) else { return nil }
            at += picture & 0x80 != 0 ? 2 : 1
        }
        if first & 0x20 != 0 { at += isFlexible ? 1 : 2 }
        if isFlexible, first & 0x40 != 0 {
            for index in 0..<Self.mostReferences {
                guard let difference = payload.uint8(at: at) else { return nil }
                at += 1
                if difference & 1 == 0 { break }
                if index == Self.mostReferences - 1 { return nil }
            }
        }
        if first & 0x02 != 0 {
            guard let end = Self.structureEnd(payload, at) else { return nil }
            at = end
        }
        guard at < payload.byteCount else { return nil }
        length = at
    }

    /// 4.2.1 Scalability structure.
    private static func structureEnd(_ payload: RawSpan, _ start: Int) -> Int? {
        guard let first = payload.uint8(at: start) else { return nil }
        var at = start + 1
        if first & 0x10 != 0 { at += (Int(first >> 5) + 1) * 4 }
        guard first & 0x08 != 0 else { return at }
        guard let pictures = payload.uint8(at: at) else { return nil }
        at += 1
        for _ in 0..<pictures {
            guard let picture = payload.uint8(at: at) else { return nil }
            at += 1 + Int(picture >> 2 & 3)
        }
        return at
    }
}
