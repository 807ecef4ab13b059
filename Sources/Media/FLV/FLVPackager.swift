import NIOCore

/// Turns the events of a stream into FLV messages: metadata and sequence headers when parameters come or change, then
/// coded frames. One per stream and form.
package struct FLVPackager: Sendable {
    private let hevc: FLVHEVCFormat
    private var video: VideoParameters?
    private var audio: AudioParameters?
    private var own: StreamMetadata?
    private var videoHeader: FLVMessage?
    private var audioHeader: FLVMessage?
    private var metadata: FLVMessage?
    /// Milliseconds of the last frame: what a header message in the middle of a stream is stamped with.
    private var lastTimestamp: UInt32 = 0

    /// Frames that came before the parameters of their track, or empty.
    package private(set) var droppedFrames = 0

    package init(hevc: FLVHEVCFormat) {
        self.hevc = hevc
    }

    /// What a viewer needs before its first frame: metadata, then the current sequence headers, stamped with the time of the
    /// last frame. Empty before the first parameters.
    package var headers: [FLVMessage] {
        [metadata, videoHeader, audioHeader].compactMap { message in
            guard var message else { return nil }
            message.timestamp = lastTimestamp
            return message
        }
    }

    /// Whether tracks are known: the flags of an FLV file header.
    package var hasVideo: Bool { video != nil }
    package var hasAudio: Bool { audio != nil }

    /// Whether readers of this form know the codec. AV1 and VP9 have one form only, the enhanced one: it is what `package`
    /// writes for any reader, so those of the legacy form are to be refused.
    package func canCarry(_ codec: VideoCodec) -> Bool { hevc.canCarry(codec) }

    /// Appends the messages of one event, none to three.
    package mutating func package(_ event: MediaEvent, into messages: inout [FLVMessage]) {
        switch event {
        case .video(let parameters):
            let header = sequenceHeader(parameters)
            // VP9 tells its size after its record: that is news for the metadata only.
            let isNews = header.map { $0.header != videoHeader?.header || $0.payload != videoHeader?.payload } ?? false
            video = parameters
            videoHeader = header
            appendMetadata(into: &messages)
            if let header, isNews { messages.append(header) }
        case .audio(let parameters):
            audio = parameters
            audioHeader = sequenceHeader(parameters)
            appendMetadata(into: &messages)
            if let audioHeader { messages.append(audioHeader) }
        case .frame(let frame):
            guard frame.payload.readableBytes > 0 else {
                droppedFrames &+= 1
                return
            }
            switch frame.track {
            case .video: appendVideo(frame, into: &messages)
            case .audio: appendAudio(frame, into: &messages)
            }
        case .metadata(let metadata):
            own = metadata
            // Without a track there is nothing to describe: it goes with the first one.
            if video != nil || audio != nil { appendMetadata(into: &messages) }
        }
    }

    private mutating func appendMetadata(into messages: inout [FLVMessage]) {
        let message = FLVMetadata.message(
            video: video,
            audio: audio,
            own: own,
            hevc: hevc,
            timestamp: lastTimestamp
        )
        metadata = message
        messages.append(message)
    }

    private mutating func appendVideo(_ frame: Frame, into messages: inout [FLVMessage]) {
        guard let video, videoHeader != nil else {
            droppedFrames &+= 1
            return
        }
        let dts = milliseconds(frame.dts)
        let composition = milliseconds(frame.pts) &- dts
        lastTimestamp = UInt32(truncatingIfNeeded: dts)
        messages.append(
            FLVMessage(
                kind: .video,
                timestamp: lastTimestamp,
                isKey: frame.isKey,
                header: .codedVideo(
                    video.codec,
                    hevc: hevc,
                    isKey: frame.isKey,
                    composition: Int32(clamping: min(max(composition, -0x80_0000), 0x7F_FFFF))
                ),
                payload: frame.payload
            )
        )
    }

    private mutating func appendAudio(_ frame: Frame, into messages: inout [FLVMessage]) {
        guard let audio else {
            droppedFrames &+= 1
            return
        }
        lastTimestamp = UInt32(truncatingIfNeeded: milliseconds(frame.dts))
        messages.append(
            FLVMessage(
                kind: .audio,
                timestamp: lastTimestamp,
                header: .codedAudio(audio, form: hevc),
                payload: frame.payload
            )
        )
    }

    /// Nil while a parameter set is missing: no player could begin.
    private func sequenceHeader(_ parameters: VideoParameters) -> FLVMessage? {
        guard let record = parameters.decoderConfiguration else { return nil }
        return FLVMessage(
            kind: .video,
            timestamp: lastTimestamp,
            isSequenceHeader: true,
            header: .videoSequence(parameters.codec, hevc: hevc),
            payload: ByteBuffer(bytes: record)
        )
    }

    /// Nil for codecs that need none: the AudioTagHeader or the frames themselves say it all.
    private func sequenceHeader(_ parameters: AudioParameters) -> FLVMessage? {
        let header: FLVCodecHeader
        var record = parameters.configuration
        switch (parameters.codec, hevc) {
        case (.aac, _):
            header = .aac(packetType: FLVAudio.sequenceStart)
        case (.opus, .enhanced):
            header = .opusSequence
            if record.isEmpty { record = FLVAudioContent.opusHead(channels: parameters.channels) }
        case (.opus, .legacy), (.g711a, _), (.g711u, _), (.mp3, _):
            return nil
        }
        return FLVMessage(
            kind: .audio,
            timestamp: lastTimestamp,
            isSequenceHeader: true,
            header: header,
            payload: ByteBuffer(bytes: record)
        )
    }
}

/// 90 kHz to milliseconds, rounded down: dts and pts are rounded alike, so that their difference never drifts.
private func milliseconds(_ time: Int64) -> Int64 {
    let quotient = time / 90
    return time % 90 < 0 ? quotient - 1 : quotient
}
