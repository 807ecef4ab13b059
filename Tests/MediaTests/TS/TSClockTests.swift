import NIOCore
import Testing

@testable import Media

@Suite("Transport stream: the program clock")
struct TSClockTests {
    private static func pictures(_ times: some Sequence<Int64>) -> [MediaEvent] {
        [.video(Synthetic.h264)] + times.map { TSSamples.picture($0, isKey: $0 % 7 == 0, size: 300) }
    }

    @Test("at any rate of pictures there is a PCR every 40 ms", arguments: [1, 2, 7, 10, 15, 24, 25, 30, 50, 60])
    func interval(rate: Int64) {
        let checker = TransportStreamChecker(TSSamples.muxed(Self.pictures((0..<rate * 5).map { $0 * 90_000 / rate })))
        #expect(checker.faults.isEmpty)
        #expect(checker.discontinuities == 0)
        #expect(checker.pcrs.count <= 5 * max(Int(rate), 25) * 2)
    }

    @Test("key frames alone, four seconds apart, keep the clock", arguments: [false, true])
    func keyFramesOnly(hasSound: Bool) {
        var events: [MediaEvent] = [.video(Synthetic.h264)]
        if hasSound { events.append(.audio(Synthetic.g711)) }
        for index in 0..<400 as Range<Int64> {
            if index % 100 == 0 { events.append(TSSamples.picture(index * 3600, isKey: true)) }
            if hasSound { events.append(TSSamples.sound(index * 3600, size: 320)) }
        }
        let checker = TransportStreamChecker(TSSamples.muxed(events))
        #expect(checker.faults.isEmpty)
        #expect(checker.discontinuities == 0)
        #expect(checker.units.contains { $0.streamID == 0xC0 } == hasSound)
    }

    @Test("times go on over 33 bits, in PCR, DTS and PTS", arguments: [-3, -1, 0, 1, 5])
    func wraps(turns: Int64) {
        let start = turns &* TransportStreamChecker.wrap - TSMuxer.timeOffset - 90_000
        var events: [MediaEvent] = [.video(Synthetic.h264), .audio(Synthetic.g711)]
        for index in 0..<100 as Range<Int64> {
            events.append(TSSamples.picture(start + index * 3600, isKey: index % 25 == 0, delay: index % 3 * 3600))
            events.append(TSSamples.sound(start + index * 3600, size: 320))
        }
        let checker = TransportStreamChecker(TSSamples.muxed(events))
        #expect(checker.faults.isEmpty)
        #expect(checker.discontinuities == 0)
        #expect(checker.units.map(\.dts).max() ?? 0 > TransportStreamChecker.wrap - 7200)
        #expect(checker.units.map(\.dts).min() ?? 3600 < 3600)
        #expect(checker.pcrs.min() ?? 3600 < 3600)
    }

    @Test("a stream that begins at 0, or a little before, has no time below 0")
    func beginsAboveZero() {
        let checker = TransportStreamChecker(TSSamples.muxed(Self.pictures((-5..<50).map { $0 * 3600 })))
        #expect(checker.faults.isEmpty)
        #expect(checker.pcrs.max() ?? .max < 1 << 20)
    }

    @Test("a leap ahead or back is a discontinuity, once", arguments: [900_000, -900_000, 1 << 40, -50_000])
    func leaps(by leap: Int64) {
        let before = (0..<25).map { $0 * 3600 as Int64 }
        let after = (25..<50).map { $0 * 3600 + leap }
        let checker = TransportStreamChecker(TSSamples.muxed(Self.pictures(before + after)))
        #expect(checker.faults.isEmpty)
        #expect(checker.discontinuities == 1)
        #expect(checker.units.count == 50)
        #expect(checker.packetCount < 50 * 5)
    }

    @Test("when the sound leaps first, the clock is there before it")
    func soundLeapsFirst() {
        var events: [MediaEvent] = [.video(Synthetic.h264), .audio(Synthetic.g711)]
        for index in 0..<50 as Range<Int64> {
            let leap: Int64 = index < 25 ? 0 : 9_000_000
            events.append(TSSamples.sound(index * 3600 + leap, size: 320))
            events.append(TSSamples.picture(index * 3600 + leap, isKey: index == 0))
        }
        let checker = TransportStreamChecker(TSSamples.muxed(events))
        #expect(checker.faults.isEmpty)
        #expect(checker.discontinuities == 1)
    }

    @Test("a DTS that goes back a little makes no discontinuity, and no PCR goes back")
    func smallStepsBack() {
        let times: [Int64] = [0, 3600, 7200, 5400, 9000, 12_600, 12_600, 16_200]
        let checker = TransportStreamChecker(TSSamples.muxed(Self.pictures(times)))
        // The times are the publisher's.
        #expect(checker.faults == [.decodingOrder])
        #expect(checker.discontinuities == 0)
        #expect(checker.units.map { $0.dts - TSMuxer.timeOffset } == times)
    }

    @Test("sound that comes 300 ms before its pictures, or after them", arguments: [27_000, -27_000])
    func unevenInterleaving(lead: Int64) {
        var events: [MediaEvent] = [.video(Synthetic.h264), .audio(Synthetic.g711)]
        for index in 0..<100 as Range<Int64> {
            events.append(TSSamples.sound(index * 3600 + lead, size: 320))
            events.append(TSSamples.picture(index * 3600, isKey: index % 25 == 0))
        }
        let checker = TransportStreamChecker(TSSamples.muxed(events))
        #expect(checker.faults.isEmpty)
        #expect(checker.discontinuities == 0)
    }

    @Test("sound that pauses does not push the clock when it comes back", arguments: [2, 4, 8])
    func soundPauses(seconds: Int64) {
        var events: [MediaEvent] = [.video(Synthetic.h264), .audio(Synthetic.g711)]
        for index in 0..<50 + seconds * 25 {
            events.append(TSSamples.picture(index * 3600, isKey: index % 25 == 0))
            if !(20..<20 + seconds * 25).contains(index) { events.append(TSSamples.sound(index * 3600, size: 320)) }
        }
        let checker = TransportStreamChecker(TSSamples.muxed(events))
        #expect(checker.faults.isEmpty)
        #expect(checker.discontinuities == 0)
    }

    @Test("pictures that end do not stop the clock of the sound")
    func picturesEnd() {
        var events: [MediaEvent] = [.video(Synthetic.h264), .audio(Synthetic.g711)]
        for index in 0..<500 as Range<Int64> {
            if index < 20 { events.append(TSSamples.picture(index * 3600, isKey: index == 0)) }
            events.append(TSSamples.sound(index * 3600, size: 320))
        }
        let checker = TransportStreamChecker(TSSamples.muxed(events))
        #expect(checker.faults.isEmpty)
        #expect(checker.pcrs.count > 480)
    }

    @Test("sound alone has a clock, whatever its frames", arguments: [80, 160, 320, 960, 4000])
    func soundAlone(size: Int) {
        var events: [MediaEvent] = [.audio(Synthetic.g711)]
        for index in 0..<200 as Range<Int64> {
            events.append(TSSamples.sound(index * Int64(size) * 90_000 / 8000, size: size))
        }
        let checker = TransportStreamChecker(TSSamples.muxed(events))
        #expect(checker.faults.isEmpty)
        #expect(checker.discontinuities == 0)
        #expect(checker.units.flatMap(\.payload).count == 200 * size)
    }

    @Test("absurd times neither trap nor make the stream grow")
    func absurdTimes() {
        let times: [Int64] = [.min, .max, 0, .min, -1, .max, .max - 1, 1 << 62, -(1 << 62), 90_000]
        for parameters in [[MediaEvent.video(Synthetic.h264)], [.audio(Synthetic.g711)]] {
            var muxer = TSMuxer()
            var bytes = ByteBuffer()
            for event in parameters + [.video(Synthetic.h264), .audio(Synthetic.g711)] {
                muxer.mux(event, startsSegment: false, into: &bytes)
            }
            for (index, time) in times.enumerated() {
                guard case .frame(var frame) = TSSamples.picture(0, isKey: true, size: 100) else { continue }
                frame.dts = time
                frame.pts = times[times.count - 1 - index]
                muxer.mux(.frame(frame), startsSegment: index % 2 == 0, into: &bytes)
                frame.track = .audio
                frame.pts = time
                muxer.mux(.frame(frame), startsSegment: index % 3 == 0, into: &bytes)
            }
            muxer.flush(into: &bytes)
            #expect(bytes.readableBytes % 188 == 0)
            #expect(bytes.readableBytes < times.count * 10 * 188)
        }
    }
}
