import NIOCore
import Wire

extension RTPSender {
    /// AAC-hbr (RFC 3640 3.3.6): one access unit a packet, or pieces of one. The marker ends each unit.
    ///
    /// False when the unit is longer than its 13 bits can say.
    mutating func append(
        aac bytes: RawSpan,
        _ range: Range<Int>,
        timestamp: UInt32,
        into buffer: inout ByteBuffer
    ) -> Bool {
        guard range.count < 1 << 13 else { return false }
        // 16 bits of AU headers: 13 of the size, 3 of an index that is 0. Pieces tell the size of the whole (3.2.3.2).
        let prefix = Prefix(word: 16 << 16 | UInt32(range.count) << 3)
        append(
            pieces: bytes,
            range,
            size: Self.largestPayload &- prefix.count,
            prefix,
            timestamp: timestamp,
            endsWithMarker: true,
            into: &buffer
        )
        return true
    }

    /// Bytes that may be cut anywhere, all with one timestamp.
    mutating func append(
        pieces bytes: RawSpan,
        _ range: Range<Int>,
        size: Int,
        _ prefix: Prefix = Prefix(),
        timestamp: UInt32,
        endsWithMarker: Bool,
        into buffer: inout ByteBuffer
    ) {
        var at = range.lowerBound
        repeat {
            let end = min(at &+ size, range.upperBound)
            let marker = endsWithMarker && end == range.upperBound
            append(prefix, bytes, at..<end, timestamp: timestamp, marker: marker, into: &buffer)
            at = end
        } while at < range.upperBound
    }

    /// Samples: packets of a whole number of them, each with its own timestamp. The marker begins a talkspurt (RFC 3551 4.1).
    ///
    /// - Parameter sampleSize: bytes a tick, all channels together.
    mutating func append(
        samples bytes: RawSpan,
        _ range: Range<Int>,
        sampleSize: Int,
        timestamp: UInt32,
        marker: Bool,
        into buffer: inout ByteBuffer
    ) {
        let size = max(Self.largestPayload / sampleSize, 1) &* sampleSize
        var timestamp = timestamp
        var marker = marker
        var at = range.lowerBound
        repeat {
            let end = min(at &+ size, range.upperBound)
            append(Prefix(), bytes, at..<end, timestamp: timestamp, marker: marker, into: &buffer)
            timestamp &+= UInt32(truncatingIfNeeded: (end &- at) / sampleSize)
            marker = false
            at = end
        } while at < range.upperBound
    }

    /// MPEG audio (RFC 2250 3.5): 16 bits of zero and the offset of a piece within its frame.
    mutating func append(
        mpegAudio bytes: RawSpan,
        timestamp: UInt32,
        marker: Bool,
        into buffer: inout ByteBuffer
    ) -> Bool {
        guard bytes.byteCount <= 0xFFFF else { return false }
        let size = Self.largestPayload &- 4
        var at = 0
        repeat {
            let end = min(at &+ size, bytes.byteCount)
            append(
                Prefix(word: UInt32(truncatingIfNeeded: at)),
                bytes,
                at..<end,
                timestamp: timestamp,
                marker: marker && at == 0,
                into: &buffer
            )
            at = end
        } while at < bytes.byteCount
        return true
    }

    /// VP9 (RFC 9628 4.2), non-flexible mode with a picture number of 15 bits, one layer.
    mutating func append(
        vp9 bytes: RawSpan,
        isKey: Bool,
        picture: UInt16,
        timestamp: UInt32,
        into buffer: inout ByteBuffer
    ) {
        let hasPicture: UInt8 = 0x80
        let isPredicted: UInt8 = isKey ? 0 : 0x40
        let begins: UInt8 = 0x08
        let ends: UInt8 = 0x04
        let size = Self.largestPayload &- 3
        var at = 0
        repeat {
            let end = min(at &+ size, bytes.byteCount)
            let isLast = end == bytes.byteCount
            append(
                Prefix(
                    hasPicture | isPredicted | (at == 0 ? begins : 0) | (isLast ? ends : 0),
                    0x80 | UInt8(picture >> 8 & 0x7F),
                    UInt8(picture & 0xFF)
                ),
                bytes,
                at..<end,
                timestamp: timestamp,
                marker: isLast,
                into: &buffer
            )
            at = end
        } while at < bytes.byteCount
    }
}
