import Wire

/// What an API needs of a sequence header OBU (AV1 bitstream specification 5.5).
package struct AV1SequenceHeader: Equatable, Sendable {
    /// The largest picture of the sequence, in pixels.
    package var width: Int
    package var height: Int

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

    /// 5.5.1 General sequence header OBU syntax, up to the size.
    private init?(payload: [UInt8]) {
        var reader = BitReader(payload)
        guard reader.skip(4), let isReduced = reader.flag() else { return nil }
        if isReduced {
            guard reader.skip(5) else { return nil }
        } else {
            guard Self.skipOperatingPoints(&reader) else { return nil }
        }
        guard let widthBits = reader.bits(4), let heightBits = reader.bits(4),
            let widthMinus1 = reader.bits(Int(widthBits) + 1), let heightMinus1 = reader.bits(Int(heightBits) + 1)
        else { return nil }
        width = Int(widthMinus1) + 1
        height = Int(heightMinus1) + 1
    }

    private static func skipOperatingPoints(_ reader: inout BitReader) -> Bool {
        var delayLength: Int?
        guard let hasTiming = reader.flag() else { return false }
        if hasTiming {
            // 5.5.3 Timing info.
            guard reader.skip(64), let isEqual = reader.flag() else { return false }
            if isEqual, reader.unsignedGolomb() == nil { return false }
            guard let hasModel = reader.flag() else { return false }
            if hasModel {
                // 5.5.4 Decoder model info.
                guard let length = reader.bits(5), reader.skip(32 + 5 + 5) else { return false }
                delayLength = Int(length) + 1
            }
        }
        guard let hasDisplayDelay = reader.flag(), let countMinus1 = reader.bits(5) else { return false }
        for _ in 0...countMinus1 {
            guard reader.skip(12), let level = reader.bits(5) else { return false }
            if level > 7, !reader.skip(1) { return false }
            if let delayLength {
                guard let isPresent = reader.flag(), reader.skip(isPresent ? 2 * delayLength + 1 : 0) else {
                    return false
                }
            }
            if hasDisplayDelay {
                guard let isPresent = reader.flag(), reader.skip(isPresent ? 4 : 0) else { return false }
            }
        }
        return true
    }
}
