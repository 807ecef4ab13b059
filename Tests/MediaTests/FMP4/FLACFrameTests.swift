import NIOCore
import Testing

@testable import Media

@Suite struct FLACFrameTests {
    /// What the codes of a law stand for, computed the other way round: by the steps of ITU-T G.711's tables.
    static func table(_ codec: AudioCodec) -> [Int16] {
        (0..<256).map { code in
            if codec == .g711a {
                let even = code ^ 0x55
                let (segment, step) = (even >> 4 & 7, even & 15)
                let value = segment == 0 ? Double(step) + 0.5 : (Double(step) + 16.5) * Double(1 << (segment - 1))
                return Int16(value * 16) * (even & 0x80 == 0 ? -1 : 1)
            }
            let inverse = ~code & 0xFF
            let value = (2 * (inverse & 15) + 33) << (inverse >> 4 & 7) - 33
            return Int16(value * 4) * (inverse & 0x80 == 0 ? 1 : -1)
        }
    }

    private func frame(
        _ samples: [UInt8],
        channels: Int = 1,
        number: UInt32 = 0,
        _ codec: AudioCodec = .g711a
    ) -> [UInt8] {
        var bytes = ByteBuffer()
        samples.withSpan {
            FLACFrame.write(
                $0,
                channels: channels,
                number: number,
                sampleRate: 8000,
                table: codec == .g711a ? .aLaw : .muLaw,
                into: &bytes
            )
        }
        return Array(bytes.readableBytesView)
    }

    /// The CRCs, bit by bit.
    private func crc(_ bytes: some Sequence<UInt8>, bits: Int, polynomial: Int) -> Int {
        bytes.reduce(0) { crc, byte in
            (0..<8).reduce(crc ^ Int(byte) << (bits - 8)) { crc, _ in
                let shifted = crc << 1
                return (crc >> (bits - 1) & 1 == 0 ? shifted : shifted ^ polynomial) & (1 << bits - 1)
            }
        }
    }

    @Test func checksOfTheStandards() {
        // CRC-8/SMBUS and CRC-16/UMTS of "123456789".
        #expect(crc("123456789".utf8, bits: 8, polynomial: 0x07) == 0xF4)
        #expect(crc("123456789".utf8, bits: 16, polynomial: 0x8005) == 0xFEE8)
    }

    @Test(
        arguments: [0, 127, 128, 2047, 2048, 65_535, 65_536, 0x1F_FFFF, 0x20_0000, 0x3FF_FFFF, 0x400_0000, 0x7FFF_FFFF]
            as [UInt32]
    )
    func numbersAndChecks(number: UInt32) {
        let samples = (0..<640).map { UInt8(truncatingIfNeeded: $0 * 5) }
        let bytes = frame(samples, channels: 2, number: number)
        let length = [0x80, 0x800, 0x1_0000, 0x20_0000, 0x400_0000].count { number >= $0 } + 1
        #expect(Array(bytes.prefix(4)) == [0xFF, 0xF8, 0x74, 0x18])
        if number < 0x11_0000, let scalar = Unicode.Scalar(number) {
            #expect(Array(bytes[4..<4 + length]) == Array(String(scalar).utf8))
        }
        let header = bytes.prefix(4 + length + 2)
        #expect(Array(header.suffix(2)) == [0x01, 0x3F])
        #expect(Int(bytes[header.count]) == crc(header, bits: 8, polynomial: 0x07))
        #expect(bytes.count == header.count + 1 + 2 * (1 + 640) + 2)
        let check = crc(bytes.dropLast(2), bits: 16, polynomial: 0x8005)
        #expect(Array(bytes.suffix(2)) == [UInt8(check >> 8), UInt8(check & 255)])
    }

    @Test(arguments: [AudioCodec.g711a, .g711u])
    func everyCodeIsDecoded(codec: AudioCodec) {
        let samples = (0..<320).map { UInt8(truncatingIfNeeded: $0) }
        let sample = MP4Reader.Sample(
            track: 2,
            dts: 0,
            pts: 0,
            duration: 320,
            isSync: true,
            bytes: frame(samples, codec),
            fragment: 0
        )
        let table = Self.table(codec)
        #expect(sample.values == samples.map { table[Int($0)] })
    }

    @Test func oneValueIsConstant() {
        let bytes = frame([UInt8](repeating: 0xD5, count: 320))
        #expect(bytes.count == 13)
        #expect(Array(bytes[8..<11]) == [0, 0, 8])
        // One channel alone.
        let half = frame((0..<640).map { $0 % 2 == 0 ? 0xD5 : UInt8(truncatingIfNeeded: $0) }, channels: 2)
        #expect(half.count == 8 + 3 + 641 + 2)
    }

    @Test func aShortBlockIsNothing() {
        #expect(frame([UInt8](repeating: 1, count: 319)).isEmpty)
    }
}

extension MP4Reader.Sample {
    /// The samples of a FLAC frame of one channel.
    var values: [Int16] {
        var at = 4
        // The number: as many bytes as its first one has leading ones, or one.
        at += max(1, (~bytes[at]).leadingZeroBitCount)
        at += 3
        let isConstant = bytes[at] == 0
        return (0..<duration).map { index in
            let position = at + 1 + (isConstant ? 0 : 2 * index)
            return Int16(bitPattern: UInt16(bytes[position]) << 8 | UInt16(bytes[position + 1]))
        }
    }
}
