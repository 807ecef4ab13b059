import NIOCore
import Testing
import Wire

@testable import Media

private let h264 = RTPFormat(payloadType: 96, encoding: "H264", clockRate: 90_000)
private let pcma = RTPFormat(payloadType: 8, encoding: "PCMA", clockRate: 8000)

private func ingest(
    _ transport: RTPIngestConfiguration.Transport = .udp,
    _ description: StreamDescription = h264.stream("video")
) -> RTSPIngest {
    RTSPIngest(description, configuration: .init(transport: transport))
}

private func pictures(_ count: Int, size: Int = 3000) -> [[UInt8]] {
    var packets = RTSPPackets()
    packets.addPictures(0..<count, size: size)
    return packets.all
}

private func expected(_ range: Range<Int>, size: Int = 3000) -> [ByteBuffer] {
    range.map { Synthetic.avcc([Synthetic.slice(.h264, isKey: $0 % 10 == 0, size: size, seed: $0)]) }
}

@Suite struct RTSPIngestTests {
    @Test("68: packets out of order are put in order, twice the same is once")
    func sorts() {
        var packets = pictures(30)
        var noise = Noise(state: 1)
        // Each block of 8 in any order, with doubles.
        packets = stride(from: 0, to: packets.count, by: 8).flatMap { start in
            let block = Array(packets[start..<min(start + 8, packets.count)])
            return (start == 0 ? block : block.shuffled(using: &noise)) + block.prefix(2)
        }
        var ingest = ingest()
        var forwarded: [[UInt8]] = []
        var events: [MediaEvent] = []
        for (index, packet) in packets.enumerated() {
            packet.withSpan {
                ingest.receive($0, media: 0, isRTCP: false, now: .milliseconds(index), into: &events) { span, media in
                    #expect(media == 0)
                    forwarded.append(span.array(0..<span.byteCount))
                }
            }
        }
        ingest.finish(at: packets.count, into: &events)
        #expect(events.pictures.map(\.payload) == expected(0..<30))
        #expect(forwarded == pictures(30))
        let order = ingest.statistics.media[0].order
        #expect(order.lost == 0 && order.duplicates > 10 && order.reordered > 10)
    }

    @Test("68: what is lost is counted, and no damaged picture passes", arguments: [UInt64(1), 2, 3, 4, 5, 6])
    func losesPackets(seed: UInt64) {
        let all = pictures(200)
        var noise = Noise(state: seed)
        let kept = all.filter { _ in Double.random(in: 0..<1, using: &noise) >= 0.02 }
        for transport in [RTPIngestConfiguration.Transport.udp, .tcp] {
            var ingest = ingest(transport)
            let got = ingest.feed(kept).pictures
            let known = expected(0..<200)
            // Every picture is one that was sent, and follows a key frame with none missing between.
            var last: Int?
            for picture in got {
                guard let index = known.firstIndex(of: picture.payload) else {
                    Issue.record("a damaged picture after \(String(describing: last))")
                    return
                }
                #expect(picture.isKey || index == (last ?? -2) + 1)
                last = index
            }
            #expect(got.count > 40 && got.count < 200)
            let statistics = ingest.statistics
            // The last ones lost leave no gap.
            #expect(abs(statistics.lost - (all.count - kept.count)) <= 2)
            #expect(statistics.video.damaged > 0)
        }
    }

    @Test("68: a sender that begins anew with old numbers is followed")
    func resynchronises() {
        var ingest = ingest()
        let first = ingest.feed(pictures(20))
        var packets = RTSPPackets()
        packets.number = 65_400
        packets.addPictures(20..<40)
        let second = ingest.feed(packets.all, from: 2000)
        #expect(first.pictures.count == 20)
        // But for the packets that it took to notice.
        #expect(second.pictures.map(\.payload).suffix(10) == expected(30..<40)[...])
        #expect(ingest.statistics.media[0].order.restarts == 1)
    }

    @Test("64: what is no RTP or RTCP is counted, and the stream goes on")
    func countsInvalidPackets() {
        var ingest = ingest()
        var events: [MediaEvent] = []
        let packets = pictures(20)
        for (index, packet) in packets.enumerated() {
            let now = NIODeadline.milliseconds(index)
            packet.withSpan { ingest.receive($0, media: 0, isRTCP: false, now: now, into: &events) }
            for noise in [[], [0x80], [UInt8](repeating: 0xFF, count: 40), Array(packet.prefix(11))] {
                noise.withSpan {
                    ingest.receive($0, media: 0, isRTCP: false, now: now, into: &events)
                    ingest.receive($0, media: 0, isRTCP: true, now: now, into: &events)
                    ingest.receive($0, media: 9, isRTCP: false, now: now, into: &events)
                    ingest.receive($0, media: -1, isRTCP: true, now: now, into: &events)
                }
            }
        }
        ingest.finish(at: packets.count, into: &events)
        #expect(events.pictures.map(\.payload) == expected(0..<20))
        #expect(ingest.statistics.invalid == packets.count * 8)
    }

    @Test("63: another SSRC in a media is accepted and counted")
    func acceptsOtherSources() {
        let packets = pictures(20).enumerated().map { index, packet in
            var packet = packet
            if index >= 50 { packet[8] = 0xEE }
            return packet
        }
        for transport in [RTPIngestConfiguration.Transport.udp, .tcp] {
            var ingest = ingest(transport)
            #expect(ingest.feed(packets).pictures.map(\.payload) == expected(0..<20))
            #expect(ingest.statistics.media[0].ssrcChanges == 1)
            #expect(ingest.statistics.media[0].ssrc == 0xEE34_5678)
        }
        var other = RTSPPackets()
        other.ssrc = 5
        other.number = 30_000
        other.addPictures(20..<40)
        var ingest = ingest()
        _ = ingest.feed(pictures(20))
        #expect(ingest.feed(other.all, from: 1000).pictures.map(\.payload) == expected(20..<40))
    }

    @Test("an empty packet is none")
    func ignoresEmptyPackets() {
        var packets = RTSPPackets()
        packets.add([], timestamp: 0xFFFF_0000)
        packets.addPictures(0..<10)
        var ingest = ingest()
        #expect(ingest.feed(packets.all).pictures.map(\.payload) == expected(0..<10))
        #expect(ingest.statistics.invalid == 0)
    }

    @Test("parameters of the description come at once, and again only when they change")
    func startsWithTheDescription() {
        let sets = [Synthetic.h264SPS, Synthetic.h264PPS].map { Base64.encode($0) }.joined(separator: ",")
        var format = h264
        format.fmtp = "sprop-parameter-sets=\(sets)"
        let stream = StreamDescription(media: [
            RTPMedia(kind: "video", formats: [format]), RTPMedia(kind: "audio", formats: [pcma]),
        ])
        var ingest = ingest(.tcp, stream)
        var events: [MediaEvent] = []
        ingest.start(into: &events)
        #expect(events == [.video(Synthetic.h264), .audio(Synthetic.g711)])
        let got = ingest.feed(pictures(20))
        #expect(got.parameters == [])
        #expect(got.pictures.count == 20)
        // Without sets in the stream as well.
        var bare = RTSPPackets()
        for index in 0..<5 {
            let slice = Synthetic.slice(.h264, isKey: index == 0, size: 500, seed: index)
            bare.add(slice, timestamp: UInt32(index * 3600), marker: true)
        }
        ingest = RTSPIngest(stream, configuration: .init(transport: .tcp))
        ingest.start(into: &events)
        #expect(ingest.feed(bare.all).pictures.count == 5)
        #expect(ingest.statistics.media[0].codec == "H264")
    }

    @Test("one picture and one sound are made frames of, the rest is handed on")
    func handsOnTheRest() {
        let second = RTPFormat(payloadType: 97, encoding: "H264", clockRate: 90_000)
        let g726 = RTPFormat(payloadType: 98, encoding: "G726-32", clockRate: 8000)
        let metadata = RTPFormat(payloadType: 107, encoding: "vnd.onvif.metadata", clockRate: 90_000)
        let stream = StreamDescription(media: [
            RTPMedia(kind: "application", formats: [metadata]), RTPMedia(kind: "audio", formats: [g726]),
            RTPMedia(kind: "video", formats: [h264]), RTPMedia(kind: "video", formats: [second]),
            RTPMedia(kind: "audio", formats: [pcma], isBackChannel: true), RTPMedia(kind: "audio", formats: [pcma]),
        ])
        var ingest = ingest(.tcp, stream)
        var events: [MediaEvent] = []
        ingest.start(into: &events)
        var forwarded: [Int] = []
        for media in stream.media.indices {
            var packets = RTSPPackets()
            packets.payloadType = stream.media[media].formats[0].payloadType
            packets.add([1, 2, 3], timestamp: 0, marker: true)
            packets.all[0].withSpan {
                ingest.receive($0, media: media, isRTCP: false, now: .milliseconds(media), into: &events) { _, number in
                    forwarded.append(number)
                }
            }
        }
        #expect(forwarded == [0, 1, 2, 3, 4, 5])
        #expect(events.sounds.count == 1)
        #expect(ingest.statistics.passedOn == ["vnd.onvif.metadata", "G726-32", "H264", "PCMA"])
        #expect(ingest.statistics.media.map(\.codec) == [nil, nil, "H264", nil, nil, "PCMA"])
        #expect(ingest.statistics.packets == 6)
    }

    @Test("a lost packet of sound costs that sound, and no picture")
    func losesSoundAlone() {
        let stream = StreamDescription(media: [
            RTPMedia(kind: "video", formats: [h264]), RTPMedia(kind: "audio", formats: [pcma]),
        ])
        var sound = RTSPPackets()
        sound.payloadType = 8
        for index in 0..<50 { sound.add([UInt8](repeating: UInt8(index), count: 320), timestamp: UInt32(index * 320)) }
        var ingest = ingest(.udp, stream)
        sound.all.remove(at: 20)
        var events = ingest.feed(sound.all, media: 1)
        events += ingest.feed(pictures(20), from: 5000)
        #expect(events.sounds.count == 49)
        #expect(events.pictures.count == 20)
        #expect(events.sounds[20].pts - events.sounds[19].pts == 7200)
        #expect(ingest.statistics.media.map(\.order.lost) == [0, 1])
    }

    @Test("receiver reports: loss, jitter in the media's own clock, the sender report's time")
    func reports() throws {
        let stream = StreamDescription(media: [RTPMedia(kind: "audio", formats: [pcma])])
        var ingest = ingest(.tcp, stream)
        #expect(ingest.receiverReport(media: 0, now: .milliseconds(0)) == nil)
        #expect(ingest.receiverReport(media: 3, now: .milliseconds(0)) == nil)
        var sound = RTSPPackets()
        sound.payloadType = 8
        for index in 0..<50 { sound.add([UInt8](repeating: 1, count: 320), timestamp: UInt32(index * 320)) }
        var events: [MediaEvent] = []
        for (index, packet) in sound.all.enumerated() where index % 5 != 2 {
            packet.withSpan {
                ingest.receive($0, media: 0, isRTCP: false, now: .milliseconds(index * 40), into: &events)
            }
        }
        RTSPPackets.senderReport(ntp: 0x1122_3344_5566_7788, timestamp: 0).withSpan {
            ingest.receive($0, media: 0, isRTCP: true, now: .milliseconds(2000), into: &events)
        }
        let made = ingest.receiverReport(media: 0, now: .milliseconds(2500))
        let report = try #require(made)
        #expect(report[4..<12] == [0, 0, 0, 1, 0x12, 0x34, 0x56, 0x78])
        #expect(report[15] == 10)
        #expect(report[24..<28] == [0x33, 0x44, 0x55, 0x66])
        #expect(report[28..<32] == [0, 0, 0x80, 0])
        #expect(ingest.statistics.media[0].jitter == 0)
        #expect(ingest.takeSenderReports() == [SenderReport(media: 0, ntp: 0x1122_3344_5566_7788, rtpTimestamp: 0)])
        #expect(ingest.takeSenderReports() == [])
        #expect(ingest.lastActivity == .milliseconds(2000))
    }

    @Test("a payload type that the description does not have is the one that it has")
    func takesOtherPayloadTypes() {
        var packets = RTSPPackets()
        packets.payloadType = 98
        packets.addPictures(0..<10)
        var one = ingest()
        #expect(one.feed(packets.all).pictures.count == 10)
        // With several, the one that comes is taken.
        let formats = [RTPFormat(payloadType: 97, encoding: "H265", clockRate: 90_000), h264]
        var two = ingest(.udp, StreamDescription(media: [RTPMedia(kind: "video", formats: formats)]))
        #expect(two.feed(pictures(10)).pictures.count == 10)
        #expect(two.statistics.media[0].codec == "H264")
    }

    @Test("a camera that says H265 and sends H264 is believed by its bits")
    func correctsTheCodec() {
        let wrong = RTPFormat(payloadType: 96, encoding: "H265", clockRate: 90_000)
        var ingest = ingest(.tcp, wrong.stream("video"))
        #expect(ingest.feed(pictures(10)).pictures.map(\.payload) == expected(0..<10))
    }

    @Test(
        "64: random packets and cut ones are survived",
        arguments: [
            "H264", "H265", "VP9", "AV1", "MPEG4-GENERIC", "MP4A-LATM", "OPUS", "MPA", "PCMA",
        ]
    )
    func survivesNoise(encoding: String) {
        let isVideo = ["H264", "H265", "VP9", "AV1"].contains(encoding)
        let rate = ["OPUS": 48_000, "PCMA": 8000][encoding] ?? 90_000
        let fmtp = encoding == "MPEG4-GENERIC" ? "config=1190;sizelength=13;indexlength=3;indexdeltalength=3" : nil
        let format = RTPFormat(payloadType: 96, encoding: encoding, clockRate: rate, fmtp: fmtp)
        var noise = Noise(state: UInt64(encoding.utf8.count))
        var ingest = ingest(.udp, format.stream(isVideo ? "video" : "audio"))
        #expect(ingest.statistics.media[0].codec != nil)
        var packets = RTSPPackets()
        for _ in 0..<3000 {
            var payload = (0..<Int.random(in: 0...60, using: &noise)).map { _ in
                UInt8.random(in: 0...255, using: &noise)
            }
            if Bool.random(using: &noise), !payload.isEmpty {
                payload[0] = [0x7C, 0x62, 0x18, 0x10, 0x8C, 0, 0x20].randomElement(using: &noise) ?? 0
            }
            packets.add(
                payload,
                timestamp: UInt32.random(in: 0...9, using: &noise) * 1500,
                marker: Bool.random(using: &noise)
            )
        }
        let events = ingest.feed(packets.all)
        for track in [TrackKind.video, .audio] {
            #expect(events.frames.filter { $0.track == track }.map(\.dts).isStrictlyRising)
        }
        #expect(events.frames.allSatisfy { $0.dts <= $0.pts })
    }

    @Test("64: cut at every byte")
    func survivesCuts() {
        let packets = pictures(3, size: 1500)
        for packet in packets {
            for count in 0..<packet.count {
                var ingest = ingest(.tcp)
                _ = ingest.feed([packets[0], packets[1], Array(packet.prefix(count))])
            }
        }
    }
}
