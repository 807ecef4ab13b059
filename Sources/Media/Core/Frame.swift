package import NIOCore

/// One access unit of video, or one or more whole frames of audio.
package struct Frame: Hashable, Sendable {
    package var track: TrackKind
    /// Decoding and presentation time in 1/90000 s, unwrapped: they never jump back over 33 or 32 bits.
    package var dts: Int64
    package var pts: Int64
    /// An IDR or IRAP picture: a decoder can start here. Every audio frame is one.
    package var isKey: Bool
    /// H.264, H.265: NAL units, each behind its length in 4 bytes (AVCC), without parameter sets and access unit delimiters.
    /// AV1: the OBUs of a temporal unit, without delimiter; VP9: a frame or superframe.
    /// Audio: the bare codec frame (AAC without ADTS, G.711 samples, one Opus packet, one MP3 frame).
    package var payload: ByteBuffer

    package init(track: TrackKind, dts: Int64, pts: Int64, isKey: Bool, payload: ByteBuffer) {
        self.track = track
        self.dts = dts
        self.pts = pts
        self.isKey = isKey
        self.payload = payload
    }
}

/// What an input (PS, RTMP, RTSP) gives to a stream, in order. Parameters come before the first frame that needs them and
/// again only when they change.
package enum MediaEvent: Hashable, Sendable {
    case video(VideoParameters)
    case audio(AudioParameters)
    case frame(Frame)
    /// What the publisher itself says about its stream; a later one replaces it.
    case metadata(StreamMetadata)
}
