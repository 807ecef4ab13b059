import NIOCore

/// FLAC frames (RFC 9639) of G.711: each sample is decoded by a table and stored as it is, so no codec is needed and nothing is
/// lost. A block of one value, as digital silence is, takes a CONSTANT subframe of two bytes.
enum FLACFrame {
    /// Samples of a channel in each frame: 40 ms of 8 kHz, which is what cameras put into a packet. Players want all blocks
    /// alike.
    static let blockSize = 320

    /// The metadata blocks of dfLa: STREAMINFO alone, 8.2.
    static func writeStreamInformation(sampleRate: Int, channels: Int, into bytes: inout ByteBuffer) {
        // The last block, of type 0, 34 bytes.
        bytes.writeInteger(UInt32(0x8000_0022))
        bytes.writeMultipleIntegers(UInt16(blockSize), UInt16(blockSize))
        // The smallest and the largest frame: unknown.
        bytes.writeMP4Zeros(6)
        // 20 bits rate, 3 channels - 1, 5 depth - 1, 36 number of samples: unknown; no MD5.
        let rate = UInt64(UInt32(clamping: sampleRate) & 0xF_FFFF)
        bytes.writeInteger(rate << 44 | UInt64(UInt32(clamping: channels - 1) & 7) << 41 | 15 << 36)
        bytes.writeMP4Zeros(16)
    }

    /// Appends the frame of a block.
    ///
    /// - Parameters:
    ///   - samples: a block of G.711, channels interleaved: `blockSize * channels` bytes.
    ///   - number: of the frame, within 31 bits.
    static func write(
        _ samples: RawSpan,
        channels: Int,
        number: UInt32,
        sampleRate: Int,
        table: FLACSampleTable,
        into bytes: inout ByteBuffer
    ) {
        let size = 16 &+ channels &* (1 &+ 2 &* blockSize)
        unsafe bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { raw in
            guard let target = raw.baseAddress, samples.byteCount >= channels &* blockSize else { return 0 }
            return unsafe samples.withUnsafeBytes { source in
                guard let source = source.baseAddress else { return 0 }
                return unsafe table.withTables { tables in
                    var writer = unsafe Writer(target: target, tables: tables)
                    unsafe writer.writeHeader(number: number, sampleRate: sampleRate, channels: channels)
                    for channel in 0..<channels {
                        unsafe writer.writeSubframe(source + channel, stride: channels)
                    }
                    return unsafe writer.finish()
                }
            }
        }
    }

    /// 9.1.2: what the frame header can say itself; 0 refers to STREAMINFO.
    private static func code(ofRate rate: Int) -> UInt8 {
        switch rate {
        case 8000: 4
        case 16_000: 5
        case 22_050: 6
        case 24_000: 7
        case 32_000: 8
        case 44_100: 9
        case 48_000: 10
        case 96_000: 11
        default: 0
        }
    }

    /// Writes into room that is known to be enough.
    @unsafe
    private struct Writer {
        let target: UnsafeMutableRawPointer
        let tables: FLACSampleTable.Pointers
        private var at = 0
        private var crc: UInt16 = 0

        init(target: UnsafeMutableRawPointer, tables: FLACSampleTable.Pointers) {
            unsafe self.target = unsafe target
            unsafe self.tables = unsafe tables
        }

        /// 9.1.
        mutating func writeHeader(number: UInt32, sampleRate: Int, channels: Int) {
            // Sync code, blocks of one size; the block size is in 16 bits behind the number; 16 bits a sample.
            unsafe put(0xFF)
            unsafe put(0xF8)
            unsafe put(0x70 | code(ofRate: sampleRate))
            unsafe put(UInt8(truncatingIfNeeded: channels &- 1) << 4 | 0x08)
            unsafe putNumber(number)
            unsafe put(UInt8((blockSize - 1) >> 8))
            unsafe put(UInt8((blockSize - 1) & 0xFF))
            var check: UInt8 = 0
            for index in unsafe 0..<at {
                check = unsafe tables.crc8[Int(check ^ target.load(fromByteOffset: index, as: UInt8.self))]
            }
            unsafe put(check)
        }

        /// 9.2: VERBATIM, or CONSTANT when all samples are alike.
        mutating func writeSubframe(_ source: UnsafeRawPointer, stride: Int) {
            let first = unsafe source.load(as: UInt8.self)
            var index = 1
            while index < blockSize, unsafe source.load(fromByteOffset: index &* stride, as: UInt8.self) == first {
                index &+= 1
            }
            guard index < blockSize else {
                unsafe put(0x00)
                unsafe putSample(first)
                return
            }
            unsafe put(0x02)
            index = 0
            while index < blockSize {
                unsafe putSample(source.load(fromByteOffset: index &* stride, as: UInt8.self))
                index &+= 1
            }
        }

        /// 9.3: the CRC-16 of all that was written.
        mutating func finish() -> Int {
            unsafe target.storeBytes(of: crc.bigEndian, toByteOffset: at, as: UInt16.self)
            return unsafe at &+ 2
        }

        @inline(__always)
        private mutating func put(_ byte: UInt8) {
            unsafe target.storeBytes(of: byte, toByteOffset: at, as: UInt8.self)
            unsafe at &+= 1
            unsafe crc = unsafe crc << 8 ^ tables.crc16[Int(UInt8(crc >> 8) ^ byte)]
        }

        @inline(__always)
        private mutating func putSample(_ code: UInt8) {
            let sample = unsafe tables.samples[Int(code)]
            unsafe target.storeBytes(of: sample.bigEndian, toByteOffset: at, as: UInt16.self)
            unsafe at &+= 2
            // Both bytes at once: what the high one does has the low one still to go through.
            let mixed = unsafe crc ^ sample
            unsafe crc = unsafe tables.crc16Ahead[Int(mixed >> 8)] ^ tables.crc16[Int(mixed & 0xFF)]
        }

        /// 9.1.5: as UTF-8 would write it, up to 31 bits.
        private mutating func putNumber(_ number: UInt32) {
            guard number >= 0x80 else {
                unsafe put(UInt8(number))
                return
            }
            var more = 1
            while more < 5, number >> UInt32(6 &* more &+ 6 &- more) != 0 { more &+= 1 }
            let lead = UInt8(truncatingIfNeeded: 0xFF00 >> (more &+ 1))
            unsafe put(lead | UInt8(truncatingIfNeeded: number >> UInt32(6 &* more)))
            for index in stride(from: more &- 1, through: 0, by: -1) {
                unsafe put(0x80 | UInt8(number >> UInt32(6 &* index) & 0x3F))
            }
        }
    }
}

/// What the 256 codes of a law stand for, and the tables of both CRCs.
struct FLACSampleTable: Sendable {
    static let aLaw = FLACSampleTable(expandALaw)
    static let muLaw = FLACSampleTable(expandMuLaw)

    private let samples: [UInt16]
    private let crc8: [UInt8]
    private let crc16: [UInt16]
    /// The same with a zero byte behind.
    private let crc16Ahead: [UInt16]

    @unsafe
    struct Pointers {
        let samples: UnsafePointer<UInt16>
        let crc8: UnsafePointer<UInt8>
        let crc16: UnsafePointer<UInt16>
        let crc16Ahead: UnsafePointer<UInt16>
    }

    private init(_ expand: (UInt8) -> Int16) {
        samples = (0...255).map { UInt16(bitPattern: expand(UInt8($0))) }
        // RFC 9639 9.1.8: x^8 + x^2 + x + 1. 9.3: x^16 + x^15 + x^2 + 1.
        crc8 = (0...255).map { byte in
            (0..<8).reduce(UInt8(byte)) { crc, _ in crc << 1 ^ (crc & 0x80 == 0 ? 0 : 0x07) }
        }
        let table = (0...255).map { byte in
            (0..<8).reduce(UInt16(byte) << 8) { crc, _ in crc << 1 ^ (crc & 0x8000 == 0 ? 0 : 0x8005) }
        }
        crc16 = table
        crc16Ahead = table.map { $0 << 8 ^ table[Int($0 >> 8)] }
    }

    /// Lends the tables, 256 entries each. Gives what `body` gives.
    func withTables(_ body: (Pointers) -> Int) -> Int {
        unsafe samples.withUnsafeBufferPointer { samples in
            unsafe crc8.withUnsafeBufferPointer { crc8 in
                unsafe crc16.withUnsafeBufferPointer { crc16 in
                    unsafe crc16Ahead.withUnsafeBufferPointer { ahead in
                        guard let samples = samples.baseAddress, let crc8 = crc8.baseAddress,
                            let crc16 = crc16.baseAddress, let ahead = ahead.baseAddress
                        else { return 0 }
                        return unsafe body(Pointers(samples: samples, crc8: crc8, crc16: crc16, crc16Ahead: ahead))
                    }
                }
            }
        }
    }

    /// ITU-T G.711 table 1: 13 bits, to the left of 16.
    private static func expandALaw(_ code: UInt8) -> Int16 {
        let code = code ^ 0x55
        let mantissa = Int16(code & 0x0F) << 4
        let segment = Int16(code >> 4 & 7)
        let magnitude = segment == 0 ? mantissa + 8 : (mantissa + 0x108) << (segment - 1)
        return code & 0x80 == 0 ? -magnitude : magnitude
    }

    /// ITU-T G.711 table 2: 14 bits, to the left of 16.
    private static func expandMuLaw(_ code: UInt8) -> Int16 {
        let code = ~code
        let magnitude = ((Int16(code & 0x0F) << 3 + 0x84) << Int16(code >> 4 & 7)) - 0x84
        return code & 0x80 == 0 ? magnitude : -magnitude
    }
}
