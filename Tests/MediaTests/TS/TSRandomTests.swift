import NIOCore
import Testing

@testable import Media

@Suite("Transport stream: whatever comes")
struct TSRandomTests {
    private static let videos = [Synthetic.h264, Synthetic.h265, FLVSamples.av1]
    private static let audios = [
        Synthetic.g711, Synthetic.aac, TSSamples.opus, FLVSamples.mp3, FLVSamples.g711u, TSSamples.aac48,
    ]

    @Test(
        "codecs that change, frames of all sizes, slow and quick: the stream is sound",
        arguments: 0..<6 as Range<UInt64>
    )
    func soundTimes(seed: UInt64) {
        var noise = Noise(state: seed)
        var muxer = TSMuxer()
        var bytes = ByteBuffer()
        var time = Int64.random(in: -1 << 34...1 << 34, using: &noise)
        var codec = VideoCodec.h264
        for _ in 0..<400 {
            let before = bytes.writerIndex
            var event: MediaEvent
            switch Int.random(in: 0..<100, using: &noise) {
            case 0:
                let video = Self.videos[Int.random(in: 0..<Self.videos.count, using: &noise)]
                codec = video.codec
                event = .video(video)
            case 1: event = .audio(Self.audios[Int.random(in: 0..<Self.audios.count, using: &noise)])
            case 2..<40:
                time += Int64.random(in: 1...20_000, using: &noise)
                let size = Int.random(in: 3...(Bool.random(using: &noise) ? 500 : 30_000), using: &noise)
                let form: VideoCodec = codec.hasNALUnits ? codec : .h264
                event = .frame(
                    Synthetic.picture(form, 1, isKey: Int.random(in: 0..<9, using: &noise) == 0, size: size, dts: time)
                )
            default:
                time += Int64.random(in: 1...2000, using: &noise)
                event = TSSamples.sound(time, size: Int.random(in: 0...2000, using: &noise))
            }
            let wrote = muxer.mux(event, startsSegment: Int.random(in: 0..<50, using: &noise) == 0, into: &bytes)
            #expect(wrote == (bytes.writerIndex > before))
            #expect(bytes.readableBytes % 188 == 0)
        }
        muxer.flush(into: &bytes)
        let checker = TransportStreamChecker(Array(bytes.readableBytesView))
        #expect(checker.faults.isEmpty)
        #expect(checker.discontinuities == 0)
        #expect(checker.packetCount > 0)
    }

    @Test("times that leap anywhere: packets and counters stay whole", arguments: 0..<6 as Range<UInt64>)
    func wildTimes(seed: UInt64) {
        var noise = Noise(state: seed)
        var events: [MediaEvent] = [.video(Synthetic.h264), .audio(Synthetic.g711)]
        for _ in 0..<300 {
            let reach = Int64(1) << Int64.random(in: 0...40, using: &noise)
            let time = Int64.random(in: -reach...reach, using: &noise)
            if Bool.random(using: &noise) {
                events.append(TSSamples.picture(time, isKey: Bool.random(using: &noise), size: 200))
            } else {
                events.append(TSSamples.sound(time, size: 320))
            }
        }
        let checker = TransportStreamChecker(TSSamples.muxed(events))
        let timing: Set<TransportStreamChecker.Fault> = [
            .decodingOrder, .clockTooEarly, .clockAfterDecoding, .lateTables,
        ]
        #expect(checker.faults.isSubset(of: timing))
        #expect(checker.units.count > 100)
        #expect(checker.packetCount < 300 * 60)
    }
}
