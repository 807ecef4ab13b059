import Media
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import Hub

/// Collects what a reader over UDP is sent.
final class DatagramOutput: RTPDatagramSink {
    private(set) var packets: [(media: Int, isRTCP: Bool, bytes: [UInt8])] = []
    private var unsent = 0
    private(set) var flushes: [Int] = []

    func send(_ packet: UnsafeRawBufferPointer, media: Int, isRTCP: Bool) {
        packets.append((media, isRTCP, Array(packet)))
        unsent += packet.count
    }

    func flush() -> Int {
        defer { unsent = 0 }
        if unsent > 0 { flushes.append(unsent) }
        return unsent
    }
}

/// The time of day, which goes on with the loop's.
private final class WallTime: Sendable {
    let milliseconds = Mutex<Int64>(1_700_000_000_000)
}

private struct Packet: Equatable {
    var channel: UInt8
    var bytes: [UInt8]

    var isRTCP: Bool { bytes.count > 1 && (192...223).contains(bytes[1]) }
    var sequence: UInt16 { UInt16(bytes[2]) << 8 | UInt16(bytes[3]) }
    var timestamp: UInt32 { bytes[4..<8].reduce(0) { $0 << 8 | UInt32($1) } }

    /// The packets of interleaved bytes; nothing may be left.
    static func all(_ bytes: ByteBuffer) -> [Packet] {
        var packets: [Packet] = []
        let all = Array(bytes.readableBytesView)
        var at = 0
        while let (channel, range) = InterleavedFrame.next(in: bytes.readableBytesSpan, at: &at) {
            packets.append(Packet(channel: channel, bytes: Array(all[range])))
        }
        #expect(at == all.count, "a packet is torn")
        return packets
    }
}

extension HubFixture {
    /// The offer of a stream that is known.
    fileprivate func reserve(_ stream: String = "door") throws -> (ViewerReservation, RTPOffer) {
        let session = hub.makeSession(.rtspViewer, .viewer)
        let reservation = try hub.reserve(stream, app: "live", session: session, on: loop)
        var offer: RTPOffer?
        reservation.describe(within: .seconds(1)) { offer = try? $0.get() }
        loop.run()
        return (reservation, try #require(offer))
    }

    fileprivate func read(
        _ stream: String = "door",
        channels: [UInt8?]? = nil,
        isWebSocket: Bool = false,
        answer: String = "",
        handler: (any ChannelOutboundHandler & Sendable)? = nil,
        onEnd: ((Viewer.CloseReason) -> ByteBuffer?)? = nil
    ) throws -> (viewer: Viewer, output: Output) {
        let (reservation, offer) = try reserve(stream)
        let channel = EmbeddedChannel(loop: loop)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        if let handler { try channel.pipeline.syncOperations.addHandler(handler) }
        let plain = offer.description.media.indices.map { Optional(InterleavedFrame.channel(ofMedia: $0)) }
        let viewer = try hub.read(
            reservation,
            RTPReading(description: offer.description, channels: channels ?? plain, isWebSocket: isWebSocket),
            over: .interleaved(channel, .channel) { _ in ByteBuffer(string: answer) },
            onEnd: onEnd
        )
        loop.run()
        return (viewer, Output(channel: channel))
    }
}

@Suite struct RTPReaderTests {
    private func publish(_ fixture: HubFixture, sound: Bool = true) throws -> StreamPublisher {
        let publisher = try fixture.publish()
        publisher.receive(sound ? fixture.camera.start : [.video(fixture.camera.parameters)])
        return publisher
    }

    @Test func readersOfAllTracksGetTheBytesOfTheLogAsTheyAre() throws {
        let fixture = HubFixture()
        let publisher = try publish(fixture)
        let (viewer, output) = try fixture.read()
        let (_, other) = try fixture.read()
        fixture.play(publisher, pictures: 25)
        #expect(!viewer.cursor.isMapped)
        let packets = Packet.all(try output.drain())
        #expect(Set(packets.map(\.channel)).isSuperset(of: [0, 1, 2]))
        #expect(try other.drain() == output.drain())
        for channel in [0, 2] as [UInt8] {
            let numbers = packets.filter { $0.channel == channel }.map(\.sequence)
            #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $1 == $0 &+ 1 })
        }
        let log = try #require(publisher.rtp?.log)
        #expect(log.position == output.bytes.readableBytes)
    }

    @Test func parameterSetsStandBeforeEachKeyFrame() throws {
        let fixture = HubFixture()
        let publisher = try publish(fixture)
        let (_, output) = try fixture.read()
        fixture.play(publisher, pictures: 25)
        let packets = Packet.all(try output.drain()).filter { $0.channel == 0 }
        let times = Set(packets.map(\.timestamp)).sorted { $0 &- packets[0].timestamp < $1 &- packets[0].timestamp }
        for time in [times[0], times[10], times[20]] {
            let first = try #require(packets.first { $0.timestamp == time })
            // Alone, or with others in one packet.
            #expect([7, 24].contains(first.bytes[12] & 0x1F))
        }
    }

    @Test func readersGetTheirOwnChannels() throws {
        let fixture = HubFixture()
        let publisher = try publish(fixture)
        let (_, plain) = try fixture.read()
        let (viewer, mapped) = try fixture.read(channels: [9, 4])
        fixture.play(publisher, pictures: 25)
        #expect(viewer.cursor.isMapped)
        let expected = Packet.all(try plain.drain()).map { packet in
            var packet = packet
            packet.channel = packet.channel < 2 ? 9 + packet.channel : 2 + packet.channel
            return packet
        }
        #expect(Packet.all(try mapped.drain()) == expected)
    }

    @Test func readerOfOneTrackGetsNothingOfTheOther() throws {
        let fixture = HubFixture()
        let publisher = try publish(fixture)
        let (_, plain) = try fixture.read()
        let (_, sound) = try fixture.read(channels: [nil, 2])
        fixture.play(publisher, pictures: 25)
        let expected = Packet.all(try plain.drain()).filter { $0.channel >= 2 }
        #expect(!expected.isEmpty)
        #expect(Packet.all(try sound.drain()) == expected)
    }

    @Test func eachPacketHasAWebSocketFrameOfItsOwn() throws {
        let fixture = HubFixture()
        let publisher = try publish(fixture)
        let (_, plain) = try fixture.read()
        let (_, framed) = try fixture.read(isWebSocket: true)
        fixture.play(publisher, pictures: 5)
        var rest = try framed.drain()
        var packets: [Packet] = []
        while let head = rest.readInteger(as: UInt16.self) {
            #expect(head & 0xFF80 == 0x8200)
            let length = head & 0x7F == 126 ? Int(rest.readInteger(as: UInt16.self) ?? 0) : Int(head & 0x7F)
            let payload = rest.readSlice(length: length)
            let inside = Packet.all(try #require(payload))
            #expect(inside.count == 1)
            packets += inside
        }
        #expect(try packets == Packet.all(plain.drain()))
    }

    @Test func theAnswerGoesBeforeTheFirstPacket() throws {
        let fixture = HubFixture()
        let publisher = try publish(fixture)
        fixture.play(publisher, pictures: 15)
        let (_, output) = try fixture.read(answer: "answer")
        var bytes = try output.drain()
        #expect(bytes.readString(length: 6) == "answer")
        #expect(!Packet.all(bytes).isEmpty)
    }

    @Test func firstReaderBeginsWithTheNewestKeyFrameOfTheCache() throws {
        let fixture = HubFixture()
        let publisher = try publish(fixture)
        fixture.play(publisher, pictures: 25)
        #expect(publisher.rtp?.log == nil)
        let (reservation, offer) = try fixture.reserve()
        let channel = EmbeddedChannel(loop: fixture.loop)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let starts = Mutex<[RTPStart]?>(nil)
        _ = try fixture.hub.read(
            reservation,
            RTPReading(description: offer.description, channels: [0, 2]),
            over: .interleaved(channel, .channel) { told in
                starts.withLock { $0 = told }
                return ByteBuffer()
            }
        )
        fixture.loop.run()
        let output = Output(channel: channel)
        let packets = Packet.all(try output.drain()).filter { $0.channel == 0 }
        let first = try #require(packets.first)
        let told = try #require(starts.withLock { $0 })
        #expect(told[0] == RTPStart(sequenceNumber: first.sequence, timestamp: first.timestamp))
        // Pictures 20 to 24.
        #expect(Set(packets.map { $0.timestamp &- first.timestamp }) == Set((0..<5).map { UInt32($0 * 3600) }))
        fixture.play(publisher, pictures: 1)
        let next = Packet.all(try output.drain()).filter { $0.channel == 0 }
        let last = try #require(next.last)
        #expect(last.timestamp &- first.timestamp == 18_000)
    }

    @Test("65: who begins within a group of pictures has reports before its packets, and another one within a second")
    func reportsStandBeforeTheFirstPackets() throws {
        let clock = WallTime()
        let fixture = HubFixture { $0.wallClock = { clock.milliseconds.withLock { $0 } } }
        fixture.camera.group = 100
        fixture.loop.advanceTime(by: .seconds(1))
        let publisher = try publish(fixture)
        func play(pictures: Int) {
            for _ in 0..<pictures {
                fixture.play(publisher, pictures: 1)
                clock.milliseconds.withLock { $0 += 40 }
                fixture.loop.advanceTime(by: .milliseconds(40))
            }
        }
        play(pictures: 3)
        // The second has a log of its own, and the third that of the second.
        let (first, begun) = try fixture.read()
        play(pictures: 3)
        #expect(try begun.drain().readableBytes > 0)
        first.close()
        fixture.loop.run()
        #expect(publisher.rtp?.log == nil)
        let (_, second) = try fixture.read()
        play(pictures: 3)
        let (_, third) = try fixture.read()
        play(pictures: 25)
        for output in [second, third] {
            let packets = Packet.all(try output.drain())
            for channel in [0, 2] as [UInt8] {
                let report = try #require(packets.firstIndex { $0.channel == channel + 1 && $0.isRTCP })
                let packet = try #require(packets.firstIndex { $0.channel == channel })
                #expect(report < packet)
            }
        }
    }

    @Test func datagramsGoOutInPortions() throws {
        let fixture = HubFixture()
        let publisher = try publish(fixture)
        fixture.camera.keyLength = 150_000
        fixture.play(publisher, pictures: 5)
        let (reservation, offer) = try fixture.reserve()
        let sink = DatagramOutput()
        var isAnswered = false
        let viewer = try fixture.hub.read(
            reservation,
            RTPReading(description: offer.description, channels: [0, 2]),
            over: .datagrams(sink) { _ in
                isAnswered = true
                #expect(sink.packets.isEmpty)
            }
        )
        fixture.loop.run()
        #expect(isAnswered)
        #expect(sink.flushes.count == 1)
        fixture.loop.advanceTime(by: .milliseconds(5))
        #expect(sink.flushes.count == 2)
        fixture.loop.advanceTime(by: .milliseconds(50))
        #expect(sink.flushes.allSatisfy { $0 <= 65 * 1024 })
        #expect(sink.flushes.reduce(0, +) > 150_000)
        #expect(sink.packets.allSatisfy { $0.bytes.count <= 1472 })
        let numbers = sink.packets.filter { $0.media == 0 && !$0.isRTCP }
            .map { UInt16($0.bytes[2]) << 8 | UInt16($0.bytes[3]) }
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $1 == $0 &+ 1 })
        let before = sink.packets.count
        fixture.play(publisher, pictures: 1)
        #expect(sink.packets.count > before)
        viewer.close()
        let after = sink.packets.count
        fixture.play(publisher, pictures: 1)
        #expect(sink.packets.count == after)
    }

    @Test func soundThatComesLateIsDescribedAndNotSentToThoseWhoWereNotToldOfIt() throws {
        let fixture = HubFixture()
        let publisher = try publish(fixture, sound: false)
        fixture.play(publisher, pictures: 5, sound: false)
        fixture.loop.advanceTime(by: .seconds(10))
        fixture.play(publisher, pictures: 5, sound: false)
        let (early, output) = try fixture.read()
        fixture.play(publisher, pictures: 10, sound: false)
        publisher.receive(.audio(FakeCamera.aac))
        fixture.play(publisher, pictures: 12)
        let (_, offer) = try fixture.reserve()
        #expect(offer.description.media.map(\.kind) == ["video", "audio"])
        let (_, late) = try fixture.read()
        fixture.play(publisher, pictures: 10)
        #expect(!early.isClosed)
        let packets = Packet.all(try output.drain())
        #expect(packets.allSatisfy { $0.channel < 2 })
        // In each key frame, also of those since: 42 pictures, of which each tenth is one.
        #expect(packets.filter { $0.channel == 0 && [7, 24].contains($0.bytes[12] & 0x1F) }.count >= 4)
        let numbers = packets.filter { $0.channel == 0 }.map(\.sequence)
        #expect(numbers.count > 30 && zip(numbers, numbers.dropFirst()).allSatisfy { $1 == $0 &+ 1 })
        #expect(Packet.all(try late.drain()).contains { $0.channel == 2 })
    }

    @Test func anotherCodecEndsReaders() throws {
        let fixture = HubFixture()
        let publisher = try publish(fixture)
        var reason: Viewer.CloseReason?
        let (viewer, output) = try fixture.read {
            reason = $0
            return nil
        }
        fixture.play(publisher, pictures: 5)
        fixture.camera.codec = .h265
        publisher.receive(.video(fixture.camera.parameters))
        fixture.camera.picture = 10
        fixture.play(publisher, pictures: 5)
        #expect(reason == .descriptionChanged)
        #expect(viewer.isClosed)
        #expect(!output.channel.isActive)
        let (_, offer) = try fixture.reserve()
        #expect(offer.description.media.first?.formats.first?.encoding.uppercased() == "H265")
    }

    @Test func reservationsCountAsViewersAndOnlyOnce() throws {
        let events = Mutex<[HubEvent.Kind]>([])
        let fixture = HubFixture(
            { $0.maximumViewers = 1 },
            onEvent: { event in events.withLock { $0.append(event.kind) } }
        )
        let publisher = try publish(fixture)
        let (first, _) = try fixture.reserve()
        #expect(throws: HubError.self) { try fixture.reserve() }
        first.cancel()
        first.cancel()
        let (viewer, _) = try fixture.read()
        #expect(throws: HubError.self) { try fixture.reserve() }
        fixture.play(publisher, pictures: 1)
        #expect(fixture.report().flatMap(\.viewers).count == 1)
        viewer.close()
        // One that its owner forgets is not counted for ever.
        do { _ = try fixture.reserve() }
        let (last, _) = try fixture.reserve()
        last.cancel()
        fixture.loop.run()
        let told = events.withLock { $0 }
        #expect(told.filter { $0 == .viewerStarted }.count == 4)
        #expect(told.filter { $0 == .viewerStopped }.count == 4)
    }

    @Test func whoPausesIsTheSameViewerAllTheTime() throws {
        let events = Mutex<[HubEvent]>([])
        let fixture = HubFixture(
            { $0.maximumViewers = 1 },
            onEvent: { event in events.withLock { $0.append(event) } }
        )
        let publisher = try publish(fixture)
        let (viewer, output) = try fixture.read()
        fixture.play(publisher, pictures: 5)
        let pausing = fixture.hub.reserve(pausing: viewer, app: "live")
        var isReleased = false
        viewer.release { isReleased = true }
        fixture.loop.run()
        #expect(isReleased && output.channel.isActive)
        let sent = try output.drain().readableBytes
        #expect(throws: HubError.self) { try fixture.reserve() }
        fixture.play(publisher, pictures: 5)
        let channel = EmbeddedChannel(loop: fixture.loop)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let description = try #require(publisher.rtp?.offer.description)
        let again = try fixture.hub.read(
            pausing,
            RTPReading(description: description, channels: [0, 2]),
            over: .interleaved(channel, .channel) { _ in ByteBuffer() }
        )
        fixture.play(publisher, pictures: 5)
        let more = try Output(channel: channel).drain().readableBytes
        #expect(more > 0)
        #expect(events.withLock { $0.filter { $0.kind == .viewerStarted } }.count == 1)
        again.close()
        let stops = events.withLock { $0.filter { $0.kind == .viewerStopped } }
        #expect(stops.map(\.wroteBytes) == [sent + more])
        let (reservation, _) = try fixture.reserve()
        reservation.cancel()
    }

    @Test(arguments: [nil, [4, 8]] as [[UInt8?]?])
    func readersLeaveBetweenTwoPackets(channels: [UInt8?]?) throws {
        let fixture = HubFixture()
        let publisher = try publish(fixture)
        fixture.camera.keyLength = 200_000
        let gate = Gate()
        gate.isOpen = true
        let (viewer, output) = try fixture.read(channels: channels, handler: gate)
        fixture.play(publisher, pictures: 3)
        gate.shut()
        fixture.play(publisher, pictures: 10)
        var isReleased = false
        viewer.release(sending: ByteBuffer(bytes: [0x24, 77, 0, 1, 9])) { isReleased = true }
        fixture.play(publisher, pictures: 3)
        #expect(!isReleased)
        gate.open()
        fixture.loop.run()
        #expect(isReleased)
        #expect(output.channel.isActive)
        let packets = Packet.all(try output.drain())
        #expect(packets.last == Packet(channel: 77, bytes: [9]))
        fixture.play(publisher, pictures: 3)
        #expect(try output.drain().readableBytes == packets.reduce(0) { $0 + $1.bytes.count + 4 })
        #expect(fixture.report().flatMap(\.viewers).isEmpty)
    }

    @Test func slowReadersSkipToAKeyFrameBetweenTwoPackets() throws {
        let fixture = HubFixture { $0.gopCacheBytes = 512 * 1024 }
        let publisher = try publish(fixture)
        fixture.camera.keyLength = 60_000
        fixture.camera.length = 20_000
        let gates = [Gate(), Gate()]
        for gate in gates { gate.isOpen = true }
        let (plain, first) = try fixture.read(handler: gates[0])
        let (mapped, second) = try fixture.read(channels: [6, 2], handler: gates[1])
        fixture.play(publisher, pictures: 13)
        for gate in gates { gate.shut() }
        fixture.play(publisher, pictures: 80)
        for gate in gates { gate.open() }
        fixture.play(publisher, pictures: 3)
        #expect(plain.skips >= 1 && mapped.skips >= 1)
        for output in [first, second] {
            let packets = Packet.all(try output.drain())
            #expect(packets.count > 100)
        }
    }

    @Test func waitingForADescriptionEndsWithIt() throws {
        let fixture = HubFixture()
        let session = fixture.hub.makeSession(.rtspViewer, .viewer)
        let reservation = try fixture.hub.reserve("door", app: "live", session: session, on: fixture.loop)
        var results: [Result<RTPOffer, ViewerReservation.Failure>] = []
        reservation.describe(within: .seconds(5)) { results.append($0) }
        fixture.loop.advanceTime(by: .seconds(5))
        #expect(results == [.failure(.noPublisher)])
        let publisher = try fixture.publish()
        reservation.describe(within: .seconds(5)) { results.append($0) }
        fixture.loop.advanceTime(by: .seconds(5))
        #expect(results.last == .failure(.noMedia))
        reservation.describe(within: .seconds(5)) { results.append($0) }
        publisher.receive(fixture.camera.start)
        fixture.play(publisher, pictures: 1)
        #expect(results.count == 3)
        let described = try #require(results.last).get()
        #expect(described.description.media.map(\.kind) == ["video", "audio"])
        reservation.cancel()
        #expect(results.count == 3)
    }
}
