import Wire

/// What an API and a decoder configuration need of a sequence header OBU (AV1 bitstream specification 5.5).
package struct AV1SequenceHeader: Equatable, Sendable {
    /// The largest picture of the sequence, in pixels.
    package var width: Int
    package var height: Int
    /// The second and third byte of av1C (AV1 codec ISO media file format binding 2.3.3): profile, level and tier; depth and
    /// chroma. Nil when the header ends before them.
    package var profile: (UInt8, UInt8)?
    /// reduced_still_picture_header: every picture is a key frame.
    package var isReduced: Bool

    private static let sequenceHeaderType: UInt8 = 1
    private static let maximumUnits = 32
    /// More than the header has up to the size.
    private static let longestHeader = 1024

    /// The first sequence header among the OBUs from `offset` on: those of an av1C, or of a temporal unit. Nil when there is
    /// none, or it is cut short.
    package init?(in bytes: RawSpan, from offset: Int = 0) {
        var at = offset
        for _ in 0..<Self.maximumUnits {
            guard let unit = Self.unit(in: bytes, at: at) else { return nil }
            if unit.type == Self.sequenceHeaderType {
                let end = min(unit.payload.upperBound, unit.payload.lowerBound &+ Self.longestHeader)
                self.init(payload: bytes.array(unit.payload.lowerBound..<end))
                return
            }
            at = unit.payload.upperBound
        }
        return nil
    }

    /// 5.3.2 OBU header, with or without extension and size. The payload may end beyond the bytes: only a front is given.
    private static func unit(in bytes: RawSpan, at offset: Int) -> (type: UInt8, payload: Range<Int>)? {
        guard let header = bytes.uint8(at: offset), header & 0x80 == 0 else { return nil }
        var at = offset &+ (header & 4 == 0 ? 1 : 2)
        let type = header >> 3 & 0xF
        guard at <= bytes.byteCount else { return nil }
        // Without a size it is the last one.
        guard header & 2 != 0 else { return (type, at..<bytes.byteCount) }
        var size = 0
        for shift in stride(from: 0, to: 35, by: 7) {
            guard let byte = bytes.uint8(at: at) else { return nil }
            at &+= 1
            size |= Int(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return (type, at..<at &+ size) }
        }
        return nil
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.width == right.width && left.height == right.height && left.profile?.0 == right.profile?.0
            && left.profile?.1 == right.profile?.1 && left.isReduced == right.isReduced
    }

    /// 5.5.1 General sequence header OBU syntax, up to the colours.
    package init?(payload: [UInt8]) {
        var reader = BitReader(payload)
        guard let number = reader.bits(3), reader.skip(1), let isReduced = reader.flag() else { return nil }
        self.isReduced = isReduced
        var level: UInt32 = 0
        var tier: UInt32 = 0
        if isReduced {
            guard let told = reader.bits(5) else { return nil }
            level = told
        } else {
            guard let first = Self.readOperatingPoints(&reader) else { return nil }
            (level, tier) = first
        }
        guard let widthBits = reader.bits(4), let heightBits = reader.bits(4),
            let widthMinus1 = reader.bits(Int(widthBits) + 1), let heightMinus1 = reader.bits(Int(heightBits) + 1)
        else { return nil }
        width = Int(widthMinus1) + 1
        height = Int(heightMinus1) + 1
        guard Self.skipTools(&reader, isReduced: isReduced), let colours = Self.colours(&reader, profile: number) else {
            return
        }
        profile = (UInt8(number) << 5 | UInt8(level), UInt8(tier) << 7 | colours)
    }

    /// The level and tier of the first operating point, which av1C names.
    private static func readOperatingPoints(_ reader: inout BitReader) -> (level: UInt32, tier: UInt32)? {
        var delayLength: Int?
        guard let hasTiming = reader.flag() else { return nil }
        if hasTiming {
            // 5.5.3 Timing info.
            guard reader.skip(64), let isEqual = reader.flag() else { return nil }
            if isEqual, reader.unsignedGolomb() == nil { return nil }
            guard let hasModel = reader.flag() else { return nil }
            if hasModel {
                // 5.5.4 Decoder model info.
                guard let length = reader.bits(5), reader.skip(32 + 5 + 5) else { return nil }
                delayLength = Int(length) + 1
            }
        }
        guard let hasDisplayDelay = reader.flag(), let countMinus1 = reader.bits(5) else { return nil }
        var first: (level: UInt32, tier: UInt32)?
        for _ in 0...countMinus1 {
            guard reader.skip(12), let level = reader.bits(5), let tier = level > 7 ? reader.bit() : 0 else {
                return nil
            }
            if first == nil { first = (level, tier) }
            if let delayLength {
                guard let isPresent = reader.flag(), reader.skip(isPresent ? 2 * delayLength + 1 : 0) else {
                    return nil
                }
            }
            if hasDisplayDelay {
                guard let isPresent = reader.flag(), reader.skip(isPresent ? 4 : 0) else { return nil }
            }
        }
        return first
    }

    /// What stands between the size and the colours.
    private static func skipTools(_ reader: inout BitReader, isReduced: Bool) -> Bool {
        // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter; at the end superres, cdef, restoration.
        guard !isReduced else { return reader.skip(3 + 3) }
        guard let hasFrameNumbers = reader.flag(), reader.skip((hasFrameNumbers ? 7 : 0) + 3), reader.skip(4),
            let hasOrderHint = reader.flag(), reader.skip(hasOrderHint ? 2 : 0),
            let choosesScreenContent = reader.flag()
        else { return false }
        let forcesScreenContent = choosesScreenContent ? true : reader.flag()
        guard let forcesScreenContent else { return false }
        if forcesScreenContent {
            guard let choosesIntegerVectors = reader.flag(), reader.skip(choosesIntegerVectors ? 0 : 1) else {
                return false
            }
        }
        return reader.skip((hasOrderHint ? 3 : 0) + 3)
    }

    /// 5.5.2 Color config, as av1C packs it: depth, monochrome, chroma.
    private static func colours(_ reader: inout BitReader, profile: UInt32) -> UInt8? {
        guard let isHigh = reader.flag() else { return nil }
        var isTwelve = false
        if profile == 2, isHigh {
            guard let twelve = reader.flag() else { return nil }
            isTwelve = twelve
        }
        guard let isMono = profile == 1 ? false : reader.flag(), let isDescribed = reader.flag() else { return nil }
        var description: UInt32 = 0x02_0202
        if isDescribed {
            guard let told = reader.bits(24) else { return nil }
            description = told
        }
        let depth: UInt8 = (isHigh ? 0x40 : 0) | (isTwelve ? 0x20 : 0) | (isMono ? 0x10 : 0)
        if isMono { return depth | 0x0C }
        // BT.709 with sRGB's transfer and no matrix is RGB: 4:4:4.
        if description == 0x01_0D00 { return depth }
        guard reader.skip(1) else { return nil }
        var x = profile != 1
        var y = profile == 0
        if profile == 2, isTwelve {
            guard let told = reader.flag() else { return nil }
            x = told
            if told {
                guard let alsoY = reader.flag() else { return nil }
                y = alsoY
            }
        }
        var position: UInt32 = 0
        if x, y {
            guard let told = reader.bits(2) else { return nil }
            position = told
        }
        return depth | (x ? 8 : 0) | (y ? 4 : 0) | UInt8(position)
    }
}
