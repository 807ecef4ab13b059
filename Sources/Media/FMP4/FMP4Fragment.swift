import NIOCore

/// Fragments: moof and mdat (ISO/IEC 14496-12 8.8.4 to 8.8.8, 8.8.12).
enum FMP4Fragment {
    static let moof: UInt32 = 0x6D6F_6F66
    static let mfhd: UInt32 = 0x6D66_6864
    static let traf: UInt32 = 0x7472_6166
    static let tfhd: UInt32 = 0x7466_6864
    static let tfdt: UInt32 = 0x7466_6474
    static let trun: UInt32 = 0x7472_756E
    static let mdat: UInt32 = 0x6D64_6174

    /// moof and mfhd.
    static let headLength = 8 + 16
    /// traf, tfhd, tfdt and trun without samples.
    static let trackLength = 8 + 16 + 20 + 20
    /// Duration, size, flags, composition offset; duration and size.
    static let pictureLength = 16
    static let soundLength = 8

    /// Signed composition offsets; data offset, and what `pictureLength` says of each sample.
    private static let pictureRun: UInt32 = 0x0100_0F01
    /// Data offset; duration and size of each sample. The flags are trex's.
    private static let soundRun: UInt32 = 0x0100_0301

    /// Composition offsets beyond 10 s are nonsense.
    static func composition(_ frame: Frame) -> Int32 {
        let offset = frame.pts &- frame.dts
        return Int32(truncatingIfNeeded: min(max(offset, -FMP4Timeline.largestGap), FMP4Timeline.largestGap))
    }

    static func writeHead(length: Int, sequence: UInt32, into bytes: inout ByteBuffer) {
        bytes.writeMultipleIntegers(word(length), moof, UInt32(16), mfhd, UInt32(0), sequence)
    }

    /// A traf up to the samples of its run.
    static func writeTrack(
        _ track: UInt32,
        time: Int64,
        count: Int,
        dataOffset: Int,
        into bytes: inout ByteBuffer
    ) {
        let isPicture = track == FMP4Description.videoTrack
        let run = 20 &+ count &* (isPicture ? pictureLength : soundLength)
        // default-base-is-moof.
        bytes.writeMultipleIntegers(word(44 &+ run), traf, UInt32(16), tfhd, UInt32(0x02_0000), track)
        bytes.writeMultipleIntegers(UInt32(20), tfdt, UInt32(0x0100_0000), UInt64(bitPattern: time))
        bytes.writeMultipleIntegers(
            word(run),
            trun,
            isPicture ? pictureRun : soundRun,
            word(count),
            word(dataOffset)
        )
    }

    static func writePicture(
        duration: Int64,
        size: Int,
        isKey: Bool,
        composition: Int32,
        into bytes: inout ByteBuffer
    ) {
        bytes.writeMultipleIntegers(
            UInt32(clamping: duration),
            word(size),
            isKey ? FMP4SampleFlags.sync : FMP4SampleFlags.dependent,
            composition
        )
    }

    static func writeSound(_ sample: FMP4SoundTrack.Sample, duration: Int64, into bytes: inout ByteBuffer) {
        bytes.writeMultipleIntegers(UInt32(clamping: duration), word(sample.size))
    }

    static func writeDataHead(size: Int, into bytes: inout ByteBuffer) {
        bytes.writeMultipleIntegers(word(8 &+ size), mdat)
    }

    private static func word(_ value: Int) -> UInt32 { UInt32(truncatingIfNeeded: value) }
}
