import Hub
import Media
import NIOCore
import Testing

@testable import Streaming
@testable import Transport

extension RTSPPortTests {
    @Suite("RTSP over UDP", .timeLimit(.minutes(3)))
    struct RTSPUDPTests {
        @Test("38, 39: SETUP names four ports, RTP's even and RTCP's the next, and the source; packets come from there")
        func grantsPorts() async throws {
            try await RTSPFixture.with { fixture in
                let publisher = try await fixture.publish()
                let client = try fixture.client()
                try client.describe()
                let (video, audio) = (try RTSPTestPorts(), try RTSPTestPorts())
                var sources: [UInt32] = []
                for (media, ports) in [video, audio].enumerated() {
                    let answer = try client.setUp(media, ports.transport)
                    let text = try #require(answer.headers["Transport"])
                    let transport = try RTSPTransport(text[...])
                    let server = try #require(transport.serverPort)
                    #expect(server.rtp % 2 == 0 && server.rtcp == server.rtp + 1)
                    let client = "client_port=\(ports.rtp.port)-\(ports.rtcp.port)"
                    #expect(text.hasPrefix("RTP/AVP/UDP;unicast;\(client);server_port="))
                    sources.append(try #require(transport.ssrc))
                }
                #expect(try client.ask("PLAY").status.code == 200)
                for number in 0..<20 {
                    try await publisher.receive(
                        RTSPPictures.pictures(number..<number + 1) + [RTSPPictures.sound(number)]
                    )
                }
                var reader = try RTSPPictureReader(client.sdp)
                try video.read(&reader) { $0.numbers.count == 20 }
                try audio.read(&reader, media: 1) { $0.sounds >= 15 }
                #expect(reader.numbers == Array(0..<20) && reader.gaps == 0)
                #expect(reader.sources == [0: [sources[0]], 1: [sources[1]]])
                // 65: and where RTCP belongs.
                try await fixture.wait {
                    while let report = video.rtcp.poll() {
                        reader.receive(ByteBuffer(bytes: report), media: 0, isRTCP: true)
                    }
                    return reader.senderReports[0, default: 0] > 0
                }
            }
        }

        @Test("36: what is not served is refused with 461, and the client may go on with TCP")
        func refusesTransports() async throws {
            try await RTSPFixture.with {
                $0.policy = RTSPTransportPolicy(udp: false)
            } _: { fixture in
                let publisher = try await fixture.publish()
                let client = try fixture.client()
                try client.describe()
                for transport in [
                    "RTP/AVP;unicast;client_port=5000-5001", "RTP/AVP;multicast",
                    "RTP/SAVP/TCP;unicast;interleaved=0-1",
                    "MP2T/H2221/UDP;unicast;client_port=5000",
                ] {
                    #expect(try client.setUp(0, transport).status.code == 461)
                }
                #expect(try client.setUp(0, "RTP/AVP/TCP;unicast;interleaved=0-1").status.code == 200)
                #expect(try client.ask("PLAY").status.code == 200)
                try await publisher.receive(RTSPPictures.pictures(0..<3))
                #expect(try client.read(pictures: 3).numbers == [0, 1, 2])
            }
            try await RTSPFixture.with {
                $0.policy = RTSPTransportPolicy(tcp: false)
            } _: { fixture in
                _ = try await fixture.publish()
                let client = try fixture.client()
                try client.describe()
                #expect(try client.setUp(0, "RTP/AVP/TCP;unicast;interleaved=0-1").status.code == 461)
                #expect(try client.setUp(0, try RTSPTestPorts().transport).status.code == 200)
            }
        }

        @Test("36: where no port is left, too")
        func tellsThatPortsAreOut() async throws {
            try await RTSPFixture.with {
                $0.ports = PortPool(range: 40_001...40_001)
            } _: { fixture in
                _ = try await fixture.publish()
                let client = try fixture.client()
                try client.describe()
                #expect(try client.setUp(0, try RTSPTestPorts().transport).status.code == 461)
            }
        }

        @Test("37: two readers of one host with the same ports: the second is refused, until the first is gone")
        func refusesUsedPorts() async throws {
            try await RTSPFixture.with { fixture in
                _ = try await fixture.publish()
                let media = try RTSPTestPorts()
                let first = try fixture.client()
                try first.describe()
                #expect(try first.setUp(0, media.transport).status.code == 200)
                let second = try fixture.client()
                try second.describe()
                #expect(try second.setUp(0, media.transport).status.code == 400)
                #expect(try first.ask("TEARDOWN").status.code == 200)
                #expect(try second.setUp(0, media.transport).status.code == 200)
            }
        }

        @Test("ports come back, whoever leaves and however")
        func givesPortsBack() async throws {
            try await RTSPFixture.with { fixture in
                _ = try await fixture.publish()
                for index in 0..<6 {
                    let media = try RTSPTestPorts()
                    let client = try fixture.client()
                    try client.describe()
                    #expect(try client.setUp(0, media.transport).status.code == 200)
                    if index % 2 == 0 { try client.ask("PLAY") }
                    try client.ask("TEARDOWN")
                }
                #expect(fixture.options.ports.statistics.leased == 0)
            }
        }

        @Test("69: a packet of 20 KB that a publisher sent over TCP reaches a reader over UDP in pieces")
        func cutsLargePackets() async throws {
            try await RTSPFixture.with { fixture in
                let publisher = try fixture.client()
                #expect(try publisher.record().status.code == 200)
                let player = try fixture.client()
                try player.describe()
                let media = try RTSPTestPorts()
                #expect(try player.setUp(0, media.transport).status.code == 200)
                #expect(try player.ask("PLAY").status.code == 200)
                var source = RTSPPacketSource()
                for number in 0..<5 {
                    for packet in source.packets(number, isKey: number == 0, size: 20_000, piece: 30_000) {
                        publisher.send(packet: packet)
                    }
                }
                var reader = try RTSPPictureReader(player.sdp)
                // The last one is complete when the next begins, or with its marker.
                try media.read(&reader) { $0.numbers.count >= 5 }
                #expect(reader.numbers == Array(0..<5))
                #expect(reader.gaps == 0)
                #expect(reader.largest <= 1472)
            }
        }

        @Test("51, 62: a publisher over UDP is called at RECORD, needs no keepalive, and is over when it is silent")
        func recordsOverUDP() async throws {
            try await RTSPFixture.with {
                $0.timeouts.media = .seconds(1)
                $0.connection.idleTimeout = .milliseconds(300)
            } _: { fixture in
                let media = try RTSPTestPorts()
                let client = try fixture.client()
                try client.announce()
                let answer = try client.setUp(0, media.transport + ";mode=record")
                let server = try #require(try RTSPTransport((answer.headers["Transport"] ?? "")[...]).serverPort)
                #expect(try client.ask("RECORD").status.code == 200)
                #expect(media.rtp.receive()?.count == 12)
                #expect(media.rtcp.receive()?.dropFirst().first == 201)
                let player = try fixture.client()
                try player.play()
                var source = RTSPPacketSource()
                // Longer than either limit.
                for number in 0..<12 {
                    for packet in source.packets(number, isKey: number == 0, size: 3000) {
                        media.rtp.send(packet, to: Int(server.rtp))
                    }
                    pace(milliseconds: 100)
                }
                #expect(try player.read(pictures: 12).numbers == Array(0..<12))
                #expect(fixture.hub.publisher(of: "x") != nil)
                #expect(!client.socket.isEnded)
                try await fixture.wait { fixture.hub.publisher(of: "x") == nil }
                try await fixture.wait { !fixture.ends.reports.isEmpty }
                #expect(fixture.ends.reports.first?.fault == .timeout(.media))
                #expect(fixture.ends.reports.first?.transport == "UDP")
            }
        }

        @Test("a SETUP that is refused keeps no ports")
        func refusedSetUpKeepsNoPorts() async throws {
            try await RTSPFixture.with { fixture in
                let media = try RTSPTestPorts()
                let client = try fixture.client()
                try client.announce(sound: true)
                #expect(try client.setUp(0, media.transport + ";mode=record").status.code == 200)
                let leased = fixture.options.ports.statistics.leased
                // Two medias cannot come from the same ports.
                for _ in 0..<3 {
                    #expect(try client.setUp(1, media.transport + ";mode=record").status.code == 400)
                }
                try await fixture.wait { fixture.options.ports.statistics.leased == leased }
            }
        }

        @Test("45: a publisher over UDP goes on when its connection is gone, and ends with a TEARDOWN of another")
        func recordsWithoutConnection() async throws {
            try await RTSPFixture.with(loops: 3) { fixture in
                let media = try RTSPTestPorts()
                let client = try fixture.client()
                try client.announce()
                let answer = try client.setUp(0, media.transport + ";mode=record")
                let server = try #require(try RTSPTransport((answer.headers["Transport"] ?? "")[...]).serverPort)
                let other = try fixture.client()
                other.session = client.session
                #expect(try other.ask("RECORD").status.code == 200)
                client.socket.shutdown()
                let player = try fixture.client()
                try player.play()
                var source = RTSPPacketSource()
                for number in 0..<5 {
                    for packet in source.packets(number, isKey: number == 0, size: 3000) {
                        media.rtp.send(packet, to: Int(server.rtp))
                    }
                }
                #expect(try player.read(pictures: 5).numbers == Array(0..<5))
                #expect(try other.ask("TEARDOWN").status.code == 200)
                try await fixture.wait { fixture.hub.publisher(of: "x") == nil }
            }
        }

        @Test("packets of strangers are not the publisher's: another host, and another port of the same one is")
        func takesItsPublisherAlone() async throws {
            try await RTSPFixture.with {
                $0.portHost = "0.0.0.0"
            } _: { fixture in
                let media = try RTSPTestPorts()
                let client = try fixture.client()
                try client.announce()
                let answer = try client.setUp(0, media.transport + ";mode=record")
                let server = try #require(try RTSPTransport((answer.headers["Transport"] ?? "")[...]).serverPort)
                #expect(try client.ask("RECORD").status.code == 200)
                let player = try fixture.client()
                try player.play()
                let stranger = try TestSocket.udp(host: "127.0.0.2")
                let translated = try TestSocket.udp()
                var foreign = RTSPPacketSource(ssrc: 9)
                var own = RTSPPacketSource()
                for number in 0..<3 {
                    for packet in foreign.packets(number + 50, isKey: true, size: 100) {
                        stranger.send(packet, to: Int(server.rtp))
                    }
                    for packet in own.packets(number, isKey: number == 0, size: 100) {
                        translated.send(packet, to: Int(server.rtp))
                    }
                }
                #expect(try player.read(pictures: 3).numbers == [0, 1, 2])
            }
        }

        @Test("17: a player that asks for multicast is told a group of its own")
        func describesMulticast() async throws {
            try await RTSPFixture.with {
                $0.policy.multicast = true
                $0.multicast = RTSPMulticastOptions(range: "239.77.0.0/24", port: 15_004, interface: "127.0.0.1")
            } _: { fixture in
                _ = try await fixture.publish()
                let client = try fixture.client()
                let answer = try client.ask("DESCRIBE", client.url + "?vlcmulticast")
                #expect(String(buffer: answer.body).contains("c=IN IP4 239.77.0.0/16\r\n"))
                #expect(String(buffer: try client.ask("DESCRIBE").body).contains("c=IN IP4 0.0.0.0\r\n"))
                let setup = try client.setUp(1, "RTP/AVP;multicast")
                #expect(
                    setup.headers["Transport"]?.hasPrefix(
                        "RTP/AVP/UDP;multicast;destination=239.77.0.1;port=15004-15005;ttl=16"
                    ) == true
                )
            }
        }
    }
}
