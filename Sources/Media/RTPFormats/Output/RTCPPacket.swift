import NIOCore
import Wire

/// RTCP packets that a server writes (RFC 3550 6).
package enum RTCPPacket {
    static let senderReport: UInt32 = 200
    static let receiverReport: UInt32 = 201
    static let sourceDescription: UInt32 = 202
    static let goodbye: UInt32 = 203

    /// A receiver report about nobody: sent to a publisher's address, it opens the way back through a NAT.
    package static func emptyReceiverReport(from ssrc: UInt32) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.writeInteger(head(receiverReport, words: 1))
        buffer.writeInteger(ssrc)
        return Array(buffer.readableBytesView)
    }

    /// The first word: version 2, a count of parts, the type, the length in words behind it.
    static func head(_ type: UInt32, count: UInt32 = 0, words: Int) -> UInt32 {
        0x8000_0000 | count << 24 | type << 16 | UInt32(truncatingIfNeeded: words) & 0xFFFF
    }

    /// Sender report (6.4.1) and canonical name (6.5.1) in an interleaved frame.
    static func appendSenderReport(
        of sender: RTPSender,
        ntp: UInt64,
        timestamp: UInt32,
        canonicalName: UInt64,
        into buffer: inout ByteBuffer
    ) {
        let start = begin(channel: sender.channel &+ 1, into: &buffer)
        buffer.writeInteger(head(senderReport, words: 6))
        buffer.writeInteger(sender.ssrc)
        buffer.writeInteger(ntp)
        buffer.writeInteger(timestamp)
        buffer.writeInteger(sender.packetCount)
        buffer.writeInteger(sender.octetCount)
        appendSourceDescription(sender.ssrc, canonicalName, into: &buffer)
        end(start, into: &buffer)
    }

    /// RFC 3550 6.1: a compound packet begins with a report, and a BYE is its last.
    static func appendGoodbye(of sender: RTPSender, canonicalName: UInt64, into buffer: inout ByteBuffer) {
        let start = begin(channel: sender.channel &+ 1, into: &buffer)
        buffer.writeInteger(head(receiverReport, words: 1))
        buffer.writeInteger(sender.ssrc)
        appendSourceDescription(sender.ssrc, canonicalName, into: &buffer)
        buffer.writeInteger(head(goodbye, count: 1, words: 1))
        buffer.writeInteger(sender.ssrc)
        end(start, into: &buffer)
    }

    /// One chunk with a CNAME of 16 hex digits (RFC 7022 4.2: it need only be unique).
    private static func appendSourceDescription(_ ssrc: UInt32, _ name: UInt64, into buffer: inout ByteBuffer) {
        let digits = Array("0123456789abcdef".utf8)
        buffer.writeInteger(head(sourceDescription, count: 1, words: 6))
        buffer.writeInteger(ssrc)
        buffer.writeInteger(0x0110 as UInt16)
        for shift in stride(from: UInt64(60), through: 0, by: -4) {
            buffer.writeInteger(digits[Int(name >> shift & 15)])
        }
        // The list ends with a zero, and with more up to the next word.
        buffer.writeInteger(0 as UInt16)
    }

    private static func begin(channel: UInt8, into buffer: inout ByteBuffer) -> Int {
        buffer.writeInteger(InterleavedFrame.marker)
        buffer.writeInteger(channel)
        buffer.writeInteger(0 as UInt16)
        return buffer.writerIndex
    }

    private static func end(_ start: Int, into buffer: inout ByteBuffer) {
        buffer.setInteger(UInt16(truncatingIfNeeded: buffer.writerIndex &- start), at: start &- 2)
    }
}

/// A publisher's sender report in full (RFC 3550 6.4.1).
package struct RTCPSenderReport: Hashable, Sendable {
    package var ssrc: UInt32
    package var ntp: UInt64
    package var rtpTimestamp: UInt32

    /// The first one of a compound packet.
    package init?(_ bytes: RawSpan) {
        var at = 0
        while let head = bytes.uint32(at: at), head >> 30 == 2 {
            let end = at &+ 4 &+ Int(head & 0xFFFF) &* 4
            if head >> 16 & 0xFF == RTCPPacket.senderReport, end >= at &+ 28, end <= bytes.byteCount,
                let ssrc = bytes.uint32(at: at &+ 4), let high = bytes.uint32(at: at &+ 8),
                let low = bytes.uint32(at: at &+ 12), let timestamp = bytes.uint32(at: at &+ 16)
            {
                self.ssrc = ssrc
                ntp = UInt64(high) << 32 | UInt64(low)
                rtpTimestamp = timestamp
                return
            }
            at = end
        }
        return nil
    }
}
