import Media
import NIOCore
import Streaming
import Testing

@testable import Hub

/// MPEG-TS and fMP4: what is laid out of frames.
@Suite struct FrameOutputTests {
    private struct Message {
        var code: UInt8
        var payload: [UInt8]

        /// The types of the boxes in it.
        var boxes: [String] {
            var types: [String] = []
            var at = 0
            while at + 8 <= payload.count {
                let length = payload[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
                types.append(String(decoding: payload[at + 4..<at + 8], as: UTF8.self))
                guard length >= 8 else { return types + ["broken"] }
                at += length
            }
            return at == payload.count ? types : types + ["cut"]
        }
    }

    private static func messages(_ bytes: ByteBuffer) -> [Message] {
        var rest = bytes
        var messages: [Message] = []
        while let head = rest.readInteger(as: UInt16.self) {
            let length: Int
            switch head & 0x7F {
            case 126: length = Int(rest.readInteger(as: UInt16.self) ?? 0)
            case 127: length = Int(rest.readInteger(as: UInt64.self) ?? 0)
            case let short: length = Int(short)
            }
            messages.append(Message(code: UInt8(head >> 8 & 15), payload: rest.readBytes(length: length) ?? []))
        }
        return messages
    }

    private func start(_ fixture: HubFixture, pictures: Int) throws -> StreamPublisher {
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        fixture.play(publisher, pictures: pictures)
        return publisher
    }

    @Test(
        "A browser gets the codecs, then the init segment with all that is cached in one message, then a message a frame"
    )
    func joinsWhatIsCached() throws {
        let fixture = HubFixture()
        let publisher = try start(fixture, pictures: 14)
        let (_, output) = try fixture.watch(as: WireFormat(.webSocketFMP4(hasAudio: true)))
        fixture.loop.run()
        let cached = Self.messages(try output.drain())
        #expect(cached.map(\.code) == [1, 2])
        #expect(String(decoding: cached[0].payload, as: UTF8.self) == #"{"codecs":"avc1.42001E,mp4a.40.2"}"#)
        let boxes = cached[1].boxes
        #expect(boxes.prefix(2) == ["ftyp", "moov"])
        // Of the group that began with picture 10: four pictures, and sound whose frames last 128 ms.
        #expect(boxes.dropFirst(2).count { $0 == "moof" } == 6)
        fixture.play(publisher, pictures: 2, sound: false)
        let more = Self.messages(try output.drain()).dropFirst(2)
        #expect(more.map(\.boxes) == [["moof", "mdat"], ["moof", "mdat"]])
    }

    @Test("The media type names the codecs as soon as it is known which tracks there are, as they are at the moment")
    func namesTheCodecs() throws {
        let fixture = HubFixture()
        func type(sound: Bool = true) -> String? { fixture.hub.fmp4ContentType(of: "door", hasAudio: sound) }
        #expect(type() == nil)
        let publisher = try fixture.publish()
        publisher.receive([fixture.camera.start[0]])
        #expect(type() == nil)
        publisher.receive(Array(fixture.camera.start.dropFirst()))
        fixture.play(publisher, pictures: 1)
        #expect(type() == #"video/mp4; codecs="avc1.42001E,mp4a.40.2""#)
        #expect(type(sound: false) == #"video/mp4; codecs="avc1.42001E""#)
        publisher.receive(.audio(AudioParameters(codec: .g711a, sampleRate: 8000, channels: 1)))
        #expect(type() == #"video/mp4; codecs="avc1.42001E,flac""#)
        publisher.finish()
        #expect(type() == nil)
    }

    @Test("Who was there first gets the stream from its first key frame on")
    func waitsForThePublisher() throws {
        let fixture = HubFixture()
        let (_, output) = try fixture.watch(as: WireFormat(.webSocketFMP4(hasAudio: true)))
        _ = try start(fixture, pictures: 2)
        let messages = Self.messages(try output.drain())
        #expect(messages.first?.code == 1)
        #expect(messages.dropFirst().flatMap(\.boxes).count { $0 == "moov" } == 1)
        #expect(messages.dropFirst().flatMap(\.boxes).count { $0 == "moof" } == 3)
    }

    @Test("Other parameters: the codecs and another init segment, before the key frame that needs them")
    func tellsOfNewParameters() throws {
        let fixture = HubFixture()
        let publisher = try start(fixture, pictures: 1)
        let (_, output) = try fixture.watch(as: WireFormat(.webSocketFMP4(hasAudio: true)))
        fixture.loop.run()
        fixture.play(publisher, pictures: 9, sound: false)
        let before = Self.messages(try output.drain()).count
        var parameters = fixture.camera.parameters
        parameters.sps = [[0x67, 77, 0, 31, 1]]
        publisher.receive(.video(parameters))
        fixture.play(publisher, pictures: 2, sound: false)
        let after = Self.messages(try output.drain()).dropFirst(before)
        #expect(after.map(\.code) == [1, 2, 2, 2])
        #expect(after.first.map { String(decoding: $0.payload, as: UTF8.self).contains("avc1.4D001F") } == true)
        #expect(after.dropFirst().first?.boxes == ["ftyp", "moov"])
        // A late viewer is told once.
        let (_, late) = try fixture.watch(as: WireFormat(.webSocketFMP4(hasAudio: true)))
        fixture.loop.run()
        let messages = Self.messages(try late.drain())
        #expect(messages.map(\.code) == [1, 2] && messages[1].boxes.prefix(2) == ["ftyp", "moov"])
    }

    @Test("Without sound there is neither a track nor a fragment of it")
    func leavesSoundOut() throws {
        let fixture = HubFixture()
        let publisher = try start(fixture, pictures: 1)
        let (_, output) = try fixture.watch(as: WireFormat(.webSocketFMP4(hasAudio: false)))
        fixture.play(publisher, pictures: 3)
        let messages = Self.messages(try output.drain())
        #expect(String(decoding: messages[0].payload, as: UTF8.self) == #"{"codecs":"avc1.42001E"}"#)
        #expect(messages.dropFirst().flatMap(\.boxes).count { $0 == "moof" } == 4)
    }

    @Test("Nothing old for who wants none: it begins with the next key frame")
    func startsLive() throws {
        let fixture = HubFixture()
        let publisher = try start(fixture, pictures: 4)
        let channel = try fixture.makeChannel()
        _ = try fixture.hub.view(
            "door",
            app: "live",
            as: WireFormat(.webSocketFMP4(hasAudio: true)),
            session: fixture.hub.makeSession(.fmp4, .viewer),
            channel: channel,
            startsLive: true
        )
        let output = Output(channel: channel)
        fixture.play(publisher, pictures: 6, sound: false)
        #expect(try output.drain().readableBytes == 0)
        fixture.play(publisher, pictures: 1, sound: false)
        #expect(Self.messages(try output.drain()).map(\.code) == [1, 2])
    }

    @Test("Plain fMP4 and MPEG-TS begin with what a player needs, and all readers of a form share one log")
    func beginsPlainly() throws {
        let fixture = HubFixture()
        let publisher = try start(fixture, pictures: 3)
        let (first, mp4) = try fixture.watch(as: WireFormat(.fmp4(hasAudio: true)))
        let (_, same) = try fixture.watch(as: WireFormat(.fmp4(hasAudio: true)))
        let (_, ts) = try fixture.watch(as: WireFormat(.ts))
        fixture.play(publisher, pictures: 2)
        #expect(publisher.outputs.count == 2)
        let bytes = try mp4.drain()
        #expect(bytes.getString(at: bytes.readerIndex + 4, length: 4) == "ftyp")
        #expect(try same.drain() == bytes)
        let packets = try ts.drain()
        #expect(packets.readableBytes % 188 == 0)
        // The PAT, then the PMT.
        #expect(packets.getBytes(at: packets.readerIndex, length: 3) == [0x47, 0x40, 0x00])
        first.close()
        #expect(publisher.outputs.count == 2)
    }

    @Test("The last sound that the muxer gathered goes out when the publisher leaves")
    func endsWithTheLastSound() throws {
        let fixture = HubFixture()
        let publisher = try start(fixture, pictures: 2)
        let (_, ts) = try fixture.watch(as: WireFormat(.ts))
        fixture.loop.run()
        let before = try ts.drain().readableBytes
        publisher.receive(fixture.camera.sound())
        publisher.finish()
        fixture.loop.run()
        #expect(try ts.drain().readableBytes > before)
    }

    @Test("A codec that a form has no place for is refused")
    func refusesCodecs() throws {
        let fixture = HubFixture()
        fixture.camera.codec = .av1
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        #expect(throws: HubError.self) { try fixture.watch(as: WireFormat(.ts)) }
        _ = try fixture.watch(as: WireFormat(.fmp4(hasAudio: true)))
    }

    @Test("A tap is told all from the beginning, or all that is cached, and of its end")
    func feedsTaps() throws {
        final class Tap: StreamTap {
            var pictures = 0
            var starts = 0
            var parameters = 0
            var isFinished = false
            func receive(_ event: MediaEvent, startsGOP: Bool) {
                switch event {
                case .frame(let frame): if frame.track == .video { pictures += 1 }
                case .video, .audio: parameters += 1
                case .metadata: break
                }
                if startsGOP { starts += 1 }
            }
            func finish() { isFinished = true }
        }
        let fixture = HubFixture()
        let publisher = try start(fixture, pictures: 14)
        let tap = Tap()
        publisher.add(tap)
        #expect(tap.parameters == 2 && tap.pictures == 4 && tap.starts == 1)
        fixture.play(publisher, pictures: 7)
        #expect(tap.pictures == 11 && tap.starts == 2)
        publisher.finish()
        #expect(tap.isFinished)
    }
}
