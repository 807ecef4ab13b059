import Foundation
import NIOCore
import Testing

@testable import Media

private func feed(
    _ packets: RTSPPackets,
    _ format: RTPFormat,
    _ kind: String = "video"
) -> (events: [MediaEvent], RTSPIngest) {
    var ingest = RTSPIngest(format.stream(kind), configuration: .init(transport: .tcp))
    var events: [MediaEvent] = []
    ingest.start(into: &events)
    events += ingest.feed(packets.all)
    return (events, ingest)
}

private let h264 = RTPFormat(payloadType: 96, encoding: "H264", clockRate: 90_000)

@Suite struct VideoDepacketizerTests {
    private static let sets = [Synthetic.h264SPS, Synthetic.h264PPS]
    private static let key = Synthetic.slice(.h264, isKey: true, size: 700, seed: 1)
    private static let next = Synthetic.slice(.h264, isKey: false, size: 300, seed: 2)

    private func check(_ packets: RTSPPackets, _ sourceLocation: SourceLocation = #_sourceLocation) {
        let (events, ingest) = feed(packets, h264)
        let wanted = [Synthetic.avcc([Self.key]), Synthetic.avcc([Self.next])]
        #expect(events.pictures.map(\.payload) == wanted, sourceLocation: sourceLocation)
        #expect(events.parameters == [Synthetic.h264], sourceLocation: sourceLocation)
        #expect(ingest.statistics.invalid == 0, sourceLocation: sourceLocation)
    }

    @Test("85: CostarHD: a fragment that is first and last")
    func readsWholeFragments() {
        var packets = RTSPPackets()
        for unit in Self.sets + [Self.key] {
            packets.add(
                [unit[0] & 0xE0 | 28, 0xC0 | unit[0] & 0x1F] + unit.dropFirst(),
                timestamp: 0,
                marker: unit == Self.key
            )
        }
        packets.add([0x5C, 0xC1] + Self.next.dropFirst(), timestamp: 3600, marker: true)
        check(packets)
    }

    @Test("85: several NAL units in one fragmented unit")
    func readsUnitsInsideAFragment() {
        let start: [UInt8] = [0, 0, 0, 1]
        let all = Self.sets[0] + start + Self.sets[1] + start + Self.key
        var packets = RTSPPackets()
        packets.addFragments(all, timestamp: 0, size: 300)
        packets.add(Self.next, timestamp: 3600, marker: true)
        check(packets)
    }

    @Test("85: aggregated units with zeros behind them")
    func readsPaddedAggregates() {
        for padding in 0...5 {
            var aggregate: [UInt8] = [0x18]
            for unit in Self.sets + [Self.key] {
                aggregate += [UInt8(unit.count >> 8), UInt8(unit.count & 255)] + unit
            }
            var packets = RTSPPackets()
            packets.add(aggregate + [UInt8](repeating: 0, count: padding), timestamp: 0, marker: true)
            packets.add(Self.next, timestamp: 3600, marker: true)
            check(packets)
        }
    }

    @Test("85: the byte stream of Annex B in a packet", arguments: [[UInt8]([0, 0, 0, 1]), [0, 0, 1]])
    func readsAnnexB(start: [UInt8]) {
        var packets = RTSPPackets()
        packets.add((Self.sets + [Self.key]).flatMap { start + $0 }, timestamp: 0, marker: true)
        packets.add(start + Self.next, timestamp: 3600, marker: true)
        check(packets)
    }

    @Test("85: FLIR M400: no marker at all")
    func readsWithoutMarkers() {
        var packets = RTSPPackets()
        for unit in Self.sets + [Self.key] { packets.add(unit, timestamp: 0) }
        packets.add(Self.next, timestamp: 3600)
        check(packets)
    }

    @Test("parameter sets with a time of their own belong to the picture behind them")
    func readsSetsOfAnotherTime() {
        var packets = RTSPPackets()
        for unit in Self.sets { packets.add(unit, timestamp: 1800, marker: true) }
        packets.add(Self.key, timestamp: 3600, marker: true)
        packets.add(Self.next, timestamp: 7200, marker: true)
        check(packets)
        let pictures = feed(packets, h264).events.pictures
        #expect(pictures[1].pts - pictures[0].pts == 3600)
    }

    @Test("a marker on every slice does not part the picture for long")
    func readsFalseMarkers() {
        var packets = RTSPPackets()
        var wanted: [ByteBuffer] = []
        for index in 0..<20 {
            let isKey = index % 5 == 0
            let slices = [true, false, false].map {
                Synthetic.slice(.h264, isKey: isKey, isFirst: $0, size: 200, seed: index)
            }
            for unit in (isKey ? Self.sets : []) + slices {
                packets.add(unit, timestamp: UInt32(index * 3600), marker: true)
            }
            wanted.append(Synthetic.avcc(slices))
        }
        // The lie is found out at the first picture; the next key frame begins well.
        #expect(feed(packets, h264).events.pictures.map(\.payload).suffix(15) == wanted[5...])
    }

    @Test("84: sprop-max-don-diff puts decoding order numbers before the units")
    func readsDecodingOrder() {
        let sets = [Synthetic.h265VPS, Synthetic.h265SPS, Synthetic.h265PPS]
        let key = Synthetic.slice(.h265, isKey: true, size: 900, seed: 1)
        let next = Synthetic.slice(.h265, isKey: false, size: 300, seed: 2)
        var packets = RTSPPackets()
        // RFC 7798 4.4.2: DONL before the first, DOND before the others.
        var aggregate: [UInt8] = [0x60, 1, 0, 7]
        for (index, unit) in sets.enumerated() {
            aggregate += (index == 0 ? [] : [0]) + [UInt8(unit.count >> 8), UInt8(unit.count & 255)] + unit
        }
        packets.add(aggregate, timestamp: 0)
        // 4.4.3: in the first fragment alone.
        let type = key[0] >> 1
        packets.add([0x62, 1, 0x80 | type, 0, 8] + key[2..<400], timestamp: 0)
        packets.add([0x62, 1, type] + key[400..<600], timestamp: 0)
        packets.add([0x62, 1, 0x40 | type] + key[600...], timestamp: 0, marker: true)
        packets.add(next[0..<2] + [0, 9] + next[2...], timestamp: 3600, marker: true)
        let format = RTPFormat(payloadType: 96, encoding: "H265", clockRate: 90_000, fmtp: "sprop-max-don-diff=2")
        let (events, ingest) = feed(packets, format)
        #expect(events.pictures.map(\.payload) == [Synthetic.avcc([key]), Synthetic.avcc([next])])
        #expect(events.parameters == [Synthetic.h265])
        #expect(ingest.statistics.invalid == 0)
    }

    @Test("after a loss, H.265 pictures that need what came before the key frame do not pass")
    func withholdsLeadingPictures() {
        let sets = [Synthetic.h265VPS, Synthetic.h265SPS, Synthetic.h265PPS]
        func picture(_ type: UInt8, _ seed: Int) -> [UInt8] {
            var slice = Synthetic.slice(.h265, isKey: false, size: 100, seed: seed)
            slice[0] = type << 1
            return slice
        }
        var packets = RTSPPackets()
        var time: UInt32 = 0
        func add(_ type: UInt8, _ seed: Int) {
            if type == 21 { for unit in sets { packets.add(unit, timestamp: time) } }
            packets.add(picture(type, seed), timestamp: time, marker: true)
            time += 3600
        }
        // CRA, RASL, TRAIL; again after it is decoded; again after a loss.
        for seed in [1, 4, 7] {
            if seed == 7 { packets.number &+= 5 }
            for (index, type) in [UInt8(21), 9, 1].enumerated() { add(type, seed + index) }
        }
        let format = RTPFormat(payloadType: 96, encoding: "H265", clockRate: 90_000)
        let got = feed(packets, format).events.pictures.map(\.payload)
        let types: [(UInt8, Int)] = [(21, 1), (1, 3), (21, 4), (9, 5), (1, 6), (21, 7), (1, 9)]
        #expect(got == types.map { Synthetic.avcc([picture($0, $1)]) })
    }
}

@Suite struct AudioDepacketizerTests {
    private static let aac = RTPFormat(
        payloadType: 96,
        encoding: "MPEG4-GENERIC",
        clockRate: 48_000,
        channels: 2,
        fmtp: "mode=AAC-hbr;config=1190;sizelength=13;indexlength=3;indexdeltalength=3"
    )

    private static func units(_ sizes: [Int]) -> [[UInt8]] {
        var noise = Noise(state: 3)
        return sizes.map { size in (0..<size).map { _ in UInt8.random(in: 0...127, using: &noise) } }
    }

    private static func header(_ sizes: [Int]) -> [UInt8] {
        [UInt8(sizes.count * 16 >> 8), UInt8(sizes.count * 16 & 255)]
            + sizes.flatMap { [UInt8($0 >> 5), UInt8(($0 << 3) & 255)] }
    }

    @Test("86: several frames in a packet, and one over several packets")
    func readsAAC() {
        let units = Self.units([100, 200, 50, 2000, 77])
        var packets = RTSPPackets()
        packets.add(Self.header([100, 200, 50]) + units[0] + units[1] + units[2], timestamp: 0, marker: true)
        packets.add(Self.header([2000]) + units[3][..<900], timestamp: 3072)
        packets.add(Self.header([2000]) + units[3][900..<1500], timestamp: 3072)
        packets.add(Self.header([2000]) + units[3][1500...], timestamp: 3072, marker: true)
        packets.add(Self.header([77]) + units[4], timestamp: 4096, marker: true)
        let (events, ingest) = feed(packets, Self.aac, "audio")
        #expect(events.sounds.map(\.payload) == units.map { ByteBuffer(bytes: $0) })
        #expect(events.sounds.map { $0.pts - events.sounds[0].pts } == (0..<5).map { $0 * 1920 })
        #expect(ingest.statistics.invalid == 0)
        // A fragment that is lost takes its frame with it and nothing else.
        packets.all.remove(at: 2)
        #expect(feed(packets, Self.aac, "audio").events.sounds.count == 4)
    }

    @Test("AAC that still has its ADTS header")
    func stripsADTS() throws {
        let unit = Self.units([120])[0]
        let header = try #require(ADTSHeader(sampleRate: 48_000, channels: 2, payloadLength: 120).bytes)
        var packets = RTSPPackets()
        packets.add(Self.header([127]) + header + unit, timestamp: 0, marker: true)
        #expect(feed(packets, Self.aac, "audio").events.sounds.map(\.payload) == [ByteBuffer(bytes: unit)])
    }

    @Test("AAC: lies about sizes are counted and cost no more than their packet")
    func survivesLies() {
        let unit = Self.units([100])[0]
        var packets = RTSPPackets()
        for lie in [[0xFF, 0xFF] + unit, [0, 0] + unit, [0, 16, 0xFF, 0xFF], [0, 32, 3, 0x20, 0x20, 0] + unit, [0]] {
            packets.add(lie, timestamp: UInt32(packets.all.count * 1024), marker: true)
        }
        packets.add(Self.header([100]) + unit, timestamp: 9000, marker: true)
        let (events, ingest) = feed(packets, Self.aac, "audio")
        #expect(events.sounds.last?.payload == ByteBuffer(bytes: unit))
        #expect(ingest.statistics.media[0].malformed >= 3)
    }

    @Test("86: LATM with its config in the stream", .enabled(if: FFmpeg.isPresent, "ffmpeg is not installed"))
    func readsLATMInBand() throws {
        let source = ["-f", "lavfi", "-i", "sine=sample_rate=44100", "-t", "1", "-ac", "2", "-c:a", "aac", "-f"]
        let loas = try FFmpeg.run("ffmpeg", source + ["latm", "-"])
        let adts = try FFmpeg.run("ffmpeg", source + ["adts", "-"])
        var wanted: [ByteBuffer] = []
        var at = 0
        while let header = adts.withSpan({ ADTSHeader($0, at: at) }) {
            wanted.append(ByteBuffer(bytes: adts[at + header.headerLength..<at + header.frameLength]))
            at += header.frameLength
        }
        var packets = RTSPPackets()
        at = 0
        while at + 3 <= loas.count {
            let length = Int(loas[at + 1] & 0x1F) << 8 | Int(loas[at + 2])
            let element = loas[at + 3..<at + 3 + length]
            let time = UInt32(wanted.count + packets.all.count) * 1024
            // Every third in two packets, and no marker on every fourth.
            if packets.all.count % 3 == 2 {
                packets.add(Array(element.prefix(20)), timestamp: time)
                packets.add(Array(element.dropFirst(20)), timestamp: time, marker: true)
            } else {
                packets.add(Array(element), timestamp: time, marker: packets.all.count % 4 != 0)
            }
            at += 3 + length
        }
        packets.add([0x80], timestamp: 0x7FFF_0000, marker: true)
        let format = RTPFormat(
            payloadType: 96,
            encoding: "MP4A-LATM",
            clockRate: 44_100,
            channels: 2,
            fmtp: "cpresent=1"
        )
        let events = feed(packets, format, "audio").events
        #expect(wanted.count > 40)
        #expect(events.sounds.map(\.payload) == wanted)
        #expect(events.sounds.map(\.dts).isStrictlyRising)
        guard case .audio(let parameters) = events.first else {
            Issue.record("no parameters")
            return
        }
        #expect(parameters.sampleRate == 44_100 && parameters.channels == 2)
        #expect(parameters.configuration.prefix(2) == [0x12, 0x10])
    }

    @Test("LATM whose config has a channel layout that no decoder knows gives no sound without parameters")
    func refusesUnknownLayouts() {
        // Fuzzing found it: 9 channels, in the config of an element of one frame.
        var packets = RTSPPackets()
        packets.add(
            [0x20, 0x00, 0x12, 0x48, 0x1F, 0xE0, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10],
            timestamp: 0,
            marker: true
        )
        let format = RTPFormat(
            payloadType: 96,
            encoding: "MP4A-LATM",
            clockRate: 44_100,
            channels: 2,
            fmtp: "cpresent=1"
        )
        let (events, ingest) = feed(packets, format, "audio")
        #expect(events == [])
        #expect(ingest.statistics.media[0].malformed == 1)
    }

    @Test("87: MPEG audio of layer II is named and not taken for MP3")
    func namesOtherLayers() {
        var packets = RTSPPackets()
        packets.add([0, 0, 0, 0, 0xFF, 0xFD, 0xA4, 0] + [UInt8](repeating: 1, count: 500), timestamp: 0)
        let (events, ingest) = feed(packets, RTPFormat(payloadType: 96, encoding: "MPA", clockRate: 90_000), "audio")
        #expect(events == [])
        #expect(ingest.statistics.passedOn == ["MPEG audio of another layer than III"])
    }

    @Test("87: Opus is stereo when its packets are")
    func noticesStereo() {
        var packets = RTSPPackets()
        packets.add([0xF8, 1, 2], timestamp: 0)
        packets.add([0xFC, 1, 2], timestamp: 960)
        packets.add([0xF8, 1, 2], timestamp: 1920)
        let events = feed(
            packets,
            RTPFormat(payloadType: 96, encoding: "opus", clockRate: 48_000, channels: 2),
            "audio"
        ).events
        let channels = events.compactMap { if case .audio(let parameters) = $0 { parameters.channels } else { nil } }
        #expect(channels == [1, 2])
        #expect(events.sounds.count == 3)
    }
}

@Suite(.enabled(if: FFmpeg.isPresent, "ffmpeg is not installed")) struct AV1DepacketizerTests {
    /// The OBUs of a temporal unit without their sizes, and without the delimiter, as RTP carries them.
    private static func elements(_ unit: [UInt8]) -> [[UInt8]] {
        var elements: [[UInt8]] = []
        var at = 0
        while at < unit.count {
            let header = unit[at]
            var start = at + (header & 4 == 0 ? 1 : 2)
            var size = 0
            var shift = 0
            while unit[start] & 0x80 != 0 {
                size |= Int(unit[start] & 0x7F) << shift
                shift += 7
                start += 1
            }
            size |= Int(unit[start]) << shift
            start += 1
            if header >> 3 & 0xF != 2 { elements.append([header & ~2] + unit[start..<start + size]) }
            at = start + size
        }
        return elements
    }

    private static func leb128(_ value: Int) -> [UInt8] {
        value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + leb128(value >> 7)
    }

    /// All elements of a unit with lengths, cut wherever a packet is full.
    private static func packetize(_ unit: [UInt8], timestamp: UInt32, counts: Bool, into packets: inout RTSPPackets) {
        let elements = elements(unit)
        var payload: [UInt8] = [0]
        for (index, element) in elements.enumerated() {
            var rest = element[...]
            while true {
                let part = rest.prefix(max(1100 - payload.count, 1))
                rest = rest.dropFirst(part.count)
                let isEnd = index == elements.count - 1 && rest.isEmpty
                let isFull = !rest.isEmpty || isEnd || payload.count + part.count > 1000
                // A single element may be counted instead of measured.
                if counts, isFull, payload.count == 1 {
                    payload[0] |= 0x10
                    payload += part
                } else {
                    payload += leb128(part.count) + part
                }
                if isFull {
                    if !rest.isEmpty { payload[0] |= 0x40 }
                    packets.add(payload, timestamp: timestamp, marker: isEnd)
                    payload = [rest.isEmpty ? 0 : 0x80]
                }
                if rest.isEmpty { break }
            }
        }
    }

    private static func clip() throws -> [[UInt8]] {
        let file = FFmpeg.temporary("ivf")
        defer { try? FileManager.default.removeItem(at: file) }
        let source = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "2", "-pix_fmt", "yuv420p"]
        _ = try FFmpeg.run(
            "ffmpeg",
            source + ["-c:v", "libaom-av1", "-cpu-used", "8", "-g", "15", "-usage", "realtime", "-y", file.path]
        )
        return IVF.frames([UInt8](try Data(contentsOf: file)))
    }

    @Test("AV1: whole and cut OBUs, with lengths and counts", arguments: [false, true])
    func readsAV1(counts: Bool) throws {
        let units = try Self.clip()
        #expect(units.count == 50)
        var packets = RTSPPackets()
        for (index, unit) in units.enumerated() {
            Self.packetize(unit, timestamp: UInt32(index * 3600), counts: counts, into: &packets)
        }
        let format = RTPFormat(payloadType: 96, encoding: "AV1", clockRate: 90_000)
        let (events, ingest) = feed(packets, format)
        let wanted = units.map { ByteBuffer(bytes: $0.prefix(2) == [0x12, 0] ? $0.dropFirst(2) : $0[...]) }
        #expect(events.pictures.map(\.payload) == wanted)
        #expect(events.pictures.first?.isKey == true)
        #expect(events.pictures.filter(\.isKey).count >= 3)
        #expect(ingest.statistics.invalid == 0)
        let parameters = try #require(events.parameters.first)
        #expect(events.parameters.count == 1)
        #expect((parameters.width, parameters.height) == (320, 240))
        // The same av1C as that of ffmpeg's MP4.
        #expect(parameters.record == (try Self.configuration()))
    }

    @Test("AV1: after a loss pictures wait for a key frame", arguments: [UInt64(1), 2, 3])
    func withholdsAfterLoss(seed: UInt64) throws {
        let units = try Self.clip()
        var packets = RTSPPackets()
        for (index, unit) in units.enumerated() {
            Self.packetize(unit, timestamp: UInt32(index * 3600), counts: false, into: &packets)
        }
        var noise = Noise(state: seed)
        packets.all = packets.all.filter { _ in Double.random(in: 0..<1, using: &noise) >= 0.03 }
        let events = feed(packets, RTPFormat(payloadType: 96, encoding: "AV1", clockRate: 90_000)).events
        let wanted = units.map { ByteBuffer(bytes: $0.prefix(2) == [0x12, 0] ? $0.dropFirst(2) : $0[...]) }
        var last = -2
        for picture in events.pictures {
            let index = try #require(wanted.firstIndex(of: picture.payload))
            #expect(picture.isKey || index == last + 1)
            last = index
        }
    }

    /// av1C out of an MP4 that ffmpeg makes.
    private static func configuration() throws -> [UInt8] {
        let file = FFmpeg.temporary("mp4")
        defer { try? FileManager.default.removeItem(at: file) }
        let source = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "2", "-pix_fmt", "yuv420p"]
        _ = try FFmpeg.run(
            "ffmpeg",
            source + ["-c:v", "libaom-av1", "-cpu-used", "8", "-g", "15", "-usage", "realtime", "-y", file.path]
        )
        let bytes = [UInt8](try Data(contentsOf: file))
        let name = Array("av1C".utf8)
        guard let at = bytes.indices.first(where: { bytes[$0...].starts(with: name) }) else { return [] }
        return Array(bytes[at + 4..<at - 4 + Int(bytes[at - 1])])
    }
}
