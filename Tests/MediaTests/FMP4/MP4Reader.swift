/// Reads fragmented MP4: leniently what ffmpeg writes, strictly what the muxers here promise.
struct MP4Reader {
    struct Fault: Error, CustomStringConvertible {
        var description: String
        init(_ description: String) { self.description = description }
    }

    struct Box {
        var type: String
        /// Of the whole box, and of what is behind size and type.
        var range: Range<Int>
        var body: Range<Int>
    }

    struct Track: Equatable {
        var id = 0
        var timescale = 0
        var handler = ""
        var entry = ""
        /// The body of the box in the sample entry: avcC, esds, dOps, dfLa…
        var record: [UInt8] = []
        var width = 0
        var height = 0
        var header: (width: Int, height: Int) = (0, 0)
        var channels = 0
        var sampleRate = 0
        var defaults: [Int] = []

        static func == (left: Self, right: Self) -> Bool {
            left.id == right.id && left.entry == right.entry && left.record == right.record
        }
    }

    struct Sample: Equatable {
        var track: Int
        var dts: Int64
        var pts: Int64
        var duration: Int
        var isSync: Bool
        var bytes: [UInt8]
        var fragment: Int
    }

    private(set) var tracks: [Int: Track] = [:]
    private(set) var samples: [Sample] = []
    private(set) var brands: [String] = []
    private(set) var fragments = 0
    /// What they are numbered.
    private(set) var numbers: [Int] = []
    private(set) var headerBytes = 0
    private let isStrict: Bool
    private let bytes: [UInt8]
    private var ends: [Int: Int64] = [:]

    init(_ bytes: [UInt8], strict: Bool = true) throws {
        self.bytes = bytes
        isStrict = strict
        var pending:
            [(track: Int, samples: [(duration: Int, size: Int, flags: Int, offset: Int)], time: Int64, at: Int)] =
                []
        for box in try boxes(0..<bytes.count) {
            switch box.type {
            case "ftyp":
                brands = stride(from: box.body.lowerBound + 8, to: box.body.upperBound, by: 4).map(name)
                try check(["iso5", "iso6"].allSatisfy(brands.contains), "brands \(brands)")
            case "moov": try readMovie(box)
            case "moof":
                try check(pending.isEmpty, "moof without mdat")
                pending = try readFragment(box)
                headerBytes += box.range.count + 8
            case "mdat":
                guard !pending.isEmpty else { throw Fault("mdat without moof") }
                var at = box.body.lowerBound
                for run in pending {
                    try check(run.at == at, "data offset \(run.at), \(at) expected")
                    at = run.at
                    var time = run.time
                    for sample in run.samples {
                        guard at >= box.body.lowerBound, at + sample.size <= box.body.upperBound else {
                            throw Fault("sample outside mdat")
                        }
                        samples.append(
                            Sample(
                                track: run.track,
                                dts: time,
                                pts: time + Int64(sample.offset),
                                duration: sample.duration,
                                isSync: sample.flags & 0x1_0000 == 0,
                                bytes: Array(bytes[at..<at + sample.size]),
                                fragment: fragments
                            )
                        )
                        at += sample.size
                        time += Int64(sample.duration)
                    }
                    // A picture's stated duration may be longer than the distance; sound never overlaps.
                    let isPicture = tracks[run.track]?.handler == "vide"
                    let last = samples.last?.dts ?? 0
                    ends[run.track] = isPicture ? last + 1 : time
                }
                try check(at == box.body.upperBound, "\(box.body.upperBound - at) bytes of mdat are no sample")
                pending = []
                fragments += 1
            case "sidx", "styp",
                "mfra" where !strict:
                break
            default: throw Fault("unexpected \(box.type)")
            }
        }
        try check(pending.isEmpty, "no mdat at the end")
        try check(!tracks.isEmpty, "no moov")
    }

    func samples(of track: Int) -> [Sample] { samples.filter { $0.track == track } }

    // MARK: Boxes

    func boxes(_ range: Range<Int>) throws -> [Box] {
        var boxes: [Box] = []
        var at = range.lowerBound
        while at < range.upperBound {
            guard at + 8 <= range.upperBound else { throw Fault("\(range.upperBound - at) bytes after the last box") }
            let size = u32(at)
            guard size >= 8, at + size <= range.upperBound else { throw Fault("size \(size) of \(name(at + 4))") }
            boxes.append(Box(type: name(at + 4), range: at..<at + size, body: at + 8..<at + size))
            at += size
        }
        return boxes
    }

    private func children(_ box: Box, _ names: [String]) throws -> [Box] {
        let boxes = try boxes(box.body)
        try check(boxes.map(\.type) == names, "\(box.type) has \(boxes.map(\.type)), not \(names)")
        return boxes
    }

    private func child(_ box: Box, _ name: String) throws -> Box {
        guard let child = try boxes(box.body).first(where: { $0.type == name }) else {
            throw Fault("no \(name) in \(box.type)")
        }
        return child
    }

    private func check(_ condition: Bool, _ message: @autoclosure () -> String) throws {
        if isStrict, !condition { throw Fault(message()) }
    }

    private func u16(_ at: Int) -> Int { at + 2 <= bytes.count ? Int(bytes[at]) << 8 | Int(bytes[at + 1]) : 0 }
    private func u32(_ at: Int) -> Int { u16(at) << 16 | u16(at + 2) }
    private func name(_ at: Int) -> String { String(decoding: bytes[at..<min(at + 4, bytes.count)], as: UTF8.self) }

    // MARK: moov

    private mutating func readMovie(_ moov: Box) throws {
        let boxes = try boxes(moov.body)
        let traks = boxes.filter { $0.type == "trak" }
        try check(
            boxes.map(\.type) == ["mvhd"] + traks.map { _ in "trak" } + ["mvex"],
            "moov has \(boxes.map(\.type))"
        )
        let header = try child(moov, "mvhd").body
        try check(header.count == 100, "mvhd of \(header.count)")
        try check(matrix(header.lowerBound + 36), "mvhd's matrix")
        try check(u32(header.lowerBound + 12) == 1000 && u32(header.lowerBound + 20) == 0x1_0000, "mvhd's rates")
        for trak in traks {
            let track = try readTrack(trak)
            try check(tracks[track.id] == nil, "two tracks \(track.id)")
            tracks[track.id] = track
        }
        let next = u32(header.upperBound - 4)
        try check(tracks.keys.allSatisfy { $0 < next && $0 > 0 }, "next track \(next)")
        let extends = try child(moov, "mvex")
        let trexes = try self.boxes(extends.body).filter { $0.type == "trex" }
        try check(trexes.count == tracks.count, "\(trexes.count) trex")
        for trex in trexes {
            try check(trex.body.count == 24, "trex of \(trex.body.count)")
            let values = (1...5).map { u32(trex.body.lowerBound + 4 * $0) }
            guard tracks[values[0]] != nil else { throw Fault("trex of track \(values[0])") }
            try check(values[1] == 1, "description \(values[1])")
            tracks[values[0]]?.defaults = Array(values.dropFirst(2))
        }
    }

    private func matrix(_ at: Int) -> Bool {
        (0..<9).map { u32(at + 4 * $0) } == [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000]
    }

    private func readTrack(_ trak: Box) throws -> Track {
        if isStrict { _ = try children(trak, ["tkhd", "mdia"]) }
        var track = Track()
        let header = try child(trak, "tkhd").body
        try check(header.count == 84, "tkhd of \(header.count)")
        try check(u32(header.lowerBound) & 0xFF00_0003 == 3, "tkhd's flags")
        try check(matrix(header.lowerBound + 40), "tkhd's matrix")
        track.id = u32(header.lowerBound + 12)
        track.header = (u32(header.lowerBound + 76) >> 16, u32(header.lowerBound + 80) >> 16)
        let media = try child(trak, "mdia")
        if isStrict { _ = try children(media, ["mdhd", "hdlr", "minf"]) }
        let mediaHeader = try child(media, "mdhd").body
        try check(mediaHeader.count == 24 && u16(mediaHeader.lowerBound + 20) == 0x55C4, "mdhd")
        track.timescale = u32(mediaHeader.lowerBound + 12)
        track.handler = name(try child(media, "hdlr").body.lowerBound + 8)
        let volume = u16(header.lowerBound + 36)
        try check(volume == (track.handler == "soun" ? 0x100 : 0), "volume \(volume)")
        let information = try child(media, "minf")
        if isStrict {
            _ = try children(information, [track.handler == "soun" ? "smhd" : "vmhd", "dinf", "stbl"])
        }
        let tables = try child(information, "stbl")
        if isStrict {
            for (box, size) in zip(try children(tables, ["stsd", "stts", "stsc", "stsz", "stco"]), [0, 8, 8, 12, 8]) {
                guard size > 0 else { continue }
                try check(box.body.count == size && bytes[box.body].allSatisfy { $0 == 0 }, "\(box.type)")
            }
        }
        let description = try child(tables, "stsd").body
        guard let entry = try boxes(description.lowerBound + 8..<description.upperBound).first else {
            throw Fault("no sample entry")
        }
        track.entry = entry.type
        let isSound = track.handler == "soun"
        let at = entry.body.lowerBound
        if isSound {
            track.channels = u16(at + 16)
            track.sampleRate = u32(at + 24) >> 16
        } else {
            (track.width, track.height) = (u16(at + 24), u16(at + 26))
            try check(track.header == (track.width, track.height), "tkhd says \(track.header)")
        }
        let inner = try boxes(at + (isSound ? 28 : 78)..<entry.body.upperBound)
        try check(inner.count == 1, "\(entry.type) has \(inner.map(\.type))")
        guard let record = inner.first else { throw Fault("no record in \(entry.type)") }
        track.record = Array(bytes[record.body])
        return track
    }

    // MARK: moof

    private mutating func readFragment(
        _ moof: Box
    ) throws -> [(
        track: Int, samples: [(duration: Int, size: Int, flags: Int, offset: Int)], time: Int64, at: Int
    )] {
        let boxes = try boxes(moof.body)
        guard let head = boxes.first, head.type == "mfhd", head.body.count == 8 else { throw Fault("no mfhd") }
        let number = u32(head.body.lowerBound + 4)
        let last = numbers.last ?? 0
        try check(last > 0 ? number > last : number == 1, "sequence number \(number) after \(last)")
        numbers.append(number)
        guard boxes.count > 1 else { throw Fault("no traf") }
        return try boxes.dropFirst().map { traf in
            guard traf.type == "traf" else { throw Fault("\(traf.type) in moof") }
            if isStrict { _ = try children(traf, ["tfhd", "tfdt", "trun"]) }
            let header = try child(traf, "tfhd").body
            let headerFlags = u32(header.lowerBound) & 0xFF_FFFF
            try check(headerFlags == 0x02_0000 && header.count == 8, "tfhd's flags \(headerFlags)")
            let id = u32(header.lowerBound + 4)
            guard let track = tracks[id] else { throw Fault("traf of track \(id)") }
            var defaults = track.defaults
            var at = header.lowerBound + 8
            if headerFlags & 1 != 0 { at += 8 }
            if headerFlags & 2 != 0 { at += 4 }
            for index in 0..<3 where headerFlags & 8 << index != 0 {
                defaults[index] = u32(at)
                at += 4
            }
            let time = try child(traf, "tfdt").body
            try check(bytes[time.lowerBound] == 1 && time.count == 12, "tfdt's version")
            let isLong = bytes[time.lowerBound] == 1
            let start =
                isLong
                ? Int64(u32(time.lowerBound + 4)) << 32 | Int64(u32(time.lowerBound + 8))
                : Int64(u32(time.lowerBound + 4))
            try check(start >= 0 && start >= ends[id] ?? 0, "track \(id) at \(start), before \(ends[id] ?? 0)")
            let run = try child(traf, "trun").body
            let flags = u32(run.lowerBound) & 0xFF_FFFF
            let count = u32(run.lowerBound + 4)
            at = run.lowerBound + 8
            guard flags & 1 != 0 else { throw Fault("trun without data offset") }
            let offset = u32(at)
            at += 4
            var firstFlags: Int?
            if flags & 4 != 0 {
                firstFlags = u32(at)
                at += 4
            }
            var samples: [(duration: Int, size: Int, flags: Int, offset: Int)] = []
            for index in 0..<count {
                var sample = (duration: defaults[0], size: defaults[1], flags: defaults[2], offset: 0)
                if index == 0, let firstFlags { sample.flags = firstFlags }
                for (flag, field) in [(0x100, 0), (0x200, 1), (0x400, 2), (0x800, 3)] where flags & flag != 0 {
                    guard at + 4 <= run.upperBound else { throw Fault("trun is too short") }
                    switch field {
                    case 0: sample.duration = u32(at)
                    case 1: sample.size = u32(at)
                    case 2: sample.flags = u32(at)
                    default: sample.offset = Int(Int32(truncatingIfNeeded: u32(at)))
                    }
                    at += 4
                }
                let known = [0x0200_0000, 0x0101_0000]
                try check(known.contains(sample.flags), "flags \(String(sample.flags, radix: 16))")
                try check(sample.duration > 0 && sample.duration <= 40 * track.timescale, "duration \(sample.duration)")
                samples.append(sample)
            }
            try check(at == run.upperBound && count > 0, "trun has \(run.upperBound - at) bytes more")
            return (id, samples, start, moof.range.lowerBound + offset)
        }
    }
}
