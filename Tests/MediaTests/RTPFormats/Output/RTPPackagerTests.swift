import NIOCore
import Testing

@testable import Media

@Suite struct RTPPackagerTests {
    private static let h264 =
        StreamDescription(video: Synthetic.h264, audio: Synthetic.aac) ?? StreamDescription(media: [])
    private static let h265 = StreamDescription(video: Synthetic.h265, audio: nil) ?? StreamDescription(media: [])

    private func unit(_ size: Int, type: UInt8 = 0x41) -> [UInt8] {
        [type] + (1..<size).map { UInt8(truncatingIfNeeded: $0) | 1 }
    }

    private func payloads(_ units: [[UInt8]], isKey: Bool = false, codec: VideoCodec = .h264) -> [ReadPacket] {
        var packager = RTPPackager(description: codec == .h264 ? Self.h264 : Self.h265, seed: 1)
        var buffer = ByteBuffer()
        let frame = Frame(track: .video, dts: 0, pts: 0, isKey: isKey, payload: Synthetic.avcc(units))
        packager.package(frame, now: .milliseconds(0), into: &buffer)
        return buffer.packets
    }

    @Test("89: a unit fits, or does not by one byte")
    func cutsAtTheTarget() {
        let whole = payloads([unit(1450)])
        #expect(whole.map(\.payload) == [unit(1450)])
        #expect(whole.map(\.header.marker) == [true])
        let cut = payloads([unit(1451)])
        // One byte of the unit is its header, which is in the two of FU-A.
        #expect(cut.map(\.payload.count) == [1450, 4])
        #expect(cut.map { Array($0.payload.prefix(2)) } == [[0x5C, 0x81], [0x5C, 0x41]])
        #expect(cut.map(\.header.marker) == [false, true])
        #expect(cut.flatMap { $0.payload.dropFirst(2) } == Array(unit(1451).dropFirst()))
        #expect(payloads([unit(1 + 2 * 1448)]).map(\.payload.count) == [1450, 1450])
        #expect(payloads([unit(2 + 2 * 1448)]).map(\.payload.count) == [1450, 1450, 3])
    }

    @Test("89: small units go together as long as they fit")
    func aggregates() {
        let fits = payloads([unit(700, type: 0x21), unit(745, type: 0x65)])
        #expect(fits.map(\.payload.count) == [1450])
        #expect(fits[0].payload.prefix(4) == [0x78, 0x02, 0xBC, 0x21])
        #expect(payloads([unit(700), unit(746)]).map(\.payload.count) == [700, 746])
        #expect(payloads([unit(700), unit(746)]).map(\.header.marker) == [false, true])
        #expect(payloads([unit(10), unit(1500), unit(10), unit(20)]).map(\.payload.count) == [10, 1450, 53, 35])
        // Empty units are passed over, and do not take the marker away.
        #expect(payloads([[], unit(10), []]).map(\.header.marker) == [true])
        #expect(payloads([[]]).isEmpty)
    }

    @Test func aggregatesAndCutsH265() {
        let slice: [UInt8] = [0x02, 0x01] + unit(1448)
        #expect(payloads([slice], codec: .h265).map(\.payload) == [slice])
        let cut = payloads([slice + [7]], codec: .h265)
        #expect(cut.map { Array($0.payload.prefix(3)) } == [[0x62, 0x01, 0x81], [0x62, 0x01, 0x41]])
        #expect(cut.map(\.payload.count) == [1450, 5])
        let two = payloads([[0x4E, 0x03, 9], [0x02, 0x0A, 8]], codec: .h265)
        // The lowest of the layers (0 and 1) and of the temporal identifiers (3 and 2).
        #expect(two.map(\.payload) == [[0x60, 0x02, 0, 3, 0x4E, 0x03, 9, 0, 3, 0x02, 0x0A, 8]])
    }

    @Test func sendsParameterSetsBeforeEveryKeyFrame() {
        var packager = RTPPackager(description: Self.h265, seed: 1)
        let buffer = packager.package([
            .video(Synthetic.h265), .frame(Synthetic.picture(.h265, 0, isKey: true, size: 100)),
            .frame(Synthetic.picture(.h265, 1, isKey: false, size: 100)),
        ])
        let packets = buffer.packets
        #expect(packets.map { $0.payload[0] >> 1 } == [48, 19, 1])
        #expect(packets.map(\.header.marker) == [false, true, true])
        let sets = packets[0].payload
        #expect(sets.count == 2 + 6 + Synthetic.h265VPS.count + Synthetic.h265SPS.count + Synthetic.h265PPS.count)
        #expect(packets[0].header.timestamp == packets[1].header.timestamp)
    }

    @Test func keepsTheCountOfSamplesUntilTheTimeIsOffBy40Milliseconds() {
        let audio = AudioParameters(codec: .aac, sampleRate: 48_000, channels: 2, configuration: [0x11, 0x90])
        var packager = RTPPackager(description: StreamDescription(video: nil, audio: audio)!, seed: 3)
        // 21, 43, 64, … ms, as FLV rounds them; then a gap of a second.
        var times: [Int64] = (0..<50).map { (index: Int64) in index * 1_024_000 / 48_000 * 90 }
        times += [270_000, 271_890]
        let buffer = packager.package(times.map { MediaEvent.frame(.audio([1, 2, 3], at: $0)) })
        let stamps = buffer.packets.map(\.header.timestamp)
        #expect((1..<50).allSatisfy { stamps[$0] &- stamps[$0 - 1] == 1024 })
        #expect(stamps[50] &- stamps[0] == 3 * 48_000)
        #expect(stamps[51] &- stamps[50] == 1024)
    }

    @Test("54: starts are those of the packets that follow")
    func tellsWherePacketsBegin() {
        var packager = RTPPackager(description: Self.h264, seed: 9)
        let events = Synthetic.stream(Synthetic.h264, audio: Synthetic.aac, pictures: 30)
        _ = packager.package(events)
        let key = Synthetic.picture(.h264, 30, isKey: true, size: 9000)
        let starts = packager.starts(before: key, now: .milliseconds(2000))
        var buffer = ByteBuffer()
        packager.take(Synthetic.h264)
        packager.package(key, now: .milliseconds(2000), into: &buffer)
        packager.package(.audio([1], at: key.pts), now: .milliseconds(2000), into: &buffer)
        let first = buffer.packets.first
        #expect(starts[0] == RTPStart(sequenceNumber: first!.header.sequenceNumber, timestamp: first!.header.timestamp))
        let sound = buffer.packets.on(2)[0].header
        #expect(starts[1].sequenceNumber == sound.sequenceNumber)
        // The count of samples may be up to 40 ms beside the time of the picture.
        #expect(abs(Int32(bitPattern: starts[1].timestamp &- sound.timestamp)) <= 16 * 40)
    }

    @Test("59: sources are the server's, the same for the next publisher")
    func continuesForReaders() {
        var first = RTPPackager(description: Self.h264, seed: 1)
        let before = first.package(Synthetic.stream(Synthetic.h264, audio: Synthetic.aac, pictures: 20)).packets
        let continuity = first.continuity
        #expect(continuity.count == 2)
        // Half a second later another encoder, whose times begin at 0.
        var second = RTPPackager(description: Self.h264, seed: 2, continuing: continuity)
        #expect(second.sources == first.sources)
        let pause = Int64((continuity[0]!.time + .milliseconds(500)).uptimeNanoseconds)
        var buffer = ByteBuffer()
        let now = NIODeadline.uptimeNanoseconds(UInt64(pause))
        second.package(
            .video(Array(Synthetic.avcc([unit(50)]).readableBytesView), at: 0, isKey: false),
            now: now,
            into: &buffer
        )
        second.package(.audio([1], at: 0), now: now, into: &buffer)
        let after = buffer.packets
        for (channel, rate) in [(UInt8(0), 90_000), (2, 16_000)] {
            let last = before.on(channel).last!.header
            let next = after.on(channel).first!.header
            #expect(next.ssrc == last.ssrc)
            #expect(next.sequenceNumber == last.sequenceNumber &+ 1)
            let elapsed = Double(next.timestamp &- last.timestamp) / Double(rate)
            #expect((0.45...0.6).contains(elapsed), "\(elapsed) s")
        }
        // Without a pause time does not stand still.
        var third = RTPPackager(description: Self.h264, seed: 2, continuing: continuity)
        var more = ByteBuffer()
        third.package(.video([0, 0, 0, 2, 0x41, 1], at: 0, isKey: false), now: continuity[0]!.time, into: &more)
        #expect(more.packets[0].header.timestamp &- before.on(0).last!.header.timestamp == 1800)
    }

    @Test("65: sender reports lie on one line for picture and sound")
    func reportsTime() {
        var packager = RTPPackager(description: Self.h264, seed: 4)
        var buffer = ByteBuffer()
        packager.appendSenderReports(now: .milliseconds(0), wallClock: WallClock(nanoseconds: 0), into: &buffer)
        #expect(buffer.readableBytes == 0)
        let wall: Int64 = 1_700_000_000_000_000_000
        packager.package(
            Synthetic.picture(.h264, 0, isKey: false, size: 3000, dts: 900_000),
            now: .milliseconds(0),
            into: &buffer
        )
        packager.package(.audio(Array(repeating: 1, count: 50), at: 900_000), now: .milliseconds(0), into: &buffer)
        let packets = buffer.packets
        buffer.clear()
        // A second later.
        packager.appendSenderReports(
            now: .milliseconds(1000),
            wallClock: WallClock(nanoseconds: wall + 1_000_000_000),
            into: &buffer
        )
        let reports = buffer.reports
        #expect(reports.map(\.channel) == [1, 3])
        for (report, rate) in zip(reports, [90_000, 16_000] as [UInt32]) {
            #expect(report.bytes.count == 28 + 28)
            let parsed = report.bytes.withSpan { RTCPSenderReport($0) }!
            let sent = packets.on(report.channel - 1)
            #expect(parsed.ssrc == sent[0].header.ssrc)
            #expect(parsed.ntp >> 32 == 1_700_000_001 + 2_208_988_800)
            #expect(parsed.rtpTimestamp == sent[0].header.timestamp &+ rate)
            let words = stride(from: 20, to: 28, by: 4).map { at in
                report.bytes[at..<at + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            }
            #expect(words == [UInt32(sent.count), UInt32(sent.reduce(0) { $0 + $1.payload.count })])
        }
        // The media time is 0.3 s behind now: that is within what a network does.
        buffer.clear()
        packager.package(.audio([1], at: 900_000 + 9 * 90_000), now: .milliseconds(9_300), into: &buffer)
        buffer.clear()
        let report = { (packager: inout RTPPackager, seconds: Int64) -> UInt32 in
            var buffer = ByteBuffer()
            packager.appendSenderReports(
                now: .milliseconds(Int(seconds) * 1000),
                wallClock: WallClock(nanoseconds: wall + seconds * 1_000_000_000),
                into: &buffer
            )
            return buffer.reports[0].bytes.withSpan { RTCPSenderReport($0) }!.rtpTimestamp
        }
        let start = packets[0].header.timestamp
        #expect(report(&packager, 10) == start &+ 900_000)
        // Beyond half a second it is taken anew.
        packager.package(.audio([1], at: 900_000 + 19 * 90_000), now: .milliseconds(20_000), into: &buffer)
        #expect(report(&packager, 20) == start &+ 19 * 90_000)
    }

    @Test func saysGoodbye() {
        let packager = RTPPackager(description: Self.h264, seed: 4)
        var buffer = ByteBuffer()
        packager.appendGoodbye(into: &buffer)
        #expect(buffer.reports.map(\.channel) == [1, 3])
        let events = buffer.reports.map { report in report.bytes.withSpan { RTCPEvent.parse($0) } }
        #expect(events == packager.sources.map { [.goodbye(ssrc: $0)] })
    }

    @Test func dropsWhatNoPacketCanCarry() {
        var packager = RTPPackager(description: Self.h264, seed: 4)
        var buffer = ByteBuffer()
        packager.package(.audio(Array(repeating: 0, count: 8192), at: 0), now: .milliseconds(0), into: &buffer)
        packager.package(.audio([], at: 0), now: .milliseconds(0), into: &buffer)
        packager.package(.video([0, 0, 1], at: 0, isKey: true), now: .milliseconds(0), into: &buffer)
        packager.package(.video([0, 0, 0, 9, 1, 2], at: 0, isKey: true), now: .milliseconds(0), into: &buffer)
        #expect(buffer.readableBytes == 0)
        #expect(packager.droppedFrames == 4)
    }
}
