package import NIOCore

/// How H.265 and Opus are written in FLV and RTMP: the two forms that players know.
package enum FLVHEVCFormat: Hashable, Sendable, CaseIterable {
    /// Codec id 12 in the legacy header, sound format 13: what Chinese players and lal speak.
    case legacy
    /// Enhanced RTMP with the FourCCs `hvc1` and `Opus`: what OBS, FFmpeg 6.1 and mpegts.js speak. Its readers may be given AV1
    /// and VP9 too.
    case enhanced

    /// Whether readers of this form know the codec.
    package func canCarry(_ codec: VideoCodec) -> Bool { codec.hasNALUnits || self == .enhanced }
}

/// One FLV tag without its framing, which is the same as the payload of one RTMP message (FLV 10.1, E.4).
///
/// The codec header and the media bytes are kept apart, so that a frame becomes a message, and a legacy message an
/// enhanced one, without a copy of the media.
package struct FLVMessage: Hashable, Sendable {
    /// FLV tag type and RTMP message type: the numbers are the same.
    package enum Kind: UInt8, Hashable, Sendable {
        case audio = 8
        case video = 9
        case script = 18
    }

    package let kind: Kind
    /// Decoding time in milliseconds; it wraps at 2^32.
    package var timestamp: UInt32
    /// A coded video picture where a decoder can start. False for audio and for sequence headers.
    package let isKey: Bool
    /// A decoder configuration (avcC, hvcC, AudioSpecificConfig), not a coded frame.
    package let isSequenceHeader: Bool
    /// The VideoTagHeader or AudioTagHeader; empty for script data.
    package let header: FLVCodecHeader
    /// What follows the header: NAL units behind their lengths, a bare audio frame, a decoder configuration or AMF0.
    package let payload: ByteBuffer
    /// Enhanced RTMP v2: which track this is, and how many others the message had, which are left out.
    package let track: UInt8
    package let skippedTracks: UInt8

    init(
        kind: Kind,
        timestamp: UInt32,
        isKey: Bool = false,
        isSequenceHeader: Bool = false,
        header: FLVCodecHeader,
        payload: ByteBuffer,
        track: UInt8 = 0,
        skippedTracks: UInt8 = 0
    ) {
        self.kind = kind
        self.timestamp = timestamp
        self.isKey = isKey
        self.isSequenceHeader = isSequenceHeader
        self.header = header
        self.payload = payload
        self.track = track
        self.skippedTracks = skippedTracks
    }

    /// Bytes of header and payload together.
    package var length: Int { header.count &+ payload.readableBytes }

    /// Header and payload in one buffer: a copy. The tag and chunk writers do without it.
    package var body: ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: length &+ FLVCodecHeader.capacity)
        header.write(into: &buffer)
        buffer.writeImmutableBuffer(payload)
        return buffer
    }
}

/// The up to eight bytes before the media bytes of an audio or video message.
package struct FLVCodecHeader: Hashable, Sendable {
    /// The longest header: enhanced video with a composition time.
    package static let capacity = 8
    package static let empty = FLVCodecHeader()

    /// The bytes, the first in the highest 8 bits.
    private var bits: UInt64 = 0
    package private(set) var count = 0

    init() {}

    /// - Parameter bytes: at the most `capacity`; further ones are ignored.
    init(_ bytes: UInt8...) {
        for byte in bytes { append(byte) }
    }

    /// As many bytes as there are and fit, off the front of a message.
    init(firstOf body: ByteBuffer) {
        if let word = body.getInteger(at: body.readerIndex, as: UInt64.self), body.readableBytes >= Self.capacity {
            bits = word
            count = Self.capacity
            return
        }
        for byte in body.readableBytesView.prefix(Self.capacity) { append(byte) }
    }

    /// The first `length` bytes, or all when there are fewer.
    func prefix(_ length: Int) -> FLVCodecHeader {
        var header = self
        header.count = min(count, length)
        header.bits &= ~(UInt64.max >> UInt64(8 &* header.count))
        return header
    }

    mutating func append(_ byte: UInt8) {
        guard count < Self.capacity else { return }
        bits |= UInt64(byte) << UInt64(56 &- 8 &* count)
        count &+= 1
    }

    mutating func append(uint24 value: UInt32) {
        append(UInt8(truncatingIfNeeded: value >> 16))
        append(UInt8(truncatingIfNeeded: value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }

    mutating func append(rawFourCC: UInt32) {
        append(UInt8(truncatingIfNeeded: rawFourCC >> 24))
        append(uint24: rawFourCC & 0xFF_FFFF)
    }

    /// The byte at an index, 0 past the end.
    package subscript(index: Int) -> UInt8 {
        guard index >= 0, index < count else { return 0 }
        return UInt8(truncatingIfNeeded: bits >> UInt64(56 &- 8 &* index))
    }

    /// Signed 24 bits at an offset: a composition time in milliseconds.
    func int24(at offset: Int) -> Int32 {
        let value = UInt32(self[offset]) << 16 | UInt32(self[offset &+ 1]) << 8 | UInt32(self[offset &+ 2])
        return Int32(bitPattern: value << 8) >> 8
    }

    /// The bytes 1 to 4 of an enhanced header, zeros where they are missing.
    var rawFourCC: UInt32 { UInt32(truncatingIfNeeded: bits >> 24) }

    var fourCC: FLVFourCC? { FLVFourCC(rawValue: rawFourCC) }

    /// Appends the bytes to a buffer.
    package func write(into buffer: inout ByteBuffer) {
        let start = buffer.writerIndex
        buffer.writeInteger(bits)
        buffer.moveWriterIndex(to: start &+ count)
    }
}
