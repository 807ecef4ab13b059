import NIOCore

/// What may stand before the plain form of an enhanced message (Enhanced RTMP v2, ExVideoTagHeader and ExAudioTagHeader):
/// modifiers, and several tracks in one message. Of the tracks one is kept: 0, the default one, or else the first.
struct FLVExtendedHeader {
    /// Of the track that is kept: never `modEx` nor multitrack.
    private(set) var packetType: UInt8
    private(set) var fourCC: UInt32 = 0
    private(set) var track: UInt8 = 0
    private(set) var skippedTracks: UInt8 = 0
    /// What follows the FourCC in the plain form.
    private(set) var rest: ByteBuffer

    private static let maximumModifiers = 16
    /// A track has 8 bits.
    private static let maximumTracks = 256

    /// Nil when it is cut short, or a length does not fit.
    /// - Parameter multitrack: the packet type that says so; audio and video have each their own.
    init?(_ body: ByteBuffer, multitrack: UInt8) {
        rest = body
        guard let first = rest.readInteger(as: UInt8.self) else { return nil }
        packetType = first & 0x0F
        guard skipModifiers() else { return nil }
        guard packetType == multitrack else {
            guard let plain = rest.readInteger(as: UInt32.self) else { return nil }
            fourCC = plain
            return
        }
        guard let kinds = rest.readInteger(as: UInt8.self) else { return nil }
        packetType = kinds & 0x0F
        guard packetType != multitrack, packetType != FLVEnhanced.modEx else { return nil }
        switch kinds >> 4 {
        case FLVEnhanced.oneTrack:
            guard let shared = rest.readInteger(as: UInt32.self), let identifier = rest.readInteger(as: UInt8.self)
            else { return nil }
            fourCC = shared
            track = identifier
        case FLVEnhanced.manyTracks:
            guard let shared = rest.readInteger(as: UInt32.self), chooseTrack(fourCC: shared) else { return nil }
        case FLVEnhanced.manyTracksManyCodecs:
            guard chooseTrack(fourCC: nil) else { return nil }
        default:
            return nil
        }
    }

    /// What a modifier says (nanoseconds of the time stamp) is finer than anything that is carried on.
    private mutating func skipModifiers() -> Bool {
        var count = 0
        while packetType == FLVEnhanced.modEx {
            count &+= 1
            guard count <= Self.maximumModifiers, let short = rest.readInteger(as: UInt8.self) else { return false }
            var size = Int(short) &+ 1
            if size == 256 {
                guard let long = rest.readInteger(as: UInt16.self) else { return false }
                size = Int(long) &+ 1
            }
            guard rest.readableBytes > size else { return false }
            rest.moveReaderIndex(forwardBy: size)
            guard let next = rest.readInteger(as: UInt8.self) else { return false }
            packetType = next & 0x0F
        }
        return true
    }

    /// - Parameter shared: the codec of all tracks; nil when each has its own.
    private mutating func chooseTrack(fourCC shared: UInt32?) -> Bool {
        var chosen: ByteBuffer?
        var count = 0
        while rest.readableBytes > 0 {
            count &+= 1
            guard
                count <= Self.maximumTracks,
                let codec = shared ?? rest.readInteger(as: UInt32.self),
                let head = rest.readInteger(as: UInt32.self),
                // The identifier, and the size in 24 bits.
                let content = rest.readSlice(length: Int(head & 0xFF_FFFF))
            else { return false }
            let identifier = UInt8(truncatingIfNeeded: head >> 24)
            if chosen == nil || (identifier == 0 && track != 0) {
                chosen = content
                fourCC = codec
                track = identifier
            }
        }
        guard let chosen else { return false }
        rest = chosen
        skippedTracks = UInt8(clamping: count &- 1)
        return true
    }
}
