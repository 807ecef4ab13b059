import Media
import NIOCore
import Testing

@Suite("FLV packager")
struct FLVPackagerTests {
    private func body(_ message: FLVMessage) -> [UInt8] { Array(message.body.readableBytesView) }

    @Test("H.264: metadata, avcC, then frames with their composition time")
    func packagesAVC() throws {
        let messages = FLVSamples.package([
            .video(FLVSamples.avc),
            .frame(FLVSamples.video(dts: 3600, pts: 10_800, isKey: true, [0x65, 1, 2])),
            .frame(FLVSamples.video(dts: 7200, pts: 7200, isKey: false, [0x41, 3])),
        ])
        try #require(messages.count == 4)
        #expect(messages.map(\.kind) == [.script, .video, .video, .video])
        #expect(messages.map(\.isKey) == [false, false, true, false])
        #expect(messages.map(\.isSequenceHeader) == [false, true, false, false])
        #expect(messages.map(\.timestamp) == [0, 0, 40, 80])
        #expect(body(messages[1]).prefix(6) == [0x17, 0, 0, 0, 0, 1])
        #expect(body(messages[2]) == [0x17, 1, 0, 0, 80, 0, 0, 0, 3, 0x65, 1, 2])
        #expect(body(messages[3]) == [0x27, 1, 0, 0, 0, 0, 0, 0, 2, 0x41, 3])
        #expect(messages[2].length == 12)
    }

    @Test("H.265 in the legacy form has codec id 12, in the enhanced form hvc1")
    func packagesHEVC() throws {
        let events: [MediaEvent] = [
            .video(FLVSamples.hevc),
            .frame(FLVSamples.video(dts: 0, pts: 90, isKey: true, [0x26, 1, 9])),
            .frame(FLVSamples.video(dts: 90, pts: 0, isKey: false, [0x02, 1, 9])),
        ]
        let legacy = FLVSamples.package(events)
        let enhanced = FLVSamples.package(events, hevc: .enhanced)
        #expect(body(legacy[1]).prefix(6) == [0x1C, 0, 0, 0, 0, 1])
        #expect(body(legacy[2]) == [0x1C, 1, 0, 0, 1, 0, 0, 0, 3, 0x26, 1, 9])
        // A picture before its decoding time: B-frames of cameras that stamp dts late.
        #expect(body(legacy[3]) == [0x2C, 1, 0xFF, 0xFF, 0xFF, 0, 0, 0, 3, 2, 1, 9])
        #expect(body(enhanced[1]).prefix(6) == [0x90, 0x68, 0x76, 0x63, 0x31, 1])
        #expect(body(enhanced[2]) == [0x91, 0x68, 0x76, 0x63, 0x31, 0, 0, 1, 0, 0, 0, 3, 0x26, 1, 9])
        #expect(body(enhanced[3]).prefix(5) == [0xA1, 0x68, 0x76, 0x63, 0x31])
        #expect(legacy.map { $0.converted(to: .enhanced) } == enhanced)
        #expect(enhanced.map { $0.converted(to: .legacy) } == legacy)
        #expect(legacy.map { $0.converted(to: .legacy) } == legacy)
    }

    @Test("a message read from its bytes is the message that was written", arguments: FLVHEVCFormat.allCases)
    func parsesWhatItWrites(format: FLVHEVCFormat) {
        let messages = FLVSamples.package(
            [
                .video(FLVSamples.hevc), .audio(FLVSamples.aac),
                .frame(FLVSamples.video(dts: 0, pts: 0, isKey: true, [0x26, 1, 9])),
                .frame(FLVSamples.audio(0, [1, 2, 3])),
                .audio(FLVSamples.g711a), .frame(FLVSamples.audio(0, [4])),
                .video(FLVSamples.avc), .frame(FLVSamples.video(dts: 9, pts: 9, isKey: false, [0x41])),
            ],
            hevc: format
        )
        #expect(messages.map { FLVMessage(kind: $0.kind, timestamp: $0.timestamp, body: $0.body) } == messages)
    }

    @Test("audio headers of AAC, G.711 and Opus")
    func packagesAudio() {
        func frames(_ parameters: AudioParameters) -> [[UInt8]] {
            FLVSamples.package([.audio(parameters), .frame(FLVSamples.audio(900, [7, 8]))])
                .filter { $0.kind == .audio }.map(body)
        }
        #expect(frames(FLVSamples.aac) == [[0xAF, 0, 0x12, 0x10], [0xAF, 1, 7, 8]])
        #expect(frames(FLVSamples.g711a) == [[0x72, 7, 8]])
        #expect(frames(FLVSamples.g711u) == [[0x82, 7, 8]])
        #expect(frames(FLVSamples.opus) == [[0xDF, 7, 8]])
    }

    @Test("times are rounded down alike, and wrap at 32 bits")
    func convertsTimes() {
        let messages = FLVSamples.package([
            .video(FLVSamples.avc),
            .frame(FLVSamples.video(dts: 179, pts: 269, isKey: true, [0x65])),
            .frame(FLVSamples.video(dts: 0x1_0000_0005 * 90, pts: 0x1_0000_0005 * 90, isKey: false, [0x41])),
            .frame(FLVSamples.video(dts: -1, pts: 90 * 0x100_0000, isKey: false, [0x41])),
        ])
        #expect(messages.dropFirst(2).map(\.timestamp) == [1, 5, 0xFFFF_FFFF])
        #expect(body(messages[2])[2...4] == [0, 0, 1])
        // 24 signed bits are all there is.
        #expect(body(messages[4])[2...4] == [0x7F, 0xFF, 0xFF])
    }

    @Test("frames before their parameters, and empty ones, are dropped and counted")
    func dropsWithoutParameters() {
        var packager = FLVPackager(hevc: .legacy)
        var messages: [FLVMessage] = []
        packager.package(.frame(FLVSamples.video(dts: 0, pts: 0, isKey: true, [0x65])), into: &messages)
        packager.package(.frame(FLVSamples.audio(0, [1])), into: &messages)
        #expect(packager.headers.isEmpty)
        packager.package(.audio(FLVSamples.aac), into: &messages)
        packager.package(.frame(FLVSamples.audio(0, [])), into: &messages)
        #expect(packager.droppedFrames == 3)
        #expect(messages.count == 2)
    }

    @Test("headers for a late viewer: metadata of both tracks and both sequence headers, at the time of the last frame")
    func givesHeaders() throws {
        var packager = FLVPackager(hevc: .legacy)
        var messages: [FLVMessage] = []
        packager.package(.video(FLVSamples.avc), into: &messages)
        packager.package(.audio(FLVSamples.aac), into: &messages)
        packager.package(.frame(FLVSamples.audio(90_000, [1])), into: &messages)
        let headers = packager.headers
        #expect(headers.map(\.kind) == [.script, .video, .audio])
        #expect(headers.map(\.timestamp) == [1000, 1000, 1000])
        var reader = AMF0Reader(headers[0].payload)
        #expect(try reader.next() == .string("onMetaData"))
        let metadata = try #require(try reader.next())
        #expect(metadata["width"] == .number(320))
        #expect(metadata["height"] == .number(180))
        #expect(metadata["videocodecid"] == .number(7))
        #expect(metadata["audiocodecid"] == .number(10))
        #expect(metadata["audiosamplerate"] == .number(44_100))
    }
}
