internal import Media

/// What a container cannot carry.
enum ContainerLimits {
    struct Omission: Hashable {
        var track: TrackKind
        /// As `VideoCodec` and `AudioCodec` name it.
        var codec: String
    }

    static func omitted(_ tracks: RecordedTracks, format: RecordingFormat, flvForm: FLVHEVCFormat) -> [Omission] {
        var omitted: [Omission] = []
        if let codec = tracks.video?.codec, !carries(codec, tracks, format, flvForm) {
            omitted.append(Omission(track: .video, codec: codec.rawValue))
        }
        if let codec = tracks.audio?.codec, !carries(codec, tracks, format) {
            omitted.append(Omission(track: .audio, codec: codec.rawValue))
        }
        return omitted
    }

    private static func carries(
        _ codec: VideoCodec,
        _ tracks: RecordedTracks,
        _ format: RecordingFormat,
        _ flvForm: FLVHEVCFormat
    ) -> Bool {
        switch format {
        case .flv: flvForm.canCarry(codec)
        case .ts, .hls: TSMuxer.canCarry(codec)
        case .fmp4: FMP4Description(video: tracks.video, audio: nil) != nil
        }
    }

    private static func carries(_ codec: AudioCodec, _ tracks: RecordedTracks, _ format: RecordingFormat) -> Bool {
        switch format {
        case .flv: true
        case .ts, .hls: TSMuxer.canCarry(codec)
        case .fmp4: FMP4Description(video: nil, audio: tracks.audio) != nil
        }
    }
}
