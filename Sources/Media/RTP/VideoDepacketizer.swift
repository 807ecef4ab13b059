package import NIOCore
import Wire

/// Takes H.264 (RFC 6184) or H.265 (RFC 7798) out of RTP, for cameras that send no program stream.
package struct VideoDepacketizer: Sendable {
    package let codec: VideoCodec
    private var fragmentOpen = false
    private var timestamp: UInt32?
    /// Packets of kinds that are not used (MTAP, FU-B, PACI) or cut short.
    package private(set) var dropped = 0

    package init(_ codec: VideoCodec) {
        self.codec = codec
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

    package mutating func receive(
        _ payload: RawSpan,
        rtpTimestamp: UInt32,
        marker: Bool,
        now: NIODeadline,
        video: inout VideoTrack,
        into events: inout [MediaEvent]
    ) {
        video.packetTime = RawTime(rtpTimestamp: rtpTimestamp, arrival: now)
        if timestamp != rtpTimestamp {
            if timestamp != nil { video.flush(into: &events) }
            timestamp = rtpTimestamp
            var time = video.packetTime
            time.pts = UInt64(rtpTimestamp)
            video.begin(time, follows: false, into: &events)
        }
        switch codec {
        case .h264: receiveH264(payload, &video, &events)
        case .h265: receiveH265(payload, &video, &events)
        case .av1, .vp9: break
        }
        if marker { video.flush(into: &events) }
    }

    package mutating func discontinuity() {
        fragmentOpen = false
        timestamp = nil
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
        default: dropped += 1
        }
    }

    private mutating func receiveH265(_ payload: RawSpan, _ video: inout VideoTrack, _ events: inout [MediaEvent]) {
        guard let header = payload.uint8(at: 0), let second = payload.uint8(at: 1) else { return }
        switch header >> 1 & 0x3F {
        case 0...47: add(payload, &video, &events)
        case 48: addAggregated(payload, from: 2, &video, &events)
        case 49:
            guard let fragment = payload.uint8(at: 2) else {
                dropped += 1
                return
            }
            addFragment(
                payload,
                from: 3,
                begins: fragment & 0x80 != 0,
                header: [header & 0x81 | (fragment & 0x3F) << 1, second],
                &video,
                &events
            )
            if fragment & 0x40 != 0 { fragmentOpen = false }
        default: dropped += 1
        }
    }

    private mutating func addAggregated(
        _ payload: RawSpan,
        from start: Int,
        _ video: inout VideoTrack,
        _ events: inout [MediaEvent]
    ) {
        var at = start
        while let length = payload.uint16(at: at) {
            let end = at + 2 + Int(length)
            guard length > 0, end <= payload.byteCount else {
                dropped += 1
                return
            }
            add(payload.extracting(at + 2..<end), &video, &events)
            at = end
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
