import Wire

/// The header of one ADTS frame (ISO/IEC 14496-3 1.A.3.2).
package struct ADTSHeader: Equatable, Sendable {
    /// The audio object type: 2 is AAC-LC.
    package var objectType: Int
    package var sampleRate: Int
    /// 0 means that the stream itself says (a program config element).
    package var channels: Int
    /// 7, or 9 with a CRC.
    package var headerLength: Int
    /// Header and payload.
    package var frameLength: Int
    package var samples: Int

    /// The header at `offset`; nil when there is none or fewer than 7 bytes are left.
    package init?(_ bytes: RawSpan, at offset: Int = 0) {
        guard bytes.byteCount &- offset >= 7, let first = bytes.uint16(at: offset), first & 0xFFF6 == 0xFFF0,
            let third = bytes.uint8(at: offset &+ 2), let word = bytes.uint32(at: offset &+ 3)
        else { return nil }
        let rateIndex = Int(third >> 2 & 0xF)
        guard rateIndex < AudioSpecificConfig.sampleRates.count else { return nil }
        objectType = Int(third >> 6) + 1
        sampleRate = AudioSpecificConfig.sampleRates[rateIndex]
        channels = AudioSpecificConfig.channels(ofConfiguration: Int(third & 1) << 2 | Int(word >> 30))
        headerLength = first & 1 == 1 ? 7 : 9
        frameLength = Int(word >> 13 & 0x1FFF)
        guard frameLength > headerLength else { return nil }
        samples = (Int(bytes.uint8(at: offset &+ 6) ?? 0) & 3 + 1) * 1024
    }

    package init(objectType: Int = 2, sampleRate: Int, channels: Int, payloadLength: Int) {
        self.objectType = objectType
        self.sampleRate = sampleRate
        self.channels = channels
        headerLength = 7
        frameLength = payloadLength + 7
        samples = 1024
    }

    /// The seven bytes without CRC; nil when the rate is not one of the table or the frame is too long.
    package var bytes: [UInt8]? {
        guard let rate = AudioSpecificConfig.sampleRates.firstIndex(of: sampleRate), frameLength <= 0x1FFF,
            (1...4).contains(objectType)
        else { return nil }
        let channel = AudioSpecificConfig.configuration(ofChannels: channels)
        return [
            0xFF, 0xF1,
            UInt8(objectType - 1) << 6 | UInt8(rate) << 2 | UInt8(channel >> 2),
            UInt8(channel & 3) << 6 | UInt8(frameLength >> 11),
            UInt8(frameLength >> 3 & 0xFF),
            UInt8(frameLength & 7) << 5 | 0x1F,
            0xFC,
        ]
    }
}

/// The AudioSpecificConfig of ISO/IEC 14496-3 1.6.2.1, as far as AAC needs it.
package struct AudioSpecificConfig: Equatable, Sendable {
    package var objectType: Int
    package var sampleRate: Int
    package var channels: Int

    static let sampleRates = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350,
    ]

    static func channels(ofConfiguration configuration: Int) -> Int {
        configuration == 7 ? 8 : configuration
    }

    static func configuration(ofChannels channels: Int) -> Int {
        channels == 8 ? 7 : (1...6).contains(channels) ? channels : 0
    }

    package init(objectType: Int = 2, sampleRate: Int, channels: Int) {
        self.objectType = objectType
        self.sampleRate = sampleRate
        self.channels = channels
    }

    /// Nil when it is cut short or the rate is reserved.
    package init?(_ bytes: [UInt8]) {
        var reader = BitReader(bytes)
        guard var type = reader.bits(5) else { return nil }
        if type == 31 {
            guard let more = reader.bits(6) else { return nil }
            type = 32 + more
        }
        guard let rateIndex = reader.bits(4) else { return nil }
        if rateIndex == 15 {
            guard let rate = reader.bits(24), rate > 0 else { return nil }
            sampleRate = Int(rate)
        } else {
            guard Int(rateIndex) < Self.sampleRates.count else { return nil }
            sampleRate = Self.sampleRates[Int(rateIndex)]
        }
        guard let configuration = reader.bits(4), configuration <= 7 else { return nil }
        objectType = Int(type)
        channels = Self.channels(ofConfiguration: Int(configuration))
    }

    package var bytes: [UInt8] {
        let type = UInt8(truncatingIfNeeded: min(max(objectType, 1), 30))
        let channel = UInt8(Self.configuration(ofChannels: channels))
        if let rate = Self.sampleRates.firstIndex(of: sampleRate) {
            return [type << 3 | UInt8(rate) >> 1, UInt8(rate & 1) << 7 | channel << 3]
        }
        let rate = UInt32(truncatingIfNeeded: sampleRate) & 0xFF_FFFF
        return [
            type << 3 | 7,
            0x80 | UInt8(rate >> 17),
            UInt8(rate >> 9 & 0xFF),
            UInt8(rate >> 1 & 0xFF),
            UInt8(rate & 1) << 7 | channel << 3,
        ]
    }
}

extension AudioParameters {
    /// The parameters that the header of an ADTS frame gives.
    package init(_ header: ADTSHeader) {
        self.init(
            codec: .aac,
            sampleRate: header.sampleRate,
            channels: header.channels,
            configuration: AudioSpecificConfig(
                objectType: header.objectType,
                sampleRate: header.sampleRate,
                channels: header.channels
            ).bytes
        )
    }

    /// The parameters that an AudioSpecificConfig gives; nil when it cannot be read.
    package init?(audioSpecificConfig bytes: [UInt8]) {
        guard let parsed = AudioSpecificConfig(bytes) else { return nil }
        self.init(codec: .aac, sampleRate: parsed.sampleRate, channels: parsed.channels, configuration: bytes)
    }
}
