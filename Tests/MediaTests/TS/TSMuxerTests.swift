import NIOCore
import Testing

@testable import Media

@Suite("Transport stream: what comes out of the muxer")
struct TSMuxerTests {
    /// 25 pictures a second, sound of 40 ms beside each.
    static func stream(_ audio: AudioParameters? = Synthetic.g711, pictures: Int = 60) -> [MediaEvent] {
        Synthetic.stream(audio: audio, pictures: pictures)
    }

    @Test("pictures and sound come out whole, with their times", arguments: [Synthetic.h264, Synthetic.h265])
    func carriesEverything(video: VideoParameters) throws {
        let events = Synthetic.stream(video, pictures: 60)
        let checker = TransportStreamChecker(TSSamples.muxed(events))
        #expect(checker.faults.isEmpty)
        #expect(checker.discontinuities == 0)
        let map = try #require(checker.maps.first)
        #expect(checker.maps.count == 1)
        #expect(map.streams.values.map(\.type).sorted() == [video.codec == .h264 ? 0x1B : 0x24, 0x90])

        let pictures = checker.units(of: map.clockPID)
        #expect(pictures.count == 60)
        let sets = video.vps + video.sps + video.pps
        let delimiter: [UInt8] = video.codec == .h264 ? [0x09, 0xF0] : [0x46, 0x01, 0x50]
        for (unit, frame) in zip(pictures, events.pictures) {
            #expect(unit.dts == frame.dts + TSMuxer.timeOffset)
            #expect(unit.pts == frame.pts + TSMuxer.timeOffset)
            #expect(unit.isRandomAccess == frame.isKey)
            #expect(unit.isAligned)
            let slices = LengthPrefixed.units(in: frame.payload.readableBytesSpan)
                .map { frame.payload.readableBytesSpan.array($0) }
            #expect(TSSamples.units(unit.payload) == [delimiter] + (frame.isKey ? sets : []) + slices)
        }
        let sounds = checker.units.filter { $0.pid != map.clockPID }
        #expect(sounds.allSatisfy { $0.streamID == 0xC0 && !$0.hasDTS })
        #expect(sounds.flatMap(\.payload) == events.sounds.flatMap { Array($0.payload.readableBytesView) })
        #expect(sounds.first?.pts == (events.sounds.first?.pts).map { $0 + TSMuxer.timeOffset })
    }

    private static let delays: [Int64] = [7200, 18_000, 7200, 0]

    @Test("B-frames have two times, other pictures one")
    func bFrames() {
        var events: [MediaEvent] = [.video(Synthetic.h264)]
        for index in 0..<40 {
            events.append(TSSamples.picture(Int64(index) * 3600, isKey: index % 20 == 0, delay: Self.delays[index % 4]))
        }
        let checker = TransportStreamChecker(TSSamples.muxed(events))
        #expect(checker.faults.isEmpty)
        let delays: [Int64] = (0..<40).map { index in Self.delays[index % 4] }
        #expect(checker.units.map { $0.pts - $0.dts } == delays)
        #expect(checker.units.map(\.hasDTS) == (0..<40).map { $0 % 4 != 3 })
    }

    @Test("a picture that is to be shown before it is decoded is shown when it is decoded")
    func presentationBeforeDecoding() {
        let events: [MediaEvent] = [.video(Synthetic.h264), TSSamples.picture(9000, isKey: true, delay: -3600)]
        let checker = TransportStreamChecker(TSSamples.muxed(events))
        #expect(checker.faults.isEmpty)
        #expect(checker.units.map(\.pts) == [9000 + TSMuxer.timeOffset])
    }

    @Test("every size of picture, around each border of packets, comes out again")
    func everySize() {
        var sizes = Array(3...1200)
        for packets in 3...12 { sizes += packets * 184 - 60...packets * 184 + 20 }
        // Around the largest PES_packet_length, and past it.
        sizes += 65_470...65_560
        sizes += [69_999, 70_000]
        var noise = Noise(state: 7)
        for _ in 0..<60 { sizes.append(Int.random(in: 3...70_000, using: &noise)) }

        var muxer = TSMuxer()
        var bytes = ByteBuffer()
        muxer.mux(.video(Synthetic.h264), startsSegment: false, into: &bytes)
        var expected: [[UInt8]] = []
        for (index, size) in sizes.enumerated() {
            // Two slices, so that a length lies anywhere.
            let cut = max(size / 3, 2)
            let units = [cut, max(size - cut, 2)].enumerated().map { number, size in
                Synthetic.slice(.h264, isKey: false, isFirst: number == 0, size: size, seed: index)
            }
            let time = Int64(index) * 3000
            let frame = Frame(track: .video, dts: time, pts: time, isKey: false, payload: Synthetic.avcc(units))
            let wrote = muxer.mux(.frame(frame), startsSegment: false, into: &bytes)
            #expect(wrote)
            #expect(bytes.readableBytes % 188 == 0)
            var payload: [UInt8] = [0, 0, 0, 1, 0x09, 0xF0]
            for unit in units { payload += [0, 0, 0, 1] + unit }
            expected.append(payload)
        }
        let checker = TransportStreamChecker(Array(bytes.readableBytesView))
        #expect(checker.faults.isEmpty)
        #expect(checker.units.count == sizes.count)
        for (unit, payload) in zip(checker.units, expected) where unit.payload != payload {
            Issue.record("a picture of \(payload.count) bytes came out as \(unit.payload.count)")
        }
        #expect(checker.units.contains { $0.declaredLength == 0xFFFF })
        #expect(checker.units.contains { $0.declaredLength == 0 })
    }

    @Test("every size of sound comes out again; what no PES packet can hold is dropped and counted")
    func everySizeOfSound() {
        var muxer = TSMuxer()
        var bytes = ByteBuffer()
        muxer.mux(.audio(Synthetic.g711), startsSegment: false, into: &bytes)
        var time: Int64 = 0
        var expected: [UInt8] = []
        for size in Array(0...400) + Array(65_500...65_540) {
            let event = TSSamples.sound(time, size: size)
            muxer.mux(event, startsSegment: false, into: &bytes)
            if size > 0, size <= 65_527, case .frame(let frame) = event { expected += frame.payload.readableBytesView }
            time += 90_000
        }
        muxer.flush(into: &bytes)
        let checker = TransportStreamChecker(Array(bytes.readableBytesView))
        #expect(checker.faults.isEmpty)
        #expect(checker.units.flatMap(\.payload) == expected)
        #expect(muxer.droppedFrames == 1 + 13)
    }

    @Test("lengths that lie, empty units and empty frames do no harm")
    func hostilePayloads() {
        var muxer = TSMuxer()
        var bytes = ByteBuffer()
        muxer.mux(.video(Synthetic.h264), startsSegment: false, into: &bytes)
        func frame(_ index: Int, _ payload: [UInt8]) -> MediaEvent {
            let time = Int64(index) * 3600
            return .frame(
                Frame(track: .video, dts: time, pts: time, isKey: false, payload: ByteBuffer(bytes: payload))
            )
        }
        let good: [UInt8] = [0, 0, 0, 3, 0x41, 0x9A, 7]
        let nothing: [[UInt8]] = [[], [0], [0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 9, 1], [0xFF, 0xFF, 0xFF, 0xFF, 1]]
        for (index, payload) in nothing.enumerated() {
            let wrote = muxer.mux(frame(index, payload), startsSegment: true, into: &bytes)
            #expect(!wrote)
        }
        #expect(bytes.readableBytes == 0)
        #expect(muxer.droppedFrames == 6)
        let partly = [good + [0, 0, 0, 9, 1], good + [0, 0], [0, 0, 0, 0] + good, good + [0, 0, 0, 0]]
        for (index, payload) in partly.enumerated() {
            muxer.mux(frame(10 + index, payload), startsSegment: false, into: &bytes)
        }
        let checker = TransportStreamChecker(Array(bytes.readableBytesView))
        #expect(checker.faults.isEmpty)
        #expect(
            checker.units.map { TSSamples.units($0.payload) } == partly.map { _ in [[9, 0xF0], [0x41, 0x9A, 7]] }
        )
    }

    @Test("a codec that a transport stream has no type for is left out, and frames before any parameters")
    func leavesOut() {
        #expect(TSMuxer.canCarry(VideoCodec.h264) && TSMuxer.canCarry(VideoCodec.h265))
        #expect(!TSMuxer.canCarry(VideoCodec.av1) && !TSMuxer.canCarry(VideoCodec.vp9))
        var muxer = TSMuxer()
        var bytes = ByteBuffer()
        let wrote = [
            TSSamples.picture(0, isKey: true), TSSamples.sound(0),
            .video(VideoParameters(codec: .av1, sps: [], pps: [], record: [0x81, 0, 0, 0])),
            TSSamples.picture(3600, isKey: true), .metadata(StreamMetadata(properties: [])),
        ].map { muxer.mux($0, startsSegment: true, into: &bytes) }
        #expect(wrote == [false, false, false, false, false])
        #expect(bytes.readableBytes == 0)
        #expect(muxer.droppedFrames == 3)
        // Sound still goes, and carries the clock.
        muxer.mux(.audio(Synthetic.g711), startsSegment: false, into: &bytes)
        muxer.mux(TSSamples.sound(7200), startsSegment: true, into: &bytes)
        let checker = TransportStreamChecker(Array(bytes.readableBytesView))
        #expect(checker.faults.isEmpty)
        #expect(checker.maps.first?.streams.count == 1)
        #expect(checker.pcrs.count == 1)
    }
}
