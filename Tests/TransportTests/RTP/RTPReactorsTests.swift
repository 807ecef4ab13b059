import NIOCore
import NIOPosix
import Testing
import Wire

@testable import Transport

@Suite struct RTPReactorsTests {
    private final class Promising: RTPSink {
        let promise: EventLoopPromise<[UInt8]>
        init(_ promise: EventLoopPromise<[UInt8]>) { self.promise = promise }
        func receive(_ packet: RawSpan, from source: RTPSource, now: NIODeadline) {
            promise.succeed((0..<packet.byteCount).map { packet.uint8(at: $0) ?? 0 })
        }
        func tick(now: NIODeadline) {}
    }

    @Test func sessionsSpreadOverTheLoopsAndShutdownEndsThemAll() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let reactors = RTPReactors(group: group)
        let ports = TestPorts.pool(8)
        var loops: [any EventLoop] = []
        for _ in 0..<4 {
            let loop = reactors.leastLoaded()
            loops.append(loop)
            let promise = loop.makePromise(of: [UInt8].self)
            let port = try await loop.submit {
                let reactor = try reactors.reactor(on: loop)
                #expect(try reactors.reactor(on: loop) === reactor)
                return try MediaReceiver(.udp, on: reactor, ports: ports, sink: Promising(promise)) { _ in }.localPort
            }.get()
            let camera = try TestSocket.udp()
            camera.send(Packet.rtp(1), to: port)
            #expect(try await promise.futureResult.get() == Packet.rtp(1))
        }
        for loop in group.makeIterator() { #expect(loops.count { $0 === loop } == 2) }
        #expect(ports.statistics.leased == 4)
        try await reactors.shutdown().get()
        #expect(ports.statistics.leased == 0)
        try await group.shutdownGracefully()
    }
}
