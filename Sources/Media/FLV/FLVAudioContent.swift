import NIOCore
import Wire

/// What an audio message carries, read from its header.
enum FLVAudioContent: Hashable {
    case configuration(AudioCodec)
    case frame(AudioCodec)
    /// Legal and of no use here: end of sequence, channel layout.
    case ignored
    case unsupported
    case cutShort

    init(_ header: FLVCodecHeader) {
        guard header.count > 0 else {
            self = .cutShort
            return
        }
        switch header.audioFormat {
        case FLVAudio.formatAAC:
            guard header.count == 2 else {
                self = .cutShort
                return
            }
            self = header[1] == FLVAudio.sequenceStart ? .configuration(.aac) : .frame(.aac)
        case FLVAudio.formatG711A: self = .frame(.g711a)
        case FLVAudio.formatG711U: self = .frame(.g711u)
        case FLVAudio.formatOpus: self = .frame(.opus)
        case FLVAudio.formatMP3, FLVAudio.formatMP3At8kHz: self = .frame(.mp3)
        case FLVAudio.formatEnhanced: self.init(enhanced: header)
        default: self = .unsupported
        }
    }

    /// Enhanced RTMP v2, ExAudioTagHeader in its plain form.
    private init(enhanced header: FLVCodecHeader) {
        guard header.count == 5 else {
            self = .cutShort
            return
        }
        guard let codec = header.fourCC?.audio else {
            self = .unsupported
            return
        }
        switch header[0] & 0x0F {
        // MP3 needs none; the frames say everything.
        case FLVAudio.sequenceStart: self = codec == .mp3 ? .ignored : .configuration(codec)
        case FLVAudio.codedFrames: self = .frame(codec)
        default: self = .ignored
        }
    }

    /// Parameters out of a sequence header: AudioSpecificConfig or OpusHead (RFC 7845 section 5.1).
    static func parameters(_ codec: AudioCodec, record: ByteBuffer) -> AudioParameters? {
        // Both records are a few bytes; a longer one is something else.
        guard record.readableBytes <= 1024 else { return nil }
        switch codec {
        case .aac:
            return AudioParameters(audioSpecificConfig: Array(record.readableBytesView))
        case .opus:
            let span = record.readableBytesSpan
            guard span.byteCount >= 19, span.matches(opusMagic, at: 0), let channels = span.uint8(at: 9), channels > 0
            else { return nil }
            return AudioParameters(
                codec: .opus,
                sampleRate: 48_000,
                channels: Int(channels),
                configuration: Array(record.readableBytesView)
            )
        case .g711a, .g711u, .mp3:
            return nil
        }
    }

    /// Parameters that need no sequence header; nil when this frame does not tell them.
    static func implied(_ codec: AudioCodec, header: FLVCodecHeader, frame: ByteBuffer) -> AudioParameters? {
        switch codec {
        case .aac: nil
        case .g711a, .g711u:
            AudioParameters(codec: codec, sampleRate: 8_000, channels: header[0] & 1 == 1 ? 2 : 1)
        case .opus:
            AudioParameters(codec: .opus, sampleRate: 48_000, channels: 2, configuration: opusHead(channels: 2))
        case .mp3:
            MP3Header(frame.readableBytesSpan).map(AudioParameters.init)
        }
    }

    /// The second header packet of Ogg, which some writers send too.
    static func isOpusTags(_ record: ByteBuffer) -> Bool {
        record.readableBytesSpan.matches(Array("OpusTags".utf8), at: 0)
    }

    /// No pre-skip, 48 kHz, mapping family 0: what the number 13 of lal leaves unsaid.
    static func opusHead(channels: Int) -> [UInt8] {
        opusMagic + [1, channels > 1 ? 2 : 1, 0, 0, 0x80, 0xBB, 0, 0, 0, 0, 0]
    }

    private static let opusMagic = Array("OpusHead".utf8)
}
