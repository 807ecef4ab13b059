import Wire

/// What an API and a decoder configuration need of a VP9 key frame (VP9 bitstream specification 6.2).
package struct VP9FrameHeader: Equatable, Sendable {
    package var width: Int
    package var height: Int
    package var profile: Int
    package var bitDepth: Int
    /// As vpcC numbers it: 1 is 4:2:0 with the samples in the corner, 2 is 4:2:2, 3 is 4:4:4.
    package var chroma: Int
    package var isFullRange: Bool
    /// color_space of the bitstream.
    package var colourSpace: Int

    /// More bytes than the header up to the size has.
    private static let length = 16
    private static let syncCode: UInt32 = 0x49_8342
    private static let colourSpaceRGB: UInt32 = 7

    /// Nil when the frame is not a key frame, or cut short.
    package init?(keyFrame bytes: RawSpan) {
        var reader = BitReader(bytes.array(0..<Self.length))
        guard reader.bits(2) == 2, let low = reader.bit(), let high = reader.bit() else { return nil }
        let profile = high << 1 | low
        // Each of the reserved bit and show_existing_frame must be 0; frame_type 0 is a key frame.
        guard profile < 3 || reader.bit() == 0, reader.bit() == 0, reader.bit() == 0, reader.skip(2),
            reader.bits(24) == Self.syncCode, let isTwelve = profile >= 2 ? reader.flag() : false,
            let space = reader.bits(3)
        else { return nil }
        self.profile = Int(profile)
        bitDepth = profile < 2 ? 8 : isTwelve ? 12 : 10
        colourSpace = Int(space)
        isFullRange = true
        chroma = 3
        let mayHaveOtherChroma = profile == 1 || profile == 3
        if space == Self.colourSpaceRGB {
            guard reader.skip(mayHaveOtherChroma ? 1 : 0) else { return nil }
        } else {
            guard let isFull = reader.flag() else { return nil }
            isFullRange = isFull
            chroma = 1
            if mayHaveOtherChroma {
                guard let x = reader.flag(), let y = reader.flag(), reader.skip(1) else { return nil }
                chroma = x ? (y ? 1 : 2) : 3
            }
        }
        guard let widthMinus1 = reader.bits(16), let heightMinus1 = reader.bits(16) else { return nil }
        width = Int(widthMinus1) + 1
        height = Int(heightMinus1) + 1
    }

    /// vpcC with version and flags (VP codec ISO media file format binding 2.2).
    package var configuration: [UInt8] {
        let primaries: [UInt8] = [2, 6, 1, 6, 7, 9, 2, 1]
        let transfer: [UInt8] = [2, 6, 1, 6, 7, 14, 2, 13]
        let matrix: [UInt8] = [2, 6, 1, 6, 7, 9, 2, 0]
        let space = min(colourSpace, 7)
        return [
            1, 0, 0, 0, UInt8(profile), level, UInt8(bitDepth) << 4 | UInt8(chroma) << 1 | (isFullRange ? 1 : 0),
            primaries[space], transfer[space], matrix[space], 0, 0,
        ]
    }

    /// The lowest level whose largest picture is not smaller. The stream itself has no level.
    private var level: UInt8 {
        let sizes: [(pixels: Int, level: UInt8)] = [
            (36_864, 10), (73_728, 11), (122_880, 20), (245_760, 21), (552_960, 30), (983_040, 31), (2_228_224, 40),
            (8_912_896, 50),
        ]
        return sizes.first { width * height <= $0.pixels }?.level ?? 60
    }
}
