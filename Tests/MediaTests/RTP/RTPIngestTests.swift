import NIOCore
import Testing

@testable import Media

private func order(of packet: [UInt8]) -> UInt16 {
    UInt16(packet[2]) << 8 | UInt16(packet[3])
}

@Suite struct RTPIngestTests {
    private static let events = Synthetic.stream(pictures: 60)

    @Test(arguments: [RTPIngestConfiguration.Transport.udp, .tcp])
    func givesBackWhatTheCameraSent(transport: RTPIngestConfiguration.Transport) {
        for parameters in [Synthetic.h264, Synthetic.h265] {
            for audio in [Synthetic.g711, Synthetic.aac] {
                let sent = Synthetic.stream(parameters, audio: audio, pictures: 60, keySize: 150_000)
                var ingest = RTPIngest(configuration: .init(transport: transport))
                let got = ingest.feed(packets(sent))
                #expect(got.pictures == sent.pictures)
                #expect(got.sounds.map(\.payload) == sent.sounds.map(\.payload))
                #expect(got.sounds.map(\.pts) == sent.sounds.map(\.pts))
                #expect(got.parameters == [parameters])
                let statistics = ingest.statistics
                #expect(statistics.order == .init())
                #expect(statistics.payload == .programStream)
                #expect(statistics.demux.resynchronisations == 0)
                #expect(statistics.diagnosis == nil)
                #expect(statistics.video.keyFrames == 6)
            }
        }
    }

    @Test func isIndifferentToTheSizeOfPackets() {
        let sent = Synthetic.stream(pictures: 6, interval: 3, keySize: 3000, pictureSize: 400)
        for size in [4, 5, 7, 11, 13, 14, 20, 50, 333, 1400, 60_000] {
            var ingest = RTPIngest(configuration: .init())
            let got = ingest.feed(packets(sent, payloadSize: size))
            #expect(got.pictures == sent.pictures, "payloads of \(size)")
            #expect(got.sounds.map(\.payload) == sent.sounds.map(\.payload), "payloads of \(size)")
        }
    }

    @Test func sortsWhatTheNetworkMixed() {
        var noise = Noise(state: 2)
        var all = packets(Self.events, firstSequence: 65_400)
        for index in 1..<all.count - 10 where index % 3 == 0 {
            all.swapAt(index, index + Int.random(in: 0..<8, using: &noise))
        }
        var ingest = RTPIngest(configuration: .init())
        let got = ingest.feed(all)
        #expect(got.pictures == Self.events.pictures)
        #expect(ingest.statistics.order.lost == 0)
        #expect(ingest.statistics.order.reordered > 10)
    }

    @Test("R-17 after loss no picture comes before the next key frame", arguments: 0..<40)
    func deliversNoDamagedPicture(seed: Int) {
        var noise = Noise(state: UInt64(seed))
        let parameters = seed % 2 == 0 ? Synthetic.h264 : Synthetic.h265
        let sent = Synthetic.stream(parameters, pictures: 300, interval: 25)
        let all = packets(sent)
        let kept = all.filter { _ in Int.random(in: 0..<100, using: &noise) != 0 }
        var ingest = RTPIngest(configuration: .init(transport: seed % 3 == 0 ? .tcp : .udp))
        let got = ingest.feed(kept).pictures
        let original = sent.pictures.map(\.payload)
        var expected: Int?
        for picture in got {
            guard let index = original.firstIndex(of: picture.payload) else {
                Issue.record("a picture that was never sent")
                continue
            }
            // Each picture is whole, and follows its reference or is a key frame.
            #expect(picture.isKey || index == expected, "picture \(index) after a loss")
            expected = index + 1
        }
        #expect(got.first?.isKey == true)
        if kept.count < all.count { #expect(got.count < sent.pictures.count) }
        #expect(got.count > 30)
    }

    @Test func losesOnlyOneGroupOfPicturesToOneLostPacket() {
        var all = packets(Self.events)
        all.remove(at: all.count / 2)
        var ingest = RTPIngest(configuration: .init())
        let got = ingest.feed(all).pictures
        #expect(got.count >= Self.events.pictures.count - 10)
        #expect(ingest.statistics.order.lost == 1)
        #expect(ingest.statistics.video.damaged <= 1)
    }

    @Test("R-45 the first frame is a key frame with its parameters")
    func beginsWithAKeyFrame() throws {
        let all = packets(Self.events)
        for start in stride(from: 1, to: all.count / 2, by: 3) {
            var ingest = RTPIngest(configuration: .init())
            let got = ingest.feed(Array(all[start...]))
            #expect(got.pictures.first?.isKey == true)
            let firstPicture = try #require(
                got.firstIndex { if case .frame(let f) = $0 { f.track == .video } else { false } }
            )
            #expect(got[..<firstPicture].contains(.video(Synthetic.h264)))
        }
    }

    @Test func announcesNewParametersBeforeTheirFirstPicture() {
        let high = VideoParameters(codec: .h264, sps: [Synthetic.h264HighSPS], pps: [Synthetic.h264PPS])
        let more = Synthetic.stream(high, pictures: 20).map { event -> MediaEvent in
            guard case .frame(var frame) = event else { return event }
            frame.dts += 60 * 3600
            frame.pts += 60 * 3600
            return .frame(frame)
        }
        var ingest = RTPIngest(configuration: .init())
        let got = ingest.feed(packets(Self.events + more))
        #expect(got.parameters == [Synthetic.h264, high])
        #expect(got.pictures.count == 80)
        #expect(ingest.statistics.video.parameterChanges == 1)
    }

    @Test("R-15 any SSRC plays, 0 too", arguments: [UInt32(0), 1, 0x0BEB_C201, .max])
    func playsAnySSRC(ssrc: UInt32) {
        var ingest = RTPIngest(configuration: .init(expectedSSRC: 0x0BEB_C201))
        #expect(ingest.feed(packets(Self.events, ssrc: ssrc)).pictures == Self.events.pictures)
        #expect(ingest.statistics.ssrc == ssrc)
    }

    @Test func isNotDisturbedByAStranger() {
        let own = packets(Self.events, ssrc: 1)
        let other = packets(Synthetic.stream(Synthetic.h265, pictures: 60), ssrc: 2)
        var mixed: [[UInt8]] = []
        for index in own.indices { mixed += [own[index]] + (index > 100 && index < other.count ? [other[index]] : []) }
        var ingest = RTPIngest(configuration: .init())
        #expect(ingest.feed(mixed).pictures == Self.events.pictures)
        #expect(ingest.statistics.wrongSSRC > 50)
        #expect(ingest.statistics.lastWrongSSRC == 2)
    }

    @Test("R-16 RTP before the camera's own does not keep it out")
    func changesToTheExpectedSource() {
        let stranger = packets(Synthetic.stream(Synthetic.h265, pictures: 2), ssrc: 9)
        var ingest = RTPIngest(configuration: .init(expectedSSRC: 5))
        _ = ingest.feed(stranger, flush: false)
        let got = ingest.feed(packets(Self.events, ssrc: 5), from: 50)
        #expect(got.pictures.suffix(50).map(\.payload) == Self.events.pictures.suffix(50).map(\.payload))
        #expect(ingest.statistics.ssrcChanges == 1)
    }

    @Test func leavesASourceThatNeverGaveMedia() {
        let garbage = (0..<20).map { index -> [UInt8] in
            [0x80, 96, 0, UInt8(index), 0, 0, 0, 0, 0, 0, 0, 9] + [UInt8](repeating: 7, count: 100)
        }
        var ingest = RTPIngest(configuration: .init())
        _ = ingest.feed(garbage, flush: false)
        let got = ingest.feed(packets(Self.events, ssrc: 5), from: 20)
        #expect(got.pictures == Self.events.pictures)
    }

    @Test func followsANewSourceAfterTwoSilentSeconds() {
        var ingest = RTPIngest(configuration: .init())
        let first = packets(Self.events, ssrc: 1)
        _ = ingest.feed(first)
        let early = ingest.feed(Array(packets(Self.events, ssrc: 2).prefix(20)), from: first.count + 500)
        #expect(early.pictures.isEmpty)
        let got = ingest.feed(packets(Self.events, ssrc: 3), from: first.count + 3000)
        #expect(got.pictures.map(\.payload) == Self.events.pictures.map(\.payload))
        #expect(got.pictures.first.map { $0.dts > (Self.events.pictures.last?.dts ?? 0) } == true)
        #expect(ingest.statistics.ssrc == 3)
    }

    @Test("R-27 RTCP neither locks the source nor breaks the stream")
    func readsRTCPFirst() {
        let report: [UInt8] = [0x80, 200, 0, 6, 0, 0, 0, 9] + [UInt8](repeating: 1, count: 20)
        var all = packets(Self.events, ssrc: 1)
        for index in stride(from: 0, to: all.count, by: 7) { all.insert(report, at: index) }
        var ingest = RTPIngest(configuration: .init())
        #expect(ingest.feed(all).pictures == Self.events.pictures)
        #expect(ingest.statistics.ssrc == 1)
        #expect(ingest.statistics.rtcpPackets > 20)
        let report1 = ingest.report(now: .milliseconds(100_000))
        #expect(report1?.count == 32)
    }

    @Test func goesOnAfterACameraRestarts() {
        var ingest = RTPIngest(configuration: .init())
        let first = packets(Self.events, firstSequence: 30_000)
        _ = ingest.feed(first)
        let got = ingest.feed(packets(Self.events, firstSequence: 0), from: first.count + 5000)
        #expect(got.pictures.map(\.payload) == Self.events.pictures.map(\.payload))
        #expect(ingest.statistics.order.restarts == 1)
    }

    @Test func playsOverTCPWithoutSequenceNumbers() {
        var all = packets(Self.events)
        for index in all.indices { all[index].replaceSubrange(2..<4, with: [0, 7]) }
        var ingest = RTPIngest(configuration: .init(transport: .tcp))
        #expect(ingest.feed(all).pictures == Self.events.pictures)
    }

    @Test("R-2 the reason for no picture is told")
    func tellsWhyThereIsNoPicture() {
        var nothing = RTPIngest(configuration: .init())
        #expect(nothing.statistics.diagnosis?.hasPrefix("0 packets received from any source") == true)
        let text = Array("REGISTER sip:34020000002000000001@3402000000 SIP/2.0\r\n".utf8)
        _ = nothing.feed([text])
        #expect(nothing.statistics.diagnosis?.contains("SIP") == true)

        var foreign = RTPIngest(configuration: .init())
        let noise = (0..<1200).map { index -> [UInt8] in
            [0x80, 96, UInt8(index >> 8), UInt8(index & 255), 0, 0, 0, 0, 0, 0, 0, 9]
                + [UInt8](repeating: 0x55, count: 1000)
        }
        _ = foreign.feed(noise)
        #expect(foreign.statistics.diagnosis?.contains("neither program stream") == true)
    }

    @Test func playsRawVideoOfAnyPayloadType() {
        for parameters in [Synthetic.h264, Synthetic.h265] {
            let sent = Synthetic.stream(parameters, audio: nil, pictures: 30, keySize: 9000)
            for type in [UInt8(96), 98, 99] {
                var ingest = RTPIngest(configuration: .init())
                let got = ingest.feed(rawPackets(sent, parameters, type))
                #expect(got.pictures.map(\.payload) == sent.pictures.map(\.payload), "payload type \(type)")
                #expect(got.parameters == [parameters])
                #expect(got.pictures.map(\.dts).isStrictlyRising)
            }
        }
    }

    /// RFC 6184 and RFC 7798: an aggregate of the parameter sets, single units, fragments.
    private func rawPackets(_ events: [MediaEvent], _ parameters: VideoParameters, _ type: UInt8) -> [[UInt8]] {
        var packets: [[UInt8]] = []
        func send(_ payload: [UInt8], _ time: Int64, marker: Bool) {
            let number = packets.count
            packets.append(
                [
                    0x80, type | (marker ? 0x80 : 0), UInt8(number >> 8), UInt8(number & 255), UInt8(time >> 24 & 255),
                    UInt8(time >> 16 & 255), UInt8(time >> 8 & 255), UInt8(time & 255), 0, 0, 0, 1,
                ] + payload
            )
        }
        for picture in events.pictures {
            if picture.isKey {
                var aggregate: [UInt8] = parameters.codec == .h264 ? [0x78] : [0x60, 0x01]
                for set in parameters.vps + parameters.sps + parameters.pps {
                    aggregate += [0, UInt8(set.count)] + set
                }
                send(aggregate, picture.dts, marker: false)
            }
            for unit in picture.units {
                if unit.count <= 1400 {
                    send(unit, picture.dts, marker: true)
                    continue
                }
                let header = parameters.codec == .h264 ? 1 : 2
                var at = header
                while at < unit.count {
                    let end = min(at + 1300, unit.count)
                    let flags: UInt8 = (at == header ? 0x80 : 0) | (end == unit.count ? 0x40 : 0)
                    let head: [UInt8] =
                        parameters.codec == .h264
                        ? [unit[0] & 0xE0 | 28, flags | unit[0] & 0x1F]
                        : [unit[0] & 0x81 | 49 << 1, unit[1], flags | unit[0] >> 1 & 0x3F]
                    send(head + unit[at..<end], picture.dts, marker: end == unit.count)
                    at = end
                }
            }
        }
        return packets
    }

    @Test func hearsG711InPacketsOfItsOwn() {
        var all = packets(Synthetic.stream(audio: nil, pictures: 60))
        var mixed: [[UInt8]] = []
        var number: UInt16 = 0
        for index in all.indices {
            func send(_ packet: [UInt8]) {
                var packet = packet
                packet[2] = UInt8(number >> 8)
                packet[3] = UInt8(number & 255)
                number += 1
                mixed.append(packet)
            }
            send(all[index])
            if index % 4 == 3 {
                let time = UInt32(index) * 80
                send(
                    [
                        0x80, 0x88, 0, 0, UInt8(time >> 24), UInt8(time >> 16 & 255), UInt8(time >> 8 & 255),
                        UInt8(time & 255), 0x0B, 0xEB, 0xC2, 0x01,
                    ] + [UInt8](repeating: 0xD5, count: 320)
                )
            }
        }
        all = []
        var ingest = RTPIngest(configuration: .init())
        let got = ingest.feed(mixed)
        #expect(got.contains(.audio(Synthetic.g711)))
        #expect(got.sounds.count > 20)
        #expect(got.sounds.map(\.dts).isStrictlyRising)
    }

    @Test func trustsTheMarkerOnceItHasProvedItself() {
        let all = packets(Synthetic.stream(audio: nil, pictures: 60, interval: 60, keySize: 5000))
        var ingest = RTPIngest(configuration: .init())
        var delays: [Int] = []
        var sent = 0
        var received = 0
        for (index, packet) in all.enumerated() {
            var events: [MediaEvent] = []
            packet.withSpan { ingest.receive($0, now: .milliseconds(index), into: &events) }
            if packet[1] & 0x80 != 0 { sent += 1 }
            received += events.pictures.count
            if packet[1] & 0x80 != 0 { delays.append(sent - received) }
        }
        // One picture late until 25 have ended at their marker, then none.
        #expect(delays.prefix(25).allSatisfy { $0 == 1 })
        #expect(delays.suffix(30).allSatisfy { $0 == 0 })
        #expect(ingest.statistics.video.damaged == 0)
    }

    @Test func doesNotTrustMarkersInsidePictures() {
        var all = packets(Synthetic.stream(audio: nil, pictures: 100, interval: 100, keySize: 5000))
        for index in all.indices { all[index][1] |= 0x80 }
        var ingest = RTPIngest(configuration: .init())
        let got = ingest.feed(all)
        #expect(got.pictures.count == 100)
        #expect(ingest.statistics.video.damaged == 0)
    }

    @Test func endsAPictureAfter200MillisecondsOfSilence() {
        let all = packets(Synthetic.stream(audio: nil, pictures: 1))
        var ingest = RTPIngest(configuration: .init())
        var events = ingest.feed(all, flush: false)
        #expect(events.pictures.isEmpty)
        let due = ingest.deadline
        #expect(due == .milliseconds(all.count - 1 + 200))
        ingest.advance(to: .milliseconds(all.count - 1 + 199), into: &events)
        #expect(events.pictures.isEmpty)
        ingest.advance(to: .milliseconds(all.count - 1 + 200), into: &events)
        #expect(events.pictures.count == 1)
        #expect(ingest.deadline == nil)
    }

    @Test func dropsPicturesBeyondTheLimitAndGoesOn() {
        let sent = Synthetic.stream(audio: nil, pictures: 30, interval: 10, keySize: 100_000)
        var ingest = RTPIngest(configuration: .init(largestFrame: 50_000))
        #expect(ingest.feed(packets(sent)).pictures.isEmpty)
        #expect(ingest.statistics.video.oversized >= 3)
        #expect(ingest.statistics.video.awaitingKeyFrame > 0)
    }

    @Test func playsWithoutGatingWhenTold() {
        var all = packets(Synthetic.stream(audio: nil, pictures: 60, interval: 60))
        all.remove(at: 60)
        var ingest = RTPIngest(configuration: .init(gatesOnLoss: false))
        #expect(ingest.feed(all).pictures.count == 59)
    }

    @Test func survivesEveryFlippedByteOfAPacketsHead() {
        let all = packets(Synthetic.stream(pictures: 12, interval: 4, keySize: 3000))
        for packet in 0..<6 {
            for index in 0..<min(all[packet].count, 120) {
                var broken = all
                broken[packet][index] ^= 0xFF
                var ingest = RTPIngest(configuration: .init())
                let got = ingest.feed(broken)
                #expect(got.pictures.count >= 4, "byte \(index) of packet \(packet)")
            }
        }
    }
}

extension Array where Element == Int64 {
    var isStrictlyRising: Bool {
        zip(dropFirst(), self).allSatisfy { $0 > $1 }
    }
}
