import Media
import NIOCore
import NIOEmbedded
import Streaming
import Testing

@testable import Hub

@Suite struct TrackTests {
    private static func metadata(_ names: String...) -> MediaEvent {
        .metadata(StreamMetadata(properties: names.map { AMF0Property($0, .number(7)) }))
    }

    @Test func metadataThatNamesTheOnlyTrackLetsItsPictureOutAtOnce() throws {
        let fixture = HubFixture()
        let (_, output) = try fixture.watch()
        let publisher = try fixture.publish()
        publisher.receive(Self.metadata("width", "videocodecid"))
        publisher.receive(.video(fixture.camera.parameters))
        fixture.play(publisher, pictures: 1, sound: false)
        #expect(try output.drain().getInteger(at: 4, as: UInt8.self) == 1)
        #expect(try output.messages().pictures == [0])
    }

    @Test func trackThatMetadataNamesIsWaitedForButNotForLong() throws {
        let fixture = HubFixture()
        let (_, output) = try fixture.watch()
        let publisher = try fixture.publish()
        publisher.receive(Self.metadata("videocodecid", "audiocodecid"))
        publisher.receive(.video(fixture.camera.parameters))
        fixture.play(publisher, pictures: 7, sound: false)
        #expect(try output.drain().readableBytes == 0)
        fixture.play(publisher, pictures: 2, sound: false)
        #expect(try output.messages().pictures == Array(0..<9))
    }

    @Test func soundAloneThatMetadataNamesIsServedAtOnce() throws {
        let fixture = HubFixture()
        let (_, output) = try fixture.watch()
        let publisher = try fixture.publish()
        publisher.receive(Self.metadata("audiocodecid"))
        publisher.receive(.audio(FakeCamera.aac))
        publisher.receive(fixture.camera.sound())
        fixture.loop.run()
        #expect(try output.drain().getInteger(at: 4, as: UInt8.self) == 4)
        #expect(try output.messages().last?.kind == .audio)
    }

    @Test func publisherThatLeavesBeforeItsTracksAreKnownIsNotLost() throws {
        let fixture = HubFixture()
        let (_, output) = try fixture.watch()
        let publisher = try fixture.publish()
        publisher.receive(.video(fixture.camera.parameters))
        fixture.play(publisher, pictures: 3, sound: false)
        publisher.finish()
        fixture.loop.run()
        #expect(try output.messages().pictures == [0, 1, 2])
    }

    @Test func metadataOfThePublisherReachesThoseWhoWatchAndThoseWhoCome() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(.metadata(StreamMetadata(properties: [AMF0Property("title", .string("front"))])))
        publisher.receive(fixture.camera.start)
        let (_, output) = try fixture.watch()
        fixture.play(publisher, pictures: 3)
        publisher.receive(.metadata(StreamMetadata(properties: [AMF0Property("title", .string("yard"))])))
        fixture.play(publisher, pictures: 10)
        let (_, late) = try fixture.watch()
        func titles(_ messages: [FLVMessage]) -> [String] {
            messages.filter { $0.kind == .script }.map { String(buffer: $0.payload) }
                .map { $0.contains("front") ? "front" : $0.contains("yard") ? "yard" : "none" }
        }
        #expect(titles(try output.messages()) == ["front", "yard"])
        #expect(titles(try late.messages()) == ["yard"])
    }

    @Test func silentAACComesToAStreamWithoutSound() throws {
        let fixture = HubFixture { $0.dummyAudioWait = .milliseconds(150) }
        let (_, output) = try fixture.watch()
        let publisher = try fixture.publish()
        publisher.receive(.video(fixture.camera.parameters))
        fixture.play(publisher, pictures: 4, sound: false)
        #expect(try output.drain().readableBytes == 0)
        fixture.play(publisher, pictures: 10, sound: false)
        #expect(try output.drain().getInteger(at: 4, as: UInt8.self) == 5)
        let messages = try output.messages()
        #expect(messages.pictures == Array(0..<14))
        // That of time 0 stands before the key frame, where nobody can use it.
        let silence = messages.filter { $0.kind == .audio && !$0.isSequenceHeader }
        #expect(silence.prefix(4).map(\.timestamp) == [21, 42, 64, 85])
        #expect(silence.allSatisfy { $0.payload == ByteBuffer(bytes: [0x21, 0x10, 0x04, 0x60, 0x8C, 0x1C]) })
    }
}

@Suite struct CodecFormTests {
    private let av1 = VideoParameters(codec: .av1, sps: [], pps: [], record: [0x81, 0, 0, 0], width: 640, height: 360)

    @Test func viewerWhoseFormCannotCarryTheCodecIsRefusedWithAReason() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(.video(av1))
        publisher.receive(.audio(FakeCamera.aac))
        fixture.play(publisher, pictures: 3)
        let refusal = HubError.unsupportedCodec(stream: "door", codec: .av1, format: .flv)
        #expect(throws: refusal) { try fixture.watch() }
        #expect(refusal.description.contains("AV1"))
        let (_, output) = try fixture.watch(as: WireFormat(.flv, hevc: .enhanced))
        fixture.play(publisher, pictures: 9)
        let messages = try output.messages()
        #expect(messages.pictures == Array(0..<12))
        #expect(messages.filter { $0.kind == .video }.allSatisfy { $0.header.bytes(1..<5) == Array("av01".utf8) })
        // No log in a form that nobody can read.
        #expect(publisher.logs.allSatisfy { $0.format.hevc == .enhanced })
    }

    @Test func viewersThatWaitAreEndedWhenTheCodecIsNotForThem() throws {
        let fixture = HubFixture()
        var reasons: [Viewer.CloseReason] = []
        let (legacy, output) = try fixture.watch(
            as: WireFormat(.rtmp),
            onEnd: { reason in
                reasons.append(reason)
                return ByteBuffer(string: "no")
            }
        )
        let (enhanced, _) = try fixture.watch(as: WireFormat(.rtmp, hevc: .enhanced))
        let publisher = try fixture.publish()
        publisher.receive(.video(av1))
        publisher.receive(.audio(FakeCamera.aac))
        fixture.play(publisher, pictures: 3)
        #expect(legacy.isClosed && reasons == [.unsupportedCodec(.av1)])
        #expect(try String(buffer: output.drain()) == "no")
        #expect(!enhanced.isClosed)
    }

    @Test func changeToACodecThatAFormCannotCarryEndsItsViewers() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        fixture.play(publisher, pictures: 5)
        let (legacy, old) = try fixture.watch()
        let (enhanced, new) = try fixture.watch(as: WireFormat(.flv, hevc: .enhanced))
        fixture.play(publisher, pictures: 1)
        publisher.receive(.video(av1))
        fixture.camera.picture = 10
        fixture.play(publisher, pictures: 4)
        #expect(legacy.closeReason == .unsupportedCodec(.av1))
        #expect(try old.messages().pictures == Array(0..<6))
        #expect(!enhanced.isClosed)
        #expect(try new.messages().pictures == Array(0..<6) + Array(10..<14))
    }

    @Test func opusIsWrittenAsEachFormHasIt() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(.video(fixture.camera.parameters))
        publisher.receive(.audio(AudioParameters(codec: .opus, sampleRate: 48_000, channels: 2)))
        fixture.play(publisher, pictures: 3)
        let (_, legacy) = try fixture.watch()
        let (_, enhanced) = try fixture.watch(as: WireFormat(.flv, hevc: .enhanced))
        fixture.play(publisher, pictures: 3)
        for (output, format) in [(legacy, 13), (enhanced, 9)] {
            let sound = try output.messages().filter { $0.kind == .audio && !$0.isSequenceHeader }
            #expect(sound.count == 6)
            #expect(sound.allSatisfy { $0.header[0] >> 4 == UInt8(format) })
            #expect(try output.messages().pictures == Array(0..<6))
        }
    }

    @Test func pushIsWrittenForTheServersStreamWithSetDataFrame() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        fixture.play(publisher, pictures: 12)
        let (_, push) = try fixture.watch(as: WireFormat(.rtmpPublish(streamID: 0x0102_0304)))
        let (_, play) = try fixture.watch(as: WireFormat(.rtmp))
        fixture.play(publisher, pictures: 3)
        let sent = try push.drain()
        // The message stream id is the one little-endian field.
        #expect(sent.getBytes(at: 8, length: 4) == [4, 3, 2, 1])
        #expect(sent.getBytes(at: 12, length: 16) == [2, 0, 13] + Array("@setDataFrame".utf8))
        #expect(try push.drain().readableBytes == play.drain().readableBytes + 16)
    }

    /// What one format has written is read again for another: a stream keeps its messages once.
    @Test(
        arguments: [WireFormat.Framing.flv, .webSocketFLV, .rtmp, .rtmpPublish(streamID: 9)],
        [5, 120, 65_000, 130_000]
    )
    func messagesAreReadAsTheyWereWritten(framing: WireFormat.Framing, length: Int) throws {
        let framer = MessageFramer(WireFormat(framing))
        for kind in [FLVMessage.Kind.video, .audio, .script] {
            for time in [0, 40, 0xFF_FFFF, 0x1234_5678] as [UInt32] {
                var body = ByteBuffer(
                    bytes: kind == .video ? [0x17, 1, 0, 0, 40] : kind == .audio ? [0xAF, 1] : [2, 0, 1, 65]
                )
                body.writeRepeatingByte(0xC7, count: length)
                let message = FLVMessage(kind: kind, timestamp: time, body: body)
                var bytes = ByteBuffer()
                framer.write(message, into: &bytes)
                #expect(framer.read(bytes) == message)
                for cut in [1, 5, 11, bytes.readableBytes - 20] where cut > 0 {
                    let short = try #require(bytes.getSlice(at: 0, length: cut))
                    #expect(framer.read(short) == nil || cut > length)
                }
            }
        }
    }
}

extension FLVCodecHeader {
    fileprivate func bytes(_ range: Range<Int>) -> [UInt8] { range.map { self[$0] } }
}
