/// The codec names of Enhanced RTMP that this product carries.
package enum FLVFourCC: UInt32, Sendable {
    case avc1 = 0x6176_6331
    case hvc1 = 0x6876_6331
    case mp4a = 0x6D70_3461
    case opus = 0x4F70_7573

    /// As it is spelled in `fourCcList`.
    package var name: String {
        switch self {
        case .avc1: "avc1"
        case .hvc1: "hvc1"
        case .mp4a: "mp4a"
        case .opus: "Opus"
        }
    }
}

/// VideoTagHeader values (FLV 10.1 E.4.3, Enhanced RTMP v1).
enum FLVVideo {
    static let keyFrame: UInt8 = 1
    static let interFrame: UInt8 = 2
    static let codecAVC: UInt8 = 7
    /// Not in the FLV specification; the number that Chinese CDNs agreed on.
    static let codecHEVC: UInt8 = 12

    /// AVCPacketType and Enhanced RTMP's PacketType.
    static let sequenceStart: UInt8 = 0
    static let codedFrames: UInt8 = 1
    /// Enhanced only: coded frames whose composition time is 0 and not written.
    static let codedFramesX: UInt8 = 3

    static let enhancedFlag: UInt8 = 0x80
}

/// AudioTagHeader values (FLV 10.1 E.4.2, Enhanced RTMP v2).
enum FLVAudio {
    static let formatG711A: UInt8 = 7
    static let formatG711U: UInt8 = 8
    static let formatEnhanced: UInt8 = 9
    static let formatAAC: UInt8 = 10
    /// Not in the FLV specification; the number that lal and SRS use.
    static let formatOpus: UInt8 = 13

    static let sequenceStart: UInt8 = 0
    static let codedFrames: UInt8 = 1
}
