package import NIOCore

extension FLVMessage {
    /// A message as it came from a peer: the codec header is split off and read, as far as it is there.
    package init(kind: Kind, timestamp: UInt32, body: ByteBuffer) {
        let header: FLVCodecHeader
        switch kind {
        case .video: header = .video(of: body)
        case .audio: header = .audio(of: body)
        case .script: header = .empty
        }
        var payload = body
        payload.moveReaderIndex(forwardBy: header.count)
        self.init(
            kind: kind,
            timestamp: timestamp,
            isKey: kind == .video && header.isVideoKeyFrame,
            isSequenceHeader: kind == .video ? header.isVideoSequence : kind == .audio && header.isAudioSequence,
            header: header,
            payload: payload
        )
    }

    /// The same message with H.265 in the other form, the codec id in the metadata included; any other message as it is. The
    /// media bytes are shared.
    package func converted(to format: FLVHEVCFormat) -> FLVMessage {
        if kind == .script { return FLVMetadata.converted(self, to: format) }
        guard kind == .video, let picture = header.hevcPicture, picture.format != format else { return self }
        let converted: FLVCodecHeader =
            if isSequenceHeader {
                .videoSequence(.h265, hevc: format)
            } else {
                .codedVideo(.h265, hevc: format, isKey: isKey, composition: picture.composition)
            }
        return FLVMessage(
            kind: kind,
            timestamp: timestamp,
            isKey: isKey,
            isSequenceHeader: isSequenceHeader,
            header: converted,
            payload: payload
        )
    }
}

extension FLVCodecHeader {
    fileprivate init(first count: Int, of body: ByteBuffer) {
        self.init()
        for index in 0..<min(count, Self.capacity) {
            guard let byte = body.getInteger(at: body.readerIndex &+ index, as: UInt8.self) else { return }
            append(byte)
        }
    }

    fileprivate static func video(of body: ByteBuffer) -> FLVCodecHeader {
        let start = FLVCodecHeader(first: 5, of: body)
        guard start.isEnhancedVideo else {
            let hasPacketType = start.videoCodecID == FLVVideo.codecAVC || start.videoCodecID == FLVVideo.codecHEVC
            return hasPacketType ? start : FLVCodecHeader(first: 1, of: body)
        }
        let hasComposition =
            start.enhancedPacketType == FLVVideo.codedFrames && (start.fourCC == .hvc1 || start.fourCC == .avc1)
        return hasComposition ? FLVCodecHeader(first: 8, of: body) : start
    }

    fileprivate static func audio(of body: ByteBuffer) -> FLVCodecHeader {
        let start = FLVCodecHeader(first: 1, of: body)
        return switch start.audioFormat {
        case FLVAudio.formatAAC: FLVCodecHeader(first: 2, of: body)
        case FLVAudio.formatEnhanced: FLVCodecHeader(first: 5, of: body)
        default: start
        }
    }

    var isEnhancedVideo: Bool { self[0] & FLVVideo.enhancedFlag != 0 }
    var enhancedPacketType: UInt8 { self[0] & 0x0F }
    /// Frame type without the enhanced flag: 1 key, 2 inter, 5 a command that is no picture.
    var videoFrameType: UInt8 { self[0] >> 4 & 0x07 }
    var videoCodecID: UInt8 { self[0] & 0x0F }
    var audioFormat: UInt8 { self[0] >> 4 }

    /// Nil when the codec is not carried or the header is cut short.
    var videoCodec: VideoCodec? {
        guard count >= 5 else { return nil }
        if isEnhancedVideo {
            return switch fourCC {
            case .avc1: .h264
            case .hvc1: .h265
            default: nil
            }
        }
        return switch videoCodecID {
        case FLVVideo.codecAVC: .h264
        case FLVVideo.codecHEVC: .h265
        default: nil
        }
    }

    /// The codec is one that this product carries or could be, but its header is not all there.
    var isCutShortVideo: Bool {
        guard count > 0, count < 5 else { return count == 0 }
        return isEnhancedVideo || videoCodecID == FLVVideo.codecAVC || videoCodecID == FLVVideo.codecHEVC
    }

    var isVideoSequence: Bool {
        guard videoCodec != nil else { return false }
        return (isEnhancedVideo ? enhancedPacketType : self[1]) == FLVVideo.sequenceStart
    }

    /// Whether coded pictures follow, and their composition time in milliseconds; nil for sequence headers, sequence ends and
    /// metadata, which may carry the key frame type too.
    var codedPicture: (isKey: Bool, composition: Int32)? {
        guard videoCodec != nil else { return nil }
        let isKey = videoFrameType == FLVVideo.keyFrame
        if isEnhancedVideo {
            switch enhancedPacketType {
            case FLVVideo.codedFrames: return count == 8 ? (isKey, int24(at: 5)) : nil
            case FLVVideo.codedFramesX: return (isKey, 0)
            default: return nil
            }
        }
        return self[1] == FLVVideo.codedFrames ? (isKey, int24(at: 2)) : nil
    }

    var isVideoKeyFrame: Bool { codedPicture?.isKey ?? false }

    var isAudioSequence: Bool {
        switch audioFormat {
        case FLVAudio.formatAAC: count == 2 && self[1] == FLVAudio.sequenceStart
        case FLVAudio.formatEnhanced: count == 5 && self[0] & 0x0F == FLVAudio.sequenceStart
        default: false
        }
    }

    /// The form and composition time of an H.265 message that can be written in either form.
    fileprivate var hevcPicture: (format: FLVHEVCFormat, composition: Int32)? {
        guard videoCodec == .h265, isVideoSequence || codedPicture != nil else { return nil }
        return (isEnhancedVideo ? .enhanced : .legacy, codedPicture?.composition ?? 0)
    }
}
