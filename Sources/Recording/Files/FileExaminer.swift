internal import NIOCore

/// What there is in a media file, found out from its bytes: after a crash, and for files that the index does not know.
struct FileExamination: Hashable, Sendable {
    /// Up to the end of the last whole tag, packet or fragment. What is behind it is of no use to a player.
    var wholeBytes = 0
    /// With what is behind it.
    var size = 0
    /// Nil: there is nothing to play.
    var durationMilliseconds: Int64?
}

/// Reads as little as it can: the last part of TS, the tag headers of FLV from `known` on, the box headers of MP4.
struct FileExaminer {
    let files: any RecordingFileSystem
    let descriptor: CInt
    let size: Int

    init(_ files: any RecordingFileSystem, _ descriptor: CInt) throws(FileFailure) {
        self.files = files
        self.descriptor = descriptor
        size = try files.size(descriptor)
    }

    /// - Parameter known: bytes that were whole, and how long that was, as the index has it.
    func examine(
        _ format: RecordingFormat,
        known: (bytes: Int, milliseconds: Int64)?
    ) throws(FileFailure)
        -> FileExamination
    {
        switch format {
        case .flv: try examineFLV(known)
        case .ts, .hls: try examineTS()
        case .fmp4: try examineMP4()
        }
    }
}

// MARK: FLV

extension FileExaminer {
    /// A look at so many bytes at once; of a longer tag the rest is skipped.
    private static let window = 64 << 10

    private func examineFLV(_ known: (bytes: Int, milliseconds: Int64)?) throws(FileFailure) -> FileExamination {
        let head = try files.read(descriptor, at: 0, count: 13)
        guard head.getInteger(at: 0, as: UInt32.self) == 0x464C_5601,
            head.getInteger(at: 5, as: UInt32.self) == 9, head.readableBytes == 13
        else { return FileExamination() }
        let first = try firstTime()
        if let known, known.bytes > 13, known.bytes <= size, try isTagEnd(known.bytes) {
            var found = try walk(from: known.bytes, first: first)
            // Nothing came behind what is known.
            found.durationMilliseconds = max(found.durationMilliseconds ?? 0, known.milliseconds)
            return found
        }
        return try walk(from: 13, first: first)
    }

    /// Of the first frame: files may have the times of their stream.
    private func firstTime() throws(FileFailure) -> UInt32? {
        var at = 13
        for _ in 0..<16 {
            let head = try files.read(descriptor, at: at, count: 13)
            guard let tag = FLVTagHead(head) else { return nil }
            if tag.isFrame { return tag.time }
            at &+= tag.length
        }
        return nil
    }

    private func isTagEnd(_ end: Int) throws(FileFailure) -> Bool {
        let tail = try files.read(descriptor, at: end &- 4, count: 4)
        guard let length = tail.getInteger(at: 0, as: UInt32.self), length >= 11, Int(length) <= end &- 17 else {
            return false
        }
        let head = try files.read(descriptor, at: end &- 4 &- Int(length), count: 13)
        return FLVTagHead(head)?.length == Int(length) &+ 4
    }

    private func walk(from start: Int, first: UInt32?) throws(FileFailure) -> FileExamination {
        var found = FileExamination(wholeBytes: start)
        var at = start
        var window = ByteBuffer()
        var windowStart = start
        while true {
            let offset = at &- windowStart
            if offset &+ 13 > window.writerIndex {
                window = try files.read(descriptor, at: at, count: Self.window)
                windowStart = at
            }
            guard let head = window.getSlice(at: at &- windowStart, length: 13), let tag = FLVTagHead(head),
                at &+ tag.length <= size
            else { return found }
            at &+= tag.length
            found.wholeBytes = at
            if tag.isFrame, let first {
                let time = Int64(Int32(bitPattern: tag.time &- first))
                found.durationMilliseconds = max(found.durationMilliseconds ?? 0, time)
            }
        }
    }
}

/// The first 13 bytes of a tag: its header and the two that tell frames from sequence headers.
private struct FLVTagHead {
    /// With its PreviousTagSize.
    var length: Int
    var time: UInt32
    var isFrame: Bool

    init?(_ bytes: ByteBuffer) {
        let at = bytes.readerIndex
        guard let first = bytes.getInteger(at: at, as: UInt32.self),
            let stamp = bytes.getInteger(at: at &+ 4, as: UInt32.self),
            let code = bytes.getInteger(at: at &+ 11, as: UInt16.self)
        else { return nil }
        let kind = first >> 24
        guard kind == 8 || kind == 9 || kind == 18 else { return nil }
        length = Int(first & 0xFF_FFFF) &+ 15
        time = stamp >> 8 | stamp << 24
        let (flags, second) = (UInt8(code >> 8), UInt8(code & 0xFF))
        switch kind {
        // Enhanced: the packet type is in the low four bits, 0 is a sequence header.
        case 9: isFrame = flags & 0x80 != 0 ? flags & 0x0F != 0 : second != 0
        case 8:
            switch flags >> 4 {
            case 10: isFrame = second != 0
            case 9: isFrame = flags & 0x0F != 0
            default: isFrame = true
            }
        default: isFrame = false
        }
    }
}

// MARK: MPEG transport stream

extension FileExaminer {
    private static let packet = 188
    /// How much is looked at for the first and for the last time, more when there is none.
    private static let stretch = 188 * 128

    private func examineTS() throws(FileFailure) -> FileExamination {
        let whole = size - size % Self.packet
        guard let first = try times(whole, { _ in 0 }), let last = try times(whole, { whole - $0 }) else {
            return FileExamination()
        }
        return FileExamination(
            wholeBytes: last.end,
            durationMilliseconds: last.times.latest(after: first.times.earliest) / 90
        )
    }

    /// The times in the shortest stretch that has some, and where its packets end.
    private func times(_ whole: Int, _ start: (Int) -> Int) throws(FileFailure) -> (times: TSTimes, end: Int)? {
        var length = Self.stretch
        while true {
            let count = min(length, whole)
            let at = start(count)
            if let times = TSTimes(try files.read(descriptor, at: at, count: count)) {
                return (times, at &+ times.wholeBytes)
            }
            guard length < whole, length < 64 << 20 else { return nil }
            length *= 8
        }
    }
}

/// The decoding times in a stretch of packets.
private struct TSTimes {
    /// In 1/90000 s, 33 bits.
    private var times: [Int64] = []
    private(set) var wholeBytes = 0

    /// Nil when there is none.
    init?(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { bytes in
            var at = 0
            while at &+ 188 <= bytes.count, bytes[at] == 0x47 {
                // The beginning of a PES packet.
                if bytes[at &+ 1] & 0x40 != 0, let time = Self.time(bytes[at..<at &+ 188]) { times.append(time) }
                at &+= 188
            }
            wholeBytes = at
        }
        if times.isEmpty { return nil }
    }

    /// ISO/IEC 13818-1 2.4.3.6: the decoding time where there is one.
    private static func time(_ packet: Slice<UnsafeRawBufferPointer>) -> Int64? {
        let start = packet.startIndex
        let control = packet[start &+ 3]
        guard control & 0x10 != 0 else { return nil }
        let at = start &+ 4 &+ (control & 0x20 != 0 ? 1 &+ Int(packet[start &+ 4]) : 0)
        guard at &+ 19 <= packet.endIndex, packet[at] == 0, packet[at &+ 1] == 0, packet[at &+ 2] == 1,
            packet[at &+ 7] & 0x80 != 0
        else { return nil }
        let time = packet[(at &+ (packet[at &+ 7] & 0x40 != 0 ? 14 : 9))...].prefix(5).map { Int64($0) }
        return (time[0] >> 1 & 7) << 30 | time[1] << 22 | (time[2] >> 1) << 15 | time[3] << 7 | time[4] >> 1
    }

    var earliest: Int64 { times.map { Self.step($0, from: times[0]) }.min().map { times[0] &+ $0 } ?? 0 }

    /// How far the latest is behind a time; it wraps after 26 hours.
    func latest(after origin: Int64) -> Int64 {
        guard let last = times.last else { return 0 }
        let newest = times.map { Self.step($0, from: last) }.max() ?? 0
        return (last &+ newest &- origin) & 0x1_FFFF_FFFF
    }

    /// Over the wrap, the shorter way.
    private static func step(_ time: Int64, from other: Int64) -> Int64 {
        ((time &- other) << 31) >> 31
    }
}

// MARK: Fragmented MP4

extension FileExaminer {
    /// More boxes than a recording has.
    private static let maximumBoxes = 4 << 20
    private static let maximumHeader = 1 << 20

    private func examineMP4() throws(FileFailure) -> FileExamination {
        var found = FileExamination()
        var at = 0
        var scales: [UInt32: UInt32] = [:]
        var lastFragment: (at: Int, length: Int)?
        var fragment: (at: Int, length: Int)?
        for _ in 0..<Self.maximumBoxes {
            let head = try files.read(descriptor, at: at, count: 8)
            guard let length = head.getInteger(at: 0, as: UInt32.self), let name = head.getString(at: 4, length: 4),
                length >= 8, at &+ Int(length) <= size
            else { break }
            switch name {
            case "moov" where length <= Self.maximumHeader:
                let moov = try files.read(descriptor, at: at &+ 8, count: Int(length) &- 8)
                scales = MP4Boxes.timescales(moov)
                found.wholeBytes = at &+ Int(length)
            case "moof" where length <= Self.maximumHeader: fragment = (at &+ 8, Int(length) &- 8)
            case "mdat":
                guard let whole = fragment else { break }
                lastFragment = whole
                fragment = nil
                found.wholeBytes = at &+ Int(length)
            default: break
            }
            at &+= Int(length)
        }
        if let lastFragment {
            let moof = try files.read(descriptor, at: lastFragment.at, count: lastFragment.length)
            found.durationMilliseconds = MP4Boxes.end(moof, scales)
        }
        return found
    }
}

/// The few boxes that tell how long a fragmented file is.
private enum MP4Boxes {
    static func children(_ bytes: ByteBuffer) -> [(name: String, body: ByteBuffer)] {
        var found: [(String, ByteBuffer)] = []
        var rest = bytes
        while let length = rest.getInteger(at: rest.readerIndex, as: UInt32.self), length >= 8,
            let name = rest.getString(at: rest.readerIndex &+ 4, length: 4),
            let body = rest.getSlice(at: rest.readerIndex &+ 8, length: Int(length) &- 8), found.count < 4096
        {
            found.append((name, body))
            rest.moveReaderIndex(forwardBy: Int(length))
        }
        return found
    }

    static func first(_ path: [String], in bytes: ByteBuffer) -> ByteBuffer? {
        guard let name = path.first else { return bytes }
        return children(bytes).first { $0.name == name }.flatMap { first(Array(path.dropFirst()), in: $0.body) }
    }

    /// By track: ticks a second.
    static func timescales(_ moov: ByteBuffer) -> [UInt32: UInt32] {
        var scales: [UInt32: UInt32] = [:]
        for (name, trak) in children(moov) where name == "trak" {
            guard let header = first(["tkhd"], in: trak), let media = first(["mdia", "mdhd"], in: trak) else {
                continue
            }
            // Version 1 has longer times in front.
            let isLong = header.getInteger(at: 0, as: UInt8.self) == 1
            let isLongMedia = media.getInteger(at: 0, as: UInt8.self) == 1
            guard let track = header.getInteger(at: isLong ? 20 : 12, as: UInt32.self),
                let scale = media.getInteger(at: isLongMedia ? 20 : 12, as: UInt32.self), scale > 0
            else { continue }
            scales[track] = scale
        }
        return scales
    }

    /// Where the samples of a fragment end, in milliseconds.
    static func end(_ moof: ByteBuffer, _ scales: [UInt32: UInt32]) -> Int64? {
        var latest: Int64?
        for (name, traf) in children(moof) where name == "traf" {
            let boxes = children(traf)
            guard let header = boxes.first(where: { $0.name == "tfhd" })?.body,
                let track = header.getInteger(at: 4, as: UInt32.self), let scale = scales[track],
                let time = boxes.first(where: { $0.name == "tfdt" })?.body
            else { continue }
            let isLong = time.getInteger(at: 0, as: UInt8.self) == 1
            let base: UInt64? =
                isLong ? time.getInteger(at: 4) : time.getInteger(at: 4, as: UInt32.self).map(UInt64.init)
            guard let base, base <= 1 << 53 else { continue }
            var end = Int64(base)
            for (name, run) in boxes where name == "trun" { end &+= duration(run, header) }
            let whole = end.multipliedReportingOverflow(by: 1000)
            guard !whole.overflow else { continue }
            latest = max(latest ?? 0, whole.partialValue / Int64(scale))
        }
        return latest
    }

    private static func duration(_ run: ByteBuffer, _ header: ByteBuffer) -> Int64 {
        guard let flags = run.getInteger(at: 0, as: UInt32.self), let count = run.getInteger(at: 4, as: UInt32.self),
            count <= 1 << 20
        else { return 0 }
        guard flags & 0x100 != 0 else { return Int64(count) &* Int64(usualDuration(header)) }
        var at = 8 &+ (flags & 0x1 != 0 ? 4 : 0) &+ (flags & 0x4 != 0 ? 4 : 0)
        let size = 4 &* ([0x100, 0x200, 0x400, 0x800] as [UInt32]).count { flags & $0 != 0 }
        var total: Int64 = 0
        for _ in 0..<count {
            total &+= Int64(run.getInteger(at: at, as: UInt32.self) ?? 0)
            at &+= size
        }
        return total
    }

    private static func usualDuration(_ header: ByteBuffer) -> UInt32 {
        guard let flags = header.getInteger(at: 0, as: UInt32.self), flags & 0x8 != 0 else { return 0 }
        let at = 8 &+ (flags & 0x1 != 0 ? 8 : 0) &+ (flags & 0x2 != 0 ? 4 : 0)
        return header.getInteger(at: at, as: UInt32.self) ?? 0
    }
}
