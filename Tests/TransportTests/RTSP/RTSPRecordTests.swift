import Hub
import Media
import NIOCore
import Testing

@testable import Streaming
@testable import Transport

extension RTSPPortTests {
    @Suite("RTSP: publishers", .timeLimit(.minutes(3)))
    struct RTSPRecordTests {
        private static func send(_ numbers: Range<Int>, _ source: inout RTSPPacketSource, on client: RTSPTestClient) {
            for number in numbers {
                for packet in source.packets(number, isKey: number % 10 == 0, size: 3000) {
                    client.send(packet: packet)
                }
            }
        }

        @Test("64: packets that are none are counted, and the stream goes on")
        func countsGarbage() async throws {
            try await RTSPFixture.with { fixture in
                let publisher = try fixture.client()
                try publisher.record()
                let player = try fixture.client()
                try player.play()
                var source = RTSPPacketSource()
                Self.send(0..<5, &source, on: publisher)
                var random = SystemRandomNumberGenerator()
                for index in 0..<200 {
                    let bytes = (0..<Int.random(in: 0...300)).map { _ in
                        UInt8.random(in: 0...255, using: &random) & 0x3F
                    }
                    publisher.send(packet: bytes, channel: UInt8(index % 5))
                }
                Self.send(5..<10, &source, on: publisher)
                #expect(try player.read(pictures: 10).numbers == Array(0..<10))
                #expect(try publisher.ask("TEARDOWN").status.code == 200)
                try await fixture.wait { !fixture.ends.reports.isEmpty }
                #expect(fixture.ends.reports.first { $0.role == .publisher }?.invalidPackets ?? 0 > 50)
            }
        }

        @Test("a second publisher is refused, or takes the stream over: readers then go on without a break")
        func isTakenOver() async throws {
            try await RTSPFixture.with { fixture in
                let first = try fixture.client()
                try first.record()
                #expect(throws: RTSPTestClient.Failure.self) { try fixture.client().announce() }
            }
            var configuration = HubConfiguration()
            configuration.publisherPolicy = .takeOver
            try await RTSPFixture.with(hub: configuration) { fixture in
                let first = try fixture.client()
                try first.record()
                let player = try fixture.client()
                try player.play()
                var source = RTSPPacketSource()
                Self.send(0..<5, &source, on: first)
                var reader = try RTSPPictureReader(player.sdp)
                try player.read(&reader) { $0.numbers.count >= 5 }
                let second = try fixture.client()
                try second.record()
                var other = RTSPPacketSource(sequence: 5000, ssrc: 99)
                Self.send(10..<15, &other, on: second)
                try player.read(&reader) { $0.numbers.last == 14 }
                #expect(reader.numbers == Array(0..<5) + Array(10..<15))
                #expect(reader.gaps == 0)
                // 59: whatever the publishers' sources.
                #expect(reader.sources[0]?.count == 1)
                #expect(first.socket.endsSoon())
            }
        }

        @Test("taken over by a publisher with other medias, readers are ended: what they were told is no more true")
        func endsReadersOfOtherMedia() async throws {
            var configuration = HubConfiguration()
            configuration.publisherPolicy = .takeOver
            try await RTSPFixture.with(hub: configuration) { fixture in
                let first = try fixture.client()
                try first.record()
                let player = try fixture.client()
                try player.play()
                var source = RTSPPacketSource()
                Self.send(0..<5, &source, on: first)
                _ = try player.read(pictures: 5)
                let second = try fixture.client()
                let body = RTSPTestClient.announcement(sound: false, payloadType: 97)
                try second.ask("ANNOUNCE", nil, ["Content-Type: application/sdp"], body: body)
                try second.setUp(0, "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record")
                #expect(try second.ask("RECORD").status.code == 200)
                // A goodbye of RTCP, and the end.
                var isTold = false
                while case .frame(let channel, let packet)? = try player.next() {
                    // Behind an empty receiver report.
                    if channel == 1, packet.readableBytesView.dropFirst(9).first == 203 { isTold = true }
                }
                #expect(isTold)
                try await fixture.wait { await fixture.hub.snapshot(of: "x")?.viewers.isEmpty == true }
            }
        }

        @Test("a publisher with sound: both come out again, each on its channels")
        func publishesSound() async throws {
            try await RTSPFixture.with { fixture in
                let publisher = try fixture.client()
                try publisher.record(sound: true)
                let player = try fixture.client()
                try player.play()
                var video = RTSPPacketSource()
                var audio = RTSPPacketSource(sequence: 7, ssrc: 5, payloadType: 8)
                for number in 0..<20 {
                    Self.send(number..<number + 1, &video, on: publisher)
                    let sound = audio.packet(UInt32(number * 320), marker: false, [UInt8](repeating: 0xD5, count: 320))
                    publisher.send(packet: sound, channel: 2)
                }
                var reader = try RTSPPictureReader(player.sdp)
                try player.read(&reader) { $0.numbers.count >= 20 && $0.sounds >= 19 }
                #expect(reader.numbers == Array(0..<20) && reader.gaps == 0)
                let input = try #require(await fixture.hub.snapshot(of: "x"))
                #expect(input.video?.codec == .h264 && input.audio?.codec == .g711a)
                #expect(input.publisher?.info.kind == .rtspPublisher)
                #expect(try publisher.ask("OPTIONS").status.code == 200)
            }
        }

        @Test("52: over TCP a publisher that says nothing is over")
        func endsSilent() async throws {
            try await RTSPFixture.with {
                $0.timeouts.media = .milliseconds(200)
            } _: { fixture in
                let publisher = try fixture.client()
                try publisher.record()
                #expect(publisher.socket.endsSoon())
                try await fixture.wait { fixture.hub.publisher(of: "x") == nil }
                #expect(fixture.ends.reports.first?.fault == .timeout(.media))
            }
        }
    }
}
