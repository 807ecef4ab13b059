package import NIOCore
import Wire

/// Takes H.264 (RFC 6184) or H.265 (RFC 7798) out of RTP, for cameras that send no program stream.
package struct VideoDepacketizer: Sendable {
    package let codec: VideoCodec
    /// H.265: units carry their decoding order (sprop-max-don-diff above 0, RFC 7798 4.4).
    private let hasDecodingOrder: Bool
    private var fragmentOpen = false
    private var timestamp: UInt32?
    /// The last packet had the marker, and its picture was closed for it.
    private var endedAtMarker = false
    private var hasSeenMarker = false
    /// Some cameras mark every packet, or every slice: then only timestamps part pictures.
    private var trustsMarkers = true
    /// Packets of kinds that are not used (MTAP, FU-B, PACI) or cut short.
    package private(set) var dropped = 0

    package init(_ codec: VideoCodec, hasDecodingOrder: Bool = false) {
        self.codec = codec
        self.hasDecodingOrder = hasDecodingOrder
    }

    /// What the payload holds if it is H.264 or H.265 with a parameter set, the only certain sign of either.
    package static func recognise(_ payload: RawSpan) -> VideoCodec? {
        guard let first = payload.uint8(at: 0), let second = payload.uint8(at: 1), first & 0x80 == 0 else { return nil }
        if first & 0x1F == 24, let length = payload.uint16(at: 1), Int(length) + 3 <= payload.byteCount,
            SequenceParameterSet(.h264, payload.extracting(3..<3 + Int(length))) != nil
        {
            return .h264
        }
        if SequenceParameterSet(.h264, payload) != nil { return .h264 }
        if first & 1 == 0, second & 0xF8 == 0, second & 7 != 0 {
            if first >> 1 == 32, second == 1, payload.byteCount >= 16 { return .h265 }
            if SequenceParameterSet(.h265, payload) != nil { return .h265 }
            if first >> 1 == 48, payload.uint8(at: 4) == 0x40, payload.uint8(at: 5) == 0x01 { return .h265 }
        }
        return nil
    }

    /// - Parameter pts: of the picture, where that is not its RTP timestamp.
    package mutating func receive(
        _ payload: RawSpan,
        rtpTimestamp: UInt32,
        marker: Bool,
        pts: UInt64? = nil,
        now: NIODeadline,
        video: inout VideoTrack,
        into events: inout [MediaEvent]
    ) {
        video.packetTime = RawTime(rtpTimestamp: rtpTimestamp, arrival: now)
        if timestamp != rtpTimestamp || endedAtMarker {
            if timestamp == rtpTimestamp {
                if continuesPicture(payload) { trustsMarkers = false }
            } else if timestamp != nil {
                video.flush(into: &events)
            }
            timestamp = rtpTimestamp
            endedAtMarker = false
            var time = video.packetTime
            time.pts = pts ?? UInt64(rtpTimestamp)
            video.begin(time, follows: false, into: &events)
            video.beginUnit(time)
        }
        switch codec {
        case .h264: receiveH264(payload, &video, &events)
        case .h265: receiveH265(payload, &video, &events)
        case .av1, .vp9: break
        }
        if marker, trustsMarkers {
            hasSeenMarker = true
            video.flush(into: &events)
            endedAtMarker = true
        }
    }

    /// Whether silence may be the end of a picture: no unit is open, and the sender marks no ends.
    package var endsInSilence: Bool { !fragmentOpen && !(hasSeenMarker && trustsMarkers) }

    package mutating func discontinuity() {
        fragmentOpen = false
        timestamp = nil
        endedAtMarker = false
    }

    /// Whether the payload is a slice that is not the first of its picture, or a further part of a fragmented unit.
    private func continuesPicture(_ payload: RawSpan) -> Bool {
        guard let first = payload.uint8(at: 0) else { return false }
        let kind: NALUnitKind
        switch codec {
        case .h264 where first & 0x1F == 28:
            guard let fragment = payload.uint8(at: 1), fragment & 0x80 != 0 else { return true }
            kind = codec.kind(ofHeader: [first & 0xE0 | fragment & 0x1F], then: payload.uint8(at: 2))
        case .h265 where first >> 1 & 0x3F == 49:
            guard let fragment = payload.uint8(at: 2), fragment & 0x80 != 0 else { return true }
            let header = [first & 0x81 | (fragment & 0x3F) << 1, payload.uint8(at: 1) ?? 1]
            kind = codec.kind(ofHeader: header, then: payload.uint8(at: hasDecodingOrder ? 5 : 3))
        case .h264: kind = codec.kind(of: payload)
        case .h265 where hasDecodingOrder:
            kind = codec.kind(ofHeader: [first, payload.uint8(at: 1) ?? 1], then: payload.uint8(at: 4))
        case .h265: kind = codec.kind(of: payload)
        case .av1, .vp9: return false
        }
        if case .slice(startsPicture: false, _) = kind { return true }
        return false
    }

    private static let startCode: [UInt8] = [0, 0, 0, 1]

    private func add(_ unit: RawSpan, _ video: inout VideoTrack, _ events: inout [MediaEvent]) {
        Self.startCode.withSpan { video.append($0, into: &events) }
        video.append(unit, into: &events)
    }

    private mutating func receiveH264(_ payload: RawSpan, _ video: inout VideoTrack, _ events: inout [MediaEvent]) {
        guard let header = payload.uint8(at: 0) else { return }
        switch header & 0x1F {
        case 1...23: add(payload, &video, &events)
        case 24: addAggregated(payload, from: 1, &video, &events)
        case 28:
            guard let fragment = payload.uint8(at: 1) else {
                dropped += 1
                return
            }
            addFragment(
                payload,
                from: 2,
                begins: fragment & 0x80 != 0,
                header: [header & 0xE0 | fragment & 0x1F],
                &video,
                &events
            )
            if fragment & 0x40 != 0 { fragmentOpen = false }
        case 0 where Self.beginsWithStartCode(payload): video.append(payload, into: &events)
        default: dropped += 1
        }
    }

    private mutating func receiveH265(_ payload: RawSpan, _ video: inout VideoTrack, _ events: inout [MediaEvent]) {
        guard let header = payload.uint8(at: 0), let second = payload.uint8(at: 1) else { return }
        if Self.beginsWithStartCode(payload) {
            video.append(payload, into: &events)
            return
        }
        let order = hasDecodingOrder ? 2 : 0
        switch header >> 1 & 0x3F {
        case 0...47 where !hasDecodingOrder: add(payload, &video, &events)
        case 0...47:
            guard payload.byteCount > 4 else {
                dropped += 1
                return
            }
            (Self.startCode + [header, second]).withSpan { video.append($0, into: &events) }
            video.append(payload.extracting(4..<payload.byteCount), into: &events)
        // RFC 7798 4.4.2: DONL before the first length, one byte of difference before each further one.
        case 48: addAggregated(payload, from: 2 + order, between: hasDecodingOrder ? 1 : 0, &video, &events)
        case 49:
            guard let fragment = payload.uint8(at: 2) else {
                dropped += 1
                return
            }
            // RFC 7798 4.4.3: only the first fragment has DONL.
            let begins = fragment & 0x80 != 0
            addFragment(
                payload,
                from: begins ? 3 + order : 3,
                begins: begins,
                header: [header & 0x81 | (fragment & 0x3F) << 1, second],
                &video,
                &events
            )
            if fragment & 0x40 != 0 { fragmentOpen = false }
        default: dropped += 1
        }
    }

    /// Some cameras put the byte stream of Annex B into a packet.
    private static func beginsWithStartCode(_ payload: RawSpan) -> Bool {
        guard payload.uint16(at: 0) == 0 else { return false }
        return payload.uint8(at: 2) == 1 || payload.uint16(at: 2) == 1
    }

    /// - Parameter between: bytes to skip before each length but the first.
    private mutating func addAggregated(
        _ payload: RawSpan,
        from start: Int,
        between: Int = 0,
        _ video: inout VideoTrack,
        _ events: inout [MediaEvent]
    ) {
        var at = start
        while let length = payload.uint16(at: at) {
            let end = at + 2 + Int(length)
            // Zeros behind the last unit are padding.
            if length == 0 { return }
            guard end <= payload.byteCount else {
                dropped += 1
                return
            }
            add(payload.extracting(at + 2..<end), &video, &events)
            at = end + between
        }
    }

    private mutating func addFragment(
        _ payload: RawSpan,
        from start: Int,
        begins: Bool,
        header: [UInt8],
        _ video: inout VideoTrack,
        _ events: inout [MediaEvent]
    ) {
        if begins {
            fragmentOpen = true
            (Self.startCode + header).withSpan { video.append($0, into: &events) }
        }
        guard fragmentOpen else {
            dropped += 1
            return
        }
        video.append(payload.extracting(min(start, payload.byteCount)..<payload.byteCount), into: &events)
    }
}

extension VideoCodec {
    /// The kind of a unit whose header stands elsewhere than its first byte of payload.
    fileprivate func kind(ofHeader header: [UInt8], then first: UInt8?) -> NALUnitKind {
        (header + [first ?? 0]).withSpan { kind(of: $0) }
    }
}
