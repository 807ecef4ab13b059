import NIOCore
import Wire

/// H.264 (RFC 6184, packetization-mode 1) and H.265 (RFC 7798) into packets: units that fit go together, larger ones in pieces.
extension RTPSender {
    private static let stapA: UInt8 = 24
    private static let fuA: UInt8 = 28
    private static let aggregation: UInt8 = 48
    private static let fragmentation: UInt8 = 49

    /// Appends the units of `bytes`, each behind its length in `lengthSize` bytes (4 in frames, 2 in aggregation packets).
    ///
    /// - Parameter endsAccessUnit: the last packet has the marker.
    mutating func append(
        units bytes: RawSpan,
        lengthSize: Int = 4,
        of codec: VideoCodec,
        timestamp: UInt32,
        endsAccessUnit: Bool,
        into buffer: inout ByteBuffer
    ) {
        let headerLength = codec == .h264 ? 1 : 2
        var at = 0
        var next = Self.unit(in: bytes, at: &at, lengthSize, headerLength)
        while let unit = next {
            next = Self.unit(in: bytes, at: &at, lengthSize, headerLength)
            guard unit.count <= Self.largestPayload else {
                append(
                    large: bytes,
                    unit,
                    of: codec,
                    timestamp: timestamp,
                    marker: endsAccessUnit && next == nil,
                    into: &buffer
                )
                continue
            }
            // How many of the following fit behind this one.
            var size = headerLength &+ 2 &+ unit.count
            var count = 1
            while let more = next, size &+ 2 &+ more.count <= Self.largestPayload {
                size &+= 2 &+ more.count
                count &+= 1
                next = Self.unit(in: bytes, at: &at, lengthSize, headerLength)
            }
            let marker = endsAccessUnit && next == nil
            if count == 1 {
                append(Prefix(), bytes, unit, timestamp: timestamp, marker: marker, into: &buffer)
            } else {
                var from = unit.lowerBound &- lengthSize
                let start = begin(
                    Self.aggregationHeader(bytes, from, count, lengthSize, of: codec),
                    timestamp: timestamp,
                    into: &buffer
                )
                for _ in 0..<count {
                    guard let unit = Self.unit(in: bytes, at: &from, lengthSize, headerLength) else { break }
                    buffer.writeInteger(UInt16(truncatingIfNeeded: unit.count))
                    append(bytes.extracting(unit), to: &buffer)
                }
                end(start, marker: marker, into: &buffer)
            }
        }
    }

    /// The unit at `at`, which moves behind it; units without a whole header are passed over.
    @inline(__always)
    private static func unit(in bytes: RawSpan, at: inout Int, _ lengthSize: Int, _ headerLength: Int) -> Range<Int>? {
        while true {
            let length: Int
            if lengthSize == 4 {
                guard let word = bytes.uint32(at: at) else { return nil }
                length = Int(word)
            } else {
                guard let word = bytes.uint16(at: at) else { return nil }
                length = Int(word)
            }
            let start = at &+ lengthSize
            guard length <= bytes.byteCount &- start else { return nil }
            at = start &+ length
            if length >= headerLength { return start..<at }
        }
    }

    /// RFC 6184 5.7.1: the highest NRI of the units; RFC 7798 4.4.2: their lowest layer and temporal identifiers. The forbidden bit
    /// is set if one has it.
    private static func aggregationHeader(
        _ bytes: RawSpan,
        _ offset: Int,
        _ count: Int,
        _ lengthSize: Int,
        of codec: VideoCodec
    ) -> Prefix {
        var at = offset
        if codec == .h264 {
            var forbidden: UInt8 = 0
            var importance: UInt8 = 0
            for _ in 0..<count {
                guard let unit = unit(in: bytes, at: &at, lengthSize, 1), let header = bytes.uint8(at: unit.lowerBound)
                else { break }
                forbidden |= header & 0x80
                importance = max(importance, header & 0x60)
            }
            return Prefix(forbidden | importance | stapA)
        }
        var forbidden: UInt16 = 0
        var layer: UInt16 = 0x3F
        var temporal: UInt16 = 7
        for _ in 0..<count {
            guard let unit = unit(in: bytes, at: &at, lengthSize, 2), let header = bytes.uint16(at: unit.lowerBound)
            else { break }
            forbidden |= header & 0x8000
            layer = min(layer, header >> 3 & 0x3F)
            temporal = min(temporal, header & 7)
        }
        let header = forbidden | UInt16(aggregation) << 9 | layer << 3 | temporal
        return Prefix(UInt8(header >> 8), UInt8(header & 0xFF))
    }

    /// One unit in pieces: FU-A (RFC 6184 5.8) or FU (RFC 7798 4.4.3).
    mutating func append(
        large bytes: RawSpan,
        _ unit: Range<Int>,
        of codec: VideoCodec,
        timestamp: UInt32,
        marker: Bool,
        into buffer: inout ByteBuffer
    ) {
        guard let first = bytes.uint8(at: unit.lowerBound), let second = bytes.uint8(at: unit.lowerBound &+ 1) else {
            return
        }
        let head: UInt16
        let type: UInt8
        if codec == .h264 {
            head = UInt16(first & 0xE0 | Self.fuA)
            type = first & 0x1F
        } else {
            head = UInt16(first & 0x81 | Self.fragmentation << 1) << 8 | UInt16(second)
            type = first >> 1 & 0x3F
        }
        append(
            pieces: bytes,
            unit.lowerBound &+ (codec == .h264 ? 1 : 2)..<unit.upperBound,
            of: codec,
            head: head,
            fragment: type | 0xC0,
            timestamp: timestamp,
            marker: marker,
            into: &buffer
        )
    }

    /// The pieces of one unit, or of a piece of one.
    ///
    /// - Parameters:
    ///   - head: the first byte of each payload (H.264), or its first two (H.265).
    ///   - fragment: the FU header: its S bit goes on the first piece, its E bit on the last.
    mutating func append(
        pieces bytes: RawSpan,
        _ range: Range<Int>,
        of codec: VideoCodec,
        head: UInt16,
        fragment: UInt8,
        timestamp: UInt32,
        marker: Bool,
        into buffer: inout ByteBuffer
    ) {
        let isH264 = codec == .h264
        let room = Self.largestPayload &- (isH264 ? 2 : 3)
        var starts = fragment & 0x80
        var at = range.lowerBound
        repeat {
            let end = min(at &+ room, range.upperBound)
            let isLast = end == range.upperBound
            let byte = starts | (isLast ? fragment & 0x40 : 0) | fragment & 0x3F
            starts = 0
            append(
                isH264
                    ? Prefix(UInt8(truncatingIfNeeded: head), byte)
                    : Prefix(UInt8(head >> 8), UInt8(head & 0xFF), byte),
                bytes,
                at..<end,
                timestamp: timestamp,
                marker: marker && isLast,
                into: &buffer
            )
            at = end
        } while at < range.upperBound
    }

    /// Appends bytes to a packet that was begun.
    func append(_ bytes: RawSpan, to buffer: inout ByteBuffer) {
        unsafe bytes.withUnsafeBytes { _ = unsafe buffer.writeBytes($0) }
    }
}
