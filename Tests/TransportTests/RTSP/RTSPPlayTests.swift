import Hub
import Media
import NIOCore
import Testing

@testable import Streaming
@testable import Transport

extension RTSPPortTests {
    @Suite("RTSP: players over TCP", .timeLimit(.minutes(3)))
    struct RTSPPlayTests {
        @Test("16: a stream that nobody publishes is not found once the time for it is over")
        func isNotFound() async throws {
            try await RTSPFixture.with { fixture in
                let client = try fixture.client()
                #expect(try client.ask("DESCRIBE").status.code == 404)
                #expect(try client.ask("DESCRIBE", "rtsp://127.0.0.1:\(fixture.port)/").status.code == 404)
                // The connection can still be used.
                _ = try await fixture.publish()
                #expect(try client.ask("DESCRIBE").status.code == 200)
            }
        }

        @Test("DESCRIBE is held until a publisher comes")
        func waitsForPublisher() async throws {
            try await RTSPFixture.with {
                $0.describeTimeout = .seconds(20)
            } _: { fixture in
                let client = try fixture.client()
                client.write("DESCRIBE")
                // It counts as a viewer meanwhile: a pull on demand starts for it.
                try await fixture.wait { fixture.hub.presence(of: "x")?.viewers == 1 }
                _ = try await fixture.publish()
                let response = try client.answer()
                #expect(response.status.code == 200)
                #expect(response.headers["Content-Base"] == client.url + "/")
            }
        }

        @Test("10, 53: PLAY is answered before the first packet, and answers never stand within one")
        func answersBeforeMedia() async throws {
            try await RTSPFixture.with { fixture in
                let publisher = try await fixture.publish()
                try await publisher.receive(RTSPPictures.pictures(0..<10, group: 100, key: 60_000))
                let client = try fixture.client()
                #expect(try client.play().status.code == 200)
                #expect(client.framesBeforeAnswer == 0)
                // Answers between packets, many at once.
                for _ in 0..<10 { client.write("GET_PARAMETER") }
                try await publisher.receive(RTSPPictures.pictures(10..<60, group: 100, other: 20_000))
                for _ in 0..<10 { #expect(try client.answer().status.code == 200) }
                #expect(try client.read(pictures: 60).numbers == Array(0..<60))
            }
        }

        @Test("54, 59: RTP-Info fits the first packet of each track; the source is that of SETUP, for all readers")
        func tellsWhereItBegins() async throws {
            try await RTSPFixture.with { fixture in
                let publisher = try await fixture.publish()
                for number in 0..<15 {
                    try await publisher.receive(
                        RTSPPictures.pictures(number..<number + 1) + [RTSPPictures.sound(number)]
                    )
                }
                var sources: [Set<UInt32>] = []
                for _ in 0..<2 {
                    let client = try fixture.client()
                    try client.describe()
                    var named: [Int: UInt32] = [:]
                    for media in 0..<2 {
                        let channels = "\(media * 2)-\(media * 2 + 1)"
                        let answer = try client.setUp(media, "RTP/AVP/TCP;unicast;interleaved=\(channels)")
                        named[media] = try RTSPTransport((answer.headers["Transport"] ?? "")[...]).ssrc
                    }
                    let information = try #require(try client.ask("PLAY").headers["RTP-Info"])
                    var reader = try RTSPPictureReader(client.sdp)
                    try client.read(&reader) { $0.numbers.count >= 4 && $0.sounds >= 2 }
                    for (media, entry) in information.split(separator: ",").enumerated() {
                        let start = try #require(reader.first[media])
                        let told = "seq=\(start.sequenceNumber);rtptime=\(start.timestamp)"
                        #expect(entry == "url=\(client.url)/trackID=\(media);\(told)")
                        #expect(reader.sources[media] == [try #require(named[media])])
                    }
                    #expect(reader.numbers.first == 10)
                    #expect(reader.gaps == 0)
                    sources.append(reader.sources.values.reduce([]) { $0.union($1) })
                }
                #expect(sources[0] == sources[1] && sources[0].count == 2)
            }
        }

        @Test("55: PLAY again and PAUSE again are fine; what comes after a pause is a beginning, on the same channels")
        func pauses() async throws {
            try await RTSPFixture.with { fixture in
                let publisher = try await fixture.publish()
                try await publisher.receive(RTSPPictures.pictures(0..<5))
                let client = try fixture.client()
                try client.play()
                #expect(try client.ask("PLAY").status.code == 200)
                #expect(try client.read(pictures: 5).numbers == Array(0..<5))
                #expect(try client.ask("PAUSE").status.code == 200)
                #expect(try client.ask("PAUSE").status.code == 200)
                let paused = client.framesBeforeAnswer
                try await publisher.receive(RTSPPictures.pictures(5..<15))
                // Nothing comes between a pause and PLAY; a reader that pauses is one still.
                #expect(try client.ask("GET_PARAMETER").status.code == 200)
                #expect(client.framesBeforeAnswer == paused)
                #expect(try client.ask("PLAY").status.code == 200)
                #expect(client.framesBeforeAnswer == paused)
                try await publisher.receive(RTSPPictures.pictures(15..<20))
                var reader = try RTSPPictureReader(client.sdp)
                try client.read(&reader) { $0.numbers.last == 19 }
                #expect(Array(reader.numbers.suffix(10)) == Array(10..<20))
            }
        }

        @Test("56: one track of two, on channels of the client's choice")
        func playsOneTrack() async throws {
            try await RTSPFixture.with { fixture in
                let publisher = try await fixture.publish()
                let client = try fixture.client()
                try client.describe()
                let answer = try client.setUp(1, "RTP/AVP/TCP;unicast;interleaved=7-8")
                #expect(answer.headers["Transport"]?.contains("interleaved=7-8") == true)
                let information = try client.ask("PLAY").headers["RTP-Info"]
                #expect(information?.hasPrefix("url=\(client.url)/trackID=1") == true)
                for number in 0..<10 {
                    try await publisher.receive(
                        RTSPPictures.pictures(number..<number + 1) + [RTSPPictures.sound(number)]
                    )
                }
                var reader = try RTSPPictureReader(client.sdp)
                // `read` complains of frames of other channels.
                try client.read(&reader) { $0.sounds >= 8 }
                #expect(reader.numbers.isEmpty && reader.gaps == 0)
            }
        }

        @Test("both tracks on odd and swapped channels")
        func mapsChannels() async throws {
            try await RTSPFixture.with { fixture in
                let publisher = try await fixture.publish()
                let client = try fixture.client()
                try client.describe()
                try client.setUp(0, "RTP/AVP/TCP;unicast;interleaved=21-22")
                try client.setUp(1, "RTP/AVP/TCP;unicast;interleaved=0-1")
                try client.ask("PLAY")
                for number in 0..<30 {
                    try await publisher.receive(
                        RTSPPictures.pictures(number..<number + 1) + [RTSPPictures.sound(number)]
                    )
                }
                var reader = try RTSPPictureReader(client.sdp)
                try client.read(&reader) { $0.numbers.count >= 30 && $0.sounds >= 25 }
                #expect(reader.numbers == Array(0..<30))
                #expect(reader.gaps == 0)
            }
        }

        @Test("47: after TEARDOWN the connection describes and plays again")
        func playsAgain() async throws {
            try await RTSPFixture.with { fixture in
                let publisher = try await fixture.publish()
                try await publisher.receive(RTSPPictures.pictures(0..<3))
                let client = try fixture.client()
                for _ in 0..<3 {
                    try client.play()
                    #expect(try client.read(pictures: 3).numbers == [0, 1, 2])
                    let answer = try client.ask("TEARDOWN")
                    #expect(answer.status.code == 200)
                    // 41: without the id, which is nothing any more.
                    #expect(answer.headers["Session"] == nil)
                    client.session = nil
                }
                #expect(await fixture.hub.snapshot(of: "x")?.viewers.isEmpty == true)
            }
        }

        @Test("58: what a player sends on its channels does no harm: reports, garbage, channels that it has not")
        func takesWhatPlayersSend() async throws {
            try await RTSPFixture.with { fixture in
                let publisher = try await fixture.publish()
                let client = try fixture.client()
                try client.play()
                for channel in [0, 1, 3, 77, 255] as [UInt8] {
                    client.send(packet: [1, 2, 3], channel: channel)
                    client.send(packet: [], channel: channel)
                    client.send(packet: RTCPPacket.emptyReceiverReport(from: 1), channel: channel)
                }
                #expect(try client.ask("OPTIONS").status.code == 200)
                try await publisher.receive(RTSPPictures.pictures(0..<3))
                #expect(try client.read(pictures: 3).numbers == [0, 1, 2])
            }
        }

        @Test("65: the first sender report comes with the first picture, over TCP too")
        func reports() async throws {
            try await RTSPFixture.with { fixture in
                let publisher = try await fixture.publish()
                let client = try fixture.client()
                try client.play()
                try await publisher.receive(RTSPPictures.pictures(0..<2) + [RTSPPictures.sound(1)])
                var reader = try RTSPPictureReader(client.sdp)
                try client.read(&reader) { $0.numbers.count >= 2 }
                #expect(reader.senderReports[0, default: 0] >= 1)
            }
        }

        @Test("a reader that stops reading is moved to a later key frame, and never gets a torn packet")
        func skips() async throws {
            var configuration = HubConfiguration()
            configuration.gopCacheBytes = 1 << 20
            try await RTSPFixture.with(hub: configuration) { fixture in
                let publisher = try await fixture.publish()
                let client = try fixture.client()
                try client.play()
                // More than the sockets hold, with nobody who reads.
                var number = 0
                while await fixture.hub.snapshot(of: "x")?.viewers.first?.skips ?? 0 == 0 {
                    try #require(number < 10_000)
                    try await publisher.receive(
                        RTSPPictures.pictures(number..<number + 10, key: 60_000, other: 40_000)
                    )
                    number += 10
                }
                let last = number + 20
                while number < last {
                    try await publisher.receive(
                        RTSPPictures.pictures(number..<number + 10, key: 60_000, other: 40_000)
                    )
                    number += 10
                }
                // `$` that is none would be an error of the reader, a damaged picture one of the picture reader.
                var reader = try RTSPPictureReader(client.sdp)
                try client.read(&reader) { $0.numbers.last == last - 1 }
                let gap = try #require(zip(reader.numbers, reader.numbers.dropFirst()).first { $1 != $0 + 1 })
                #expect(gap.1 % 10 == 0)
            }
        }
    }
}
