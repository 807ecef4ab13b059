import Hub
import Media
import NIOCore
import Testing

@testable import Streaming
@testable import Transport

extension RTSPPortTests {
    @Suite("RTSP: sessions and their connections", .timeLimit(.minutes(3)))
    struct RTSPSessionTests {
        @Test("43: a session that does not exist", arguments: ["SETUP", "PLAY", "PAUSE", "RECORD", "TEARDOWN"])
        func isNotFound(method: String) async throws {
            try await RTSPFixture.with { fixture in
                _ = try await fixture.publish()
                let client = try fixture.client()
                client.session = "0123456789abcdef0123456789abcdef"
                let answer = try client.ask(method, client.url + "/trackID=0", ["Transport: RTP/AVP/TCP;unicast"])
                #expect(answer.status.code == 454)
            }
        }

        @Test("44: a session of one connection over TCP is no other's, nor does a connection get a second one")
        func belongsToItsConnection() async throws {
            try await RTSPFixture.with { fixture in
                let publisher = try await fixture.publish()
                let first = try fixture.client()
                try first.play()
                let second = try fixture.client()
                second.session = first.session
                for method in ["PLAY", "PAUSE", "TEARDOWN"] {
                    #expect(try second.ask(method).status.code == 400)
                }
                second.session = nil
                try second.describe()
                #expect(try second.setUp(0, "RTP/AVP/TCP;unicast;interleaved=0-1").status.code == 200)
                second.session = first.session
                #expect(try second.setUp(1, "RTP/AVP/TCP;unicast;interleaved=2-3").status.code == 400)
                // The first one has not noticed.
                try await publisher.receive(RTSPPictures.pictures(0..<3))
                #expect(try first.read(pictures: 3).numbers == [0, 1, 2])
            }
        }

        @Test("45: over UDP a session is driven by any connection of its host, on any loop, and outlives its first one")
        func outlivesItsConnection() async throws {
            try await RTSPFixture.with(loops: 3) { fixture in
                let publisher = try await fixture.publish()
                let media = try RTSPTestPorts()
                var first: RTSPTestClient? = try fixture.client()
                let description = try #require(first)
                try description.describe()
                #expect(try description.setUp(0, media.transport).status.code == 200)
                let session = description.session
                var reader = try RTSPPictureReader(description.sdp)
                // Three loops, so that one of them is another.
                for number in 0..<3 {
                    let next = try fixture.client()
                    next.session = session
                    #expect(try next.ask("PLAY").status.code == 200)
                    if number == 0 {
                        first?.socket.shutdown()
                        first = nil
                    }
                    try await publisher.receive(RTSPPictures.pictures(number * 10..<number * 10 + 10))
                    try media.read(&reader) { $0.numbers.last == number * 10 + 9 }
                    #expect(try next.ask("PAUSE").status.code == 200)
                }
                let last = try fixture.client()
                last.session = session
                #expect(try last.ask("TEARDOWN").status.code == 200)
                #expect(try last.ask("PLAY").status.code == 454)
                try await fixture.wait { await fixture.hub.snapshot(of: "x")?.viewers.isEmpty == true }
                #expect(fixture.ends.reports.map(\.transport) == ["UDP"])
            }
        }

        @Test("46: over TCP a session ends with its connection")
        func endsWithItsConnection() async throws {
            try await RTSPFixture.with { fixture in
                _ = try await fixture.publish()
                let client = try fixture.client()
                try client.play()
                #expect(await fixture.hub.snapshot(of: "x")?.viewers.count == 1)
                client.socket.shutdown()
                try await fixture.wait { await fixture.hub.snapshot(of: "x")?.viewers.isEmpty == true }
                #expect(fixture.ends.reports.map(\.transport) == ["TCP"])

                let publishing = try fixture.client()
                let url = "rtsp://127.0.0.1:\(fixture.port)/live/y"
                let body = RTSPTestClient.announcement(sound: false)
                #expect(
                    try publishing.ask("ANNOUNCE", url, ["Content-Type: application/sdp"], body: body).status.code
                        == 200
                )
                #expect(fixture.hub.publisher(of: "y") != nil)
                publishing.socket.shutdown()
                try await fixture.wait { fixture.hub.publisher(of: "y") == nil }
            }
        }

        @Test("50: over UDP a player that says nothing is forgotten; RTCP is enough to stay")
        func forgetsSilentPlayers() async throws {
            try await RTSPFixture.with {
                $0.timeouts.control = .seconds(1)
                $0.timeouts.margin = .zero
            } _: { fixture in
                _ = try await fixture.publish()
                let media = try RTSPTestPorts()
                let client = try fixture.client()
                try client.describe()
                let answer = try client.setUp(0, media.transport)
                let ports = try #require(try RTSPTransport((answer.headers["Transport"] ?? "")[...]).serverPort)
                #expect(try client.ask("PLAY").status.code == 200)
                for _ in 0..<15 {
                    media.rtcp.send(RTCPPacket.emptyReceiverReport(from: 1), to: Int(ports.rtcp))
                    pace(milliseconds: 100)
                }
                #expect(fixture.hub.presence(of: "x")?.viewers == 1)
                try await fixture.wait { await fixture.hub.snapshot(of: "x")?.viewers.isEmpty == true }
                #expect(fixture.ends.reports.map(\.fault) == [.timeout(.control)])
            }
        }

        @Test("garbage, half requests and floods end their own connection and nothing else")
        func withstandsFloods() async throws {
            try await RTSPFixture.with {
                $0.connection.messageTimeout = .milliseconds(200)
                $0.connection.idleTimeout = .milliseconds(600)
            } _: { fixture in
                let publisher = try await fixture.publish()
                let player = try fixture.client()
                try player.play()
                var random = SystemRandomNumberGenerator()
                var peers: [TestSocket] = []
                for index in 0..<60 {
                    let peer = try TestSocket.connected(to: fixture.port)
                    switch index % 6 {
                    case 0: peer.send((0..<4000).map { _ in UInt8.random(in: 0...255, using: &random) })
                    case 1: peer.send(Array("DESCRIBE rtsp://127.0.0.1/live/x RT".utf8))
                    case 2: peer.send(Array("GET /x HTTP/1.1\r\nHost: x\r\n".utf8))
                    case 3:
                        peer.send(
                            Array("ANNOUNCE rtsp://h/x RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 99\r\n\r\nv=0".utf8)
                        )
                    case 4: peer.send(Array("OPTIONS * RTSP/1.0\r\nX: ".utf8) + [UInt8](repeating: 65, count: 200_000))
                    default: peer.send([UInt8](repeating: 0x24, count: 5000))
                    }
                    peers.append(peer)
                }
                for (index, peer) in peers.enumerated() { #expect(peer.endsSoon(), "peer \(index) stays") }
                try await publisher.receive(RTSPPictures.pictures(0..<3))
                #expect(try player.read(pictures: 3).numbers == [0, 1, 2])
                #expect(!fixture.ends.faults.isEmpty)
            }
        }
    }
}
