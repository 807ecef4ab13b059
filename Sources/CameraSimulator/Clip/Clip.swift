package import Media
package import NIOCore
internal import Wire

/// A short piece of video, and audio if there is any, that cameras play round and round. Shared by all that stream it.
package struct Clip: Hashable, Sendable {
    package struct Picture: Hashable, Sendable {
        /// AVCC, without parameter sets.
        package var payload: ByteBuffer
        package var isKey: Bool
    }

    package struct Audio: Hashable, Sendable {
        package var parameters: AudioParameters
        package var frames: [ByteBuffer]
        package var samplesPerFrame: Int
    }

    package var video: VideoParameters
    package var pictures: [Picture]
    /// Pictures a second.
    package var frameRate: Int
    package var audio: Audio?

    package init(video: VideoParameters, pictures: [Picture], frameRate: Int, audio: Audio?) {
        self.video = video
        self.pictures = pictures
        self.frameRate = frameRate
        self.audio = audio
    }
}

package enum ClipError: Error, Hashable, Sendable, CustomStringConvertible {
    case unreadable(path: String, reason: String)
    case notAVideo(path: String)
    case unsupportedName(path: String)

    package var description: String {
        switch self {
        case .unreadable(let path, let reason): "clip \(path) cannot be read: \(reason)"
        case .notAVideo(let path):
            "clip \(path) has no key picture with its parameter sets: it must be an H.264 or H.265 byte stream (Annex B)"
        case .unsupportedName(let path): "clip \(path): the name must end in .h264 or .h265"
        }
    }
}

extension Clip {
    /// Reads an elementary stream (Annex B) without B frames, and its sound.
    ///
    /// - Parameter audio: the bytes of an ADTS stream or of G.711, and which it is.
    package init?(
        annexB bytes: [UInt8],
        codec: VideoCodec,
        frameRate: Int = 25,
        audio: (bytes: [UInt8], codec: AudioCodec)? = nil
    ) {
        var reader = PictureReader(codec: codec)
        let span = bytes.span.bytes
        for unit in AnnexB.units(in: span, limit: 1 << 20) {
            reader.take(bytes[unit], kind: codec.kind(of: span, at: unit.lowerBound))
        }
        reader.finish()
        guard let first = reader.pictures.first, first.isKey, !reader.video.sps.isEmpty, !reader.video.pps.isEmpty
        else {
            return nil
        }
        self.init(
            video: reader.video,
            pictures: reader.pictures,
            frameRate: max(frameRate, 1),
            audio: audio.flatMap { Audio(bytes: $0.bytes, codec: $0.codec) }
        )
    }
}

/// Groups NAL units into pictures.
private struct PictureReader {
    let codec: VideoCodec
    var video: VideoParameters
    var pictures: [Clip.Picture] = []
    private var current = Clip.Picture(payload: ByteBuffer(), isKey: false)
    private var hasSlice = false

    init(codec: VideoCodec) {
        self.codec = codec
        video = VideoParameters(codec: codec, sps: [], pps: [])
    }

    mutating func take(_ unit: ArraySlice<UInt8>, kind: NALUnitKind) {
        if hasSlice, kind.startsAccessUnit { finish() }
        switch kind {
        case .videoParameterSet: keep(unit, in: \.vps)
        case .sequenceParameterSet: keep(unit, in: \.sps)
        case .pictureParameterSet: keep(unit, in: \.pps)
        case .slice(_, let isKey):
            append(unit)
            hasSlice = true
            current.isKey = current.isKey || isKey
        // The encoder's own SEI is a kilobyte of text at each key frame: of no use here.
        case .prefix, .suffix, .accessUnitDelimiter, .discardable, .invalid: break
        }
    }

    mutating func finish() {
        if hasSlice { pictures.append(current) }
        current = Clip.Picture(payload: ByteBuffer(), isKey: false)
        hasSlice = false
    }

    private mutating func keep(_ unit: ArraySlice<UInt8>, in sets: WritableKeyPath<VideoParameters, [[UInt8]]>) {
        let bytes = Array(unit)
        if !video[keyPath: sets].contains(bytes) { video[keyPath: sets].append(bytes) }
    }

    private mutating func append(_ unit: ArraySlice<UInt8>) {
        current.payload.writeInteger(UInt32(clamping: unit.count))
        current.payload.writeBytes(unit)
    }
}

extension Clip.Audio {
    /// Nil when there is no whole frame. G.711 is cut into 40 ms, as cameras send it.
    fileprivate init?(bytes: [UInt8], codec: AudioCodec) {
        switch codec {
        case .g711a, .g711u:
            let size = 320
            let frames = stride(from: 0, through: bytes.count - size, by: size).map {
                ByteBuffer(bytes: bytes[$0..<$0 + size])
            }
            guard !frames.isEmpty else { return nil }
            let parameters = AudioParameters(codec: codec, sampleRate: 8000, channels: 1)
            self.init(parameters: parameters, frames: frames, samplesPerFrame: size)
        case .aac:
            var frames: [ByteBuffer] = []
            var parameters: AudioParameters?
            var at = 0
            while let header = ADTSHeader(bytes.span.bytes, at: at), at + header.frameLength <= bytes.count {
                frames.append(ByteBuffer(bytes: bytes[at + header.headerLength..<at + header.frameLength]))
                parameters = parameters ?? AudioParameters(header)
                at += header.frameLength
            }
            guard let parameters else { return nil }
            self.init(parameters: parameters, frames: frames, samplesPerFrame: 1024)
        case .opus, .mp3: return nil
        }
    }
}
