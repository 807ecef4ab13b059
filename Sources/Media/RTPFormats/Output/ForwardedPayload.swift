import Wire

/// What a forwarder knows of a payload format: where access units begin that a reader can start with, and how a packet can be cut.
enum ForwardedPayload: Hashable, Sendable {
    case h264
    /// With `sprop-max-don-diff` above 0 the payloads have decoding order numbers (RFC 7798 4.4.2).
    case h265(hasOrderNumbers: Bool)
    case vp8
    case vp9
    case av1
    /// Each picture stands for itself.
    case jpeg
    case mpegVideo
    case mpeg4Video
    case otherVideo
    /// Sound that may be cut at samples of this many bytes, all channels together.
    case samples(size: Int)
    /// RFC 3640 with AU headers of 16 bits.
    case aac(samples: Int)
    case transportStream
    case other

    init(_ format: RTPFormat, kind: String) {
        switch format.encoding.uppercased() {
        case "H264": self = .h264
        case "H265", "HEVC":
            self = .h265(hasOrderNumbers: (format.parameter("sprop-max-don-diff").flatMap { Int($0) } ?? 0) > 0)
        case "VP8": self = .vp8
        case "VP9": self = .vp9
        case "AV1": self = .av1
        case "JPEG": self = .jpeg
        case "MPV": self = .mpegVideo
        case "MP4V-ES": self = .mpeg4Video
        case "PCMA", "PCMU", "L8", "G722": self = .samples(size: Self.channels(format))
        case "L16": self = .samples(size: 2 * Self.channels(format))
        case "L24": self = .samples(size: 3 * Self.channels(format))
        case "MPEG4-GENERIC" where Self.hasShortHeaders(format):
            self = .aac(samples: AudioFrameLength.aac(format.parameter("config").map { Hex.bytes($0) } ?? []))
        case "MP2T": self = .transportStream
        default: self = kind == "video" ? .otherVideo : .other
        }
    }

    private static func channels(_ format: RTPFormat) -> Int {
        min(max(format.channels ?? 1, 1), 64)
    }

    private static func hasShortHeaders(_ format: RTPFormat) -> Bool {
        format.parameter("sizelength") == "13" && (format.parameter("indexlength") ?? "3") == "3"
            && format.parameter("CTSDeltaLength") == nil && format.parameter("auxiliaryDataSizeLength") == nil
    }

    /// What the beginning of a payload says of its access unit.
    struct Sign: Equatable {
        enum Kind: Equatable {
            /// A decoder can start here.
            case randomAccess
            /// A picture of which every part stands for itself: a decoder can start if parameter sets are there.
            case intra
            case ordinary
            /// Parameter sets, delimiters, SEI: what follows decides.
            case undecided
        }

        var kind: Kind
        /// The first part of a picture, or what goes before it.
        var beginsPicture = false
        var hasParameterSets = false

        /// Later pieces begin nothing. Those of a slice tell that its beginning is lost; SEI of x265 fills two packets.
        func ofFragment(isFirst: Bool) -> Sign {
            isFirst ? self : Sign(kind: kind == .undecided ? .undecided : .ordinary)
        }
    }

    /// For payloads that tell nothing: nil. Whether they begin an access unit only their timestamps say.
    func sign(_ payload: RawSpan) -> Sign? {
        switch self {
        case .h264: Self.h264(payload)
        case .h265(let hasOrderNumbers): Self.h265(payload, orderNumber: hasOrderNumbers ? 2 : 0)
        case .vp8: Self.vp8(payload)
        case .vp9: Self.vp9(payload)
        case .av1: Self.av1(payload)
        case .jpeg: Sign(kind: .randomAccess)
        case .mpegVideo: Self.mpegVideo(payload)
        case .mpeg4Video: Self.mpeg4Video(payload)
        case .otherVideo, .samples, .aac, .transportStream, .other: nil
        }
    }

    // MARK: H.264

    private static func h264(_ payload: RawSpan) -> Sign {
        guard let header = payload.uint8(at: 0) else { return Sign(kind: .undecided) }
        switch header & 0x1F {
        case 24, 25:
            // STAP-B has a decoding order number first.
            return aggregated(payload, from: header & 0x1F == 24 ? 1 : 3, orderNumber: 0) { at in
                h264Unit(payload.uint8(at: at) ?? 0, payload, at &+ 1)
            }
        case 28, 29:
            let fragment = payload.uint8(at: 1) ?? 0
            return h264Unit(fragment, payload, header & 0x1F == 28 ? 2 : 4).ofFragment(isFirst: fragment & 0x80 != 0)
        case 26, 27: return Sign(kind: .ordinary)
        default: return h264Unit(header, payload, 1)
        }
    }

    /// ITU-T H.264 table 7-1; `offset` is that of the byte behind the unit's header.
    private static func h264Unit(_ header: UInt8, _ payload: RawSpan, _ offset: Int) -> Sign {
        switch header & 0x1F {
        case 5: Sign(kind: .randomAccess, beginsPicture: payload.uint8(at: offset) ?? 0 >= 0x80)
        case 1, 2:
            Sign(
                kind: isIntra(payload, offset) ? .intra : .ordinary,
                beginsPicture: payload.uint8(at: offset) ?? 0 >= 0x80
            )
        case 7, 8: Sign(kind: .undecided, beginsPicture: true, hasParameterSets: header & 0x1F == 7)
        case 6, 9...18: Sign(kind: .undecided, beginsPicture: true)
        default: Sign(kind: .ordinary)
        }
    }

    /// 7.3.3: slice_type behind first_mb_in_slice; 2 and 7 are I.
    private static func isIntra(_ payload: RawSpan, _ offset: Int) -> Bool {
        guard let bits = payload.uint32(at: offset) else { return false }
        let skipped = bits.leadingZeroBitCount &* 2 &+ 1
        guard skipped < 24 else { return false }
        let rest = bits << UInt32(skipped)
        // ue(v): 2 is 011, 7 is 0001000.
        return rest >> 29 == 0b011 || rest >> 25 == 0b000_1000
    }

    // MARK: H.265

    private static func h265(_ payload: RawSpan, orderNumber: Int) -> Sign {
        guard let header = payload.uint8(at: 0) else { return Sign(kind: .undecided) }
        switch header >> 1 & 0x3F {
        case 48:
            return aggregated(payload, from: 2 &+ orderNumber, orderNumber: orderNumber / 2) { at in
                h265Unit((payload.uint8(at: at) ?? 0) >> 1 & 0x3F, payload, at &+ 2)
            }
        case 49:
            let fragment = payload.uint8(at: 2) ?? 0
            return h265Unit(fragment & 0x3F, payload, 3 &+ orderNumber).ofFragment(isFirst: fragment & 0x80 != 0)
        case let type: return h265Unit(type, payload, 2 &+ orderNumber)
        }
    }

    /// ITU-T H.265 table 7-1.
    private static func h265Unit(_ type: UInt8, _ payload: RawSpan, _ offset: Int) -> Sign {
        switch type {
        case 0...15: Sign(kind: .ordinary, beginsPicture: payload.uint8(at: offset) ?? 0 >= 0x80)
        case 16...23: Sign(kind: .randomAccess, beginsPicture: payload.uint8(at: offset) ?? 0 >= 0x80)
        case 32...39, 41...44: Sign(kind: .undecided, beginsPicture: true, hasParameterSets: type == 33)
        default: Sign(kind: .ordinary)
        }
    }

    /// The units of an aggregation packet: the first one that decides, and whether parameter sets go before it.
    ///
    /// - Parameter orderNumber: bytes before the length of each unit but the first.
    private static func aggregated(
        _ payload: RawSpan,
        from start: Int,
        orderNumber: Int,
        _ unit: (Int) -> Sign
    ) -> Sign {
        var result = Sign(kind: .undecided, beginsPicture: true)
        var at = start
        while let length = payload.uint16(at: at) {
            let end = at &+ 2 &+ Int(length)
            guard length > 0, end <= payload.byteCount else { break }
            let sign = unit(at &+ 2)
            if sign.hasParameterSets { result.hasParameterSets = true }
            if sign.kind != .undecided {
                result.kind = sign.kind
                if at == start { result.beginsPicture = sign.beginsPicture }
                break
            }
            at = end &+ orderNumber
        }
        return result
    }

    // MARK: Others

    /// RFC 7741 4.2: S and partition 0 begin a frame; the first bit of its header is 0 in key frames (4.3).
    private static func vp8(_ payload: RawSpan) -> Sign {
        guard let first = payload.uint8(at: 0), first & 0x1F == 0x10 else { return Sign(kind: .ordinary) }
        var at = 1
        if first & 0x80 != 0 {
            let extended = payload.uint8(at: 1) ?? 0
            at = 2
            if extended & 0x80 != 0 { at &+= payload.uint8(at: at) ?? 0 >= 0x80 ? 2 : 1 }
            if extended & 0x40 != 0 { at &+= 1 }
            if extended & 0x30 != 0 { at &+= 1 }
        }
        guard let header = payload.uint8(at: at) else { return Sign(kind: .ordinary, beginsPicture: true) }
        return Sign(kind: header & 1 == 0 ? .randomAccess : .ordinary, beginsPicture: true)
    }

    /// RFC 9628 4.2: B begins a frame, P says that it is predicted; of several layers the lowest decides.
    private static func isKeyFrame(_ payload: RawSpan) -> Bool {
        guard let descriptor = VP9Descriptor(payload) else { return false }
        return VP9FrameHeader(keyFrame: payload.extracting(descriptor.length..<payload.byteCount)) != nil
    }

    private static func vp9(_ payload: RawSpan) -> Sign {
        guard let first = payload.uint8(at: 0), first & 0x08 != 0 else { return Sign(kind: .ordinary) }
        var layer: UInt8 = 0
        if first & 0x20 != 0 {
            var at = 1
            if first & 0x80 != 0 { at &+= payload.uint8(at: 1) ?? 0 >= 0x80 ? 2 : 1 }
            layer = (payload.uint8(at: at) ?? 0) >> 1 & 7
        }
        // The frame itself says it: FFmpeg's descriptor calls no frame predicted.
        let isKey = first & 0x40 == 0 && layer == 0 && isKeyFrame(payload)
        return Sign(kind: isKey ? .randomAccess : .ordinary, beginsPicture: layer == 0)
    }

    /// AV1 RTP 4.4: N begins a coded video sequence; some senders leave it out, but not the sequence header.
    private static func av1(_ payload: RawSpan) -> Sign {
        guard let first = payload.uint8(at: 0), first & 0x80 == 0 else { return Sign(kind: .ordinary) }
        if first & 0x08 != 0 { return Sign(kind: .randomAccess, beginsPicture: true) }
        var at = 1
        // With a count of 1 the only unit has no length.
        if first >> 4 & 3 != 1 { _ = AV1Unit.leb128(payload, at: &at) }
        let type = (payload.uint8(at: at) ?? 0) >> 3 & 0xF
        return Sign(kind: type == AV1Unit.sequenceHeader ? .randomAccess : .ordinary, beginsPicture: true)
    }

    /// RFC 2250 3.4: the S bit says that a sequence header is there. GStreamer leaves it out; the header is the first thing then.
    private static func mpegVideo(_ payload: RawSpan) -> Sign {
        guard let header = payload.uint32(at: 0) else { return Sign(kind: .ordinary) }
        let start = header & 0x0400_0000 == 0 ? 4 : 8
        let hasSequence = header & 0x2000 != 0 || payload.uint32(at: start) == 0x1B3
        return Sign(kind: hasSequence ? .randomAccess : .ordinary)
    }

    /// RFC 6416 5: headers of the stream, or a picture with coding type I.
    private static func mpeg4Video(_ payload: RawSpan) -> Sign {
        guard let code = payload.uint32(at: 0) else { return Sign(kind: .ordinary) }
        let isIntra = code == 0x1B6 && (payload.uint8(at: 4) ?? 0xFF) >> 6 == 0
        return Sign(kind: isIntra || (0x1B0...0x1B5).contains(code) ? .randomAccess : .ordinary)
    }
}
