import Media
import NIOCore
import NIOEmbedded
import NIOPosix
import Streaming
import Synchronization
import Testing

@testable import Hub

@Suite struct StreamTests {
    @Test func lateViewerGetsHeadersAndTheKeyFrameFirst() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        fixture.play(publisher, pictures: 17)
        let (_, output) = try fixture.watch()
        fixture.loop.run()
        let messages = try output.messages()
        #expect(messages.prefix(3).map(\.kind) == [.script, .video, .audio])
        #expect(messages[1].isSequenceHeader && messages[2].isSequenceHeader)
        #expect(messages[3].isKey)
        // FFmpeg takes metadata with a time for subtitles.
        #expect(messages.prefix(4).map(\.timestamp) == [0, 400, 400, 400])
        #expect(messages.pictures == Array(10..<17))
        // Sound is cached as well.
        #expect(messages.filter { $0.kind == .audio && !$0.isSequenceHeader }.count == 7)
        fixture.play(publisher, pictures: 8)
        #expect(try output.messages().pictures == Array(10..<25))
    }

    @Test func viewerMayComeBeforeThePublisher() throws {
        let fixture = HubFixture()
        let (viewer, output) = try fixture.watch(prologue: "HTTP/1.1 200 OK\r\n\r\n")
        fixture.loop.run()
        #expect(try String(buffer: output.drain()) == "HTTP/1.1 200 OK\r\n\r\n")
        #expect(viewer.cursor.position == nil)
        let publisher = try fixture.publish()
        fixture.camera.picture = 3
        publisher.receive(.video(fixture.camera.parameters))
        publisher.receive(.audio(FakeCamera.aac))
        fixture.play(publisher, pictures: 12)
        var bytes = try output.drain()
        bytes.moveReaderIndex(forwardBy: 19)
        // Both tracks in the flags.
        #expect(bytes.getInteger(at: bytes.readerIndex + 4, as: UInt8.self) == 5)
        var reader = FLVTagReader()
        var messages: [FLVMessage] = []
        while let message = try reader.next(from: &bytes) { messages.append(message) }
        // What came before the first key frame is of no use to anybody, the sound neither.
        #expect(messages.pictures == Array(10..<15))
        #expect(messages.first { $0.kind == .audio && !$0.isSequenceHeader }?.timestamp ?? 0 >= 280)
        #expect(fixture.report()[0].droppedFrames == 14)
    }

    /// FFmpeg without -re sends seconds of a stream in one read.
    @Test(arguments: [false, true])
    func whoWaitedGetsABurstOfManyGroupsFromItsBeginning(isSlow: Bool) throws {
        let fixture = HubFixture()
        fixture.camera.keyLength = 60_000
        let gate = Gate()
        gate.isOpen = !isSlow
        // A slow one has not even sent its prologue when the publisher has left again.
        let (viewer, output) = try fixture.watch(handler: gate)
        let publisher = try fixture.publish()
        var events = fixture.camera.start
        for _ in 0..<55 { events.append(fixture.camera.nextPicture()) }
        publisher.receive(events)
        fixture.loop.run()
        if !isSlow {
            publisher.receive((0..<25).map { _ in fixture.camera.nextPicture() })
            fixture.loop.run()
        }
        publisher.finish()
        gate.open()
        fixture.loop.run()
        #expect(try output.messages().pictures == Array(0..<(isSlow ? 55 : 80)))
        #expect(viewer.skips == 0)
    }

    @Test(arguments: 0..<20)
    func whoWaitedOnAnotherLoopGetsABurstFromItsBeginning(_: Int) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let loops = Array(group.makeIterator())
        let hub = Hub(group: group)
        let viewer = try await SocketViewer(of: "door", hub: hub, loop: loops[1])
        try await loops[0].submit {
            let publisher = try hub.publish(
                "door",
                app: "live",
                session: hub.makeSession(.rtmp, .publisher),
                on: loops[0],
                onKick: { _ in }
            )
            var camera = FakeCamera()
            var events = camera.start
            for _ in 0..<35 { events.append(camera.nextPicture()) }
            publisher.receive(events)
            publisher.finish()
        }.get()
        for loop in loops { try await loop.submit {}.get() }
        await hub.shutdown()
        #expect(try await viewer.messages().pictures == Array(0..<35))
        try await group.shutdownGracefully()
    }

    @Test func headerFlagsNameOnlyTheTracksThatCame() throws {
        let fixture = HubFixture()
        let (_, output) = try fixture.watch()
        let publisher = try fixture.publish()
        publisher.receive(.video(fixture.camera.parameters))
        fixture.play(publisher, pictures: 5, sound: false)
        // Sound may still come.
        #expect(try output.drain().readableBytes == 0)
        fixture.play(publisher, pictures: 5, sound: false)
        #expect(try output.drain().getInteger(at: 4, as: UInt8.self) == 1)
        #expect(try output.messages().pictures == Array(0..<10))
    }

    @Test func soundAloneIsServedToo() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(.audio(AudioParameters(codec: .g711a, sampleRate: 8000, channels: 1)))
        let (_, output) = try fixture.watch()
        for index in 0..<200 {
            fixture.camera.time = Int64(index) * 3600
            publisher.receive(fixture.camera.sound())
            fixture.loop.run()
        }
        #expect(try output.drain().getInteger(at: 4, as: UInt8.self) == 4)
        #expect(try output.messages().last?.timestamp == 199 * 40)
        let (_, late) = try fixture.watch()
        let first = try #require(try late.messages().first { $0.kind == .audio })
        #expect(199 * 40 - Int(first.timestamp) <= 1000)
    }

    @Test func secondPublisherIsRefusedByName() throws {
        let fixture = HubFixture()
        let first = try fixture.publish()
        #expect(throws: HubError.alreadyPublished(stream: "door", session: "PSPUB1")) { try fixture.publish() }
        #expect(fixture.hub.publisher(of: "door")?.id == "PSPUB1")
        first.finish()
        first.finish()
        #expect(fixture.hub.publisher(of: "door") == nil)
        _ = try fixture.publish()
    }

    @Test func streamIsForgottenWithItsLastSession() throws {
        let events = EventLog()
        let fixture = HubFixture(onEvent: { events.append($0) })
        let publisher = try fixture.publish()
        let (viewer, output) = try fixture.watch()
        publisher.finish()
        #expect(fixture.hub.registry.streams.map(\.name) == ["door"])
        viewer.close()
        #expect(fixture.hub.registry.streams.isEmpty)
        #expect(!output.channel.isActive)
        #expect(fixture.dispatcher.readers.isEmpty && fixture.dispatcher.publishers.isEmpty)
        #expect(
            events.all.map { "\($0.kind) \($0.hasPublisher) \($0.hasViewers)" } == [
                "publisherStarted true false", "viewerStarted true true", "publisherStopped false true",
                "viewerStopped false false",
            ]
        )
        // The watch ends when there is nothing left to look after.
        fixture.loop.advanceTime(by: .seconds(2))
        #expect(fixture.dispatcher.watch == nil)
        #expect(fixture.hub.registry.slabs.slabsInUse == 0)
    }

    @Test func timeGoesOnWhenAnotherPublisherTakesOver() throws {
        let fixture = HubFixture()
        let (_, output) = try fixture.watch()
        let first = try fixture.publish()
        fixture.camera.time = 90_000 * 1000
        first.receive(fixture.camera.start)
        fixture.play(first, pictures: 12)
        first.finish()
        fixture.loop.run()
        let before = try output.messages().count

        let second = try fixture.publish()
        fixture.camera = FakeCamera()
        fixture.camera.picture = 5
        second.receive(fixture.camera.start)
        fixture.play(second, pictures: 12)
        let messages = try output.messages()
        let times = messages.filter { $0.kind != .script }.map(\.timestamp)
        #expect(times == times.sorted())
        #expect(times.last ?? 0 < 1_000_000 + 2000)
        // The same headers are not sent again; a key frame comes first.
        #expect(!messages.dropFirst(before).contains { $0.isSequenceHeader || $0.kind == .script })
        #expect(messages.dropFirst(before).first?.isKey == true)
        #expect(messages.pictures == Array(0..<12) + Array(10..<17))
    }

    @Test func viewersOfAStreamWithoutPublisherGetNothingOld() throws {
        let fixture = HubFixture()
        let (_, early) = try fixture.watch()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        fixture.play(publisher, pictures: 5)
        publisher.finish()
        let (_, late) = try fixture.watch()
        fixture.loop.run()
        #expect(try early.messages().pictures == Array(0..<5))
        #expect(try late.drain().readableBytes == 0)
        // The old bytes are let go once they are read.
        fixture.loop.advanceTime(by: .seconds(1))
        #expect(fixture.hub.registry.slabs.slabsInUse == 0)
    }

    @Test func changedParametersReachThoseWhoWatchAndThoseWhoCome() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        let (_, output) = try fixture.watch()
        fixture.play(publisher, pictures: 10)
        var parameters = fixture.camera.parameters
        parameters.sps = [[0x67, 77, 0, 31, 9]]
        publisher.receive(.video(parameters))
        fixture.play(publisher, pictures: 3)
        let messages = try output.messages()
        #expect(messages.filter { $0.kind == .video && $0.isSequenceHeader }.count == 2)
        let change = try #require(messages.lastIndex { $0.isSequenceHeader })
        #expect(messages[change + 1].isKey)
        let (_, late) = try fixture.watch()
        #expect(try late.messages().first { $0.isSequenceHeader }?.payload == messages[change].payload)
    }

    @Test func limitsAreKept() throws {
        let fixture = HubFixture { configuration in
            configuration.maximumStreams = 2
            configuration.maximumViewers = 3
            configuration.maximumViewersOfStream = 2
        }
        let (viewer, _) = try fixture.watch("a")
        _ = try fixture.watch("a")
        #expect(throws: HubError.tooManyViewersOfStream("a", limit: 2)) { try fixture.watch("a") }
        _ = try fixture.watch("b")
        #expect(throws: HubError.tooManyViewers(limit: 3)) { try fixture.watch("b") }
        #expect(throws: HubError.tooManyStreams(limit: 2)) { try fixture.publish("c") }
        viewer.close()
        _ = try fixture.watch("b")
    }
}

@Suite struct FormatTests {
    @Test func logsAreMadeWhenTheyAreNeededAndSeededFromTheCache() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        fixture.play(publisher, pictures: 14)
        #expect(publisher.logs.map(\.format) == [.flv])
        let (rtmpViewer, rtmp) = try fixture.watch(as: WireFormat(.rtmp))
        let (_, webSocket) = try fixture.watch(as: WireFormat(.webSocketFLV))
        let (_, flv) = try fixture.watch()
        #expect(publisher.logs.count == 3)
        fixture.play(publisher, pictures: 3)
        let messages = try flv.messages()
        #expect(messages.pictures == Array(10..<17))
        // The same messages in each format, those of the seed too.
        var chunks = ByteBuffer()
        var frames = ByteBuffer()
        var tags = try flv.drain()
        WebSocketFrame.write(opcode: .binary, payload: tags.readSlice(length: 13) ?? ByteBuffer(), into: &frames)
        for message in messages {
            RTMPChunkWriter.write(message, into: &chunks)
            var tag = ByteBuffer()
            FLVTagWriter.write(message, into: &tag)
            WebSocketFrame.write(opcode: .binary, payload: tag, into: &frames)
        }
        #expect(try rtmp.drain() == chunks)
        #expect(try webSocket.drain() == frames)
        rtmpViewer.close()
        #expect(Set(publisher.logs.map(\.format.framing)) == [.flv, .webSocketFLV])
    }

    @Test func h265ComesInTheFormThatTheViewerSpeaks() throws {
        let fixture = HubFixture()
        fixture.camera.codec = .h265
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        fixture.play(publisher, pictures: 3)
        let (_, legacy) = try fixture.watch()
        let (_, enhanced) = try fixture.watch(as: WireFormat(.flv, hevc: .enhanced))
        fixture.play(publisher, pictures: 9)
        let old = try legacy.messages()
        let new = try enhanced.messages()
        #expect(old.pictures == Array(0..<12))
        #expect(new.pictures == old.pictures)
        try #require(!old.isEmpty && !new.isEmpty)
        let oldVideo = old.filter { $0.kind == .video }
        #expect(oldVideo.allSatisfy { $0.header[0] & 0x8F == 12 })
        #expect(new.filter { $0.kind == .video } == oldVideo.map { $0.converted(to: .enhanced) })
        #expect(new.filter { $0.kind == .video }.allSatisfy { $0.header[0] & 0x80 != 0 })
        #expect(new[0].payload != old[0].payload)
    }

    @Test func h264IsOneLogForBothForms() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        fixture.play(publisher, pictures: 3)
        let (_, legacy) = try fixture.watch()
        let (_, enhanced) = try fixture.watch(as: WireFormat(.flv, hevc: .enhanced))
        fixture.play(publisher, pictures: 9)
        #expect(publisher.logs.count == 1)
        #expect(try legacy.drain() == enhanced.drain())
    }

    @Test func codecMayChangeWhileWatched() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        fixture.play(publisher, pictures: 5)
        let (_, legacy) = try fixture.watch()
        let (_, enhanced) = try fixture.watch(as: WireFormat(.flv, hevc: .enhanced))
        fixture.camera.codec = .h265
        publisher.receive(.video(fixture.camera.parameters))
        fixture.play(publisher, pictures: 12)
        for output in [legacy, enhanced] {
            let messages = try output.messages()
            // Nothing of the new codec before its key frame.
            #expect(messages.pictures == Array(0..<5) + Array(10..<17))
            let header = try #require(messages.lastIndex { $0.kind == .video && $0.isSequenceHeader })
            #expect(messages[header...].first { $0.kind == .video && !$0.isSequenceHeader }?.isKey == true)
        }
        #expect(try enhanced.messages().last { $0.kind == .video }.map { $0.header[0] & 0x80 } == 0x80)
    }
}

final class EventLog: Sendable {
    private let events = Mutex<[HubEvent]>([])

    var all: [HubEvent] { events.withLock { $0 } }

    func append(_ event: HubEvent) {
        events.withLock { $0.append(event) }
    }
}
