import Media
import NIOCore
import Testing

@testable import Streaming

@Suite("RTMP with damaged input")
struct RTMPMutationTests {
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }

    private static let start = NIODeadline.uptimeNanoseconds(0)

    /// All that a publisher may say after its handshake, media in all forms.
    private static let script: ByteBuffer = {
        var script = RTMPTestClient.joined(
            RTMPTestClient.connect(app: "live", AMF0Property("fourCcList", .strictArray([.string("hvc1")]))),
            RTMPTestClient.command("createStream", 2, .null),
            RTMPTestClient.publish("camera1?k=v"),
            RTMPTestClient.message(.setChunkSize, body: ByteBuffer(integer: 256 as UInt32)),
            RTMPTestClient.message(.setChunkSize, body: ByteBuffer(integer: 128 as UInt32)),
            RTMPTestClient.message(.userControl, body: ByteBuffer(bytes: [0, 6, 0, 0, 0, 1])),
            RTMPTestClient.message(.abort, body: ByteBuffer(integer: 7 as UInt32))
        )
        let bodies: [(RTMPMessageType, [UInt8])] = [
            (.audio, [0xAF, 0, 0x12, 0x10]), (.audio, [0xAF, 1, 1, 2, 3]), (.audio, [0x72, 0xD5]), (.audio, [0xDF, 1]),
            (.video, [0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 1]),
            (.video, [0x91, 0x68, 0x76, 0x63, 0x31, 0, 0, 0, 0, 0, 0, 3, 0x26, 1, 1]),
            (.video, [0x93, 0x68, 0x76, 0x63, 0x31, 0, 0, 0, 3, 0x26, 1, 1]),
            (.video, [0x27, 1, 0, 0, 0] + Array(repeating: 0, count: 300)),
            (.aggregate, [8, 0, 0, 2, 0, 0, 1, 0, 0, 0, 0, 0x72, 1, 0, 0, 0, 13]),
            (.dataAMF0, [2, 0, 1, 0x61, 8, 0, 0, 0, 1, 0, 1, 0x62, 5, 0, 0, 9]),
        ]
        for (index, (type, body)) in bodies.enumerated() {
            let timestamp: UInt32 = index.isMultiple(of: 2) ? UInt32(index) : 0x100_0000
            script.writeImmutableBuffer(
                RTMPTestClient.message(type, timestamp: timestamp, streamID: 1, body: ByteBuffer(bytes: body))
            )
        }
        return script
    }()

    /// What a session makes of the parts: all bytes that it sends, joined, and all else in order. The media goes through the
    /// unpackager too.
    private func run(_ parts: [ByteBuffer]) -> (sent: ByteBuffer, others: [RTMPServerAction], events: [MediaEvent]) {
        var session = RTMPServerSession(seed: 1, now: Self.start)
        var unpackager = FLVUnpackager()
        var sent = ByteBuffer()
        var others: [RTMPServerAction] = []
        var events: [MediaEvent] = []
        func take(_ actions: [RTMPServerAction]) {
            for action in actions {
                switch action {
                case .send(let bytes): sent.writeImmutableBuffer(bytes)
                case .connect, .publish, .play:
                    others.append(action)
                    take(session.accept(now: Self.start))
                case .message(let message):
                    others.append(action)
                    unpackager.receive(message, into: &events)
                    _ = message.converted(to: .enhanced).converted(to: .legacy)
                case .stopped, .close: others.append(action)
                }
            }
        }
        for part in [RTMPTestClient.handshake] + parts { take(session.receive(part, now: Self.start)) }
        return (sent, others, events)
    }

    @Test(
        "damaged anywhere, it is read the same whole and in pieces, and never crashes",
        arguments: 0..<8 as Range<UInt64>
    )
    func readsTheSameInPieces(seed: UInt64) {
        var generator = Generator(state: seed &* 7919 &+ 1)
        var media = 0
        for _ in 0..<100 {
            var bytes = Self.script
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = Int.random(in: 0..<bytes.readableBytes, using: &generator)
                let byte = [0, 1, 3, 0x7F, 0x80, 0xC3, 0xFF, UInt8.random(in: 0...255, using: &generator)]
                    .randomElement(using: &generator)
                bytes.setInteger(byte ?? 0, at: index)
            }
            var parts: [ByteBuffer] = []
            var rest = bytes
            while rest.readableBytes > 0 {
                let length = Int.random(in: 1...min(40, rest.readableBytes), using: &generator)
                if let part = rest.readSlice(length: length) { parts.append(part) }
            }
            let whole = run([bytes])
            let pieces = run(parts)
            #expect(whole.sent == pieces.sent)
            #expect(whole.others == pieces.others)
            #expect(whole.events == pieces.events)
            media += whole.events.count
        }
        #expect(media > 40)
    }
}
