import NIOCore
import Testing

@testable import Media

@Suite struct RTPForwarderTests {
    private static let h264 =
        StreamDescription(video: Synthetic.h264, audio: Synthetic.g711) ?? StreamDescription(media: [])
    private static let delimiter: [UInt8] = [0x09, 0x10]
    private static let key: [UInt8] = [0x65, 0x88, 0x84, 1]
    private static let slice: [UInt8] = [0x41, 0x9A, 0x02, 1]

    private func single(
        _ encoding: String,
        kind: String = "video",
        rate: Int = 90_000,
        fmtp: String? = nil
    ) -> RTPForwarder {
        let format = RTPFormat(payloadType: 96, encoding: encoding, clockRate: rate, fmtp: fmtp)
        return RTPForwarder(description: StreamDescription(media: [RTPMedia(kind: kind, formats: [format])]), seed: 5)
    }

    @Test("59: SSRC, numbers and timestamps are ours, and loss stays visible")
    func rewritesHeaders() {
        var forwarder = RTPForwarder(description: Self.h264, seed: 1)
        var buffer = ByteBuffer()
        let numbers: [UInt16] = [65_534, 65_535, 0, 3, 2, 4]
        for (index, number) in numbers.enumerated() {
            let stamp = UInt32(index) * 3600
            _ = forwarder.forward(rtp(Self.slice, sequence: number, timestamp: stamp, marker: true), into: &buffer)
        }
        let packets = buffer.packets
        let first = packets[0].header
        #expect(packets.map { $0.header.sequenceNumber &- first.sequenceNumber } == [0, 1, 2, 5, 4, 6])
        #expect(packets.map { $0.header.timestamp &- first.timestamp } == (0..<6).map { $0 * 3600 })
        #expect(Set(packets.map(\.header.ssrc)) == [forwarder.sources[0]])
        #expect(packets.allSatisfy { $0.header.marker && $0.payload == Self.slice && $0.channel == 0 })
        #expect(forwarder.sources[0] != 0xCAFE)
    }

    @Test func keepsExtensionsSourcesAndPadding() {
        var packet: [UInt8] = [0xB1, 0x60, 0, 9, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 8]
        packet += [0xBE, 0xDE, 0, 1, 1, 2, 3, 4] + Self.slice + [0, 0, 3]
        var forwarder = RTPForwarder(description: Self.h264, seed: 1)
        var buffer = ByteBuffer()
        _ = forwarder.forward(packet, into: &buffer)
        let got = buffer.packets[0]
        #expect(got.payload == Self.slice)
        #expect(got.bytes.dropFirst(12) == packet.dropFirst(12))
        #expect(got.bytes.prefix(2) == packet.prefix(2))
    }

    @Test func holdsUntilASliceTells() {
        var forwarder = RTPForwarder(description: Self.h264, seed: 1)
        var buffer = ByteBuffer()
        let units: [[UInt8]] = [Self.delimiter, Synthetic.h264SPS, Synthetic.h264PPS, [6, 5, 1, 1, 0x80]]
        for (index, unit) in units.enumerated() {
            let got = forwarder.forward(rtp(unit, sequence: UInt16(index), timestamp: 9000), into: &buffer)
            #expect(got.byteCount == 0 && !got.startsAccessUnit && !got.endsAccessUnit)
        }
        let got = forwarder.forward(rtp(Self.key, sequence: 4, timestamp: 9000), into: &buffer)
        #expect(got.startsAccessUnit && got.isRandomAccess && !got.endsAccessUnit)
        #expect(got.byteCount == buffer.readableBytes)
        #expect(buffer.packets.map(\.payload) == units + [Self.key])
        #expect(forwarder.randomAccessStarts[0].sequenceNumber == buffer.packets[0].header.sequenceNumber)
        #expect(forwarder.randomAccessStarts[0].timestamp == buffer.packets[0].header.timestamp)
        // The next piece of SEI in two packets begins nothing, and decides nothing.
        var other = RTPForwarder(description: Self.h264, seed: 1)
        var pieces = ByteBuffer()
        for (index, payload) in ([[0x1C, 0x86, 5], [0x1C, 0x46, 5]] as [[UInt8]]).enumerated() {
            _ = other.forward(rtp(payload, sequence: UInt16(index), timestamp: 1), into: &pieces)
        }
        #expect(other.forward(rtp(Self.key, sequence: 2, timestamp: 1), into: &pieces).isRandomAccess)
        #expect(pieces.packets.count == 3)

        let rest = forwarder.forward(rtp(Self.key, sequence: 5, timestamp: 9000, marker: true), into: &buffer)
        #expect(!rest.startsAccessUnit && !rest.isRandomAccess && rest.endsAccessUnit)
        let next = forwarder.forward(rtp(Self.slice, sequence: 6, timestamp: 12_600, marker: true), into: &buffer)
        #expect(next.startsAccessUnit && !next.isRandomAccess && next.endsAccessUnit)
        #expect(next.time == 40)
    }

    @Test("85: without markers, and with one on every unit, pictures begin where their timestamps or units say")
    func findsPicturesOfCarelessSenders() {
        for (marker, sameStamp) in [(false, false), (true, false), (true, true)] {
            var forwarder = RTPForwarder(description: Self.h264, seed: 1)
            var buffer = ByteBuffer()
            var starts: [Bool] = []
            var number: UInt16 = 0
            for picture in 0..<4 {
                let units = picture % 2 == 0 ? [Synthetic.h264SPS, Synthetic.h264PPS, Self.key] : [Self.slice]
                for unit in units {
                    let stamp = sameStamp ? 0 : UInt32(picture) * 3600
                    let packet = rtp(unit, sequence: number, timestamp: stamp, marker: marker)
                    let got = forwarder.forward(packet, into: &buffer)
                    if got.startsAccessUnit { starts.append(got.isRandomAccess) }
                    number += 1
                }
            }
            #expect(starts == [true, false, true, false], "marker \(marker), one timestamp \(sameStamp)")
            #expect(buffer.packets.count == 8)
        }
    }

    @Test func parameterSetsOfAnotherTimeGoWithTheirPicture() {
        var forwarder = RTPForwarder(description: Self.h264, seed: 1)
        var buffer = ByteBuffer()
        _ = forwarder.forward(rtp(Synthetic.h264SPS, sequence: 0, timestamp: 1), into: &buffer)
        let got = forwarder.forward(rtp(Self.key, sequence: 1, timestamp: 3600), into: &buffer)
        #expect(got.isRandomAccess)
        #expect(buffer.packets.count == 2)
    }

    @Test func doesNotWaitForEver() {
        var forwarder = RTPForwarder(description: Self.h264, seed: 1)
        var buffer = ByteBuffer()
        var appended: [Int] = []
        for index in 0..<20 {
            let packet = rtp([6] + Array(repeating: 1, count: 20_000), sequence: UInt16(index), timestamp: 1)
            let got = forwarder.forward(packet, into: &buffer)
            if got.byteCount > 0 { appended.append(index) }
            #expect(!got.isRandomAccess)
        }
        #expect(appended == [3, 7, 11, 15, 19])
        // A key frame is found nevertheless.
        #expect(forwarder.forward(rtp(Self.key, sequence: 20, timestamp: 1), into: &buffer).isRandomAccess)
        let numbers = buffer.packets.map(\.header.sequenceNumber)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 &+ 1 == $1 })
    }

    @Test func recognisesRandomAccessInEveryForm() {
        let sps = Synthetic.h264SPS
        let aggregate = [0x78, 0, UInt8(sps.count)] + sps + [0, UInt8(Self.key.count)] + Self.key
        // A key frame of 320x240.
        let vp9Key: [UInt8] = [0x82, 0x49, 0x83, 0x42, 0x00, 0x13, 0xF0, 0x0E, 0xF0, 0, 0, 0, 0, 0, 0, 0]
        let cases: [(String, [UInt8], Bool)] = [
            ("H264", Self.key, true), ("H264", Self.slice, false), ("H264", aggregate, true),
            ("H264", [0x7C, 0x85, 0x88], true), ("H264", [0x7C, 0x05, 0x88], false),
            ("H264", [0x7C, 0x81, 0x9A], false),
            ("H265", [0x26, 1, 0xAF], true), ("H265", [0x02, 1, 0xAF], false), ("H265", [0x2A, 1, 0x80], true),
            ("H265", [0x62, 1, 0x93, 0x80], true), ("H265", [0x62, 1, 0x13, 0x80], false),
            ("H265", [0x60, 1, 0, 3, 0x42, 1, 1, 0, 3, 0x26, 1, 0xAF], true),
            ("VP8", [0x10, 0x50], true), ("VP8", [0x10, 0x51], false), ("VP8", [0x90, 0x80, 0x81, 0x02, 0x50], true),
            ("VP8", [0x00, 0x50], false), ("VP9", [0x8C, 0x80, 1] + vp9Key, true),
            ("VP9", [0x8C, 0x80, 1, 0x86, 0, 0x40, 0x92], false),
            ("VP9", [0xCC, 0x80, 1] + vp9Key, false),
            ("VP9", [0xA8, 0x01, 0x02, 0], false), ("VP9", [0x80, 0x80, 1], false), ("AV1", [0x18, 0x08], true),
            ("AV1", [0x10, 0x30], false), ("AV1", [0x10, 0x08], true), ("AV1", [0x00, 0x05, 0x08], true),
            ("AV1", [0x90, 0x08], false), ("JPEG", [0, 0, 0, 0], true), ("MPV", [0, 0, 0x21, 0], true),
            ("MPV", [0, 0, 0, 0], false), ("MP4V-ES", [0, 0, 1, 0xB0, 1], true),
            ("MP4V-ES", [0, 0, 1, 0xB6, 0x10], true),
            ("MP4V-ES", [0, 0, 1, 0xB6, 0x50], false),
        ]
        for (encoding, payload, isKey) in cases {
            var forwarder = single(encoding)
            var buffer = ByteBuffer()
            let got = forwarder.forward(rtp(payload, sequence: 1, timestamp: 1, marker: true), into: &buffer)
            #expect(got.startsAccessUnit && got.isRandomAccess == isKey, "\(encoding) \(payload)")
        }
        // An I picture is one with parameter sets before it.
        let intra: [UInt8] = [0x61, 0b1011_0000, 0, 0, 0]
        for hasSets in [false, true] {
            var forwarder = single("H264")
            var buffer = ByteBuffer()
            if hasSets { _ = forwarder.forward(rtp(sps, sequence: 0, timestamp: 1), into: &buffer) }
            #expect(forwarder.forward(rtp(intra, sequence: 1, timestamp: 1), into: &buffer).isRandomAccess == hasSets)
        }
    }

    @Test func whatTellsNothingBeginsOnceASecond() {
        for (kind, encoding) in [("video", "H261"), ("audio", "G726-32")] {
            var forwarder = single(encoding, kind: kind)
            var buffer = ByteBuffer()
            let starts = (0..<75).filter { index in
                let packet = rtp([1, 2], sequence: UInt16(index), timestamp: UInt32(index) * 3600)
                return forwarder.forward(packet, at: index * 40, into: &buffer).isRandomAccess
            }
            #expect(starts == [0, 25, 50])
        }
        // Beside video, sound is no place to begin.
        var forwarder = RTPForwarder(description: Self.h264, seed: 1)
        var buffer = ByteBuffer()
        let got = forwarder.forward(rtp([1, 2], sequence: 0, timestamp: 0, type: 8), media: 1, into: &buffer)
        #expect(got.startsAccessUnit && !got.isRandomAccess)
        #expect(buffer.packets[0].channel == 2)
    }

    @Test("69: a packet is cut when no datagram could carry it")
    func cutsAtTheLimit() {
        for (size, count) in [(1460, 1), (1461, 2), (20_000, 14)] {
            var forwarder = RTPForwarder(description: Self.h264, seed: 1)
            var buffer = ByteBuffer()
            let unit = Self.key + Array(repeating: 7, count: size - Self.key.count)
            for number in [5, 6] as [UInt16] {
                let packet = rtp(unit, sequence: number, timestamp: UInt32(number), marker: true)
                let got = forwarder.forward(packet, into: &buffer)
                #expect(got.startsAccessUnit && got.isRandomAccess && got.endsAccessUnit)
            }
            let packets = buffer.packets
            #expect(packets.count == 2 * count)
            #expect(packets.allSatisfy { $0.bytes.count <= 1472 })
            #expect(packets.map(\.header.marker) == (0..<2 * count).map { $0 % count == count - 1 })
            // Renumbered: one after the other.
            let first = packets[0].header.sequenceNumber
            #expect(packets.enumerated().allSatisfy { $1.header.sequenceNumber == first &+ UInt16($0) })
            #expect(forwarder.refragmented == (count > 1 ? 2 : 0))
        }
    }

    @Test("69: sound is cut at samples, and what cannot be cut is passed on and counted")
    func cutsOthers() {
        var law = single("L16", kind: "audio", rate: 44_100)
        var buffer = ByteBuffer()
        _ = law.forward(rtp((0..<3000).map { UInt8($0 & 255) }, sequence: 0, timestamp: 0, marker: true), into: &buffer)
        #expect(buffer.packets.map(\.payload.count) == [1450, 1450, 100])
        let first = buffer.packets[0].header.timestamp
        #expect(buffer.packets.map { $0.header.timestamp &- first } == [0, 725, 1450])
        #expect(buffer.packets.map(\.header.marker) == [true, false, false])

        var aac = single(
            "mpeg4-generic",
            kind: "audio",
            rate: 16_000,
            fmtp: "mode=AAC-hbr;sizelength=13;indexlength=3;config=1408"
        )
        buffer.clear()
        let sizes = [1000, 1000, 2000]
        let headers = sizes.flatMap { [UInt8($0 >> 5), UInt8($0 << 3 & 255)] }
        let units = Array(repeating: UInt8(9), count: 4000)
        _ = aac.forward(rtp([0, 48] + headers + units, sequence: 0, timestamp: 0, marker: true), into: &buffer)
        #expect(buffer.packets.map(\.payload.count) == [1004, 1004, 1450, 558])
        #expect(buffer.packets.map(\.header.marker) == [true, true, false, true])
        let start = buffer.packets[0].header.timestamp
        #expect(buffer.packets.map { $0.header.timestamp &- start } == [0, 1024, 2048, 2048])

        var jpeg = single("JPEG")
        buffer.clear()
        _ = jpeg.forward(rtp(Array(repeating: 0, count: 3000), sequence: 0, timestamp: 0), into: &buffer)
        #expect(buffer.packets.map(\.payload.count) == [3000])
        #expect(jpeg.oversized == 1 && jpeg.refragmented == 0)
    }

    @Test func insertsParameterSetsThatReadersWereNotTold() {
        var forwarder = RTPForwarder(description: Self.h264, seed: 1)
        forwarder.insertsParameterSets(Synthetic.h264)
        var buffer = ByteBuffer()
        _ = forwarder.forward(rtp(Self.slice, sequence: 0, timestamp: 0), into: &buffer)
        _ = forwarder.forward(rtp(Self.delimiter, sequence: 1, timestamp: 1), into: &buffer)
        #expect(forwarder.forward(rtp(Self.key, sequence: 2, timestamp: 1), into: &buffer).isRandomAccess)
        // With sets of its own it needs none.
        _ = forwarder.forward(rtp(Synthetic.h264SPS, sequence: 3, timestamp: 2), into: &buffer)
        _ = forwarder.forward(rtp(Self.key, sequence: 4, timestamp: 2), into: &buffer)
        let packets = buffer.packets
        #expect(packets.map { $0.payload[0] & 0x1F } == [1, 24, 9, 5, 7, 5])
        let first = packets[0].header.sequenceNumber
        #expect(packets.map { $0.header.sequenceNumber &- first } == [0, 1, 2, 3, 4, 5])
        #expect(packets[1].header.timestamp == packets[2].header.timestamp)
        // The picture's start is that of the inserted packet; a late packet keeps its place before it.
        #expect(packets[1].payload.count == 1 + 2 + Synthetic.h264SPS.count + 2 + Synthetic.h264PPS.count)
    }

    @Test func goesOnOverAChangeOfPublisher() {
        var packager = RTPPackager(description: Self.h264, seed: 1)
        let before = packager.package(Synthetic.stream(pictures: 10)).packets
        let end = packager.continuity[0]!.time
        var forwarder = RTPForwarder(description: Self.h264, seed: 2, continuing: packager.continuity)
        #expect(forwarder.sources == packager.sources)
        var buffer = ByteBuffer()
        let now = end + .seconds(2)
        rtp(Self.key, sequence: 77, timestamp: 5).withSpan {
            _ = forwarder.forward($0, media: 0, now: now, into: &buffer)
        }
        rtp([1], sequence: 88, timestamp: 6, type: 8).withSpan {
            _ = forwarder.forward($0, media: 1, now: now, into: &buffer)
        }
        for (channel, rate) in [(UInt8(0), UInt32(90_000)), (2, 8000)] {
            let last = before.on(channel).last!.header
            let next = buffer.packets.on(channel)[0].header
            #expect(next.sequenceNumber == last.sequenceNumber &+ 1)
            #expect((rate * 2 - rate / 20...rate * 2 + rate / 20).contains(next.timestamp &- last.timestamp))
        }
        // And back: a camera that comes again with another SSRC is one more change.
        rtp(Self.key, sequence: 9, timestamp: 900_000_000, ssrc: 3).withSpan {
            _ = forwarder.forward($0, media: 0, now: now + .seconds(1), into: &buffer)
        }
        let pictures = buffer.packets.on(0)
        #expect(pictures[1].header.sequenceNumber == pictures[0].header.sequenceNumber &+ 1)
        #expect(pictures[1].header.timestamp &- pictures[0].header.timestamp == 90_000)
        var last = RTPPackager(description: Self.h264, seed: 3, continuing: forwarder.continuity)
        var more = ByteBuffer()
        last.package(.video([0, 0, 0, 2, 0x41, 1], at: 7, isKey: false), now: now + .seconds(2), into: &more)
        #expect(more.packets[0].header.sequenceNumber == pictures[1].header.sequenceNumber &+ 1)
        #expect(more.packets[0].header.timestamp &- pictures[1].header.timestamp == 90_000)
    }

    @Test func camerasThatDoNotCount() {
        var forwarder = RTPForwarder(description: Self.h264, seed: 1)
        var buffer = ByteBuffer()
        for index in 0..<10 {
            _ = forwarder.forward(rtp(Self.slice, sequence: 0, timestamp: UInt32(index) * 3600), into: &buffer)
        }
        let numbers = buffer.packets.map(\.header.sequenceNumber)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 &+ 1 == $1 })
    }

    private func reports(_ forwarder: inout RTPForwarder, at milliseconds: Int) -> [RTCPSenderReport] {
        var buffer = ByteBuffer()
        let wall = WallClock(nanoseconds: 1_700_000_000_000_000_000 + Int64(milliseconds) * 1_000_000)
        forwarder.appendSenderReports(now: .milliseconds(milliseconds), wallClock: wall, into: &buffer)
        return buffer.reports.compactMap { report in report.bytes.withSpan { RTCPSenderReport($0) } }
    }

    @Test("65, 67: sender reports keep the publisher's distance of picture and sound")
    func reportsThePublishersTime() {
        var forwarder = RTPForwarder(description: Self.h264, seed: 1)
        var buffer = ByteBuffer()
        _ = forwarder.forward(rtp(Self.key, sequence: 0, timestamp: 90_000), at: 0, into: &buffer)
        // Sound arrives 300 ms late.
        _ = forwarder.forward(rtp([1], sequence: 0, timestamp: 8000, type: 8), media: 1, at: 300, into: &buffer)
        let sent = buffer.packets
        #expect(sent.count == 2)
        let byArrival = reports(&forwarder, at: 1000)
        #expect(
            byArrival.map { $0.rtpTimestamp } == [sent[0].header.timestamp &+ 90_000, sent[1].header.timestamp &+ 5600]
        )
        // The publisher's clock is of 1990; both media were at one moment.
        let ntp = UInt64(2_840_140_800) << 32
        forwarder.takeSenderReport(media: 0, ntp: ntp, rtpTimestamp: 90_000, now: .milliseconds(1000))
        forwarder.takeSenderReport(media: 1, ntp: ntp, rtpTimestamp: 8000, now: .milliseconds(1100))
        let told = reports(&forwarder, at: 2000)
        #expect(told.map { $0.rtpTimestamp } == [sent[0].header.timestamp &+ 90_000, sent[1].header.timestamp &+ 8000])
        #expect(told[0].ntp >> 32 == 1_700_000_002 + 2_208_988_800)
        // A report of another clock than the packets' is none.
        forwarder.takeSenderReport(media: 1, ntp: ntp + 5 << 32, rtpTimestamp: 77_000_000, now: .milliseconds(3000))
        let mixed = reports(&forwarder, at: 3000)
        #expect(mixed[1].rtpTimestamp == sent[1].header.timestamp &+ 21_600)
        // And none of the other media either: they would be in two times.
        #expect(mixed[0].rtpTimestamp == sent[0].header.timestamp &+ 270_000)
    }

    @Test func survivesHostilePackets() {
        var noise = Noise(state: 11)
        let formats = ["H264", "H265", "VP8", "VP9", "AV1", "JPEG", "MPV", "MP4V-ES", "L16", "MP2T", "?"]
        for encoding in formats {
            var forwarder = single(encoding)
            forwarder.insertsParameterSets(encoding == "H265" ? Synthetic.h265 : Synthetic.h264)
            var buffer = ByteBuffer()
            for round in 0..<80 {
                var payload = (0..<Int.random(in: 0...40, using: &noise)).map { _ in
                    UInt8.random(in: 0...255, using: &noise)
                }
                if round % 7 == 0 { payload += Array(repeating: payload.first ?? 0, count: 1500 + round * 97) }
                let packet = rtp(payload, sequence: UInt16(round), timestamp: UInt32(round / 3))
                for length in stride(from: 0, through: packet.count, by: packet.count > 100 ? 391 : 1) {
                    var cut = Array(packet[..<length])
                    if round % 5 == 0, length > 0 { cut[0] = UInt8.random(in: 128...191, using: &noise) }
                    _ = forwarder.forward(cut, media: round % 11 == 0 ? 9 : 0, at: round, into: &buffer)
                }
                _ = buffer.packets
                buffer.clear()
            }
            #expect(forwarder.invalid > 0)
        }
    }
}
