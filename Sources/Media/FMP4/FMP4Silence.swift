import Wire

/// A raw_data_block without a sound.
enum AACSilence {
    /// The elements of a channel configuration (ISO/IEC 14496-3 1.6.3.5): 0 is a single channel, 1 a pair, 3 a low-frequency
    /// channel.
    private static let elements: [[UInt32]] = [
        [0], [1], [0, 1], [0, 1, 0], [0, 1, 1], [0, 1, 1, 3], [], [0, 1, 1, 1, 3],
    ]

    /// A frame of `channels` (1 to 6, 8) of an object type whose frames are raw_data_blocks. HE-AAC gets one of its core,
    /// which has nothing to replicate. Nil for others (ER and low delay), and where the stream itself says its channels.
    static func frame(objectType: Int, channels: Int) -> [UInt8]? {
        guard [1, 2, 4, 5, 29].contains(objectType), elements.indices.contains(channels - 1) else { return nil }
        let elements = elements[channels - 1]
        guard !elements.isEmpty else { return nil }
        var bits = BitAccumulator()
        var tags: [UInt32] = [0, 0, 0, 0]
        for element in elements {
            bits.append(element, 3)
            bits.append(tags[Int(element)], 4)
            tags[Int(element)] += 1
            if element == 1 {
                bits.append(1, 1)  // common_window
                appendWindow(to: &bits)
                bits.append(0, 2)  // ms_mask_present
                for _ in 0..<2 { appendChannel(window: false, to: &bits) }
            } else {
                appendChannel(window: true, to: &bits)
            }
        }
        bits.append(7, 3)  // ID_END
        return bits.bytes
    }

    /// ics_info: one long window, no scale factor bands, no prediction.
    private static func appendWindow(to bits: inout BitAccumulator) {
        bits.append(0b0_00_1, 4)
        bits.append(0, 6 + 1)
    }

    /// individual_channel_stream: a gain, and no pulse, noise shaping or gain control.
    private static func appendChannel(window: Bool, to bits: inout BitAccumulator) {
        bits.append(140, 8)
        if window { appendWindow(to: &bits) }
        bits.append(0, 3)
    }

    private struct BitAccumulator {
        private(set) var bytes: [UInt8] = []
        private var used = 8

        mutating func append(_ value: UInt32, _ count: Int) {
            for shift in stride(from: count - 1, through: 0, by: -1) {
                if used == 8 {
                    bytes.append(0)
                    used = 0
                }
                bytes[bytes.count - 1] |= UInt8(value >> UInt32(shift) & 1) << UInt8(7 - used)
                used += 1
            }
        }
    }
}

/// A frame of MPEG audio layer III whose side information says: no bits for any granule.
enum MP3Silence {
    /// Nil when layer III has no such rate.
    static func frame(sampleRate: Int, channels: Int) -> [UInt8]? {
        let rates = [44_100, 48_000, 32_000]
        for (version, divisor) in [(3, 1), (2, 2), (0, 4)] {
            guard let index = rates.firstIndex(of: sampleRate * divisor) else { continue }
            // No CRC; the fourth bit rate (56 or 32 kbit/s), enough for side information and header at every rate.
            let header: [UInt8] = [
                0xFF, 0xE3 | UInt8(version << 3), 4 << 4 | UInt8(index << 2), channels == 1 ? 0xC0 : 0,
            ]
            guard let length = header.withSpan({ MP3Header($0)?.frameLength }) else { return nil }
            return header + [UInt8](repeating: 0, count: max(length - header.count, 0))
        }
        return nil
    }
}
