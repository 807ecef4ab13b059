/// The header of a PES packet with its times (ISO/IEC 13818-1 2.4.3.6).
enum PESHeader {
    /// What PES_packet_length can say, less what the header has behind it.
    static let largestPayload = 0xFFFF - 8

    /// - Parameters:
    ///   - pts: presentation time in 1/90000 s, unwrapped; `dts` likewise.
    ///   - payload: how many bytes follow. Only video may have more than the 16 bits can say: the length is 0 then.
    static func append(streamID: UInt8, pts: Int64, dts: Int64, payload: Int, to bytes: inout [UInt8]) {
        let hasDTS = pts != dts
        let times: UInt8 = hasDTS ? 10 : 5
        let length = 3 &+ Int(times) &+ payload
        let field = length <= 0xFFFF ? UInt16(truncatingIfNeeded: length) : 0
        bytes.append(0)
        bytes.append(0)
        bytes.append(1)
        bytes.append(streamID)
        bytes.append(UInt8(field >> 8))
        bytes.append(UInt8(field & 0xFF))
        // data_alignment_indicator: an access unit begins here.
        bytes.append(0x84)
        bytes.append(hasDTS ? 0xC0 : 0x80)
        bytes.append(times)
        append(pts, prefix: hasDTS ? 0x30 : 0x20, to: &bytes)
        if hasDTS { append(dts, prefix: 0x10, to: &bytes) }
    }

    /// 33 bits in five bytes with marker bits.
    private static func append(_ time: Int64, prefix: UInt8, to bytes: inout [UInt8]) {
        let time = UInt64(bitPattern: time)
        bytes.append(prefix | UInt8(time >> 29 & 0x0E) | 1)
        bytes.append(UInt8(time >> 22 & 0xFF))
        bytes.append(UInt8(time >> 14 & 0xFE) | 1)
        bytes.append(UInt8(time >> 7 & 0xFF))
        bytes.append(UInt8(time << 1 & 0xFE) | 1)
    }
}
