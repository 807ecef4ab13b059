import NIOCore

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
        case FLVAudio.formatEnhanced: self.init(enhanced: header)
        default: self = .unsupported
        }
    }

    /// Enhanced RTMP v2, ExAudioTagHeader.
    private init(enhanced header: FLVCodecHeader) {
        guard header.count == 5 else {
            self = .cutShort
            return
        }
        let codec: AudioCodec
        switch header.fourCC {
        case .mp4a: codec = .aac
        case .opus: codec = .opus
        default:
            self = .unsupported
            return
        }
        switch header[0] & 0x0F {
        case FLVAudio.sequenceStart: self = .configuration(codec)
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
            guard
                record.readableBytes >= 19,
                let channels = record.getInteger(at: record.readerIndex &+ 9, as: UInt8.self),
                channels > 0
            else { return nil }
            return AudioParameters(
                codec: .opus,
                sampleRate: 48_000,
                channels: Int(channels),
                configuration: Array(record.readableBytesView)
            )
        case .g711a, .g711u:
            return nil
        }
    }

    /// Parameters that need no sequence header.
    static func implied(_ codec: AudioCodec, header: FLVCodecHeader) -> AudioParameters? {
        switch codec {
        case .aac: nil
        case .g711a, .g711u:
            AudioParameters(codec: codec, sampleRate: 8_000, channels: header[0] & 1 == 1 ? 2 : 1)
        case .opus:
            AudioParameters(codec: .opus, sampleRate: 48_000, channels: 2, configuration: defaultOpusHead)
        }
    }

    /// Stereo, no pre-skip, 48 kHz, mapping family 0: what the number 13 of lal leaves unsaid.
    private static let defaultOpusHead: [UInt8] =
        Array("OpusHead".utf8) + [1, 2, 0, 0, 0x80, 0xBB, 0, 0, 0, 0, 0]
}
