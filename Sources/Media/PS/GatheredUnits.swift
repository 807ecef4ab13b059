import NIOCore
import Wire

/// Video as it comes, start codes and all, and the NAL units found in it.
struct GatheredUnits {
    struct Unit {
        /// Of its start code, with the zero before it.
        var start: Int
        /// Of its first byte.
        var header: Int
        var kind: NALUnitKind = .invalid
        /// It was asked which codec it proves: once, or two contradicting units would be asked for ever.
        var isVerified = false
    }

    /// What the first units make together.
    struct Summary {
        /// Bytes of the frame: the units that belong into it, each behind four bytes of length.
        var size = 0
        var isKey = false
        /// Whether the first slice begins a picture; nil without a slice.
        var beginsWell: Bool?
        var hasParameters = false
        /// An SPS stands before the first slice.
        var hasHead = false
        /// H.265: it needs pictures before the key frame that it comes after (RASL, 8 and 9 in table 7-1).
        var isLeading = false
    }

    private static let mostUnits = 4096
    /// Larger buffers are given back after their picture.
    private static let largestKeptCapacity = 64 << 10

    private var bytes: [UInt8] = []
    private(set) var units: [Unit] = []
    private var scanned = 0

    var count: Int { bytes.count }
    var isEmpty: Bool { bytes.isEmpty }
    var isFull: Bool { units.count >= Self.mostUnits }
    /// Encrypted or foreign video has no start codes, or nothing but: it must not gather.
    var isHopeless: Bool { units.isEmpty ? bytes.count > Self.largestKeptCapacity : isFull }

    mutating func append(_ part: RawSpan) {
        bytes.append(part)
    }

    mutating func discard() {
        bytes = []
        units.removeAll(keepingCapacity: true)
        scanned = 0
    }

    /// Finds start codes in what came since the last call.
    mutating func scan() {
        bytes.withSpan { span in
            while let found = span.startCode(from: scanned) {
                guard units.count < Self.mostUnits else {
                    scanned = span.byteCount
                    return
                }
                let hasZero = found > 0 && span.uint8(at: found - 1) == 0
                units.append(Unit(start: hasZero ? found - 1 : found, header: found + 3))
                scanned = found + 3
            }
            // The last two bytes may begin a start code.
            scanned = max(scanned, span.byteCount - 2)
        }
    }

    mutating func verified(_ index: Int) {
        units[index].isVerified = true
    }

    mutating func classified(_ index: Int, as kind: NALUnitKind) {
        units[index].kind = kind
    }

    /// Takes bytes off the front, with the units that lie in them.
    mutating func removeFirst(_ end: Int, units count: Int) {
        if end >= bytes.count {
            units.removeAll(keepingCapacity: true)
            scanned = 0
            if bytes.capacity > Self.largestKeptCapacity { bytes = [] } else { bytes.removeAll(keepingCapacity: true) }
            return
        }
        if bytes.capacity > Self.largestKeptCapacity {
            bytes = Array(bytes[end...])
        } else {
            bytes.removeFirst(end)
        }
        scanned = max(scanned - end, 0)
        units.removeFirst(count)
        for index in units.indices {
            units[index].start = max(units[index].start - end, 0)
            units[index].header -= end
        }
    }
}

// What is in it
extension GatheredUnits {
    func byte(at offset: Int) -> UInt8? {
        offset < bytes.count ? bytes[offset] : nil
    }

    func withSpan<Result>(_ body: (RawSpan) -> Result) -> Result {
        bytes.withSpan(body)
    }

    func kind(at header: Int, of codec: VideoCodec) -> NALUnitKind {
        bytes.withSpan { codec.kind(of: $0, at: header) }
    }

    /// Where the unit begins whose start code, of three or four bytes, lies at an offset; nil when none lies there.
    func headerBehindStartCode(at offset: Int) -> Int? {
        bytes.withSpan { span in
            guard span.uint16(at: offset) == 0 else { return nil }
            if span.uint8(at: offset + 2) == 1 { return offset + 3 }
            return span.uint16(at: offset + 2) == 1 ? offset + 4 : nil
        }
    }

    func unitCount(before end: Int) -> Int {
        units.firstIndex { $0.header > end } ?? units.count
    }

    /// What comes before the first start code is more than zeros: the rest of a unit that was taken off already.
    var beginsInsideUnit: Bool {
        guard let first = units.first else { return false }
        return bytes.prefix(first.start).contains { $0 != 0 }
    }

    /// - Parameter count: that many units, which end at `end`.
    func summary(units count: Int, end: Int, codec: VideoCodec) -> Summary {
        var summary = Summary()
        for index in 0..<count {
            let length = unitEnd(index, count, end) - units[index].header
            guard length > 0 else { continue }
            switch units[index].kind {
            case .slice(let startsPicture, let key):
                if summary.beginsWell == nil { summary.beginsWell = startsPicture }
                if codec == .h265, (8...9).contains(bytes[units[index].header] >> 1 & 0x3F) { summary.isLeading = true }
                summary.isKey = summary.isKey || key
                summary.size += 4 + length
            case .prefix, .suffix: summary.size += 4 + length
            case .sequenceParameterSet:
                summary.hasParameters = true
                summary.hasHead = summary.beginsWell == nil
            case .videoParameterSet, .pictureParameterSet: summary.hasParameters = true
            case .accessUnitDelimiter, .discardable, .invalid: break
            }
        }
        return summary
    }

    /// The parameter sets among the first units.
    func parameters(units count: Int, end: Int, codec: VideoCodec) -> VideoParameters {
        var sets = VideoParameters(codec: codec, sps: [], pps: [], width: 0, height: 0)
        for index in 0..<count {
            let range = units[index].header..<unitEnd(index, count, end)
            ParameterSetMemory.add(bytes[range], units[index].kind, to: &sets)
        }
        return sets
    }

    /// The first units as a frame: each behind its length.
    func payload(units count: Int, end: Int, size: Int) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: size)
        for index in 0..<count {
            switch units[index].kind {
            case .slice, .prefix, .suffix: break
            default: continue
            }
            let header = units[index].header
            let last = unitEnd(index, count, end)
            guard last > header else { continue }
            buffer.writeInteger(UInt32(truncatingIfNeeded: last - header))
            bytes.withSpan { span in
                unsafe span.extracting(header..<last).withUnsafeBytes { unsafe _ = buffer.writeBytes($0) }
            }
        }
        return buffer
    }

    /// Where unit `index` ends, without the zeros before the next start code.
    private func unitEnd(_ index: Int, _ count: Int, _ end: Int) -> Int {
        let next = index + 1 < count ? units[index + 1].start : end
        var last = min(next, bytes.count)
        let header = units[index].header
        while last > header, bytes[last - 1] == 0 { last -= 1 }
        return last
    }
}
