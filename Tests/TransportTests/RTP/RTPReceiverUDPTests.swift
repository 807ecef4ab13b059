import NIOCore
import Testing

@testable import Transport

@Suite struct RTPReceiverUDPTests {
    @Test("R-18: 1,500 packets at once are all there") func aKeyFrameBurstIsNotDropped() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.udp)
        let camera = try TestSocket.udp()
        for sequence in 0..<1500 { camera.send(Packet.rtp(sequence, size: 1400), to: receiver.localPort) }
        fixture.tick()
        #expect(fixture.sink.packets.count == 1500)
        #expect(fixture.sink.packets.enumerated().allSatisfy { Int($1[2]) << 8 | Int($1[3]) == $0 })
        #expect(receiver.statistics.kernelDrops == 0)
        #expect(receiver.statistics.bytes == 1500 * 1400)
        receiver.close()
    }

    @Test("R-18: what the kernel drops is counted") func kernelDropsAreTold() throws {
        let fixture = try RTPFixture(receiveBuffer: 4096)
        let receiver = try fixture.open(.udp)
        let camera = try TestSocket.udp()
        for sequence in 0..<200 { camera.send(Packet.rtp(sequence, size: 1400), to: receiver.localPort) }
        fixture.tick()
        // The count comes with the next datagram that is taken.
        camera.send(Packet.rtp(200), to: receiver.localPort)
        fixture.tick()
        #expect(fixture.sink.drops > 0)
        #expect(fixture.sink.packets.count + Int(fixture.sink.drops) == 201)
        #expect(receiver.statistics.kernelDrops == Int(fixture.sink.drops))
        receiver.close()
    }

    @Test func theLargestDatagramArrivesWhole() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.udp)
        let camera = try TestSocket.udp()
        camera.send(Packet.rtp(1, size: 65_000), to: receiver.localPort)
        camera.send([], to: receiver.localPort)
        fixture.tick()
        #expect(fixture.sink.packets.map(\.count) == [65_000, 0])
        receiver.close()
    }

    @Test func theSinkTicksOnceADrainAndTwentyTimesASecondOtherwise() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.udp)
        fixture.pass(.milliseconds(500))
        let idle = fixture.sink.ticks
        #expect((9...11).contains(idle))
        let camera = try TestSocket.udp()
        for sequence in 0..<10 { camera.send(Packet.rtp(sequence), to: receiver.localPort) }
        fixture.tick()
        #expect((1...2).contains(fixture.sink.ticks - idle))
        receiver.close()
    }

    @Test func nothingRunsWithoutReceivers() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.udp)
        fixture.pass(.milliseconds(20))
        let drains = fixture.reactor.statistics.drains
        #expect(drains > 0)
        receiver.close()
        fixture.pass(.seconds(1))
        #expect(fixture.reactor.statistics.drains == drains)
        #expect(fixture.reactor.statistics.sockets == 0)
        #expect(fixture.reactor.statistics.receivers == 0)
    }

    @Test func aSinkMayCloseItsReceiverAtAnyPacket() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.udp)
        let other = try fixture.open(.udp)
        let camera = try TestSocket.udp()
        fixture.sink.onPacket = { [sink = fixture.sink] in
            if sink.packets.count == 3 {
                receiver.close()
                other.close()
            }
        }
        for sequence in 0..<10 { camera.send(Packet.rtp(sequence), to: receiver.localPort) }
        for sequence in 0..<10 { camera.send(Packet.rtp(sequence), to: other.localPort) }
        fixture.tick()
        #expect(fixture.sink.packets.count == 3)
        fixture.pass(.seconds(1))
        #expect(!receiver.isOpen)
    }

    @Test func reportsGoToThePortAboveTheMedia() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.udp)
        fixture.sink.report = [0x81, 201, 0, 7]
        let range = TestPorts.range(1)
        let camera = try TestSocket.udp(port: range.lowerBound)
        let control = try TestSocket.udp(port: range.lowerBound + 1)
        camera.send(Packet.rtp(1), to: receiver.localPort)
        fixture.tick()
        fixture.pass(.milliseconds(4_900))
        #expect(control.poll() == nil)
        fixture.pass(.milliseconds(200))
        #expect(control.poll() == [0x81, 201, 0, 7])
        fixture.pass(.milliseconds(5_000))
        #expect(control.poll() != nil)
        #expect(receiver.statistics.reportsSent == 2)
        receiver.close()
    }

    @Test func reportsAnswerWhereTheSenderReportsComeFrom() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.udp)
        fixture.sink.report = [0x81, 201, 0, 7]
        let camera = try TestSocket.udp()
        let control = try TestSocket.udp()
        camera.send(Packet.rtp(1), to: receiver.localPort)
        control.send(Packet.senderReport(), to: receiver.localPort + 1)
        fixture.tick()
        #expect(fixture.sink.packets.contains(Packet.senderReport()))
        fixture.pass(.milliseconds(5_100))
        #expect(control.poll() == [0x81, 201, 0, 7])
        camera.send(Packet.senderReport(), to: receiver.localPort)
        fixture.tick()
        fixture.pass(.milliseconds(5_000))
        #expect(camera.poll() == [0x81, 201, 0, 7])
        #expect(control.poll() == nil)
        receiver.close()
    }

    @Test("R-25: SIP on the media port is told once") func sipOnTheMediaPortIsNamed() throws {
        let fixture = try RTPFixture()
        let receiver = try fixture.open(.udp)
        let camera = try TestSocket.udp()
        let text = Array("REGISTER sip:34020000002000000001@3402000000 SIP/2.0\r\n".utf8)
        for _ in 0..<3 { camera.send(text, to: receiver.localPort) }
        fixture.tick()
        #expect(fixture.events.all.count == 1)
        guard case .unusable(let source, .sipOnMediaPort(let line), let advice)? = fixture.events.all.first else {
            Issue.record("expected .unusable, got \(fixture.events.all)")
            return
        }
        #expect(source.host == "127.0.0.1")
        #expect(line.hasPrefix("REGISTER"))
        #expect(advice.contains("SIP port"))
        receiver.close()
    }

    @Test func openingAndClosingAThousandTimesLeaksNoDescriptor() throws {
        let fixture = try RTPFixture()
        let pool = PortPool(range: TestPorts.range(40), quarantine: .nanoseconds(0))
        let before = openDescriptors()
        for round in 0..<1000 {
            let transport: MediaTransport = [.udp, .tcpPassive, .tcpActive][round % 3]
            let receiver = try MediaReceiver(
                transport,
                on: fixture.reactor,
                ports: pool,
                host: "127.0.0.1",
                sink: fixture.sink
            ) { _ in }
            var camera: TestSocket?
            if transport == .tcpPassive {
                camera = try TestSocket.connected(to: receiver.localPort)
                camera?.send(Packet.framed(Packet.rtp(round)))
            }
            fixture.tick()
            receiver.close()
            _ = camera
        }
        // Other tests of this process open and close theirs meanwhile.
        #expect(openDescriptors() < before + 200)
        #expect(pool.statistics.leased == 0)
        #expect(fixture.reactor.statistics.sockets == 0)
    }

    @Test func sourcesReadAndCompareAsAddresses() throws {
        let four = try #require(RTPSource(host: "192.0.2.7", port: 5060))
        #expect(four.host == "192.0.2.7")
        #expect(four.description == "udp 192.0.2.7:5060")
        #expect(RTPSource(host: "::ffff:192.0.2.7", port: 5060) == four)
        let six = try #require(RTPSource(host: "2001:db8::1", port: 9, transport: .tcp))
        #expect(six.description == "tcp [2001:db8::1]:9")
        #expect(!six.isSameHost(as: four))
        #expect(RTPSource(host: "camera.local", port: 1) == nil)
        #expect(RTPSource(host: "192.0.2.7", port: 65_536) == nil)
        #expect(RTPSource(host: "192.0.2.7", port: 65_535)?.atNextPort().port == 65_535)
    }
}
