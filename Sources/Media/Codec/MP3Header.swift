import Wire

/// The header of an MPEG audio layer III frame (ISO/IEC 11172-3 2.4.1.3, ISO/IEC 13818-3, and the low rates of "MPEG 2.5").
package struct MP3Header: Equatable, Sendable {
    package var sampleRate: Int
    package var channels: Int
    /// 1152, or 576 at the low rates.
    package var samples: Int
    /// Header and payload in bytes; nil for the free format, which does not tell.
    package var frameLength: Int?

    private static let bitrates = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
    private static let lowBitrates = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]

    /// Nil when the bytes do not begin with one.
    package init?(_ bytes: RawSpan) {
        guard let word = bytes.uint32(at: 0), word >> 21 == 0x7FF, word >> 17 & 3 == 1, word >> 12 & 0xF != 0xF else {
            return nil
        }
        let index = Int(word >> 10 & 3)
        guard index < 3 else { return nil }
        let rate = [44_100, 48_000, 32_000][index]
        switch word >> 19 & 3 {
        case 3: sampleRate = rate
        case 2: sampleRate = rate / 2
        case 0: sampleRate = rate / 4
        default: return nil
        }
        channels = word >> 6 & 3 == 3 ? 1 : 2
        let isLow = word >> 19 & 3 != 3
        samples = isLow ? 576 : 1152
        let bitrate = (isLow ? Self.lowBitrates : Self.bitrates)[Int(word >> 12 & 0xF)] * 1000
        guard bitrate > 0 else { return }
        frameLength = samples / 8 * bitrate / sampleRate + Int(word >> 9 & 1)
    }

    /// Layer I or II of MPEG audio: the same beginning, another codec.
    package static func isOtherLayer(_ bytes: RawSpan) -> Bool {
        guard let word = bytes.uint16(at: 0), word >> 5 == 0x7FF else { return false }
        return word >> 1 & 3 > 1
    }
}

extension AudioParameters {
    /// The parameters that the header of an MP3 frame gives.
    package init(_ header: MP3Header) {
        self.init(codec: .mp3, sampleRate: header.sampleRate, channels: header.channels)
    }
}
