package import NIOCore

/// Writes FLV files and HTTP-FLV streams (FLV 10.1 annex E).
package enum FLVTagWriter {
    /// Bytes that a tag adds to its message: 11 before, 4 after.
    package static let overhead = 15
    /// Bytes of the file header with the first PreviousTagSize.
    package static let fileHeaderLength = 13

    /// Appends the file header and the first PreviousTagSize. Unknown tracks are best announced as present (0x05), as
    /// lal does: players wait for none of them, but some ignore a track that is not announced.
    package static func writeFileHeader(hasVideo: Bool = true, hasAudio: Bool = true, into buffer: inout ByteBuffer) {
        let flags: UInt8 = (hasAudio ? 4 : 0) | (hasVideo ? 1 : 0)
        buffer.writeMultipleIntegers(
            0x46 as UInt8,
            0x4C as UInt8,
            0x56 as UInt8,
            1 as UInt8,
            flags,
            9 as UInt32,
            0 as UInt32
        )
    }

    /// Appends one tag with the PreviousTagSize that follows it. A message longer than 2^24 - 1 bytes is left out.
    package static func write(_ message: FLVMessage, into buffer: inout ByteBuffer) {
        let length = message.length
        guard length <= 0xFF_FFFF else { return }
        let size = UInt32(truncatingIfNeeded: length)
        buffer.reserveCapacity(minimumWritableBytes: length &+ overhead &+ FLVCodecHeader.capacity)
        // Timestamp: 24 low bits, then the 8 high ones; StreamID is always 0.
        buffer.writeMultipleIntegers(
            UInt32(message.kind.rawValue) << 24 | size,
            (message.timestamp & 0xFF_FFFF) << 8 | message.timestamp >> 24,
            0 as UInt16,
            0 as UInt8
        )
        message.header.write(into: &buffer)
        buffer.writeImmutableBuffer(message.payload)
        buffer.writeInteger(size &+ 11)
    }
}
