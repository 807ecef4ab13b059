import Wire

/// The header of one RTP packet (RFC 3550 5.1) and where its payload lies in the bytes it was read from.
package struct RTPPacket: Equatable, Sendable {
    package var marker: Bool
    package var payloadType: UInt8
    package var sequenceNumber: UInt16
    package var timestamp: UInt32
    package var ssrc: UInt32
    /// The payload without CSRCs, extension and padding. May be empty.
    package var payload: Range<Int>

    /// Whether byte 1 says RTCP: 192…223 (RFC 5761 4). Look at this first.
    package static func isRTCP(_ bytes: RawSpan) -> Bool {
        guard let first = bytes.uint8(at: 0), let second = bytes.uint8(at: 1) else { return false }
        return first >> 6 == 2 && (192...223).contains(second)
    }

    /// Nil when the bytes are no RTP packet: short, another version, lengths that run past the end.
    @inline(__always)
    package init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= 12, let word = bytes.uint32(at: 0), word >> 30 == 2,
            let timestamp = bytes.uint32(at: 4), let ssrc = bytes.uint32(at: 8)
        else { return nil }
        var start = 12 + Int(word >> 24 & 0xF) * 4
        var end = bytes.byteCount
        if word & 0x1000_0000 != 0 {
            guard let length = bytes.uint16(at: start &+ 2) else { return nil }
            start += 4 + Int(length) * 4
        }
        if word & 0x2000_0000 != 0 {
            guard let padding = bytes.uint8(at: end &- 1) else { return nil }
            // Some senders set the bit and pad nothing: a count of 0 is taken as none.
            end -= Int(padding)
        }
        guard start <= end else { return nil }
        marker = word & 0x0080_0000 != 0
        payloadType = UInt8(word >> 16 & 0x7F)
        sequenceNumber = UInt16(word & 0xFFFF)
        self.timestamp = timestamp
        self.ssrc = ssrc
        payload = start..<end
    }
}
