import Media
import NIOCore
import NIOEmbedded
import Testing

@testable import Hub

@Suite struct GraceTests {
    @Test("R-20 viewers stay while the publisher reconnects, and time goes on with B-frames and sound")
    func viewersStayWhileThePublisherReconnects() throws {
        let fixture = HubFixture { $0.gracePeriod = .seconds(30) }
        let (viewer, output) = try fixture.watch()
        for round in 0..<3 {
            let publisher = try fixture.publish()
            fixture.camera = FakeCamera()
            fixture.camera.time = Int64(round) * 5_000_000
            fixture.camera.isReordered = true
            publisher.receive(fixture.camera.start)
            fixture.play(publisher, pictures: 12)
            publisher.finish()
            fixture.loop.advanceTime(by: .seconds(29))
            #expect(!viewer.isClosed)
        }
        let messages = try output.messages()
        #expect(messages.pictures == Array(repeating: 0..<12, count: 3).flatMap { $0 })
        #expect(messages.filter(\.isSequenceHeader).count == 2)
        for kind in [FLVMessage.Kind.video, .audio] {
            let times = messages.filter { $0.kind == kind }.map { Int($0.timestamp) }
            #expect(zip(times, times.dropFirst()).allSatisfy { $0 <= $1 && $1 - $0 <= 200 })
        }
        // No picture of a publisher is shown before the last one of the publisher before.
        let shown = messages.filter { $0.kind == .video && !$0.isSequenceHeader }
            .map { Int($0.timestamp) + Int($0.header[2]) << 16 + Int($0.header[3]) << 8 + Int($0.header[4]) }
        for end in [12, 24] { #expect(shown[..<end].max() ?? 0 < shown[end...].min() ?? 0) }
    }

    @Test func newParametersComeBeforeTheFirstFrameOfTheNextPublisher() throws {
        let fixture = HubFixture()
        let (_, output) = try fixture.watch()
        let first = try fixture.publish()
        first.receive(fixture.camera.start)
        fixture.play(first, pictures: 5)
        first.finish()
        let before = try output.messages().count
        let second = try fixture.publish()
        var parameters = fixture.camera.parameters
        parameters.sps = [[0x67, 77, 0, 31, 9]]
        // The sound's parameters come late, as with a camera.
        second.receive(.video(parameters))
        fixture.camera.picture = 10
        second.receive(fixture.camera.nextPicture())
        second.receive(.audio(FakeCamera.aac))
        fixture.play(second, pictures: 3)
        let added = try output.messages().dropFirst(before)
        #expect(added.prefix(4).map(\.kind) == [.script, .video, .audio, .video])
        #expect(added.prefix(4).map(\.isSequenceHeader) == [false, true, true, false])
        #expect(added.filter(\.isSequenceHeader).count == 2)
    }

    @Test func viewersAreEndedAfterTheGracePeriod() throws {
        let fixture = HubFixture { configuration in
            configuration.gracePeriod = .seconds(10)
            configuration.waitTimeout = .seconds(60)
        }
        let (served, output) = try fixture.watch(onEnd: { _ in ByteBuffer(string: "bye") })
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        fixture.play(publisher, pictures: 3)
        publisher.finish()
        // Who comes now waits for the next publisher, as long as who came before the first one.
        let (late, _) = try fixture.watch()
        fixture.loop.advanceTime(by: .seconds(9))
        #expect(!served.isClosed)
        fixture.loop.advanceTime(by: .seconds(2))
        #expect(served.isClosed && served.closeReason == .publisherGone)
        #expect(try String(buffer: output.drain()).hasSuffix("bye"))
        #expect(!late.isClosed)
        fixture.loop.advanceTime(by: .seconds(51))
        #expect(late.closeReason == .abandoned)
    }

    @Test func graceEndsWithTheNextPublisherThoughItSendsNothingYet() throws {
        let fixture = HubFixture { $0.gracePeriod = .seconds(10) }
        let (viewer, output) = try fixture.watch()
        let first = try fixture.publish()
        first.receive(fixture.camera.start)
        fixture.play(first, pictures: 3)
        first.finish()
        fixture.loop.advanceTime(by: .seconds(8))
        let second = try fixture.publish()
        fixture.loop.advanceTime(by: .seconds(20))
        #expect(!viewer.isClosed)
        fixture.camera.picture = 10
        second.receive(fixture.camera.start)
        fixture.play(second, pictures: 2)
        #expect(try output.messages().pictures == [0, 1, 2, 10, 11])
    }

    @Test func withoutGraceViewersAreEndedWithThePublisher() throws {
        let fixture = HubFixture { $0.gracePeriod = .nanoseconds(0) }
        let gate = Gate()
        gate.isOpen = true
        let (fast, output) = try fixture.watch(onEnd: { _ in ByteBuffer(string: "bye") })
        let (slow, slowOutput) = try fixture.watch(handler: gate)
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        fixture.play(publisher, pictures: 3)
        gate.shut()
        fixture.play(publisher, pictures: 5)
        publisher.finish()
        #expect(fast.isClosed && fast.closeReason == .publisherGone)
        #expect(try String(buffer: output.drain()).hasSuffix("bye"))
        // One that lags sees the stream to its end.
        #expect(!slow.isClosed)
        gate.open()
        #expect(slow.isClosed)
        #expect(try slowOutput.messages().pictures == Array(0..<8))
    }

    @Test func snapshotSaysUntilWhenViewersWait() async throws {
        let fixture = HubFixture { $0.gracePeriod = .seconds(10) }
        _ = try fixture.watch()
        let publisher = try fixture.publish()
        #expect(fixture.hub.registry.streams.first?.graceUntil == nil)
        publisher.finish()
        #expect(fixture.hub.registry.streams.first?.graceUntil == 1_700_000_010_000)
        _ = try fixture.publish()
        #expect(fixture.hub.registry.streams.first?.graceUntil == nil)
    }
}

@Suite struct ViewerEndTests {
    @Test func farewellStandsBehindAWholeMessage() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        fixture.camera.keyLength = 200_000
        let gate = Gate()
        gate.isOpen = true
        let farewell = FLVMessage(kind: .script, timestamp: 0, body: ByteBuffer(string: "farewell"))
        var reasons: [Viewer.CloseReason] = []
        let (viewer, output) = try fixture.watch(
            onEnd: { reason in
                reasons.append(reason)
                var bytes = ByteBuffer()
                FLVTagWriter.write(farewell, into: &bytes)
                return bytes
            },
            handler: gate
        )
        fixture.play(publisher, pictures: 1)
        gate.shut()
        fixture.play(publisher, pictures: 10)
        // In the middle of the second key frame.
        #expect(fixture.dispatcher.kick(session: viewer.session.id, of: "door"))
        #expect(!viewer.isClosed && reasons == [.kicked])
        fixture.play(publisher, pictures: 5)
        gate.open()
        #expect(viewer.isClosed && !output.channel.isActive)
        let messages = try output.messages()
        #expect(messages.last == farewell)
        #expect(messages.pictures.last ?? 99 < 11)
        #expect(reasons == [.kicked])
    }

    @Test func peerThatTakesNoFarewellIsClosedAfterASecond() throws {
        let fixture = HubFixture()
        let (viewer, output) = try fixture.watch(onEnd: { _ in ByteBuffer(string: "bye") }, handler: Gate())
        _ = fixture.dispatcher.kick(session: viewer.session.id, of: "door")
        fixture.loop.advanceTime(by: .milliseconds(999))
        #expect(!viewer.isClosed)
        fixture.loop.advanceTime(by: .milliseconds(2))
        #expect(viewer.isClosed && viewer.closeReason == .kicked && !output.channel.isActive)
        #expect(fixture.hub.registry.streams.isEmpty)
    }

    @Test func peerThatLeavesByItselfIsNotAskedForAFarewell() throws {
        let fixture = HubFixture()
        var asked = 0
        let (viewer, output) = try fixture.watch(onEnd: { _ in
            asked += 1
            return nil
        })
        output.channel.close(promise: nil)
        fixture.loop.run()
        #expect(viewer.isClosed && viewer.closeReason == .channelClosed && asked == 0)
    }

    @Test func shutdownEndsAllWithinTheLimit() throws {
        let fixture = HubFixture()
        let ends = EndLog()
        let publisher = try fixture.publish(onKick: { ends.append($0) })
        publisher.receive(fixture.camera.start)
        let (polite, output) = try fixture.watch(onEnd: { $0 == .shutdown ? ByteBuffer(string: "bye") : nil })
        let (stuck, _) = try fixture.watch(handler: Gate())
        fixture.play(publisher, pictures: 3)
        for publication in fixture.hub.registry.publications { publication.run { $0.end(.shutdown) } }
        #expect(ends.all == [.shutdown])
        publisher.finish()
        var isOver = false
        fixture.dispatcher.endViewers(within: .milliseconds(500)).assumeIsolated().whenComplete { _ in isOver = true }
        #expect(polite.isClosed && !stuck.isClosed && !isOver)
        #expect(try String(buffer: output.drain()).hasSuffix("bye"))
        fixture.loop.advanceTime(by: .milliseconds(501))
        #expect(stuck.isClosed && isOver)
    }
}
