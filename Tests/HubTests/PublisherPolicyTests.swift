import Media
import NIOCore
import NIOEmbedded
import NIOPosix
import Synchronization
import Testing

@testable import Hub

@Suite struct PublisherPolicyTests {
    @Test("R-19 a second publisher takes over where the configuration says so")
    func newcomerTakesOver() throws {
        let events = EventLog()
        let fixture = HubFixture({ $0.publisherPolicy = .takeOver }, onEvent: { events.append($0) })
        let ends = EndLog()
        let (_, output) = try fixture.watch()
        let first = try fixture.publish(onKick: { ends.append($0) })
        first.receive(fixture.camera.start)
        fixture.play(first, pictures: 15)
        first.count(readBytes: 5000)

        let second = try fixture.publish()
        #expect(fixture.hub.publisher(of: "door")?.id == "PSPUB2")
        #expect(ends.all == [.takenOver(by: "PSPUB2")])
        #expect(first.logs.isEmpty)
        #expect(fixture.report().compactMap(\.publisher).map(\.info.id) == ["PSPUB2"])
        // What the old one still sends, and its end, disturb nobody.
        first.receive(fixture.camera.nextPicture())
        second.receive(fixture.camera.start)
        fixture.camera.picture = 100
        fixture.play(second, pictures: 12)
        first.receive(fixture.camera.sound())
        first.finish()
        fixture.camera.picture = 112
        fixture.play(second, pictures: 3)

        let messages = try output.messages()
        #expect(messages.pictures == Array(0..<15) + Array(100..<115))
        let times = messages.filter { $0.kind != .script }.map(\.timestamp)
        #expect(times == times.sorted())
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 <= 80 })
        #expect(messages.filter { $0.kind == .video && $0.isSequenceHeader }.count == 1)
        let kinds = events.all.filter { $0.session.role == .publisher }.map { "\($0.kind) \($0.session.id)" }
        #expect(kinds == ["publisherStarted PSPUB1", "publisherStopped PSPUB1", "publisherStarted PSPUB2"])
        #expect(events.all.first { $0.kind == .publisherStopped }?.readBytes == 5000)
        #expect(events.all.first { $0.kind == .publisherStopped }?.hasPublisher == false)
        #expect(fixture.hub.publisher(of: "door")?.id == "PSPUB2")
    }

    @Test func publisherThatRejectsNeitherTakesOverNorIsTakenOver() throws {
        let fixture = HubFixture { $0.publisherPolicy = .takeOver }
        let camera = try fixture.publish(policy: .reject)
        #expect(throws: HubError.alreadyPublished(stream: "door", session: "PSPUB1")) { try fixture.publish() }
        camera.finish()
        _ = try fixture.publish()
        #expect(throws: HubError.alreadyPublished(stream: "door", session: "PSPUB3")) {
            try fixture.publish(policy: .reject)
        }
    }

    @Test func ownerIsToldOnceThatItsSessionEnds() throws {
        let fixture = HubFixture { $0.publisherPolicy = .takeOver }
        let ends = EndLog()
        let first = try fixture.publish(onKick: { ends.append($0) })
        first.end(.kicked)
        _ = try fixture.publish()
        first.end(.shutdown)
        #expect(ends.all == [.kicked])
    }

    /// Publishers on two loops take each other's stream over, a viewer on a third watches all of them.
    @Test func takeOversFromTwoLoopsNeverTurnTimeBack() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 3)
        let events = EventLog()
        var configuration = HubConfiguration()
        configuration.publisherPolicy = .takeOver
        let hub = Hub(group: group, configuration: configuration, onEvent: { events.append($0) })
        let loops = Array(group.makeIterator())
        let viewer = try await SocketViewer(of: "door", hub: hub, loop: loops[2])
        await withTaskGroup(of: Void.self) { tasks in
            for index in 0..<2 {
                tasks.addTask {
                    for round in 0..<500 {
                        try? await loops[index].submit {
                            let publisher = try hub.publish(
                                "door",
                                app: "live",
                                session: hub.makeSession(.rtmp, .publisher),
                                on: loops[index],
                                onKick: { _ in }
                            )
                            var camera = FakeCamera()
                            camera.time = Int64((round * 7919) % 1000) * 90_000
                            publisher.receive(camera.start)
                            for _ in 0..<3 { publisher.receive(camera.nextPicture()) }
                            // Goes on after it was taken over, as an encoder does.
                            let bound = NIOLoopBound((publisher, camera), eventLoop: loops[index])
                            loops[index].execute {
                                var (publisher, camera) = bound.value
                                for _ in 0..<3 { publisher.receive(camera.nextPicture()) }
                                if round % 3 == 0 { publisher.finish() }
                            }
                        }.get()
                    }
                }
            }
        }
        // It gets all that was on its way, then its connection ends.
        await hub.shutdown()
        let messages = try await viewer.messages()
        #expect(messages.count > 100)
        let times = messages.filter { $0.kind != .script }.map(\.timestamp)
        #expect(zip(times, times.dropFirst()).allSatisfy { $0 <= $1 })

        let publishing = events.all.filter { $0.kind == .publisherStarted || $0.kind == .publisherStopped }
        #expect(publishing.filter { $0.kind == .publisherStarted }.count == 1000)
        // One publisher at a time: each that starts stops before the next one starts.
        for (event, next) in zip(publishing, publishing.dropFirst()) {
            #expect(event.kind != next.kind)
            if event.kind == .publisherStarted { #expect(next.session.id == event.session.id) }
        }
        try await group.shutdownGracefully()
    }
}

/// A viewer behind a real socket.
struct SocketViewer {
    private let server: any Channel
    private let client: any Channel
    private let collector: Collector

    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let bytes = Mutex(ByteBuffer())
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var part = unwrapInboundIn(data)
            bytes.withLock { _ = $0.writeBuffer(&part) }
        }
    }

    init(of stream: String, hub: Hub, loop: any EventLoop) async throws {
        let watching = loop.makePromise(of: Void.self)
        server = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.eventLoop.execute {
                    watching.completeWith(
                        Result {
                            _ = try hub.view(
                                stream,
                                app: "live",
                                as: .flv,
                                session: hub.makeSession(.flv, .viewer),
                                channel: channel
                            )
                        }
                    )
                }
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let collector = Collector()
        self.collector = collector
        client = try await ClientBootstrap(group: loop)
            .channelInitializer { $0.pipeline.addHandler(collector) }
            .connect(host: "127.0.0.1", port: server.localAddress?.port ?? 0).get()
        try await watching.futureResult.get()
    }

    /// All that came until the connection ended.
    func messages() async throws -> [FLVMessage] {
        try await client.closeFuture.get()
        try await server.close()
        var reader = FLVTagReader()
        var rest = collector.bytes.withLock { $0 }
        var messages: [FLVMessage] = []
        while let message = try reader.next(from: &rest) { messages.append(message) }
        #expect(rest.readableBytes == 4)
        return messages
    }
}

final class EndLog: Sendable {
    private let ends = Mutex<[PublisherEnd]>([])
    var all: [PublisherEnd] { ends.withLock { $0 } }
    func append(_ end: PublisherEnd) { ends.withLock { $0.append(end) } }
}
