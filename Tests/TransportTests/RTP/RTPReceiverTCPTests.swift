import Media
import NIOCore
import Testing

@testable import Transport

@Suite struct RTPReceiverTCPTests {
    private func source(_ socket: TestSocket) -> RTPSource? {
        RTPSource(host: "127.0.0.1", port: socket.port, transport: .tcp)
    }

    @Test(arguments: [RTPStreamFraming.rfc4571, .interleaved])
    func packetsArriveWholeHoweverTheyAreCut(_ framing: RTPStreamFraming) throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.tcpPassive)
        let camera = try TestSocket.connected(to: receiver.localPort)
        let packets = (0..<3).map { Packet.rtp($0, size: 40) }
        let stream = packets.flatMap { framing == .rfc4571 ? Packet.framed($0) : Packet.interleaved($0) }
        for byte in stream {
            camera.send([byte])
            fixture.tick()
        }
        #expect(fixture.sink.packets == packets)
        #expect(receiver.statistics.framing == framing)
        let from = try #require(source(camera))
        #expect(fixture.events.all == [.connected(from)])
        receiver.close()
        #expect(camera.ends)
    }

    @Test func aLargeBurstIsReadInTurns() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.tcpPassive)
        let camera = try TestSocket.connected(to: receiver.localPort)
        for sequence in 0..<300 { camera.send(Packet.framed(Packet.rtp(sequence, size: 1400))) }
        fixture.tick()
        fixture.tick()
        #expect(fixture.sink.packets.count == 300)
        receiver.close()
    }

    @Test func aSecondConnectionIsTurnedAwayWhileTheFirstLives() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.tcpPassive)
        let camera = try TestSocket.connected(to: receiver.localPort)
        camera.send(Packet.framed(Packet.rtp(1)))
        fixture.tick()
        fixture.pass(.milliseconds(900))
        let second = try TestSocket.connected(to: receiver.localPort)
        second.send(Packet.framed(Packet.rtp(500)))
        fixture.tick()
        #expect(second.ends)
        #expect(fixture.sink.packets.count == 1)
        #expect(receiver.statistics.turnedAway == 1)
        camera.send(Packet.framed(Packet.rtp(2)))
        fixture.tick()
        #expect(fixture.sink.packets.count == 2)
        receiver.close()
    }

    @Test func aSecondConnectionReplacesOneThatIsSilentForASecond() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.tcpPassive)
        let camera = try TestSocket.connected(to: receiver.localPort)
        camera.send(Packet.framed(Packet.rtp(1)))
        fixture.tick()
        fixture.pass(.milliseconds(1_100))
        let second = try TestSocket.connected(to: receiver.localPort)
        fixture.tick()
        // It has to send to be believed.
        #expect(!camera.isEnded)
        second.send(Packet.framed(Packet.rtp(2)))
        fixture.tick()
        #expect(camera.ends)
        #expect(fixture.sink.packets.count == 2)
        let all = try [#require(source(camera)), #require(source(second))]
        #expect(fixture.events.all == all.map { .connected($0) })
        receiver.close()
    }

    @Test func aPortScanDoesNotKeepTheCameraOut() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.tcpPassive)
        let scans = try (0..<6).map { _ in try TestSocket.connected(to: receiver.localPort) }
        fixture.tick()
        let camera = try TestSocket.connected(to: receiver.localPort)
        camera.send(Packet.framed(Packet.rtp(1)))
        fixture.tick()
        #expect(fixture.sink.packets.count == 1)
        #expect(scans[0].ends)
        fixture.pass(.seconds(11))
        #expect(scans.allSatisfy { $0.ends })
        #expect(!camera.isEnded)
        receiver.close()
    }

    @Test func theExpectedSSRCWinsOverAStranger() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.tcpPassive, expectedSSRC: 42)
        let stranger = try TestSocket.connected(to: receiver.localPort)
        stranger.send(Packet.framed(Packet.rtp(1, ssrc: 7)))
        fixture.tick()
        let camera = try TestSocket.connected(to: receiver.localPort)
        camera.send(Packet.framed(Packet.rtp(1, ssrc: 42)))
        fixture.tick()
        #expect(stranger.ends)
        #expect(!camera.isEnded)
        let third = try TestSocket.connected(to: receiver.localPort)
        third.send(Packet.framed(Packet.rtp(1, ssrc: 8)))
        fixture.tick()
        #expect(third.ends)
        receiver.close()
    }

    @Test func thePortStaysOpenFiveSecondsForTheCameraToComeBack() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.tcpPassive)
        var camera: TestSocket? = try TestSocket.connected(to: receiver.localPort)
        let first = try #require(camera.flatMap(source))
        camera?.send(Packet.framed(Packet.rtp(1)))
        fixture.tick()
        camera = nil
        fixture.tick()
        #expect(fixture.events.all == [.connected(first), .disconnected(first, .peerClosed)])
        fixture.pass(.milliseconds(4_900))
        #expect(fixture.events.all.count == 2)
        camera = try TestSocket.connected(to: receiver.localPort)
        let second = try #require(camera.flatMap(source))
        camera?.send(Packet.framed(Packet.rtp(2)))
        fixture.tick()
        fixture.pass(.seconds(6))
        #expect(fixture.events.all.last == .connected(second))
        camera = nil
        fixture.tick()
        fixture.pass(.milliseconds(5_100))
        #expect(fixture.events.all.last == .abandoned)
        receiver.close()
    }

    @Test("R-25: SIP on a media connection is named and the connection closed") func sipIsNamed() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.tcpPassive)
        let camera = try TestSocket.connected(to: receiver.localPort)
        camera.send(Array("REGISTER sip:34020000002000000001@3402000000 SIP/2.0\r\n".utf8))
        fixture.tick()
        #expect(camera.ends)
        guard case .unusable(_, .sipOnMediaPort, let advice)? = fixture.events.all.first else {
            Issue.record("expected .unusable, got \(fixture.events.all)")
            return
        }
        #expect(advice.contains("SIP port"))
        #expect(fixture.sink.packets.isEmpty)
        receiver.close()
    }

    @Test func aSinkMayCloseTheReceiverBetweenTwoPacketsOfARead() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.tcpPassive)
        let camera = try TestSocket.connected(to: receiver.localPort)
        fixture.sink.onPacket = { receiver.close() }
        camera.send((0..<5).flatMap { Packet.framed(Packet.rtp($0)) })
        fixture.tick()
        #expect(fixture.sink.packets.count == 1)
        #expect(camera.ends)
    }

    @Test func reportsAreFramedAsTheCameraFrames() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.tcpPassive)
        fixture.sink.report = [0x81, 201, 0, 7]
        let camera = try TestSocket.connected(to: receiver.localPort)
        camera.send(Packet.interleaved(Packet.rtp(1)) + Packet.interleaved(Packet.rtp(2)))
        fixture.tick()
        fixture.pass(.milliseconds(5_100))
        #expect(camera.poll() == [0x24, 1, 0, 4, 0x81, 201, 0, 7])
        receiver.close()
    }

    @Test func activeConnectsFromTheOfferedPort() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.tcpActive)
        let listener = try TestSocket.listening()
        let target = try #require(source(listener))
        receiver.connect(to: [target])
        let camera = try #require(listener.accept())
        #expect(listener.remotePort == receiver.localPort)
        camera.send(Packet.framed(Packet.rtp(1)))
        fixture.tick()
        fixture.tick()
        #expect(fixture.sink.packets.count == 1)
        #expect(fixture.events.all == [.connected(target)])
        receiver.close()
        #expect(camera.ends)
    }

    @Test func activeTriesThreeTimesASecondApart() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.tcpActive)
        let closed = try TestSocket.tcp()
        let target = try #require(source(closed))
        receiver.connect(to: [target])
        fixture.pass(.milliseconds(1_900))
        #expect(fixture.events.all.isEmpty)
        fixture.pass(.milliseconds(300))
        guard case .connectFailed(let reasons)? = fixture.events.all.first else {
            Issue.record("expected .connectFailed, got \(fixture.events.all)")
            return
        }
        #expect(reasons.count == 3)
        #expect(reasons.allSatisfy { $0.contains(":\(closed.port)") && $0.contains("refused") })
        receiver.close()
    }

    @Test func activeFallsBackToTheObservedAddress() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.tcpActive)
        let closed = try TestSocket.tcp()
        let listener = try TestSocket.listening()
        let targets = try [#require(source(closed)), #require(source(listener))]
        receiver.connect(to: targets)
        for _ in 0..<4 { fixture.tick() }
        #expect(fixture.events.all == [.connected(targets[1])])
        receiver.close()
    }

    @Test func activeConnectsAgainAfterABreak() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.tcpActive)
        let listener = try TestSocket.listening()
        let target = try #require(source(listener))
        receiver.connect(to: [target])
        var camera = listener.accept()
        fixture.tick()
        #expect(fixture.events.all == [.connected(target)])
        camera = nil
        for _ in 0..<3 { fixture.tick() }
        camera = listener.accept()
        #expect(camera != nil)
        #expect(fixture.events.all == [.connected(target), .disconnected(target, .peerClosed), .connected(target)])
        receiver.close()
    }
}
