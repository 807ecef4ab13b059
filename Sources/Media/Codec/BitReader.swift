import Wire

/// Reads the bits of an RBSP: the payload of a NAL unit with its emulation prevention bytes taken out.
///
/// Every read returns nil past the end, and Exp-Golomb codes longer than 32 bits are refused, so hostile bytes end a parse
/// and never overflow it.
package struct BitReader {
    private let bytes: [UInt8]
    /// Bits read so far.
    package private(set) var position = 0

    package var bitsLeft: Int { bytes.count * 8 - position }

    /// - Parameters:
    ///   - nal: a NAL unit without start code.
    ///   - headerLength: 1 for H.264, 2 for H.265.
    ///   - limit: at most this many RBSP bytes are looked at; headers are short and hostile units long.
    package init(rbspOf nal: RawSpan, headerLength: Int, limit: Int = 1024) {
        var rbsp: [UInt8] = []
        rbsp.reserveCapacity(min(nal.byteCount, limit))
        var zeros = 0
        var at = headerLength
        while rbsp.count < limit, let byte = nal.uint8(at: at) {
            at += 1
            if zeros >= 2, byte == 3 {
                zeros = 0
                continue
            }
            zeros = byte == 0 ? zeros + 1 : 0
            rbsp.append(byte)
        }
        self.bytes = rbsp
    }

    /// Reads plain bytes: an AudioSpecificConfig, an ADTS header.
    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    package mutating func bit() -> UInt32? {
        let index = position >> 3
        guard index < bytes.count else { return nil }
        let value = bytes[index] >> UInt8(7 - (position & 7)) & 1
        position += 1
        return UInt32(value)
    }

    package mutating func flag() -> Bool? {
        bit().map { $0 == 1 }
    }

    /// An unsigned number of `count` bits, 32 at the most.
    package mutating func bits(_ count: Int) -> UInt32? {
        guard count >= 0, count <= 32, position + count <= bytes.count * 8 else { return nil }
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let bit = bit() else { return nil }
            value = value << 1 | bit
        }
        return value
    }

    /// A copy of the bits from `start` to the present position, padded to a byte.
    package func copy(from start: Int) -> [UInt8] {
        var copied: [UInt8] = []
        var byte: UInt8 = 0
        for index in max(start, 0)..<max(position, start, 0) {
            guard index >> 3 < bytes.count else { break }
            let bit = bytes[index >> 3] >> UInt8(7 - (index & 7)) & 1
            byte |= bit << UInt8(7 - ((index - start) & 7))
            guard (index - start) & 7 == 7 else { continue }
            copied.append(byte)
            byte = 0
        }
        if position > start, (position - start) & 7 != 0 { copied.append(byte) }
        return copied
    }

    package mutating func skip(_ count: Int) -> Bool {
        guard count >= 0, count <= bytes.count * 8 - position else { return false }
        position += count
        return true
    }

    /// ue(v), ITU-T H.264 9.1.
    package mutating func unsignedGolomb() -> UInt32? {
        var zeros = 0
        while true {
            guard let bit = bit() else { return nil }
            if bit == 1 { break }
            zeros += 1
            guard zeros < 32 else { return nil }
        }
        guard let suffix = bits(zeros) else { return nil }
        return (1 << UInt32(zeros)) - 1 + suffix
    }

    /// se(v), ITU-T H.264 9.1.1.
    package mutating func signedGolomb() -> Int32? {
        guard let code = unsignedGolomb() else { return nil }
        let magnitude = Int64(code) / 2 + Int64(code & 1)
        return Int32(truncatingIfNeeded: code & 1 == 1 ? magnitude : -magnitude)
    }
}
