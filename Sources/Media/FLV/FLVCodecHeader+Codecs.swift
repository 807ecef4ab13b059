extension FLVCodecHeader {
    /// The header of a coded picture. AV1 and VP9 have the enhanced form only, and no composition time.
    /// - Parameter composition: pts - dts in milliseconds, within 24 signed bits.
    static func codedVideo(_ codec: VideoCodec, hevc: FLVHEVCFormat, isKey: Bool, composition: Int32) -> FLVCodecHeader
    {
        let frameType = isKey ? FLVVideo.keyFrame : FLVVideo.interFrame
        var header: FLVCodecHeader
        if let legacy = legacyID(codec, hevc) {
            header = FLVCodecHeader(frameType << 4 | legacy, FLVVideo.codedFrames)
        } else {
            header = FLVCodecHeader(FLVVideo.enhancedFlag | frameType << 4 | FLVVideo.codedFrames)
            header.append(rawFourCC: codec.fourCC.rawValue)
            guard codec.hasNALUnits else { return header }
        }
        header.append(uint24: UInt32(bitPattern: composition) & 0xFF_FFFF)
        return header
    }

    static func videoSequence(_ codec: VideoCodec, hevc: FLVHEVCFormat) -> FLVCodecHeader {
        if let legacy = legacyID(codec, hevc) {
            return FLVCodecHeader(FLVVideo.keyFrame << 4 | legacy, FLVVideo.sequenceStart, 0, 0, 0)
        }
        var header = FLVCodecHeader(FLVVideo.enhancedFlag | FLVVideo.keyFrame << 4 | FLVVideo.sequenceStart)
        header.append(rawFourCC: codec.fourCC.rawValue)
        return header
    }

    static func aac(packetType: UInt8) -> FLVCodecHeader {
        // Rate, size and channels are constants for AAC: the decoder reads the AudioSpecificConfig (FLV E.4.2.1).
        FLVCodecHeader(FLVAudio.formatAAC << 4 | 0x0F, packetType)
    }

    /// The header of one Opus packet.
    static func opus(_ format: FLVHEVCFormat) -> FLVCodecHeader {
        switch format {
        case .legacy: return FLVCodecHeader(FLVAudio.formatOpus << 4 | 0x0F)
        case .enhanced: return enhancedOpus(packetType: FLVAudio.codedFrames)
        }
    }

    /// The header of an OpusHead. Only the enhanced form has one.
    static var opusSequence: FLVCodecHeader { enhancedOpus(packetType: FLVAudio.sequenceStart) }

    private static func enhancedOpus(packetType: UInt8) -> FLVCodecHeader {
        var header = FLVCodecHeader(FLVAudio.formatEnhanced << 4 | packetType)
        header.append(rawFourCC: FLVFourCC.opus.rawValue)
        return header
    }

    static func codedAudio(_ parameters: AudioParameters, form: FLVHEVCFormat) -> FLVCodecHeader {
        let stereo: UInt8 = parameters.channels > 1 ? 1 : 0
        // Size 1: 16-bit samples after decoding. Rate 0: G.711 ids imply 8 kHz.
        return switch parameters.codec {
        case .aac: aac(packetType: FLVAudio.codedFrames)
        case .g711a: FLVCodecHeader(FLVAudio.formatG711A << 4 | 0x02 | stereo)
        case .g711u: FLVCodecHeader(FLVAudio.formatG711U << 4 | 0x02 | stereo)
        case .opus: opus(form)
        case .mp3: FLVCodecHeader(mp3Format(parameters.sampleRate) | 0x02 | stereo)
        }
    }

    /// Sound format and rate. 48 and 32 kHz have no number: writers say 44.1, and players read the frame itself.
    private static func mp3Format(_ sampleRate: Int) -> UInt8 {
        if sampleRate == 8000 { return FLVAudio.formatMP3At8kHz << 4 }
        let index: UInt8 =
            switch sampleRate {
            case 32_000...: 3
            case 16_000...: 2
            case 11_025...: 1
            default: 0
            }
        return FLVAudio.formatMP3 << 4 | index << 2
    }

    /// Nil when the codec is written in the enhanced form.
    private static func legacyID(_ codec: VideoCodec, _ hevc: FLVHEVCFormat) -> UInt8? {
        switch codec {
        case .h264: FLVVideo.codecAVC
        case .h265: hevc == .legacy ? FLVVideo.codecHEVC : nil
        case .av1, .vp9: nil
        }
    }
}
