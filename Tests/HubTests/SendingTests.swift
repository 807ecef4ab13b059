import Media
import NIOCore
import NIOEmbedded
import Testing

@testable import Hub

@Suite struct SendingTests {
    @Test func slowViewerIsMovedToTheNewestKeyFrameAndCounted() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        fixture.camera.keyLength = 60_000
        fixture.camera.length = 10_000
        let gate = Gate()
        gate.isOpen = true
        let (viewer, slow) = try fixture.watch(handler: gate)
        let (_, fast) = try fixture.watch()
        fixture.play(publisher, pictures: 15)
        gate.shut()
        fixture.play(publisher, pictures: 40)
        #expect(viewer.isBlocked)
        #expect(fixture.report()[1].viewers[0].lagBytes > 0 || viewer.skips > 0)
        gate.open()
        fixture.play(publisher, pictures: 3)
        let numbers = try slow.messages().pictures
        // Torn messages would have failed in messages().
        let gap = try #require(zip(numbers, numbers.dropFirst()).first { $1 != $0 + 1 })
        #expect(gap.1 % 10 == 0)
        #expect(numbers.first == 0 && numbers.last == 57)
        #expect(try fast.messages().pictures == Array(0..<58))
        #expect(viewer.skips >= 1)
        let missed = (gap.1 - gap.0 - 1) * 40
        #expect(abs(viewer.skippedMilliseconds - missed) <= 400)
        #expect(viewer.skippedBytes > 100_000)
        #expect(fixture.dispatcher.statistics.skips == viewer.skips)
    }

    @Test func headersComeAgainAfterASkipOnlyIfTheyChanged() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        fixture.camera.keyLength = 80_000
        fixture.camera.length = 10_000
        let gate = Gate()
        gate.isOpen = true
        let (_, output) = try fixture.watch(handler: gate)
        fixture.play(publisher, pictures: 15)
        gate.shut()
        fixture.play(publisher, pictures: 40)
        gate.open()
        fixture.play(publisher, pictures: 5)
        #expect(try output.messages().filter { $0.kind == .video && $0.isSequenceHeader }.count == 1)
        gate.shut()
        fixture.play(publisher, pictures: 5)
        var parameters = fixture.camera.parameters
        parameters.sps = [[0x67, 77, 0, 31, 9]]
        publisher.receive(.video(parameters))
        fixture.play(publisher, pictures: 40)
        gate.open()
        fixture.play(publisher, pictures: 5)
        let headers = try output.messages().filter { $0.kind == .video && $0.isSequenceHeader }
        #expect(headers.count == 2)
        #expect(headers[0].payload != headers[1].payload)
    }

    @Test func controlBytesStandBetweenMessages() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        fixture.camera.keyLength = 200_000
        let gate = Gate()
        gate.isOpen = true
        let (viewer, output) = try fixture.watch(handler: gate)
        fixture.play(publisher, pictures: 1)
        gate.shut()
        fixture.play(publisher, pictures: 10)
        // In the middle of the second key frame, as NIO holds no more than 64 KB of it.
        let script = FLVMessage(kind: .script, timestamp: 0, body: ByteBuffer(string: "control"))
        var control = ByteBuffer()
        FLVTagWriter.write(script, into: &control)
        viewer.send(control: control)
        gate.open()
        fixture.play(publisher, pictures: 3)
        let messages = try output.messages()
        #expect(messages.contains(script))
        #expect(messages.pictures == Array(0..<14))
    }

    @Test func floodOfControlBytesIsBounded() throws {
        let fixture = HubFixture()
        let (viewer, _) = try fixture.watch(handler: Gate())
        for _ in 0..<1000 { viewer.send(control: ByteBuffer(repeating: 1, count: 100)) }
        #expect(viewer.cursor.controlBytes <= Viewer.controlLimit)
        #expect(fixture.dispatcher.statistics.droppedControls > 800)
    }

    @Test func viewerThatTakesNothingIsClosed() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        let (viewer, output) = try fixture.watch(handler: Gate())
        fixture.play(publisher, pictures: 3)
        fixture.loop.advanceTime(by: .seconds(9))
        #expect(!viewer.isClosed)
        fixture.loop.advanceTime(by: .seconds(2))
        #expect(viewer.isClosed && viewer.closeReason == .stalled)
        #expect(!output.channel.isActive)
        #expect(fixture.dispatcher.statistics.stalledViewers == 1)
        #expect(fixture.dispatcher.readers.isEmpty)
    }

    @Test func viewerThatNobodyServesIsClosed() throws {
        let fixture = HubFixture()
        let (viewer, _) = try fixture.watch()
        fixture.loop.advanceTime(by: .seconds(118))
        #expect(!viewer.isClosed)
        fixture.loop.advanceTime(by: .seconds(4))
        #expect(viewer.closeReason == .abandoned)
    }

    @Test func kickEndsOneSession() throws {
        let fixture = HubFixture()
        var kicked = false
        let publisher = try fixture.publish(onKick: { _ in kicked = true })
        let (viewer, _) = try fixture.watch()
        let (other, _) = try fixture.watch()
        #expect(!fixture.dispatcher.kick(session: "FLVPUBSUB9", of: "door"))
        #expect(fixture.dispatcher.kick(session: "FLVPUBSUB1", of: "door"))
        #expect(viewer.closeReason == .kicked && viewer.isClosed && !other.isClosed)
        publisher.end(.kicked)
        #expect(kicked)
    }

    @Test func figuresAreThoseOfLal() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        let (viewer, output) = try fixture.watch()
        fixture.play(publisher, pictures: 25)
        publisher.count(readBytes: 102_400)
        fixture.loop.advanceTime(by: .seconds(5))
        let reports = fixture.report()
        let input = try #require(reports.first { $0.publisher != nil })
        #expect(input.video?.width == 640 && input.audio?.codec == .aac)
        #expect(input.publisher?.info.id == "PSPUB1" && input.publisher?.info.kind.protocolName == "PS")
        #expect(input.publisher?.bytes.readBytes == 102_400)
        #expect(input.publisher?.bytes.readKilobits == 160)
        let watching = try #require(reports.first { !$0.viewers.isEmpty }?.viewers.first)
        #expect(watching.info.startTime == 1_700_000_000_000)
        #expect(try watching.bytes.wroteBytes == output.drain().readableBytes)
        #expect(watching.bytes.writeKilobits == watching.bytes.wroteBytes * 8 / 1024 / 5)
        #expect(watching.lagBytes == 0 && !watching.isWaiting)
        #expect(viewer.meter.wroteBytes > 30_000)
    }
}

@Suite struct FrameRateTests {
    @Test func countsFinishedSecondsNewestFirst() {
        var ring = FrameRateRing()
        for second in 100..<150 {
            for _ in 0..<(second % 3 + 1) { ring.count(at: Int64(second)) }
        }
        // A clock that is set back must not lose order.
        ring.count(at: 90)
        let finished = ring.finished(before: 149)
        #expect(finished.count == 31)
        #expect(finished.first == FrameCount(unixSecond: 148, count: 2))
        #expect(finished.last?.unixSecond == 118)
        #expect(ring.finished(before: 200).isEmpty)
    }
}

@Suite struct MergeWindowTests {
    @Test func windowGrowsWithTheLoad() {
        let meter = LoadMeter(loops: 2, threshold: 2000, maximum: .milliseconds(40))
        #expect(meter.window(at: 2000) == .nanoseconds(0))
        #expect(meter.window(at: 11_000) == .milliseconds(20))
        #expect(meter.window(at: 1_000_000) == .milliseconds(40))
        meter.report(sends: 1500, ofLoop: 0)
        #expect(meter.window == .nanoseconds(0))
        meter.report(sends: 18_500, ofLoop: 1)
        #expect(meter.window == .milliseconds(40))
        meter.report(sends: 0, ofLoop: 1)
        #expect(meter.window == .nanoseconds(0))
    }

    @Test func windowCountsFromTheFirstMessage() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        let (_, output) = try fixture.watch()
        fixture.play(publisher, pictures: 5)
        let before = try output.drain().readableBytes
        fixture.hub.registry.load.report(sends: 100_000, ofLoop: 0)
        publisher.receive(fixture.camera.nextPicture())
        fixture.loop.advanceTime(by: .milliseconds(39))
        publisher.receive(fixture.camera.nextPicture())
        #expect(try output.drain().readableBytes == before)
        fixture.loop.advanceTime(by: .milliseconds(1))
        #expect(try output.messages().pictures == Array(0..<7))
        // The next one waits for itself.
        publisher.receive(fixture.camera.nextPicture())
        fixture.loop.advanceTime(by: .milliseconds(39))
        #expect(try output.messages().pictures.count == 7)
        fixture.loop.advanceTime(by: .milliseconds(1))
        #expect(try output.messages().pictures.count == 8)
    }

    @Test func streamsOfALoopGoOutTogether() throws {
        let fixture = HubFixture()
        let publishers = try ["a", "b", "c"].map { try fixture.publish($0) }
        let outputs = try ["a", "b", "c"].map { try fixture.watch($0).output }
        for publisher in publishers {
            publisher.receive(fixture.camera.start)
            publisher.receive(fixture.camera.nextPicture())
            fixture.camera.picture = 0
        }
        fixture.loop.run()
        for publisher in publishers { publisher.receive(fixture.camera.sound()) }
        #expect(fixture.dispatcher.unflushed.count == 3)
        fixture.loop.run()
        #expect(fixture.dispatcher.unflushed.isEmpty)
        for output in outputs { #expect(try output.messages().last?.kind == .audio) }
    }
}

@Suite struct MemoryTests {
    /// 2 Mbit/s with a key frame every 2 s and nobody there: what is asked for a thousand cameras in one process.
    @Test func idleStreamKeepsItsKeyFrameAndLittleMore() throws {
        let fixture = HubFixture()
        fixture.camera.keyLength = 61_000
        fixture.camera.length = 9000
        fixture.camera.group = 50
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        var most = 0
        for _ in 0..<300 {
            fixture.play(publisher, pictures: 1)
            most = max(most, fixture.hub.registry.slabs.slabsInUse)
        }
        #expect(most * Slab.size <= 192 * 1024)
        #expect(publisher.isPaused)

        // Who comes now gets the key frame and what there is at once, and goes on at the next key frame.
        let (_, output) = try fixture.watch()
        let first = try output.messages().pictures
        #expect(first.first == 250 && first.count > 10)
        fixture.play(publisher, pictures: 10)
        let next = try output.messages().pictures
        #expect(next == first + Array(300..<310))
    }

    @Test func memoryShrinksWhenTheLastViewerLeaves() throws {
        let fixture = HubFixture()
        fixture.camera.keyLength = 61_000
        fixture.camera.length = 9000
        fixture.camera.group = 50
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        let (viewer, output) = try fixture.watch()
        fixture.play(publisher, pictures: 149)
        // One group of 50 pictures: the viewer has read those before it.
        #expect((14...20).contains(fixture.hub.registry.slabs.slabsInUse))
        #expect(try output.messages().pictures.count == 149)
        viewer.close()
        fixture.play(publisher, pictures: 2)
        #expect(fixture.hub.registry.slabs.slabsInUse <= 6)
    }

    @Test func endlessGroupOfPicturesIsBounded() throws {
        let fixture = HubFixture { $0.gopCacheBytes = 1 << 20 }
        fixture.camera.group = 100_000
        fixture.camera.length = 20_000
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        let (_, output) = try fixture.watch()
        fixture.play(publisher, pictures: 400)
        #expect(fixture.hub.registry.slabs.slabsInUse <= 32)
        #expect(try output.messages().pictures == Array(0..<400))
        let (late, _) = try fixture.watch()
        fixture.play(publisher, pictures: 1)
        #expect(late.cursor.position == nil)
    }

    @Test func oversizedFrameIsDropped() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        fixture.camera.keyLength = StreamPublisher.maximumFrame + 1
        publisher.receive(fixture.camera.nextPicture())
        #expect(publisher.droppedFrames == 1)
        #expect(fixture.hub.registry.slabs.slabsInUse == 0)
    }
}
