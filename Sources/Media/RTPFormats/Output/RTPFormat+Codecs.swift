import Wire

extension RTPFormat {
    /// The codecs that frames are packaged in.
    var videoCodec: VideoCodec? {
        [("H264", VideoCodec.h264), ("H265", .h265), ("AV1", .av1), ("VP9", .vp9)].first { isNamed($0.0) }?.1
    }

    var audioCodec: AudioCodec? {
        [
            ("MPEG4-GENERIC", AudioCodec.aac), ("PCMA", .g711a), ("PCMU", .g711u), ("opus", .opus), ("MPA", .mp3),
        ].first { isNamed($0.0) }?.1
    }
}

extension VideoParameters {
    /// The parameter sets in the order in which a decoder needs them, each behind its length in four bytes.
    var lengthPrefixedSets: [UInt8] {
        var bytes: [UInt8] = []
        for unit in vps + sps + pps {
            let length = UInt32(truncatingIfNeeded: unit.count)
            for shift in [24, 16, 8, 0] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: length >> shift)) }
            bytes += unit
        }
        return bytes
    }
}

/// Hexadecimal text, as `a=fmtp` has it.
enum Hex {
    /// Up to the first character that is no digit.
    static func bytes(_ text: Substring) -> [UInt8] {
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in text.utf8 {
            let digit: UInt8
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = character &- UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = character &- UInt8(ascii: "a") &+ 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = character &- UInt8(ascii: "A") &+ 10
            default: return bytes
            }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return bytes
    }
}
