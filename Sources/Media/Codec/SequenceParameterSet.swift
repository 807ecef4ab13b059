import Wire

/// What a decoder configuration and an API need of an SPS.
package struct SequenceParameterSet: Equatable, Sendable {
    /// The picture after cropping, in pixels.
    package var width: Int
    package var height: Int
    package var chromaFormat: Int
    package var bitDepthLuma: Int
    package var bitDepthChroma: Int
    /// H.264: frame_mbs_only_flag is 0, so two fields may share a frame. False for H.265.
    package var mayHaveFields: Bool
    /// H.265: the 12 bytes general_profile_space … general_level_idc. H.264: profile, constraints, level.
    package var profileTierLevel: [UInt8]
    /// H.265: how many temporal sub-layers, and whether they nest.
    package var temporalLayers: Int
    package var temporalIDNested: Bool
    /// How many pictures may come before one that is shown earlier: 0 without B pictures. Nil where the SPS does not tell.
    package var reordering: Int?
    /// H.264: what it takes to read a picture's order in a slice header; nil where that says nothing.
    package var pictureOrder: PictureOrder?

    /// ITU-T H.264 7.4.2.1.1, for pic_order_cnt_type 0.
    package struct PictureOrder: Equatable, Sendable {
        package var frameNumberBits: Int
        package var orderBits: Int
        package var framesOnly: Bool
        package var separatePlanes: Bool
        /// max_num_ref_frames.
        package var references: Int
    }

    /// Larger pictures than this are the mark of a parameter set that was not one.
    static let largestSide = 16_384

    /// Parses the SPS of either codec: `nal` is the whole unit without start code. Nil when it is not a plausible SPS, and for
    /// codecs that have none.
    package init?(_ codec: VideoCodec, _ nal: RawSpan) {
        switch codec {
        case .h264: self.init(h264: nal)
        case .h265: self.init(h265: nal)
        case .av1, .vp9: return nil
        }
    }

    /// The picture's size after `crop` (left, right, top, bottom, in `units`), or nil when nothing sensible is left.
    private static func cropped(
        _ width: Int,
        _ height: Int,
        crop: (left: UInt32, right: UInt32, top: UInt32, bottom: UInt32),
        units: (x: Int, y: Int)
    ) -> (Int, Int)? {
        let cutX = (Int(crop.left) + Int(crop.right)) * units.x
        let cutY = (Int(crop.top) + Int(crop.bottom)) * units.y
        guard (1...largestSide).contains(width), (1...largestSide).contains(height), cutX < width, cutY < height
        else { return nil }
        return (width - cutX, height - cutY)
    }

    /// ITU-T H.264 7.3.2.1.1.
    private init?(h264 nal: RawSpan) {
        guard let header = nal.uint8(at: 0), header & 0x9F == 7 else { return nil }
        var reader = BitReader(rbspOf: nal, headerLength: 1)
        guard let profile = reader.bits(8), let constraints = reader.bits(8), let level = reader.bits(8),
            let identifier = reader.unsignedGolomb(), identifier < 32
        else { return nil }
        var chroma: UInt32 = 1
        var luma: UInt32 = 0
        var chromaDepth: UInt32 = 0
        var separatePlanes = false
        if [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135].contains(profile) {
            guard let format = reader.unsignedGolomb(), format <= 3 else { return nil }
            chroma = format
            if format == 3 {
                guard let separate = reader.flag() else { return nil }
                separatePlanes = separate
            }
            guard let lumaMinus8 = reader.unsignedGolomb(), lumaMinus8 <= 6,
                let chromaMinus8 = reader.unsignedGolomb(), chromaMinus8 <= 6,
                reader.skip(1), let hasScaling = reader.flag()
            else { return nil }
            luma = lumaMinus8
            chromaDepth = chromaMinus8
            if hasScaling {
                for list in 0..<(format == 3 ? 12 : 8) {
                    guard let present = reader.flag() else { return nil }
                    if present, !Self.skipScalingList(&reader, size: list < 6 ? 16 : 64) { return nil }
                }
            }
        }
        guard let frameNumber = reader.unsignedGolomb(), frameNumber <= 12,
            let orderType = reader.unsignedGolomb(), orderType <= 2
        else { return nil }
        var orderBits = 0
        if orderType == 0 {
            guard let bits = reader.unsignedGolomb(), bits <= 12 else { return nil }
            orderBits = Int(bits) + 4
        } else if orderType == 1 {
            guard reader.skip(1), reader.signedGolomb() != nil, reader.signedGolomb() != nil,
                let cycle = reader.unsignedGolomb(), cycle <= 255
            else { return nil }
            for _ in 0..<cycle where reader.signedGolomb() == nil { return nil }
        }
        guard let references = reader.unsignedGolomb(), references <= 32, reader.skip(1),
            let widthMinus1 = reader.unsignedGolomb(), widthMinus1 < UInt32(Self.largestSide) / 16,
            let heightMinus1 = reader.unsignedGolomb(), heightMinus1 < UInt32(Self.largestSide) / 16,
            let framesOnly = reader.flag()
        else { return nil }
        if !framesOnly, !reader.skip(1) { return nil }
        guard reader.skip(1), let isCropped = reader.flag() else { return nil }
        var crop: (left: UInt32, right: UInt32, top: UInt32, bottom: UInt32) = (0, 0, 0, 0)
        if isCropped {
            guard let left = reader.unsignedGolomb(), let right = reader.unsignedGolomb(),
                let top = reader.unsignedGolomb(), let bottom = reader.unsignedGolomb()
            else { return nil }
            crop = (left, right, top, bottom)
        }
        let fieldFactor = framesOnly ? 1 : 2
        let hasChroma = chroma != 0 && !separatePlanes
        guard
            let size = Self.cropped(
                (Int(widthMinus1) + 1) * 16,
                (Int(heightMinus1) + 1) * 16 * fieldFactor,
                crop: crop,
                units: (
                    x: hasChroma && chroma < 3 ? 2 : 1, y: (hasChroma && chroma == 1 ? 2 : 1) * fieldFactor
                )
            )
        else { return nil }
        (width, height) = size
        chromaFormat = Int(chroma)
        bitDepthLuma = Int(luma) + 8
        bitDepthChroma = Int(chromaDepth) + 8
        mayHaveFields = !framesOnly
        profileTierLevel = [UInt8(profile), UInt8(constraints), UInt8(level)]
        temporalLayers = 1
        temporalIDNested = false
        // Baseline has no B pictures, type 2 no reordering, and the intra profiles (constraint_set3) only key frames.
        let isIntra = constraints & 0x10 != 0 && [44, 86, 100, 110, 122, 244].contains(profile)
        if profile == 66 || orderType == 2 || isIntra {
            reordering = 0
        } else {
            reordering = VideoUsability.reordering(&reader)
        }
        guard orderType == 0 else { return }
        pictureOrder = PictureOrder(
            frameNumberBits: Int(frameNumber) + 4,
            orderBits: orderBits,
            framesOnly: framesOnly,
            separatePlanes: separatePlanes,
            references: Int(references)
        )
    }

    /// ITU-T H.264 7.3.2.1.1.1.
    private static func skipScalingList(_ reader: inout BitReader, size: Int) -> Bool {
        var last: Int32 = 8
        var next: Int32 = 8
        for _ in 0..<size {
            if next != 0 {
                guard let delta = reader.signedGolomb() else { return false }
                next = (last &+ delta &+ 256) & 0xFF
            }
            last = next == 0 ? last : next
        }
        return true
    }

    /// ITU-T H.265 7.3.2.2.
    private init?(h265 nal: RawSpan) {
        guard let header = nal.uint8(at: 0), header & 0x80 == 0, header >> 1 & 0x3F == 33 else { return nil }
        var reader = BitReader(rbspOf: nal, headerLength: 2)
        guard reader.skip(4), let subLayers = reader.bits(3), subLayers <= 6, let nested = reader.flag() else {
            return nil
        }
        var profile: [UInt8] = []
        for _ in 0..<12 {
            guard let byte = reader.bits(8) else { return nil }
            profile.append(UInt8(byte))
        }
        guard Self.skipSubLayers(&reader, count: Int(subLayers)),
            let identifier = reader.unsignedGolomb(), identifier < 16,
            let chroma = reader.unsignedGolomb(), chroma <= 3
        else { return nil }
        var separatePlanes = false
        if chroma == 3 {
            guard let separate = reader.flag() else { return nil }
            separatePlanes = separate
        }
        guard let codedWidth = reader.unsignedGolomb(), codedWidth <= UInt32(Self.largestSide),
            let codedHeight = reader.unsignedGolomb(), codedHeight <= UInt32(Self.largestSide),
            let isCropped = reader.flag()
        else { return nil }
        var crop: (left: UInt32, right: UInt32, top: UInt32, bottom: UInt32) = (0, 0, 0, 0)
        if isCropped {
            guard let left = reader.unsignedGolomb(), let right = reader.unsignedGolomb(),
                let top = reader.unsignedGolomb(), let bottom = reader.unsignedGolomb()
            else { return nil }
            crop = (left, right, top, bottom)
        }
        guard let luma = reader.unsignedGolomb(), luma <= 8, let chromaDepth = reader.unsignedGolomb(),
            chromaDepth <= 8
        else { return nil }
        let hasChroma = chroma != 0 && !separatePlanes
        guard
            let size = Self.cropped(
                Int(codedWidth),
                Int(codedHeight),
                crop: crop,
                units: (x: hasChroma && chroma < 3 ? 2 : 1, y: hasChroma && chroma == 1 ? 2 : 1)
            )
        else { return nil }
        (width, height) = size
        chromaFormat = Int(chroma)
        bitDepthLuma = Int(luma) + 8
        bitDepthChroma = Int(chromaDepth) + 8
        mayHaveFields = false
        profileTierLevel = profile
        temporalLayers = Int(subLayers) + 1
        temporalIDNested = nested
        reordering = Self.reordering(&reader, subLayers: subLayers)
    }

    /// sps_max_num_reorder_pics of the highest sub-layer.
    private static func reordering(_ reader: inout BitReader, subLayers: UInt32) -> Int? {
        guard reader.unsignedGolomb() != nil, let isToldOfEach = reader.flag() else { return nil }
        var reordering: UInt32?
        for _ in (isToldOfEach ? 0 : subLayers)...subLayers {
            guard reader.unsignedGolomb() != nil, let pictures = reader.unsignedGolomb(), pictures <= 16,
                reader.unsignedGolomb() != nil
            else { return nil }
            reordering = pictures
        }
        return reordering.map { Int($0) }
    }

    /// The sub-layer part of profile_tier_level, ITU-T H.265 7.3.3.
    private static func skipSubLayers(_ reader: inout BitReader, count: Int) -> Bool {
        guard count > 0 else { return true }
        var present: [(profile: Bool, level: Bool)] = []
        for _ in 0..<count {
            guard let profile = reader.flag(), let level = reader.flag() else { return false }
            present.append((profile, level))
        }
        guard reader.skip((8 - count) * 2) else { return false }
        for layer in present {
            guard reader.skip((layer.profile ? 88 : 0) + (layer.level ? 8 : 0)) else { return false }
        }
        return true
    }
}

extension VideoParameters {
    /// Parameters with the size read from the first SPS; 0 x 0 when it cannot be read.
    package init(codec: VideoCodec, vps: [[UInt8]] = [], sps: [[UInt8]], pps: [[UInt8]]) {
        let parsed = sps.first?.withSpan { SequenceParameterSet(codec, $0) }
        self.init(
            codec: codec,
            vps: vps,
            sps: sps,
            pps: pps,
            width: parsed?.width ?? 0,
            height: parsed?.height ?? 0
        )
    }
}
