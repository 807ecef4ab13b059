import Wire

/// The decoder configuration records of ISO/IEC 14496-15: avcC and hvcC, as RTMP, FLV and MP4 carry them; av1C and
/// vpcC are kept as they came.
extension VideoParameters {
    /// avcC or hvcC with lengths of 4 bytes, av1C, vpcC; nil while a needed parameter set is missing.
    package var decoderConfiguration: [UInt8]? {
        switch codec {
        case .h264: avcConfiguration
        case .h265: hevcConfiguration
        case .av1, .vp9: isComplete ? record : nil
        }
    }

    /// Whether everything that a decoder needs is there.
    package var isComplete: Bool {
        switch codec {
        case .h264: !sps.isEmpty && !pps.isEmpty
        case .h265: !sps.isEmpty && !pps.isEmpty && !vps.isEmpty
        case .av1, .vp9: !record.isEmpty
        }
    }

    /// ISO/IEC 14496-15 5.3.3.1.
    private var avcConfiguration: [UInt8]? {
        guard let first = sps.first, first.count >= 4, !pps.isEmpty else { return nil }
        var record: [UInt8] = [1, first[1], first[2], first[3], 0xFF, 0xE0 | UInt8(min(sps.count, 31))]
        for unit in sps.prefix(31) { Self.append(unit, to: &record) }
        record.append(UInt8(min(pps.count, 255)))
        for unit in pps.prefix(255) { Self.append(unit, to: &record) }
        // The high profiles add the chroma format and depths.
        if [100, 110, 122, 144].contains(first[1]) {
            guard let parsed = first.withSpan({ SequenceParameterSet(.h264, $0) }) else { return record }
            record.append(0xFC | UInt8(parsed.chromaFormat & 3))
            record.append(0xF8 | UInt8((parsed.bitDepthLuma - 8) & 7))
            record.append(0xF8 | UInt8((parsed.bitDepthChroma - 8) & 7))
            record.append(0)
        }
        return record
    }

    /// ISO/IEC 14496-15 8.3.3.1.
    private var hevcConfiguration: [UInt8]? {
        guard isComplete, let first = sps.first,
            let parsed = first.withSpan({ SequenceParameterSet(.h265, $0) })
        else { return nil }
        var record: [UInt8] = [1]
        record += parsed.profileTierLevel
        record += [0xF0, 0x00]  // min_spatial_segmentation_idc: unknown
        record.append(0xFC)  // parallelismType: unknown
        record.append(0xFC | UInt8(parsed.chromaFormat & 3))
        record.append(0xF8 | UInt8((parsed.bitDepthLuma - 8) & 7))
        record.append(0xF8 | UInt8((parsed.bitDepthChroma - 8) & 7))
        record += [0, 0]  // avgFrameRate: unknown
        record.append(UInt8(min(parsed.temporalLayers, 7)) << 3 | (parsed.temporalIDNested ? 4 : 0) | 3)
        record.append(3)
        for (type, units) in [(UInt8(32), vps), (33, sps), (34, pps)] {
            record.append(0x80 | type)
            record += [0, UInt8(min(units.count, 255))]
            for unit in units.prefix(255) { Self.append(unit, to: &record) }
        }
        return record
    }

    private static func append(_ unit: [UInt8], to record: inout [UInt8]) {
        let length = min(unit.count, 0xFFFF)
        record += [UInt8(length >> 8), UInt8(length & 0xFF)]
        record += unit.prefix(length)
    }
}

/// What an avcC or hvcC says: the parameter sets, and how many bytes the lengths in the frames have.
package struct DecoderConfiguration: Equatable, Sendable {
    package var parameters: VideoParameters
    /// 1, 2 or 4.
    package var lengthSize: Int

    /// Reads an avcC (`.h264`), hvcC (`.h265`), av1C or vpcC. Nil when it is cut short or not one.
    package init?(_ codec: VideoCodec, _ record: RawSpan) {
        switch codec {
        case .h264: self.init(avc: record)
        case .h265: self.init(hevc: record)
        case .av1: self.init(av1: record)
        case .vp9: self.init(vp9: record)
        }
    }

    private init?(avc record: RawSpan) {
        guard record.uint8(at: 0) == 1, let size = record.uint8(at: 4), let count = record.uint8(at: 5) else {
            return nil
        }
        var at = 6
        guard let sps = Self.units(Int(count & 0x1F), record, &at), let second = record.uint8(at: at) else {
            return nil
        }
        at += 1
        guard let pps = Self.units(Int(second), record, &at) else { return nil }
        parameters = VideoParameters(codec: .h264, sps: sps, pps: pps)
        lengthSize = Int(size & 3) + 1
    }

    private init?(hevc record: RawSpan) {
        guard record.uint8(at: 0) == 1, let size = record.uint8(at: 21), let arrays = record.uint8(at: 22) else {
            return nil
        }
        var sets: [UInt8: [[UInt8]]] = [:]
        var at = 23
        for _ in 0..<arrays {
            guard let type = record.uint8(at: at), let count = record.uint16(at: at + 1) else { return nil }
            at += 3
            guard let units = Self.units(Int(count), record, &at) else { return nil }
            sets[type & 0x3F, default: []] += units
        }
        parameters = VideoParameters(codec: .h265, vps: sets[32] ?? [], sps: sets[33] ?? [], pps: sets[34] ?? [])
        lengthSize = Int(size & 3) + 1
    }

    /// AV1 codec ISO media file format binding 2.3.3: marker and version, three bytes more, then OBUs.
    private init?(av1 record: RawSpan) {
        guard record.uint8(at: 0) == 0x81, record.byteCount >= 4 else { return nil }
        let header = AV1SequenceHeader(in: record, from: 4)
        parameters = VideoParameters(
            codec: .av1,
            sps: [],
            pps: [],
            record: record.array(0..<record.byteCount),
            width: header?.width ?? 0,
            height: header?.height ?? 0
        )
        lengthSize = 4
    }

    /// VP codec ISO media file format binding 2.2: eight bytes, which FFmpeg writes behind version and flags. The size is in
    /// the key frames.
    private init?(vp9 record: RawSpan) {
        guard record.byteCount >= 8 else { return nil }
        parameters = VideoParameters(codec: .vp9, sps: [], pps: [], record: record.array(0..<record.byteCount))
        lengthSize = 4
    }

    private static func units(_ count: Int, _ record: RawSpan, _ at: inout Int) -> [[UInt8]]? {
        var units: [[UInt8]] = []
        for _ in 0..<count {
            guard let length = record.uint16(at: at), at + 2 + Int(length) <= record.byteCount else { return nil }
            if length > 0 { units.append(record.array(at + 2..<at + 2 + Int(length))) }
            at += 2 + Int(length)
        }
        return units
    }
}
