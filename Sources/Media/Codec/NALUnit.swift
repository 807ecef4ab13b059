import Wire

/// What a NAL unit is for, as far as carrying it on is concerned.
package enum NALUnitKind: Equatable, Sendable {
    /// A slice. `startsPicture`: it is the first of its picture. `isKey`: IDR or IRAP.
    case slice(startsPicture: Bool, isKey: Bool)
    case videoParameterSet
    case sequenceParameterSet
    case pictureParameterSet
    /// Comes before the slices of its picture (delimiter excepted): prefix SEI and the like.
    case prefix
    /// Comes after the slices of its picture: suffix SEI.
    case suffix
    case accessUnitDelimiter
    /// Filler data, end of sequence, end of stream: of no use to a player.
    case discardable
    /// Reserved or impossible: a stream of another codec.
    case invalid

    /// Whether a unit of this kind begins a new access unit when the current one has a slice already
    /// (ITU-T H.264 7.4.1.2.3, H.265 7.4.2.4.4).
    package var startsAccessUnit: Bool {
        switch self {
        case .slice(let startsPicture, _): startsPicture
        case .videoParameterSet, .sequenceParameterSet, .pictureParameterSet, .prefix, .accessUnitDelimiter: true
        case .suffix, .discardable, .invalid: false
        }
    }
}

extension VideoCodec {
    /// How many bytes of a NAL unit `kind` looks at; fewer are enough for units other than slices.
    package static let bytesToClassify = 3

    /// The kind of the NAL unit (no start code) that begins at `offset`.
    package func kind(of bytes: RawSpan, at offset: Int = 0) -> NALUnitKind {
        guard let header = bytes.uint8(at: offset), header & 0x80 == 0 else { return .invalid }
        switch self {
        case .h264:
            switch header & 0x1F {
            case 1, 2, 5:
                // first_mb_in_slice is ue(v): 0 is the single bit 1.
                let first = bytes.uint8(at: offset &+ 1) ?? 0
                return .slice(startsPicture: first & 0x80 != 0, isKey: header & 0x1F == 5)
            case 3, 4: return .slice(startsPicture: false, isKey: false)
            case 6: return .prefix
            case 7: return .sequenceParameterSet
            case 8: return .pictureParameterSet
            case 9: return .accessUnitDelimiter
            case 10, 11, 12: return .discardable
            case 13...18: return .prefix
            case 19...21: return .suffix
            default: return .invalid
            }
        case .h265:
            let type = header >> 1 & 0x3F
            switch type {
            case 0...9, 16...21:
                let first = bytes.uint8(at: offset &+ 2) ?? 0
                return .slice(startsPicture: first & 0x80 != 0, isKey: type >= 16)
            case 32: return .videoParameterSet
            case 33: return .sequenceParameterSet
            case 34: return .pictureParameterSet
            case 35: return .accessUnitDelimiter
            case 36, 37, 38: return .discardable
            case 39, 41...44, 48...55: return .prefix
            case 40, 45...47, 56...63: return .suffix
            default: return .invalid
            }
        case .av1, .vp9:
            return .invalid
        }
    }
}

/// The NAL units of an Annex B byte stream.
package enum AnnexB {
    /// The ranges of the NAL units, start codes of 3 or 4 bytes and trailing zeros left out; at most `limit`.
    package static func units(in bytes: RawSpan, limit: Int = 4096) -> [Range<Int>] {
        var units: [Range<Int>] = []
        var next = bytes.startCode(from: 0)
        while let start = next, units.count < limit {
            let begin = start + 3
            next = bytes.startCode(from: begin)
            let end = Self.trimmed(bytes, begin..<(next ?? bytes.byteCount))
            if end > begin { units.append(begin..<end) }
        }
        return units
    }

    /// Where the unit in `range` ends without its trailing zero bytes.
    package static func trimmed(_ bytes: RawSpan, _ range: Range<Int>) -> Int {
        var end = range.upperBound
        while end > range.lowerBound, bytes.uint8(at: end - 1) == 0 { end -= 1 }
        return end
    }
}

/// The NAL units of a frame's payload, each behind its length in 4 bytes.
package enum LengthPrefixed {
    /// The ranges of the units; a length that runs past the end ends the list.
    package static func units(in bytes: RawSpan) -> [Range<Int>] {
        var units: [Range<Int>] = []
        var at = 0
        while let length = bytes.uint32(at: at), length <= UInt32(bytes.byteCount - at - 4) {
            units.append(at + 4..<at + 4 + Int(length))
            at += 4 + Int(length)
        }
        return units
    }
}
