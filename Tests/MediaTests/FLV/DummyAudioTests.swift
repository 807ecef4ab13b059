import Media
import NIOCore
import Testing

@Suite("Dummy audio")
struct DummyAudioTests {
    private static let wait: Int64 = 150 * 90

    private static func picture(_ milliseconds: Int64) -> MediaEvent {
        .frame(FLVSamples.video(dts: milliseconds * 90, pts: milliseconds * 90, isKey: false, [0x41]))
    }

    private static func silence(_ milliseconds: Int64) -> MediaEvent {
        .frame(FLVSamples.audio(milliseconds * 90, [0x21, 0x10, 0x04, 0x60, 0x8C, 0x1C]))
    }

    private static func run(_ events: [MediaEvent], _ dummy: inout DummyAudio) -> [MediaEvent] {
        var out: [MediaEvent] = []
        for event in events { dummy.receive(event, into: &out) }
        return out
    }

    @Test("a stream with sound is held until the sound comes, and passed on as it is for ever")
    func passesSoundOn() {
        var dummy = DummyAudio(wait: Self.wait)
        let start: [MediaEvent] = [.video(FLVSamples.avc), Self.picture(0), Self.picture(40)]
        #expect(Self.run(start, &dummy).isEmpty)
        let sound: [MediaEvent] = [.audio(FLVSamples.g711a), .frame(FLVSamples.audio(3600, [1]))]
        #expect(Self.run(sound, &dummy) == start + sound)
        let later = (2..<200).map { Self.picture($0 * 40) }
        #expect(Self.run(later, &dummy) == later)
    }

    @Test("without sound there is silence from the first picture on, in steps of 21, 21 and 22 ms")
    func fillsWithSilence() {
        var dummy = DummyAudio(wait: Self.wait)
        let metadata = MediaEvent.metadata(StreamMetadata(properties: []))
        let start = [metadata, .video(FLVSamples.avc)] + [1000, 1040, 1080, 1120].map(Self.picture)
        #expect(Self.run(start, &dummy).isEmpty)
        let out = Self.run([Self.picture(1160)], &dummy)
        #expect(
            out == [
                metadata, .audio(DummyAudio.parameters), .video(FLVSamples.avc), Self.silence(1000), Self.picture(1000),
                Self.silence(1021), Self.picture(1040), Self.silence(1042), Self.silence(1064), Self.picture(1080),
                Self.silence(1085), Self.silence(1106), Self.picture(1120), Self.silence(1128), Self.silence(1149),
                Self.picture(1160),
            ]
        )
        // New parameters get the header before them too.
        #expect(
            Self.run([.video(FLVSamples.hevc)], &dummy) == [.audio(DummyAudio.parameters), .video(FLVSamples.hevc)]
        )
    }

    @Test("the bytes are lal's: AF 00 11 90, AF 01 21 10 04 60 8C 1C")
    func exactBytes() {
        let messages = FLVSamples.package([.audio(DummyAudio.parameters), Self.silence(1000)])
        #expect(Array(messages[1].body.readableBytesView) == [0xAF, 0, 0x11, 0x90])
        #expect(Array(messages[2].body.readableBytesView) == [0xAF, 1, 0x21, 0x10, 0x04, 0x60, 0x8C, 0x1C])
    }

    @Test("sound that comes after the decision is dropped and counted")
    func dropsLateSound() {
        var dummy = DummyAudio(wait: Self.wait)
        _ = Self.run([.video(FLVSamples.avc), Self.picture(0), Self.picture(150)], &dummy)
        let late: [MediaEvent] = [.audio(FLVSamples.aac), .frame(FLVSamples.audio(150 * 90, [1])), Self.picture(151)]
        #expect(Self.run(late, &dummy) == [Self.picture(151)])
        #expect(dummy.droppedFrames == 1)
    }

    @Test("just below the wait it is still held")
    func waitsExactly() {
        var dummy = DummyAudio(wait: Self.wait)
        #expect(Self.run([.video(FLVSamples.avc), Self.picture(7), Self.picture(156)], &dummy).isEmpty)
        #expect(!Self.run([Self.picture(157)], &dummy).isEmpty)
    }

    @Test("no more than 256 events are held, though time stands still")
    func boundsQueue() {
        var dummy = DummyAudio(wait: Self.wait)
        let same = Array(repeating: Self.picture(5), count: DummyAudio.maximumHeld - 1)
        #expect(Self.run(same, &dummy).isEmpty)
        let out = Self.run([Self.picture(5)], &dummy)
        #expect(out.count == DummyAudio.maximumHeld + 1)
        #expect(out.first == Self.silence(5))
    }

    @Test("a jump of time is not filled, back or forth; silence goes on from there")
    func followsJumps() {
        var dummy = DummyAudio(wait: 0)
        _ = Self.run([.video(FLVSamples.avc), Self.picture(0)], &dummy)
        #expect(Self.run([Self.picture(3_600_000)], &dummy) == [Self.silence(3_600_000), Self.picture(3_600_000)])
        #expect(Self.run([Self.picture(40)], &dummy) == [Self.silence(40), Self.picture(40)])
    }
}
