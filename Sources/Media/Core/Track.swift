/// Which elementary stream of a publication: at most one of each is carried on.
package enum TrackKind: Hashable, Sendable {
    case video
    case audio
}

package enum VideoCodec: String, Hashable, Sendable {
    case h264 = "H264"
    case h265 = "H265"
    case av1 = "AV1"
    case vp9 = "VP9"

    /// H.264 and H.265, which are made of NAL units; AV1 and VP9 are not.
    package var hasNALUnits: Bool { self == .h264 || self == .h265 }
}

package enum AudioCodec: String, Hashable, Sendable {
    case aac = "AAC"
    case g711a = "PCMA"
    case g711u = "PCMU"
    case opus = "OPUS"
    case mp3 = "MP3"
}

/// What a decoder must know before the first picture. NAL units are bare: no start code, no length.
package struct VideoParameters: Hashable, Sendable {
    package var codec: VideoCodec
    /// H.265 only; empty for H.264.
    package var vps: [[UInt8]]
    package var sps: [[UInt8]]
    package var pps: [[UInt8]]
    /// AV1 and VP9 only: the body of av1C or vpcC, without box header. Empty for H.264 and H.265.
    package var record: [UInt8]
    /// The picture after cropping, in pixels; 0 when they are not known.
    package var width: Int
    package var height: Int

    package init(
        codec: VideoCodec,
        vps: [[UInt8]] = [],
        sps: [[UInt8]],
        pps: [[UInt8]],
        record: [UInt8] = [],
        width: Int = 0,
        height: Int = 0
    ) {
        self.codec = codec
        self.vps = vps
        self.sps = sps
        self.pps = pps
        self.record = record
        self.width = width
        self.height = height
    }
}

package struct AudioParameters: Hashable, Sendable {
    package var codec: AudioCodec
    package var sampleRate: Int
    package var channels: Int
    /// AudioSpecificConfig (ISO/IEC 14496-3) for AAC, OpusHead for Opus, else empty.
    package var configuration: [UInt8]

    package init(codec: AudioCodec, sampleRate: Int, channels: Int, configuration: [UInt8] = []) {
        self.codec = codec
        self.sampleRate = sampleRate
        self.channels = channels
        self.configuration = configuration
    }
}
