import Media
import NIOCore
import NIOEmbedded
import Testing

@testable import Hub

@Suite struct CacheLimitTests {
    @Test func logOfAnotherFormatIsMadeOfTheOneThereIs() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        let (rtmpViewer, _) = try fixture.watch(as: WireFormat(.rtmp))
        fixture.play(publisher, pictures: 14)
        #expect(publisher.logs.map(\.format.framing) == [.rtmp])
        let (flvViewer, flv) = try fixture.watch()
        fixture.play(publisher, pictures: 3)
        #expect(try flv.messages().pictures == Array(10..<17))
        rtmpViewer.close()
        #expect(publisher.logs.map(\.format.framing) == [.flv])
        flvViewer.close()
        // The cache stays in the last format.
        #expect(publisher.logs.map(\.format.framing) == [.flv])
        let (_, webSocket) = try fixture.watch(as: WireFormat(.webSocketFLV))
        fixture.play(publisher, pictures: 1)
        #expect(try webSocket.drain().readableBytes > 10_000)
        #expect(publisher.logs.map(\.format.framing) == [.webSocketFLV])
    }

    @Test func groupBeforeTheNewestStaysOnlyForAViewerThatReadsIt() throws {
        let fixture = HubFixture()
        fixture.camera.keyLength = 60_000
        fixture.camera.length = 30_000
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        let gate = Gate()
        gate.isOpen = true
        let (fast, _) = try fixture.watch()
        fixture.play(publisher, pictures: 12)
        let (slow, output) = try fixture.watch(handler: gate)
        fixture.play(publisher, pictures: 1)
        gate.shut()
        fixture.play(publisher, pictures: 15)
        // Pictures 14 to 27 and what slabs they share.
        #expect((13...17).contains(fixture.hub.registry.slabs.slabsInUse))
        gate.open()
        // The writer learns of it with the first picture and lets go with the second.
        fixture.play(publisher, pictures: 2)
        #expect((10...12).contains(fixture.hub.registry.slabs.slabsInUse))
        #expect(slow.skips == 0 && fast.skips == 0)
        #expect(try output.messages().pictures == Array(10..<30))
    }

    @Test func largestIdleCachesGoFirstWhenAllTogetherTakeTooMuch() throws {
        let fixture = HubFixture { configuration in
            configuration.cacheBytes = 12 * Slab.size
        }
        var publishers: [StreamPublisher] = []
        for (name, length) in [("large", 150_000), ("middle", 100_000), ("small", 20_000)] {
            let publisher = try fixture.publish(name)
            fixture.camera = FakeCamera()
            fixture.camera.keyLength = length
            publisher.receive(fixture.camera.start)
            fixture.play(publisher, pictures: 5)
            publishers.append(publisher)
        }
        let (watched, output) = try fixture.watch("watched")
        let live = try fixture.publish("watched")
        fixture.camera = FakeCamera()
        fixture.camera.keyLength = 120_000
        live.receive(fixture.camera.start)
        fixture.play(live, pictures: 5)
        #expect(fixture.hub.registry.slabs.isUnderPressure)
        fixture.loop.advanceTime(by: .seconds(1))
        #expect(publishers.map { $0.idleMemory > 0 } == [false, true, true])
        #expect(fixture.dispatcher.statistics.shedCaches == 1)
        #expect(!watched.isClosed)
        #expect(try output.messages().pictures == Array(0..<5))
    }

    @Test func wantOfMemoryCostsPicturesAndNotTheProcess() throws {
        let fixture = HubFixture { $0.maximumSlabBytes = 4 * Slab.size }
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        let (viewer, output) = try fixture.watch()
        fixture.play(publisher, pictures: 5)
        // More than there is.
        fixture.camera.keyLength = 400_000
        fixture.play(publisher, pictures: 10)
        fixture.camera.keyLength = 6000
        fixture.play(publisher, pictures: 15)
        #expect(fixture.hub.registry.slabs.refusedSlabs > 0)
        #expect(publisher.droppedFrames > 0)
        #expect(!viewer.isClosed)
        // A large key frame and its group are missing, and no message is torn.
        #expect(try output.messages().pictures == Array(0..<10) + Array(20..<30))
    }

    @Test func viewerThatHasReadAllGoesOnWhenAllThatItKnewIsEvicted() throws {
        let fixture = HubFixture { $0.gopCacheBytes = 4 * Slab.size }
        fixture.camera.keyLength = 100_000
        fixture.camera.length = 100_000
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        let (viewer, output) = try fixture.watch()
        // Several pictures in one turn of the loop: more than the log keeps.
        for _ in 0..<20 {
            for _ in 0..<3 { publisher.receive(fixture.camera.nextPicture()) }
            fixture.loop.run()
        }
        fixture.play(publisher, pictures: 1)
        let numbers = try output.messages().pictures
        #expect(numbers.last == 60 && viewer.cursor.position != nil)
        for (number, next) in zip(numbers, numbers.dropFirst()) where next != number + 1 { #expect(next % 10 == 0) }
    }
}
