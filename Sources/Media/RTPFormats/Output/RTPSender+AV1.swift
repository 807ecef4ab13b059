import NIOCore
import Wire

/// One open bitstream unit within a temporal unit (AV1 bitstream specification 5.3).
struct AV1Unit {
    static let sequenceHeader: UInt8 = 1
    static let temporalDelimiter: UInt8 = 2
    static let frameHeader: UInt8 = 3
    static let frame: UInt8 = 6
    static let tileList: UInt8 = 8
    static let padding: UInt8 = 15

    var type: UInt8
    /// Header and extension as they are sent, without a size: one or two bytes, the first in the high ones.
    var header: UInt16
    var headerLength: Int
    var payload: Range<Int>

    var count: Int { headerLength &+ payload.count }

    /// The unit at `offset`, which moves behind it. Nil at the end, and where sizes point past it.
    init?(in bytes: RawSpan, at offset: inout Int) {
        guard let first = bytes.uint8(at: offset), first & 0x80 == 0 else { return nil }
        var at = offset &+ 1
        type = first >> 3 & 0xF
        header = UInt16(first & ~2) << 8
        headerLength = 1
        if first & 4 != 0 {
            guard let second = bytes.uint8(at: at) else { return nil }
            at &+= 1
            header |= UInt16(second)
            headerLength = 2
        }
        // Without a size it is the last one.
        var size = bytes.byteCount &- at
        if first & 2 != 0 {
            guard let told = Self.leb128(bytes, at: &at), told <= bytes.byteCount &- at else { return nil }
            size = told
        }
        payload = at..<at &+ size
        offset = payload.upperBound
    }

    /// 4.10.5; nil when it is cut short or larger than 35 bits.
    static func leb128(_ bytes: RawSpan, at offset: inout Int) -> Int? {
        var value = 0
        for shift in stride(from: 0, to: 35, by: 7) {
            guard let byte = bytes.uint8(at: offset) else { return nil }
            offset &+= 1
            value |= Int(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }
}

/// AV1 (AV1 RTP payload format 4 and 5): units without their sizes, each behind its length (W is 0), in pieces where they are large.
extension RTPSender {
    private static let continues: UInt8 = 0x80
    private static let willContinue: UInt8 = 0x40
    private static let beginsSequence: UInt8 = 0x08

    /// Appends the units of one temporal unit; those before it, of `configuration`, in the same packets.
    mutating func append(
        av1 bytes: RawSpan,
        configuration: RawSpan,
        beginsSequence: Bool,
        timestamp: UInt32,
        into buffer: inout ByteBuffer
    ) {
        var packet = AV1Packet(timestamp: timestamp, beginsSequence: beginsSequence)
        append(configuration, &packet, into: &buffer)
        append(bytes, &packet, into: &buffer)
        close(&packet, marker: true, into: &buffer)
    }

    private struct AV1Packet {
        let timestamp: UInt32
        var beginsSequence: Bool
        /// Where the packet that is being filled begins, and how many bytes it still takes.
        var start: Int?
        var room = 0
        var hasFrame = false
        var header: UInt8 = 0
    }

    private mutating func append(_ bytes: RawSpan, _ packet: inout AV1Packet, into buffer: inout ByteBuffer) {
        var at = 0
        while let unit = AV1Unit(in: bytes, at: &at) {
            switch unit.type {
            // 5: these are not sent.
            case AV1Unit.temporalDelimiter, AV1Unit.tileList, AV1Unit.padding: continue
            // No packet has parts of two frames.
            case AV1Unit.frame, AV1Unit.frameHeader:
                if packet.hasFrame { close(&packet, marker: false, into: &buffer) }
                append(unit, of: bytes, &packet, into: &buffer)
                packet.hasFrame = true
            default:
                append(unit, of: bytes, &packet, into: &buffer)
            }
        }
    }

    private mutating func append(
        _ unit: AV1Unit,
        of bytes: RawSpan,
        _ packet: inout AV1Packet,
        into buffer: inout ByteBuffer
    ) {
        var at = unit.payload.lowerBound
        var header = unit.headerLength
        // Two bytes of length and a header with a few bytes behind it, or another packet.
        if packet.start == nil || packet.room < 16 {
            close(&packet, marker: false, into: &buffer)
            open(&packet, isContinuation: false, into: &buffer)
        }
        while true {
            let rest = header &+ unit.payload.upperBound &- at
            let lengthSize = min(rest, packet.room) < 128 ? 1 : 2
            let length = min(rest, packet.room &- lengthSize)
            if length < 128 {
                buffer.writeInteger(UInt8(truncatingIfNeeded: length))
            } else {
                buffer.writeInteger(UInt8(truncatingIfNeeded: length & 0x7F | 0x80))
                buffer.writeInteger(UInt8(truncatingIfNeeded: length >> 7))
            }
            if header == 2 { buffer.writeInteger(unit.header) }
            if header == 1 { buffer.writeInteger(UInt8(unit.header >> 8)) }
            let end = at &+ length &- header
            append(bytes.extracting(at..<end), to: &buffer)
            packet.room &-= length &+ (length < 128 ? 1 : 2)
            at = end
            // 0 from now on; a unit of a header alone has ended.
            header = 0
            if at >= unit.payload.upperBound { return }
            packet.header |= Self.willContinue
            close(&packet, marker: false, into: &buffer)
            open(&packet, isContinuation: true, into: &buffer)
        }
    }

    private mutating func open(_ packet: inout AV1Packet, isContinuation: Bool, into buffer: inout ByteBuffer) {
        packet.header = (isContinuation ? Self.continues : 0) | (packet.beginsSequence ? Self.beginsSequence : 0)
        packet.beginsSequence = false
        packet.room = Self.largestPayload &- 1
        packet.start = begin(Prefix(packet.header), timestamp: packet.timestamp, into: &buffer)
        packet.hasFrame = isContinuation
    }

    private mutating func close(_ packet: inout AV1Packet, marker: Bool, into buffer: inout ByteBuffer) {
        guard let start = packet.start else { return }
        buffer.setInteger(packet.header, at: start &+ InterleavedFrame.headerLength &+ Self.headerLength)
        end(start, marker: marker, into: &buffer)
        packet.start = nil
    }
}
