/// What a video message carries, read from its header.
enum FLVVideoContent: Hashable {
    case configuration(VideoCodec)
    /// - composition: pts - dts in milliseconds.
    case picture(VideoCodec, isKey: Bool, composition: Int32)
    /// Legal and of no use here: end of sequence, metadata of HDR, a command to a player, MPEG-2 TS descriptors.
    case ignored
    case unsupported
    case cutShort

    init(_ header: FLVCodecHeader) {
        guard header.count > 0 else {
            self = .cutShort
            return
        }
        if header.isEnhancedVideo {
            self.init(enhanced: header)
            return
        }
        let codec: VideoCodec
        switch header.videoCodecID {
        case FLVVideo.codecAVC: codec = .h264
        case FLVVideo.codecHEVC: codec = .h265
        default:
            self = header.videoFrameType == FLVVideo.command ? .ignored : .unsupported
            return
        }
        switch (header.videoFrameType, header[1]) {
        case (FLVVideo.command, _), (_, FLVVideo.sequenceEnd): self = .ignored
        case _ where header.count < 5: self = .cutShort
        case (_, FLVVideo.sequenceStart): self = .configuration(codec)
        case (let type, FLVVideo.codedFrames):
            self = .picture(codec, isKey: type == FLVVideo.keyFrame, composition: header.int24(at: 2))
        default: self = .ignored
        }
    }

    /// Enhanced RTMP v2, ExVideoTagHeader in its plain form.
    private init(enhanced header: FLVCodecHeader) {
        let packetType = header.enhancedPacketType
        // Metadata counts whatever the frame type; a command has no FourCC.
        guard packetType != FLVVideo.metadata, header.videoFrameType != FLVVideo.command else {
            self = .ignored
            return
        }
        guard header.count >= 5 else {
            self = .cutShort
            return
        }
        guard let codec = header.fourCC?.video else {
            self = .unsupported
            return
        }
        let isKey = header.videoFrameType == FLVVideo.keyFrame
        switch packetType {
        case FLVVideo.sequenceStart: self = .configuration(codec)
        case FLVVideo.codedFrames where !codec.hasNALUnits: self = .picture(codec, isKey: isKey, composition: 0)
        case FLVVideo.codedFrames where header.count < 8: self = .cutShort
        case FLVVideo.codedFrames: self = .picture(codec, isKey: isKey, composition: header.int24(at: 5))
        case FLVVideo.codedFramesX: self = .picture(codec, isKey: isKey, composition: 0)
        default: self = .ignored
        }
    }
}
