extension FLVCodecHeader {
    /// The header of a coded picture.
    /// - Parameter composition: pts - dts in milliseconds, within 24 signed bits.
    static func codedVideo(_ codec: VideoCodec, hevc: FLVHEVCFormat, isKey: Bool, composition: Int32) -> FLVCodecHeader
    {
        let frameType = isKey ? FLVVideo.keyFrame : FLVVideo.interFrame
        var header: FLVCodecHeader
        if codec == .h265, hevc == .enhanced {
            header = FLVCodecHeader(FLVVideo.enhancedFlag | frameType << 4 | FLVVideo.codedFrames)
            header.append(fourCC: .hvc1)
        } else {
            header = FLVCodecHeader(frameType << 4 | legacyID(codec), FLVVideo.codedFrames)
        }
        header.append(uint24: UInt32(bitPattern: composition) & 0xFF_FFFF)
        return header
    }

    static func videoSequence(_ codec: VideoCodec, hevc: FLVHEVCFormat) -> FLVCodecHeader {
        if codec == .h265, hevc == .enhanced {
            var header = FLVCodecHeader(FLVVideo.enhancedFlag | FLVVideo.keyFrame << 4 | FLVVideo.sequenceStart)
            header.append(fourCC: .hvc1)
            return header
        }
        return FLVCodecHeader(FLVVideo.keyFrame << 4 | legacyID(codec), FLVVideo.sequenceStart, 0, 0, 0)
    }

    static func aac(packetType: UInt8) -> FLVCodecHeader {
        // Rate, size and channels are constants for AAC: the decoder reads the AudioSpecificConfig (FLV E.4.2.1).
        FLVCodecHeader(FLVAudio.formatAAC << 4 | 0x0F, packetType)
    }

    static func codedAudio(_ parameters: AudioParameters) -> FLVCodecHeader {
        let stereo: UInt8 = parameters.channels > 1 ? 1 : 0
        // Size 1: 16-bit samples after decoding. Rate 0: G.711 ids imply 8 kHz.
        return switch parameters.codec {
        case .aac: aac(packetType: FLVAudio.codedFrames)
        case .g711a: FLVCodecHeader(FLVAudio.formatG711A << 4 | 0x02 | stereo)
        case .g711u: FLVCodecHeader(FLVAudio.formatG711U << 4 | 0x02 | stereo)
        case .opus: FLVCodecHeader(FLVAudio.formatOpus << 4 | 0x0F)
        }
    }

    private static func legacyID(_ codec: VideoCodec) -> UInt8 {
        switch codec {
        case .h264: FLVVideo.codecAVC
        case .h265: FLVVideo.codecHEVC
        }
    }
}
