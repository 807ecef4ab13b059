import Media
import NIOCore
import Testing

@testable import Transport

@Suite struct RTPSharedPortTests {
    private struct Shared {
        let fixture: RTPFixture
        let port: SharedMediaPort
        let strangers = Recorder<UInt32>()

        init() throws {
            fixture = try RTPFixture()
            port = try SharedMediaPort(on: fixture.reactor, host: "127.0.0.1", port: 0)
            port.onUnmatched = { [strangers] ssrc, _ in strangers.append(ssrc) }
        }

        func open(
            _ ssrc: UInt32,
            _ transport: MediaTransport = .udp,
            from host: String? = nil
        ) -> (receiver: MediaReceiver, sink: RecordingSink)? {
            let sink = RecordingSink()
            return port.open(transport, ssrc: ssrc, signallingHost: host, sink: sink) { _ in }.map { ($0, sink) }
        }
    }

    @Test func packetsGoToTheSessionThatHoldsTheirSSRC() throws {
        let shared = try Shared()
        let (first, second) = try (#require(shared.open(1)), #require(shared.open(2)))
        #expect(shared.open(2) == nil)
        let nvr = try TestSocket.udp()
        for sequence in 0..<5 { nvr.send(Packet.rtp(sequence, ssrc: 1), to: shared.port.localPort) }
        for sequence in 0..<3 { nvr.send(Packet.rtp(sequence, ssrc: 2), to: shared.port.localPort) }
        shared.fixture.tick()
        #expect(first.sink.packets.count == 5)
        #expect(second.sink.packets.count == 3)
        #expect(first.receiver.localPort == shared.port.localPort)
        first.receiver.close()
        nvr.send(Packet.rtp(6, ssrc: 1), to: shared.port.localPort)
        shared.fixture.tick()
        #expect(first.sink.packets.count == 5)
        #expect(shared.open(1) != nil)
        shared.port.close()
        #expect(shared.fixture.reactor.statistics.sockets == 0)
        #expect(shared.fixture.reactor.statistics.receivers == 0)
    }

    @Test("R-14: RTP of nobody makes no stream and is told once in a while") func strangersAreTold() throws {
        let shared = try Shared()
        let camera = try TestSocket.udp()
        for sequence in 0..<20 { camera.send(Packet.rtp(sequence, ssrc: 99), to: shared.port.localPort) }
        shared.fixture.tick()
        #expect(shared.strangers.all == [99])
        #expect(shared.port.statistics.unmatchedPackets == 20)
        shared.fixture.pass(.seconds(11))
        camera.send(Packet.rtp(21, ssrc: 99), to: shared.port.localPort)
        shared.fixture.tick()
        #expect(shared.strangers.all == [99, 99])
        shared.port.close()
    }

    @Test func theGatewayMayBindAStrangerAtItsFirstPacket() throws {
        let shared = try Shared()
        let session = try #require(shared.open(1))
        shared.port.onUnmatched = { ssrc, _ in _ = session.receiver.expect(ssrc: ssrc) }
        let camera = try TestSocket.udp()
        for sequence in 0..<4 { camera.send(Packet.rtp(sequence, ssrc: 77), to: shared.port.localPort) }
        shared.fixture.tick()
        #expect(session.sink.packets.count == 4)
        shared.port.close()
    }

    @Test func manyRandomSSRCsCostNoMemory() throws {
        let shared = try Shared()
        let camera = try TestSocket.udp()
        for ssrc in 0..<3000 {
            camera.send(Packet.rtp(1, ssrc: UInt32(ssrc), size: 20), to: shared.port.localPort)
            if ssrc % 500 == 0 { shared.fixture.tick() }
        }
        shared.fixture.tick()
        #expect(shared.strangers.all.count == 1024)
        #expect(shared.port.statistics.unmatchedPackets == 3000)
        shared.port.close()
    }

    @Test func anotherSSRCIsTakenFromTheAnsweredAddress() throws {
        let shared = try Shared()
        let (first, second) = try (#require(shared.open(1)), #require(shared.open(2)))
        let (cameraA, cameraB) = try (TestSocket.udp(), TestSocket.udp())
        first.receiver.expect(source: try #require(RTPSource(host: "127.0.0.1", port: cameraA.port)))
        second.receiver.expect(source: try #require(RTPSource(host: "127.0.0.1", port: cameraB.port)))
        // Both channels of some recorders come with one SSRC.
        for sequence in 0..<3 {
            cameraA.send(Packet.rtp(sequence, ssrc: 0), to: shared.port.localPort)
            cameraB.send(Packet.rtp(sequence, ssrc: 0), to: shared.port.localPort)
        }
        shared.fixture.tick()
        #expect(first.sink.packets.count == 3)
        #expect(second.sink.packets.count == 3)
        #expect(first.sink.sources.allSatisfy { Int($0.port) == cameraA.port })
        #expect(shared.strangers.all.isEmpty)
        shared.port.close()
    }

    @Test func theOnlyWaitingSessionOfAHostTakesItsStream() throws {
        let shared = try Shared()
        let elsewhere = try #require(shared.open(1, from: "192.0.2.1"))
        let session = try #require(shared.open(2, from: "127.0.0.1"))
        let camera = try TestSocket.udp()
        camera.send(Packet.rtp(1, ssrc: 55), to: shared.port.localPort)
        camera.send(Packet.rtp(2, ssrc: 55), to: shared.port.localPort)
        shared.fixture.tick()
        #expect(session.sink.packets.count == 2)
        #expect(elsewhere.sink.packets.isEmpty)
        shared.port.close()
    }

    @Test func betweenTwoWaitingSessionsOfAHostNothingIsGuessed() throws {
        let shared = try Shared()
        let (first, second) = try (
            #require(shared.open(1, from: "127.0.0.1")), #require(shared.open(2, from: "127.0.0.1"))
        )
        let camera = try TestSocket.udp()
        camera.send(Packet.rtp(1, ssrc: 55), to: shared.port.localPort)
        shared.fixture.tick()
        #expect(first.sink.packets.isEmpty && second.sink.packets.isEmpty)
        #expect(shared.strangers.all == [55])
        shared.port.close()
    }

    @Test("R-27: RTCP reaches its session and binds nothing") func rtcpBindsNothing() throws {
        let shared = try Shared()
        let session = try #require(shared.open(1, from: "127.0.0.1"))
        let camera = try TestSocket.udp()
        camera.send(Packet.senderReport(ssrc: 5), to: shared.port.localPort)
        camera.send(Packet.senderReport(ssrc: 1), to: shared.port.localPort)
        shared.fixture.tick()
        #expect(session.sink.packets == [Packet.senderReport(ssrc: 1)])
        shared.port.close()
    }

    @Test func aConnectionBelongsToTheSSRCOfItsFirstPacket() throws {
        let shared = try Shared()
        let (first, second) = try (#require(shared.open(1, .tcpPassive)), #require(shared.open(2, .tcpPassive)))
        let camera = try TestSocket.connected(to: shared.port.localPort)
        camera.send((0..<4).flatMap { Packet.framed(Packet.rtp($0, ssrc: 2)) })
        let stranger = try TestSocket.connected(to: shared.port.localPort)
        stranger.send(Packet.framed(Packet.rtp(1, ssrc: 3)))
        shared.fixture.tick()
        shared.fixture.tick()
        #expect(first.sink.packets.isEmpty)
        #expect(second.sink.packets.count == 4)
        #expect(shared.strangers.all == [3])
        #expect(shared.port.statistics.pendingConnections == 1)
        // The answer that names the SSRC may come later than the connection.
        #expect(first.receiver.expect(ssrc: 3))
        stranger.send(Packet.framed(Packet.rtp(2, ssrc: 3)))
        shared.fixture.tick()
        #expect(first.sink.packets.count == 1)
        second.receiver.close()
        #expect(camera.ends)
        shared.port.close()
    }

    @Test func connectionsOfNobodyEndAfterTenSeconds() throws {
        let shared = try Shared()
        let silent = try TestSocket.connected(to: shared.port.localPort)
        shared.fixture.tick()
        shared.fixture.pass(.seconds(11))
        #expect(silent.ends)
        shared.port.close()
    }

    @Test func threeHundredCamerasOnOnePortLoseNothing() throws {
        let shared = try Shared()
        let sessions = try (1...300).map { try #require(shared.open(UInt32($0))) }
        let cameras = try (0..<30).map { _ in try TestSocket.udp() }
        for sequence in 0..<10 {
            for ssrc in 1...300 {
                cameras[ssrc % 30].send(Packet.rtp(sequence, ssrc: UInt32(ssrc), size: 1400), to: shared.port.localPort)
            }
            shared.fixture.tick()
        }
        #expect(sessions.allSatisfy { $0.sink.packets.count == 10 })
        #expect(shared.port.statistics.kernelDrops == 0)
        shared.port.close()
    }
}
