import Media
import NIOCore
import Testing

/// Every message of a set, cut at each length and with each byte replaced, through all that reads messages of peers.
@Suite("FLV from hostile peers")
struct FLVHostileTests {
    private static let hvc1 = Array("hvc1".utf8)

    /// One of each kind, and the extended forms.
    private static let messages: [FLVMessage] = {
        let metadata = StreamMetadata(properties: [
            AMF0Property("title", .string("x")), AMF0Property("map", .ecmaArray([AMF0Property("y", .number(1))])),
            AMF0Property("list", .strictArray([.boolean(true), .null])),
        ])
        let events: [MediaEvent] = [
            .metadata(metadata), .video(FLVSamples.avc), .audio(FLVSamples.aac),
            .frame(FLVSamples.video(dts: 0, pts: 90, isKey: true, [0x65, 1])), .frame(FLVSamples.audio(0, [1, 2])),
            .video(FLVSamples.hevc), .frame(FLVSamples.video(dts: 90, pts: 90, isKey: true, [0x26, 1, 9])),
            .audio(FLVSamples.opus), .frame(FLVSamples.audio(90, [7])), .audio(FLVSamples.mp3),
            .frame(FLVSamples.audio(90, FLVSamples.mp3Frame)), .video(FLVSamples.av1),
            .frame(FLVSamples.audio(180, [7])), .video(FLVSamples.vp9),
            .frame(
                Frame(
                    track: .video,
                    dts: 180,
                    pts: 180,
                    isKey: true,
                    payload: ByteBuffer(bytes: FLVSamples.vp9KeyFrame)
                )
            ),
        ]
        let record = Array(FLVSamples.package([.video(FLVSamples.hevc)])[1].payload.readableBytesView)
        let extended: [[UInt8]] = [
            [0x97, 2, 1, 2, 3, 0x00] + hvc1 + record,
            [0x96, 0x11] + hvc1 + [0, 0, 0, 10, 0, 0, 40, 0, 0, 0, 3, 0x26, 1, 9, 1, 0, 0, 1, 9],
            [0x96, 0x21] + hvc1 + [0, 0, 0, 10, 0, 0, 40, 0, 0, 0, 3, 0x26, 1, 9] + hvc1 + [1, 0, 0, 1, 9],
            [0x96, 0x01] + hvc1 + [0, 0, 0, 40, 0, 0, 0, 3, 0x26, 1, 9],
        ]
        return FLVSamples.package(events) + FLVSamples.package(events, hevc: .enhanced)
            + extended.map { FLVMessage(kind: .video, timestamp: 0, body: ByteBuffer(bytes: $0)) }
    }()

    private static let started: FLVUnpackager = {
        var unpackager = FLVUnpackager()
        var events: [MediaEvent] = []
        for message in FLVSamples.package([.video(FLVSamples.hevc), .audio(FLVSamples.aac)]) {
            unpackager.receive(message, into: &events)
        }
        return unpackager
    }()

    /// What is true of whatever came: frames are whole and have parameters, and go through the packager.
    private func check(_ kind: FLVMessage.Kind, _ body: ByteBuffer) {
        let message = FLVMessage(kind: kind, timestamp: 0, body: body)
        #expect(message.length <= body.readableBytes)
        _ = message.converted(to: .enhanced).converted(to: .legacy)
        var unpackager = Self.started
        var events: [MediaEvent] = []
        unpackager.receive(message, into: &events)
        #expect(events.count <= 2)
        var codec = VideoCodec.h265
        for event in events {
            switch event {
            case .video(let parameters):
                codec = parameters.codec
                #expect(parameters.isComplete)
                _ = parameters.decoderConfiguration
            case .frame(let frame):
                let span = frame.payload.readableBytesSpan
                #expect(span.byteCount > 0)
                guard frame.track == .video, codec.hasNALUnits else { continue }
                #expect(LengthPrefixed.units(in: span).last?.upperBound == span.byteCount)
            case .metadata(let metadata):
                #expect(metadata.properties.count < 100)
            case .audio:
                break
            }
        }
        for sent in FLVSamples.package(events, hevc: .enhanced) {
            #expect(FLVMessage(kind: sent.kind, timestamp: sent.timestamp, body: sent.body) == sent)
        }
    }

    @Test("every truncation")
    func everyTruncation() {
        for message in Self.messages {
            let body = message.body
            for length in 0...body.readableBytes {
                check(message.kind, body.getSlice(at: 0, length: length) ?? ByteBuffer())
            }
        }
    }

    @Test("every byte replaced by extremes and its neighbour, those at the front with each bit turned too")
    func everyMutation() {
        for message in Self.messages {
            let whole = message.body
            for (index, byte) in whole.readableBytesView.enumerated() {
                // Records are long; what tells kinds and sizes is at the front.
                let bits = index < 24 ? (0..<8).map { byte ^ (1 << $0) } : []
                for other in Set([0, 0x80, 0xFF, byte &+ 1] + bits) {
                    var body = whole
                    body.setInteger(other, at: index)
                    check(message.kind, body)
                }
            }
        }
    }
}
