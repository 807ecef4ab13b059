/// The codec names of Enhanced RTMP that this product carries.
package enum FLVFourCC: UInt32, Sendable {
    case avc1 = 0x6176_6331
    case hvc1 = 0x6876_6331
    case av01 = 0x6176_3031
    case vp09 = 0x7670_3039
    case mp4a = 0x6D70_3461
    case opus = 0x4F70_7573
    case mp3 = 0x2E6D_7033

    /// As it is spelled in `fourCcList`.
    package var name: String {
        switch self {
        case .avc1: "avc1"
        case .hvc1: "hvc1"
        case .av01: "av01"
        case .vp09: "vp09"
        case .mp4a: "mp4a"
        case .opus: "Opus"
        case .mp3: ".mp3"
        }
    }

    var video: VideoCodec? {
        switch self {
        case .avc1: .h264
        case .hvc1: .h265
        case .av01: .av1
        case .vp09: .vp9
        case .mp4a, .opus, .mp3: nil
        }
    }

    var audio: AudioCodec? {
        switch self {
        case .mp4a: .aac
        case .opus: .opus
        case .mp3: .mp3
        case .avc1, .hvc1, .av01, .vp09: nil
        }
    }
}

extension VideoCodec {
    var fourCC: FLVFourCC {
        switch self {
        case .h264: .avc1
        case .h265: .hvc1
        case .av1: .av01
        case .vp9: .vp09
        }
    }
}

/// VideoTagHeader values (FLV 10.1 E.4.3, Enhanced RTMP v2).
enum FLVVideo {
    static let keyFrame: UInt8 = 1
    static let interFrame: UInt8 = 2
    /// No picture: the server tells a player how to seek.
    static let command: UInt8 = 5
    static let codecAVC: UInt8 = 7
    /// Not in the FLV specification; the number that Chinese CDNs agreed on.
    static let codecHEVC: UInt8 = 12

    /// AVCPacketType and Enhanced RTMP's VideoPacketType.
    static let sequenceStart: UInt8 = 0
    static let codedFrames: UInt8 = 1
    static let sequenceEnd: UInt8 = 2
    /// Enhanced only: coded frames whose composition time is 0 and not written.
    static let codedFramesX: UInt8 = 3
    /// Enhanced only: AMF0, such as colour information of HDR.
    static let metadata: UInt8 = 4
    static let multitrack: UInt8 = 6

    static let enhancedFlag: UInt8 = 0x80
}

/// AudioTagHeader values (FLV 10.1 E.4.2, Enhanced RTMP v2).
enum FLVAudio {
    static let formatMP3: UInt8 = 2
    static let formatG711A: UInt8 = 7
    static let formatG711U: UInt8 = 8
    static let formatEnhanced: UInt8 = 9
    static let formatAAC: UInt8 = 10
    /// Not in the FLV specification; the number that lal and SRS use.
    static let formatOpus: UInt8 = 13
    /// MP3 of 8 kHz, which the two bits of the rate cannot say.
    static let formatMP3At8kHz: UInt8 = 14

    static let sequenceStart: UInt8 = 0
    static let codedFrames: UInt8 = 1
    static let multitrack: UInt8 = 5

    /// The sound rates that two bits can name, in hertz.
    static let rates = [5512, 11_025, 22_050, 44_100]
}

/// What the audio and the video header share in Enhanced RTMP v2.
enum FLVEnhanced {
    static let modEx: UInt8 = 7

    /// AvMultitrackType.
    static let oneTrack: UInt8 = 0
    static let manyTracks: UInt8 = 1
    static let manyTracksManyCodecs: UInt8 = 2
}
