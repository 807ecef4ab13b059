import NIOCore
import Wire

/// The picture's track of a fragmented MP4.
struct FMP4Picture: Hashable, Sendable {
    let codec: VideoCodec
    /// The body of avcC, hvcC, av1C or vpcC.
    let record: [UInt8]
    let width: Int
    let height: Int
    let codecString: String

    /// Nil while a parameter set or the size is missing.
    init?(_ parameters: VideoParameters) {
        guard var record = parameters.decoderConfiguration, record.count <= 0xFFFF else { return nil }
        // vpcC is a full box: some writers of FLV leave version and flags out.
        if parameters.codec == .vp9, record.count == 8 { record = [1, 0, 0, 0] + record }
        guard let string = Self.codecString(parameters.codec, record) else { return nil }
        var size = (parameters.width, parameters.height)
        if size.0 <= 0 || size.1 <= 0 {
            // Of AV1 and VP9 it comes with the first key frame.
            guard let set = parameters.sps.first?.withSpan({ SequenceParameterSet(parameters.codec, $0) }) else {
                return nil
            }
            size = (set.width, set.height)
        }
        guard (1...0xFFFF).contains(size.0), (1...0xFFFF).contains(size.1) else { return nil }
        codec = parameters.codec
        self.record = record
        (width, height) = size
        codecString = string
    }

    /// The sample entry: ISO/IEC 14496-12 12.1.3, 14496-15 5.4.2, 8.4.1; the AV1 and VP bindings.
    func writeEntry(into bytes: inout ByteBuffer) {
        // Parameter sets are in the record only, which is what avc1 and hvc1 say.
        let names: (entry: StaticString, record: StaticString) =
            switch codec {
            case .h264: ("avc1", "avcC")
            case .h265: ("hvc1", "hvcC")
            case .av1: ("av01", "av1C")
            case .vp9: ("vp09", "vpcC")
            }
        bytes.writeMP4Box(names.entry) { box in
            box.writeMP4Zeros(6)
            box.writeInteger(UInt16(1))
            box.writeMP4Zeros(16)
            box.writeMultipleIntegers(UInt16(clamping: width), UInt16(clamping: height))
            // 72 dpi, one frame a sample, no name, depth 24, no colour table.
            box.writeMultipleIntegers(UInt32(0x48_0000), UInt32(0x48_0000), UInt32(0), UInt16(1))
            box.writeMP4Zeros(32)
            box.writeMultipleIntegers(UInt16(0x18), UInt16(0xFFFF))
            box.writeMP4Box(names.record) { $0.writeBytes(record) }
        }
    }

    /// RFC 6381 3.3, ISO/IEC 14496-15 annex E; the AV1 and VP bindings say the same of theirs.
    private static func codecString(_ codec: VideoCodec, _ record: [UInt8]) -> String? {
        switch codec {
        case .h264:
            guard record.count >= 4 else { return nil }
            return "avc1." + hex(record[1]) + hex(record[2]) + hex(record[3])
        case .h265:
            guard record.count >= 13 else { return nil }
            return "hvc1." + profileTierLevel(Array(record[1..<13]))
        case .av1:
            guard record.count >= 4 else { return nil }
            let depth = record[2] & 0x40 == 0 ? 8 : record[2] & 0x20 == 0 ? 10 : 12
            let tier = record[2] & 0x80 == 0 ? "M" : "H"
            return "av01.\(record[1] >> 5).\(decimal(Int(record[1] & 0x1F)))\(tier).\(decimal(depth))"
        case .vp9:
            guard record.count >= 12, record[0] == 1 else { return nil }
            return "vp09.\(decimal(Int(record[4]))).\(decimal(Int(record[5]))).\(decimal(Int(record[6] >> 4)))"
        }
    }

    private static func profileTierLevel(_ bytes: [UInt8]) -> String {
        let space = ["", "A", "B", "C"][Int(bytes[0] >> 6)]
        // The flags with the first one in the lowest bit.
        var flags: UInt32 = 0
        for bit in 0..<32 where bytes[1 + bit / 8] & 0x80 >> UInt8(bit % 8) != 0 { flags |= 1 << UInt32(bit) }
        var parts = ["\(space)\(bytes[0] & 0x1F)", String(flags, radix: 16, uppercase: true)]
        parts.append("\(bytes[0] & 0x20 == 0 ? "L" : "H")\(bytes[11])")
        let constraints = bytes[5..<11]
        let last = constraints.lastIndex { $0 != 0 }
        if let last { parts += constraints[5...last].map { String($0, radix: 16, uppercase: true) } }
        return parts.joined(separator: ".")
    }

    private static func hex(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }

    private static func decimal(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
