/// What becomes of a payload format here.
package enum RTPCodec: Hashable, Sendable {
    /// Made frames of.
    case video(VideoCodec)
    case audio(AudioCodec)
    /// Only passed on to readers of RTSP, under the name that users know it by.
    case passedOn(String)
}

extension RTPFormat {
    var parameters: FormatParameters { FormatParameters(fmtp) }

    /// The codec of the format in a media of that kind.
    package func codec(in kind: String) -> RTPCodec {
        switch kind.lowercased() {
        case "video": convertibleVideo.map { .video($0) } ?? .passedOn(name)
        case "audio": convertibleAudio.map { .audio($0) } ?? .passedOn(name)
        default: .passedOn(name)
        }
    }

    private var name: String {
        encoding.isEmpty ? "payload type \(payloadType)" : encoding
    }

    private var convertibleVideo: VideoCodec? {
        guard clockRate == Self.videoClockRate else { return nil }
        switch encoding.uppercased() {
        // Interleaved mode (2) is another format, which nobody was seen to send.
        case "H264": return parameters["packetization-mode"] == "2" ? nil : .h264
        case "H265", "HEVC": return .h265
        case "AV1": return .av1
        case "VP9": return .vp9
        default: return nil
        }
    }

    private var convertibleAudio: AudioCodec? {
        switch encoding.uppercased() {
        case "MPEG4-GENERIC": return AACFormat(self) == nil ? nil : .aac
        case "MP4A-LATM": return LATMFormat(self) == nil ? nil : .aac
        case "PCMA": return isTelephone ? .g711a : nil
        case "PCMU": return isTelephone ? .g711u : nil
        case "OPUS": return clockRate == 48_000 ? .opus : nil
        case "MPA": return clockRate == 90_000 ? .mp3 : nil
        default: return nil
        }
    }

    /// G.711 at another rate than its own is known to no container.
    private var isTelephone: Bool {
        clockRate == 8000 && (channels ?? 1) <= 2
    }

    /// What the format parameters tell a decoder; nil where that comes with the stream, or never.
    package var videoParameters: VideoParameters? {
        let units: [[UInt8]]
        let codec = convertibleVideo
        switch codec {
        case .h264: units = parameters.units("sprop-parameter-sets")
        case .h265: units = ["sprop-vps", "sprop-sps", "sprop-pps"].flatMap { parameters.units($0) }
        case .av1, .vp9, nil: return nil
        }
        guard let codec else { return nil }
        var sets = VideoParameters(codec: codec, sps: [], pps: [], width: 0, height: 0)
        for unit in units {
            let kind = unit.withSpan { codec.kind(of: $0) }
            // A camera's idea of a parameter set is not always one.
            if kind == .sequenceParameterSet, unit.withSpan({ SequenceParameterSet(codec, $0) }) == nil { continue }
            ParameterSetMemory.add(unit[...], kind, to: &sets)
        }
        let found = VideoParameters(codec: codec, vps: sets.vps, sps: sets.sps, pps: sets.pps)
        return found.decoderConfiguration == nil ? nil : found
    }

    /// What the SDP tells of the sound; nil where it comes with the stream, or never.
    package var audioParameters: AudioParameters? {
        switch convertibleAudio {
        case .aac where encoding.uppercased() == "MP4A-LATM":
            return LATMFormat(self)?.configuration.flatMap { AudioParameters(audioSpecificConfig: $0.audio) }
        case .aac: return AACFormat(self).flatMap { AudioParameters(audioSpecificConfig: $0.configuration) }
        case .g711a: return AudioParameters(codec: .g711a, sampleRate: 8000, channels: channels ?? 1)
        case .g711u: return AudioParameters(codec: .g711u, sampleRate: 8000, channels: channels ?? 1)
        case .opus: return AudioParameters(opusChannels: parameters["sprop-stereo"] == "1" ? 2 : 1)
        case .mp3, nil: return nil
        }
    }
}

extension AudioParameters {
    /// Opus of one or two channels, with the OpusHead that RTP does not carry (RFC 7845 5.1).
    init(opusChannels channels: Int) {
        self.init(
            codec: .opus,
            sampleRate: 48_000,
            channels: channels,
            configuration: FLVAudioContent.opusHead(channels: channels)
        )
    }
}
