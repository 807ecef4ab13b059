import Media
import NIOCore
import NIOEmbedded
import Streaming
import Testing

@testable import Hub

@Suite struct GOPSettingsTests {
    private func pictures(
        _ count: GOPCount,
        as format: WireFormat = .flv,
        published: Int,
        more: Int = 5
    ) throws -> [Int] {
        let fixture = HubFixture { $0.gopCount = count }
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        // Somebody watches, as idle streams keep little.
        let (_, early) = try fixture.watch()
        fixture.play(publisher, pictures: published)
        let (_, output) = try fixture.watch(as: format)
        fixture.play(publisher, pictures: more)
        #expect(try early.messages().pictures == Array(0..<(published + more)))
        return try output.messages().pictures
    }

    @Test(arguments: [(0, 30), (1, 30), (2, 20), (3, 10), (9, 0)])
    func newViewerGetsSoManyGroups(gops: Int, first: Int) throws {
        let numbers = try pictures(GOPCount(rtmp: 1, flv: gops), published: 35)
        // The latest: the newest and those before it.
        #expect(numbers == Array(first..<40))
    }

    @Test func withoutCacheAViewerBeginsAtTheNextKeyFrame() throws {
        #expect(try pictures(GOPCount(rtmp: 1, flv: -1), published: 35, more: 12) == Array(40..<47))
    }

    @Test func withoutCacheThoseWhoWaitGetTheFirstKeyFrame() throws {
        let fixture = HubFixture { $0.gopCount = GOPCount(rtmp: -1, flv: -1) }
        let (_, output) = try fixture.watch()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        fixture.play(publisher, pictures: 8)
        #expect(try output.messages().pictures == Array(0..<8))
        // And nothing is kept of a stream that nobody watches.
        let idle = try fixture.publish("gate")
        idle.receive(fixture.camera.start)
        fixture.camera.picture = 0
        fixture.play(idle, pictures: 25)
        #expect(idle.logs.allSatisfy { $0.memory == 0 })
        let (_, late) = try fixture.watch("gate")
        fixture.play(idle, pictures: 8)
        #expect(try late.messages().pictures == Array(30..<33))
    }

    @Test func rtmpAndFLVHaveTheirOwnCounts() throws {
        let fixture = HubFixture { $0.gopCount = GOPCount(rtmp: 3, flv: 1) }
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        _ = try fixture.watch()
        fixture.play(publisher, pictures: 35)
        let (_, flv) = try fixture.watch(as: WireFormat(.webSocketFLV))
        let (_, rtmp) = try fixture.watch(as: WireFormat(.rtmp))
        let (_, push) = try fixture.watch(as: WireFormat(.rtmpPublish(streamID: 7)))
        fixture.loop.run()
        #expect(publisher.logs.first { $0.format.framing == .webSocketFLV }?.snapshot().start?.timestamp == 1200)
        let sizes = try [flv, rtmp, push].map { try $0.drain().readableBytes }
        #expect(sizes[1] > sizes[0] + 20_000 && sizes[2] > sizes[0] + 20_000)
        #expect(publisher.logs.first { $0.format.framing == .rtmp }?.snapshot().start?.timestamp == 400)
    }

    @Test("R-21 a new viewer gets the first messages of a long group and waits for the next key frame")
    func singleGroupIsCapped() throws {
        let fixture = HubFixture { $0.singleGOPMessages = 10 }
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        let (_, early) = try fixture.watch()
        fixture.play(publisher, pictures: 14)
        // Pictures 10 to 13 with their sound are eight messages: all of them.
        let (_, within) = try fixture.watch()
        fixture.play(publisher, pictures: 4)
        // 10 to 17 are sixteen: the first ten, then nothing before 20.
        let (_, capped) = try fixture.watch()
        fixture.play(publisher, pictures: 1)
        #expect(try capped.messages().pictures == Array(10..<15))
        #expect(try capped.messages().filter { $0.kind == .audio && !$0.isSequenceHeader }.count == 5)
        fixture.play(publisher, pictures: 6)
        #expect(try capped.messages().pictures == Array(10..<15) + Array(20..<25))
        #expect(try within.messages().pictures == Array(10..<25))
        #expect(try early.messages().pictures == Array(0..<25))
    }

    @Test func mergedBytesGoOutWhenThereAreEnough() throws {
        let fixture = HubFixture { configuration in
            configuration.mergeWriteBytes = 4000
            configuration.maximumMergeWindow = .milliseconds(40)
        }
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        let (_, output) = try fixture.watch()
        // A key frame is enough by itself.
        fixture.play(publisher, pictures: 1, sound: false)
        #expect(try output.messages().pictures == [0])
        fixture.play(publisher, pictures: 3, sound: false)
        #expect(try output.messages().pictures == [0])
        fixture.play(publisher, pictures: 1, sound: false)
        #expect(try output.messages().pictures == [0, 1, 2, 3, 4])
        // A stream of few bytes does not wait for ever.
        fixture.play(publisher, pictures: 1, sound: false)
        fixture.loop.advanceTime(by: .milliseconds(39))
        #expect(try output.messages().pictures.count == 5)
        fixture.loop.advanceTime(by: .milliseconds(1))
        #expect(try output.messages().pictures.count == 6)
    }
}
