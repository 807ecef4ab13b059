import Media
import NIOCore
import Testing

@Suite("Stream metadata")
struct FLVMetadataTests {
    /// What OBS sends, shortened, with the index of a file and a lie.
    private static let own: [AMF0Property] = [
        AMF0Property("duration", .number(0)),
        AMF0Property("filesize", .number(0)),
        AMF0Property("width", .number(9999)),
        AMF0Property("height", .number(9999)),
        AMF0Property("videocodecid", .string("avc1")),
        AMF0Property("videodatarate", .number(2500)),
        AMF0Property("framerate", .number(25)),
        AMF0Property("title", .string("gate 3")),
        AMF0Property("audiocodecid", .string("mp4a")),
        AMF0Property("audiochannels", .number(2)),
        AMF0Property("audiodatarate", .number(160)),
        AMF0Property(
            "position",
            .object([AMF0Property("lat", .number(1)), AMF0Property("list", .strictArray([.null]))])
        ),
        AMF0Property("encoder", .string("obs-output module (libobs version 30.0.2)")),
    ]

    private static func script(_ values: AMF0Value...) -> FLVMessage {
        var body = ByteBuffer()
        for value in values { value.write(into: &body) }
        return FLVMessage(kind: .script, timestamp: 0, body: body)
    }

    private static func properties(_ message: FLVMessage) throws -> [AMF0Property] {
        var reader = AMF0Reader(message.payload)
        #expect(try reader.next() == .string("onMetaData"))
        guard case .ecmaArray(let properties) = try reader.next() else { return [] }
        return properties
    }

    @Test("objects and arrays are taken, with or without @setDataFrame, and repetitions are no news")
    func unpacks() {
        let event = MediaEvent.metadata(StreamMetadata(properties: Self.own))
        for value in [AMF0Value.object(Self.own), .ecmaArray(Self.own)] {
            let messages = [
                Self.script(.string("onMetaData"), value), Self.script(.string("onMetaData"), value),
                Self.script(.string("@setDataFrame"), .string("onMetaData"), value),
            ]
            let (events, statistics) = FLVSamples.unpackage(messages)
            #expect(events == [event])
            #expect(statistics == FLVUnpackager.Statistics())
        }
    }

    @Test("other script messages are counted and not carried; what cannot be read is malformed")
    func countsOthers() {
        for name in ["onCuePoint", "onTextData", "onFI", ""] {
            let (events, statistics) = FLVSamples.unpackage([Self.script(.string(name), .object(Self.own))])
            #expect(events.isEmpty)
            #expect(statistics.ignoredScripts == 1)
        }
        for message in [Self.script(), Self.script(.number(1)), Self.script(.string("onMetaData"), .number(1))] {
            #expect(FLVSamples.unpackage([message]).statistics.malformed == 1)
        }
    }

    @Test("more than 16 KB of metadata is refused, the index of a file not counted")
    func bounds() {
        let index = AMF0Property(
            "keyframes",
            .object([AMF0Property("times", .strictArray(Array(repeating: .number(1), count: 3000)))])
        )
        let title = AMF0Property("title", .string("x"))
        let long = AMF0Property("comment", .string(String(repeating: "x", count: 17_000)))
        let file = FLVSamples.unpackage([Self.script(.string("onMetaData"), .ecmaArray([index, title]))])
        #expect(file.events == [.metadata(StreamMetadata(properties: [title]))])
        let (events, statistics) = FLVSamples.unpackage([Self.script(.string("onMetaData"), .ecmaArray([long, title]))])
        #expect(events.isEmpty)
        #expect(statistics.malformed == 1)
        let deep = (0..<40).reduce(AMF0Value.null) { value, _ in .object([AMF0Property("x", value)]) }
        #expect(FLVSamples.unpackage([Self.script(.string("onMetaData"), deep)]).statistics.malformed == 1)
    }

    @Test("the publisher's words stay in their order, the facts are ours, files' and absent tracks' words go")
    func merges() throws {
        let metadata = MediaEvent.metadata(StreamMetadata(properties: Self.own))
        let messages = FLVSamples.package([metadata, .video(FLVSamples.avc), .audio(FLVSamples.aac)])
        #expect(messages.map(\.kind) == [.script, .video, .script, .audio])
        let videoOnly = try Self.properties(messages[0])
        #expect(
            videoOnly.map(\.name) == [
                "width", "height", "videocodecid", "videodatarate", "framerate", "title", "position",
                "encoder",
            ]
        )
        let both = try Self.properties(messages[2])
        #expect(
            both.map(\.name) == [
                "width", "height", "videocodecid", "videodatarate", "framerate", "title", "audiocodecid",
                "audiodatarate", "position", "encoder", "audiosamplerate", "audiosamplesize", "stereo",
            ]
        )
        let all = AMF0Value.ecmaArray(both)
        #expect(all["width"] == .number(320))
        #expect(all["height"] == .number(180))
        #expect(all["videocodecid"] == .number(7))
        #expect(all["audiocodecid"] == .number(10))
        #expect(all["audiosamplerate"] == .number(44_100))
        #expect(all["title"] == .string("gate 3"))
        #expect(all["position"] == Self.own[11].value)
        #expect(all["encoder"] == Self.own[12].value)
    }

    @Test("metadata in the middle of a stream is sent on at once, and is what late viewers get")
    func passesOnLater() throws {
        var packager = FLVPackager(hevc: .legacy)
        var messages: [FLVMessage] = []
        packager.package(.video(FLVSamples.avc), into: &messages)
        packager.package(.frame(FLVSamples.video(dts: 90_000, pts: 90_000, isKey: true, [0x65])), into: &messages)
        messages = []
        let metadata = StreamMetadata(properties: [AMF0Property("title", .string("night"))])
        packager.package(.metadata(metadata), into: &messages)
        #expect(messages.map(\.kind) == [.script])
        #expect(messages.map(\.timestamp) == [1000])
        #expect(try Self.properties(messages[0]).first == metadata.properties[0])
        #expect(packager.headers.first == messages.first)
        #expect(metadata["title"] == .string("night"))
        // Before the first track there is nothing to describe.
        #expect(FLVSamples.package([.metadata(metadata)]).isEmpty)
    }

    @Test("H.265 and Opus change their numbers with the form, the publisher's words stay")
    func converts() {
        let events: [MediaEvent] = [
            .metadata(StreamMetadata(properties: Self.own)), .video(FLVSamples.hevc), .audio(FLVSamples.opus),
        ]
        let legacy = FLVSamples.package(events)
        let enhanced = FLVSamples.package(events, hevc: .enhanced)
        #expect(legacy[2].converted(to: .enhanced) == enhanced[2])
        #expect(enhanced[2].converted(to: .legacy) == legacy[2])
        #expect(legacy[2] != enhanced[2])
    }
}
