package import NIOCore

extension FLVMessage {
    /// A message as it came from a peer: the codec header is split off and read, as far as it is there. Modifiers and further
    /// tracks of Enhanced RTMP v2 are taken out: what is left is the plain form.
    package init(kind: Kind, timestamp: UInt32, body: ByteBuffer) {
        let start = kind == .script ? FLVCodecHeader.empty : FLVCodecHeader(firstOf: body)
        switch kind {
        case .script:
            self.init(kind: kind, timestamp: timestamp, header: .empty, payload: body)
        case .video:
            if start.isExtendedVideo {
                self.init(extended: kind, start[0], timestamp, FLVExtendedHeader(body, multitrack: FLVVideo.multitrack))
                return
            }
            let header = start.prefix(start.videoHeaderLength)
            self.init(video: header, timestamp, payload: body.dropping(header.count))
        case .audio:
            if start.isExtendedAudio {
                self.init(extended: kind, start[0], timestamp, FLVExtendedHeader(body, multitrack: FLVAudio.multitrack))
                return
            }
            let header = start.prefix(start.audioHeaderLength)
            self.init(audio: header, timestamp, payload: body.dropping(header.count))
        }
    }

    private init(
        video header: FLVCodecHeader,
        _ timestamp: UInt32,
        payload: ByteBuffer,
        track: UInt8 = 0,
        skippedTracks: UInt8 = 0
    ) {
        var isKey = false
        var isSequenceHeader = false
        switch FLVVideoContent(header) {
        case .configuration: isSequenceHeader = true
        case .picture(_, let key, _): isKey = key
        case .ignored, .unsupported, .cutShort: break
        }
        self.init(
            kind: .video,
            timestamp: timestamp,
            isKey: isKey,
            isSequenceHeader: isSequenceHeader,
            header: header,
            payload: payload,
            track: track,
            skippedTracks: skippedTracks
        )
    }

    private init(
        audio header: FLVCodecHeader,
        _ timestamp: UInt32,
        payload: ByteBuffer,
        track: UInt8 = 0,
        skippedTracks: UInt8 = 0
    ) {
        self.init(
            kind: .audio,
            timestamp: timestamp,
            isSequenceHeader: header.isAudioSequence,
            header: header,
            payload: payload,
            track: track,
            skippedTracks: skippedTracks
        )
    }

    /// Nil `extended`: it could not be read. A header of one byte says so to those who count.
    private init(extended kind: Kind, _ first: UInt8, _ timestamp: UInt32, _ extended: FLVExtendedHeader?) {
        guard let extended else {
            self.init(kind: kind, timestamp: timestamp, header: FLVCodecHeader(first), payload: ByteBuffer())
            return
        }
        var rest = extended.rest
        var header = FLVCodecHeader(first & 0xF0 | extended.packetType)
        header.append(rawFourCC: extended.fourCC)
        if kind == .video {
            if header.videoHeaderLength == 8, let high = rest.readInteger(as: UInt8.self),
                let low = rest.readInteger(as: UInt16.self)
            {
                header.append(uint24: UInt32(high) << 16 | UInt32(low))
            }
            self.init(
                video: header,
                timestamp,
                payload: rest,
                track: extended.track,
                skippedTracks: extended.skippedTracks
            )
        } else {
            self.init(
                audio: header,
                timestamp,
                payload: rest,
                track: extended.track,
                skippedTracks: extended.skippedTracks
            )
        }
    }

    /// The same message with H.265 or Opus in the other form, the codec ids in the metadata included; any other message as it
    /// is, and so the sequence header of Opus, which the legacy form does not have. The media bytes are shared.
    package func converted(to format: FLVHEVCFormat) -> FLVMessage {
        let converted: FLVCodecHeader?
        switch kind {
        case .script: return FLVMetadata.converted(self, to: format)
        case .video: converted = header.convertedVideo(to: format)
        case .audio: converted = header.convertedAudio(to: format)
        }
        guard let converted else { return self }
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

extension ByteBuffer {
    fileprivate func dropping(_ count: Int) -> ByteBuffer {
        var rest = self
        rest.moveReaderIndex(forwardBy: count)
        return rest
    }
}

extension FLVCodecHeader {
    var isEnhancedVideo: Bool { self[0] & FLVVideo.enhancedFlag != 0 }
    var enhancedPacketType: UInt8 { self[0] & 0x0F }
    /// Frame type without the enhanced flag: 1 key, 2 inter, 5 a command that is no picture.
    var videoFrameType: UInt8 { self[0] >> 4 & 0x07 }
    var videoCodecID: UInt8 { self[0] & 0x0F }
    var audioFormat: UInt8 { self[0] >> 4 }

    fileprivate var isExtendedVideo: Bool {
        isEnhancedVideo && (enhancedPacketType == FLVVideo.multitrack || enhancedPacketType == FLVEnhanced.modEx)
    }

    fileprivate var isExtendedAudio: Bool {
        audioFormat == FLVAudio.formatEnhanced
            && (enhancedPacketType == FLVAudio.multitrack || enhancedPacketType == FLVEnhanced.modEx)
    }

    /// How many bytes the header has that begins with these.
    fileprivate var videoHeaderLength: Int {
        if isEnhancedVideo {
            let hasComposition =
                enhancedPacketType == FLVVideo.codedFrames
                && (rawFourCC == FLVFourCC.hvc1.rawValue || rawFourCC == FLVFourCC.avc1.rawValue)
            return hasComposition ? 8 : 5
        }
        return videoCodecID == FLVVideo.codecAVC || videoCodecID == FLVVideo.codecHEVC ? 5 : 1
    }

    fileprivate var audioHeaderLength: Int {
        switch audioFormat {
        case FLVAudio.formatAAC: 2
        case FLVAudio.formatEnhanced: 5
        default: 1
        }
    }

    fileprivate var isAudioSequence: Bool {
        if case .configuration = FLVAudioContent(self) { true } else { false }
    }

    /// The header of the same H.265 message in the other form; nil when there is none.
    fileprivate func convertedVideo(to format: FLVHEVCFormat) -> FLVCodecHeader? {
        guard isEnhancedVideo != (format == .enhanced) else { return nil }
        return switch FLVVideoContent(self) {
        case .configuration(.h265): .videoSequence(.h265, hevc: format)
        case .picture(.h265, let isKey, let composition):
            .codedVideo(.h265, hevc: format, isKey: isKey, composition: composition)
        default: nil
        }
    }

    /// The header of the same Opus packet in the other form; nil when there is none.
    fileprivate func convertedAudio(to format: FLVHEVCFormat) -> FLVCodecHeader? {
        guard (audioFormat == FLVAudio.formatEnhanced) != (format == .enhanced),
            case .frame(.opus) = FLVAudioContent(self)
        else { return nil }
        return .opus(format)
    }
}
