import Wire

/// The header of an MPEG audio layer III frame (ISO/IEC 11172-3 2.4.1.3, ISO/IEC 13818-3, and the low rates of "MPEG 2.5").
package struct MP3Header: Equatable, Sendable {
    package var sampleRate: Int
    package var channels: Int

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
    }
}

extension AudioParameters {
    /// The parameters that the header of an MP3 frame gives.
    package init(_ header: MP3Header) {
        self.init(codec: .mp3, sampleRate: header.sampleRate, channels: header.channels)
    }
}
