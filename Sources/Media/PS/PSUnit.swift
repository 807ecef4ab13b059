import Wire

/// The time fields of a PES header, in 1/90000 s, 33 bits.
package struct PESTime: Equatable, Sendable {
    package var pts: UInt64?
    package var dts: UInt64?
}

/// One syntactic unit of a program stream (ISO/IEC 13818-1 2.5, ISO/IEC 11172-1 2.4), as far as its header goes.
enum PSUnit: Equatable {
    /// Pack header of this length, stuffing included.
    case pack(length: Int)
    /// Program stream map of this length, to be parsed whole.
    case map(length: Int)
    /// A PES packet of a video (E0-EF), audio (C0-DF) or private_stream_1 (BD) stream. `payloadLength` is nil when the
    /// length is given as 0: until the next unit.
    case packet(streamID: UInt8, time: PESTime, headerLength: Int, payloadLength: Int?)
    /// Anything that is skipped by its length: system header, padding, private_stream_2, directory, ECM …
    case skip(streamID: UInt8, headerLength: Int, bodyLength: Int)
    /// MPEG_program_end_code.
    case end
    /// So many bytes from the start code on are needed to say more.
    case needs(Int)
    /// No start code of a program stream, or a header that cannot be one.
    case invalid

    /// A longer map than this is skipped (13818-1 2.5.4.2 allows 1018).
    static let longestMap = 1024

    /// Reads the unit that begins at `at`. `needs` never asks for more than the header that it then returns, so a caller
    /// that collects what is asked for has read exactly the header.
    @inline(__always)
    static func read(_ bytes: RawSpan, _ at: Int) -> PSUnit {
        guard let code = bytes.uint32(at: at) else {
            return mayBegin(bytes, at) ? .needs(4) : .invalid
        }
        guard code >> 8 == 1 else { return .invalid }
        let id = UInt8(code & 0xFF)
        switch id {
        case 0xBA: return pack(bytes, at)
        case 0xB9: return .end
        case 0xBC:
            guard let length = bytes.uint16(at: at &+ 4) else { return .needs(6) }
            guard length <= longestMap else { return .skip(streamID: id, headerLength: 6, bodyLength: Int(length)) }
            return bytes.byteCount &- at >= 6 &+ Int(length) ? .map(length: 6 + Int(length)) : .needs(6 + Int(length))
        case 0xBD, 0xC0...0xEF: return packet(id, bytes, at)
        case 0xBB, 0xBE, 0xBF, 0xF0...0xFF:
            guard let length = bytes.uint16(at: at &+ 4) else { return .needs(6) }
            return .skip(streamID: id, headerLength: 6, bodyLength: Int(length))
        default: return .invalid
        }
    }

    /// Whether the fewer than four bytes at `at` are the beginning of `00 00 01`.
    static func mayBegin(_ bytes: RawSpan, _ at: Int) -> Bool {
        for index in 0..<3 {
            guard let byte = bytes.uint8(at: at &+ index) else { return true }
            if byte != (index == 2 ? 1 : 0) { return false }
        }
        return true
    }

    private static func pack(_ bytes: RawSpan, _ at: Int) -> PSUnit {
        guard let marker = bytes.uint8(at: at &+ 4) else { return .needs(5) }
        if marker & 0xC0 == 0x40 {
            guard let stuffing = bytes.uint8(at: at &+ 13) else { return .needs(14) }
            let length = 14 + Int(stuffing & 7)
            return bytes.byteCount &- at >= length ? .pack(length: length) : .needs(length)
        }
        if marker & 0xF0 == 0x20 {
            return bytes.byteCount &- at >= 12 ? .pack(length: 12) : .needs(12)
        }
        return .invalid
    }

    @inline(__always)
    private static func packet(_ id: UInt8, _ bytes: RawSpan, _ at: Int) -> PSUnit {
        guard let length = bytes.uint16(at: at &+ 4), let flags = bytes.uint8(at: at &+ 6) else { return .needs(7) }
        guard flags & 0xC0 == 0x80 else { return mpeg1Packet(id, Int(length), bytes, at) }
        guard let fields = bytes.uint8(at: at &+ 7), let count = bytes.uint8(at: at &+ 8) else { return .needs(9) }
        let header = 9 &+ Int(count)
        // The header would be longer than the packet: no header.
        guard length == 0 || header <= 6 &+ Int(length) else { return .invalid }
        guard bytes.byteCount &- at >= header else { return .needs(header) }
        var time = PESTime()
        if fields & 0x80 != 0, count >= 5 {
            time.pts = timestamp(bytes, at &+ 9)
            if fields & 0x40 != 0, count >= 10 { time.dts = timestamp(bytes, at &+ 14) }
        }
        let payload = length == 0 ? nil : 6 &+ Int(length) &- header
        return .packet(streamID: id, time: time, headerLength: header, payloadLength: payload)
    }

    /// 11172-1 2.4.3.3: stuffing, an STD field, then the times.
    private static func mpeg1Packet(_ id: UInt8, _ length: Int, _ bytes: RawSpan, _ at: Int) -> PSUnit {
        var offset = 6
        while offset < 6 + 16, let byte = bytes.uint8(at: at + offset), byte == 0xFF { offset += 1 }
        guard var byte = bytes.uint8(at: at + offset) else { return .needs(offset + 1) }
        if byte & 0xC0 == 0x40 {
            offset += 2
            guard let next = bytes.uint8(at: at + offset) else { return .needs(offset + 1) }
            byte = next
        }
        var time = PESTime()
        let start = offset
        switch byte >> 4 {
        case 2: offset += 5
        case 3: offset += 10
        default:
            guard byte == 0x0F else { return .invalid }
            offset += 1
        }
        guard length == 0 || offset <= 6 + length else { return .invalid }
        guard bytes.byteCount - at >= offset else { return .needs(offset) }
        if byte >> 4 != 0 {
            time.pts = timestamp(bytes, at + start)
            if byte >> 4 == 3 { time.dts = timestamp(bytes, at + start + 5) }
        }
        let payload = length == 0 ? nil : 6 + length - offset
        return .packet(streamID: id, time: time, headerLength: offset, payloadLength: payload)
    }

    /// 33 bits in five bytes; the marker bits between them are not looked at: some cameras leave them out.
    private static func timestamp(_ bytes: RawSpan, _ at: Int) -> UInt64? {
        guard let first = bytes.uint8(at: at), let middle = bytes.uint16(at: at &+ 1),
            let last = bytes.uint16(at: at &+ 3)
        else { return nil }
        return UInt64(first >> 1 & 7) << 30 | UInt64(middle >> 1) << 15 | UInt64(last >> 1)
    }
}
