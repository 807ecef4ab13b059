import NIOCore
import NIOPosix
import Testing
import Wire

@testable import Transport

@Suite struct RTPReactorTests {
    private final class Promising: RTPSink {
        let promise: EventLoopPromise<[UInt8]>
        init(_ promise: EventLoopPromise<[UInt8]>) { self.promise = promise }
        func receive(_ packet: RawSpan, from source: RTPSource, now: NIODeadline) {
            promise.succeed((0..<packet.byteCount).map { packet.uint8(at: $0) ?? 0 })
        }
        func tick(now: NIODeadline) {}
    }

    @Test func eachLoopDrainsItsOwnAndShutdownGivesEveryPortBack() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let ports = TestPorts.pool(8)
        var reactors: [NIOLoopBound<RTPReactor>] = []
        for loop in group.makeIterator() {
            let reactor = try await loop.submit { NIOLoopBound(try RTPReactor(eventLoop: loop), eventLoop: loop) }.get()
            reactors.append(reactor)
            for _ in 0..<2 {
                let promise = loop.makePromise(of: [UInt8].self)
                let port = try await loop.submit {
                    try MediaReceiver(.udp, on: reactor.value, ports: ports, sink: Promising(promise)) { _ in }
                        .localPort
                }.get()
                let camera = try TestSocket.udp()
                camera.send(Packet.rtp(1), to: port)
                #expect(try await promise.futureResult.get() == Packet.rtp(1))
            }
        }
        #expect(ports.statistics.leased == 4)
        for reactor in reactors { try await reactor.eventLoop.submit { reactor.value.shutdown() }.get() }
        #expect(ports.statistics.leased == 0)
        try await group.shutdownGracefully()
    }
}
