import NIOCore

/// The NAL units of one access unit as FLV carries them, each behind its length; parameter sets and access unit delimiters are
/// taken out, short lengths are widened to four bytes.
struct NALUnits {
    private(set) var vps: [[UInt8]] = []
    private(set) var sps: [[UInt8]] = []
    private(set) var pps: [[UInt8]] = []
    /// An IDR (H.264) or IRAP (H.265) slice is among them.
    private(set) var hasRandomAccess = false
    /// The units behind 4-byte lengths. It shares the memory of the message when nothing had to be changed.
    private(set) var payload: ByteBuffer

    /// An SPS is some tens of bytes; a picture carries a handful of parameter sets.
    private static let maximumParameterSets = 32
    private static let maximumParameterSetLength = 4096

    /// Nil when a length points past the end, or is followed by less than a NAL unit header.
    init?(_ bytes: ByteBuffer, lengthSize: Int, codec: VideoCodec) {
        payload = bytes
        var rewrites = lengthSize != 4
        var offset = bytes.readerIndex
        while offset < bytes.writerIndex {
            guard let range = Self.unit(in: bytes, at: offset, lengthSize: lengthSize) else { return nil }
            offset = range.upperBound
            // An empty unit: some encoders pad with one. Nothing to keep.
            guard let first = range.isEmpty ? nil : bytes.getInteger(at: range.lowerBound, as: UInt8.self) else {
                rewrites = true
                continue
            }
            switch Self.role(first, codec: codec) {
            case .vps: Self.append(bytes, range, to: &vps)
            case .sps: Self.append(bytes, range, to: &sps)
            case .pps: Self.append(bytes, range, to: &pps)
            case .delimiter: break
            case .randomAccess:
                hasRandomAccess = true
                continue
            case .other:
                continue
            }
            rewrites = true
        }
        if rewrites { payload = Self.rewritten(bytes, lengthSize: lengthSize, codec: codec) }
    }

    private enum Role {
        case vps
        case sps
        case pps
        case delimiter
        case randomAccess
        case other
    }

    private static func role(_ first: UInt8, codec: VideoCodec) -> Role {
        switch codec {
        case .h264:
            switch first & 0x1F {
            case 5: .randomAccess
            case 7: .sps
            case 8: .pps
            case 9: .delimiter
            default: .other
            }
        case .h265:
            switch first >> 1 & 0x3F {
            case 16...23: .randomAccess
            case 32: .vps
            case 33: .sps
            case 34: .pps
            case 35: .delimiter
            default: .other
            }
        case .av1, .vp9: .other
        }
    }

    /// Where the unit behind the length at an offset lies; nil when it does not fit.
    private static func unit(in bytes: ByteBuffer, at offset: Int, lengthSize: Int) -> Range<Int>? {
        let length: Int
        switch lengthSize {
        case 1:
            guard let value = bytes.getInteger(at: offset, as: UInt8.self) else { return nil }
            length = Int(value)
        case 2:
            guard let value = bytes.getInteger(at: offset, as: UInt16.self) else { return nil }
            length = Int(value)
        case 4:
            guard let value = bytes.getInteger(at: offset, as: UInt32.self) else { return nil }
            length = Int(value)
        default:
            return nil
        }
        let start = offset &+ lengthSize
        guard length <= bytes.writerIndex &- start else { return nil }
        return start..<start &+ length
    }

    private static func append(_ bytes: ByteBuffer, _ range: Range<Int>, to sets: inout [[UInt8]]) {
        guard sets.count < maximumParameterSets, range.count <= maximumParameterSetLength else { return }
        guard let set = bytes.getBytes(at: range.lowerBound, length: range.count) else { return }
        sets.append(set)
    }

    private static func rewritten(_ bytes: ByteBuffer, lengthSize: Int, codec: VideoCodec) -> ByteBuffer {
        var kept = ByteBufferAllocator().buffer(capacity: bytes.readableBytes)
        var offset = bytes.readerIndex
        while let range = unit(in: bytes, at: offset, lengthSize: lengthSize), range.upperBound > offset {
            offset = range.upperBound
            guard !range.isEmpty, let first = bytes.getInteger(at: range.lowerBound, as: UInt8.self) else { continue }
            switch role(first, codec: codec) {
            case .randomAccess, .other:
                kept.writeInteger(UInt32(truncatingIfNeeded: range.count))
                if let unit = bytes.getSlice(at: range.lowerBound, length: range.count) {
                    kept.writeImmutableBuffer(unit)
                }
            case .vps, .sps, .pps, .delimiter:
                break
            }
        }
        return kept
    }
}
