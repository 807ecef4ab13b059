import NIOCore
import Testing

@testable import Media

@Suite("Transport stream: tables, segments and gathered sound")
struct TSSegmentTests {
    @Test("a segment begins with PAT and PMT, then its key frame with a PCR")
    func beginsSegments() throws {
        let events = Synthetic.stream(pictures: 50)
        var muxer = TSMuxer()
        var segments: [ByteBuffer] = []
        for event in events {
            var starts = false
            if case .frame(let frame) = event, frame.track == .video, frame.isKey {
                if var last = segments.popLast() {
                    muxer.flush(into: &last)
                    segments.append(last)
                }
                segments.append(ByteBuffer())
                starts = true
            }
            var segment = segments.popLast() ?? ByteBuffer()
            muxer.mux(event, startsSegment: starts, into: &segment)
            segments.append(segment)
        }
        segments.removeAll { $0.readableBytes == 0 }
        #expect(segments.count == 5)
        for segment in segments {
            let checker = TransportStreamChecker(Array(segment.readableBytesView))
            #expect(checker.faults.isEmpty)
            #expect(checker.tableIndices.starts(with: [0, 1]))
            let first = try #require(checker.units.min { $0.packetIndex < $1.packetIndex })
            #expect(first.packetIndex == 2)
            #expect(first.isRandomAccess)
            #expect(first.pcr != nil)
            #expect(checker.units.count(where: { $0.streamID == 0xE0 }) == 10)
        }
        // Counters, clock and sound go on over the borders.
        let whole = TransportStreamChecker(segments.flatMap { Array($0.readableBytesView) })
        #expect(whole.faults.isEmpty)
        let sounds = whole.units.filter { $0.streamID == 0xC0 }
        #expect(sounds.flatMap(\.payload).count == 49 * 320)
    }

    @Test("a segment that begins with sound, and what was gathered before, do not mix")
    func startsAtSound() throws {
        var muxer = TSMuxer()
        var bytes = ByteBuffer()
        muxer.mux(.audio(TSSamples.opus), startsSegment: false, into: &bytes)
        #expect(muxer.mux(Self.opus(0), startsSegment: true, into: &bytes))
        #expect(!muxer.mux(Self.opus(1), startsSegment: false, into: &bytes))
        let border = bytes.writerIndex
        #expect(muxer.mux(Self.opus(2), startsSegment: true, into: &bytes))
        let checker = TransportStreamChecker(Array(bytes.readableBytesView))
        #expect(checker.faults.isEmpty)
        #expect(checker.units.map(\.isRandomAccess) == [true, false, true])
        #expect(checker.units.allSatisfy { $0.pcr != nil })
        // What was left of the former segment, then PAT and PMT.
        let first = border / 188 + 1
        #expect(checker.tableIndices.suffix(2) == [first, first + 1])
    }

    static func opus(_ index: Int64) -> MediaEvent {
        // 20 ms of CELT.
        var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: index + 1), count: 60)
        bytes[0] = 0xF8
        return .frame(
            Frame(track: .audio, dts: index * 1800, pts: index * 1800, isKey: true, payload: ByteBuffer(bytes: bytes))
        )
    }

    @Test("tables are repeated within half a second of any stream", arguments: [1, 2, 10, 24, 25, 60])
    func repeatsTables(rate: Int64) {
        var events: [MediaEvent] = [.video(Synthetic.h264)]
        for index in 0..<rate * 4 { events.append(TSSamples.picture(index * 90_000 / rate, isKey: index == 0)) }
        let checker = TransportStreamChecker(TSSamples.muxed(events))
        #expect(checker.faults.isEmpty)
        #expect(checker.tableIndices.count >= 2 * 7)
        #expect(checker.tableIndices.count <= 2 * 12)
    }

    @Test("the version of the map goes up when its streams change, and only then")
    func versions() {
        var events: [MediaEvent] = [.video(Synthetic.h264)]
        func pictures(_ from: Int64, _ codec: VideoCodec = .h264) {
            for index in from..<from + 10 {
                var frame = Synthetic.picture(codec, Int(index), isKey: index == from, size: 500)
                frame.dts = index * 3600
                frame.pts = frame.dts
                events.append(.frame(frame))
            }
        }
        pictures(0)
        var other = Synthetic.h264
        other.sps = [Synthetic.h264HighSPS]
        events.append(.video(other))
        pictures(10)
        events.append(.audio(Synthetic.g711))
        pictures(20)
        events.append(.video(Synthetic.h265))
        pictures(30, .h265)
        events.append(.audio(Synthetic.aac))
        pictures(40, .h265)
        let checker = TransportStreamChecker(TSSamples.muxed(events))
        #expect(checker.faults.isEmpty)
        #expect(checker.maps.map(\.version) == [0, 1, 2, 3])
        let types: [[UInt8]] = checker.maps.map { $0.streams.values.map(\.type).sorted() }
        #expect(types == [[0x1B], [0x1B, 0x90], [0x24, 0x90], [0x0F, 0x24]])
        #expect(TSSamples.units(checker.units[10].payload).contains(Synthetic.h264HighSPS))
    }

    @Test("sound that is announced between two pictures is in the map before its first packet")
    func lateSound() {
        var muxer = TSMuxer()
        let checker = TransportStreamChecker(
            muxer.packets([
                .video(Synthetic.h264), TSSamples.picture(0, isKey: true), .audio(Synthetic.g711), TSSamples.sound(0),
                .audio(TSSamples.opus), .audio(Synthetic.g711), TSSamples.sound(1800),
            ])
        )
        #expect(checker.faults.isEmpty)
        // Opus came and went unseen.
        #expect(checker.maps.map(\.version) == [0, 1])
        #expect(checker.units.count == 3)
    }

    @Test("the version comes round after 31")
    func versionsComeRound() {
        var events: [MediaEvent] = [.audio(Synthetic.g711)]
        for index in 0..<70 {
            events.append(.video(index % 2 == 0 ? Synthetic.h264 : Synthetic.h265))
            events.append(
                .frame(Synthetic.picture(index % 2 == 0 ? .h264 : .h265, index, isKey: true, size: 400))
            )
        }
        let checker = TransportStreamChecker(TSSamples.muxed(events))
        #expect(checker.faults.isEmpty)
        #expect(checker.maps.map(\.version) == (0..<70).map { UInt8($0 % 32) })
    }

    @Test("sound is gathered for 80 ms at most, and never past a picture")
    func gathersSound() {
        var muxer = TSMuxer()
        var bytes = ByteBuffer()
        muxer.mux(.video(Synthetic.h264), startsSegment: false, into: &bytes)
        muxer.mux(.audio(TSSamples.opus), startsSegment: false, into: &bytes)
        muxer.mux(TSSamples.picture(0, isKey: true), startsSegment: true, into: &bytes)
        let wrote = (0..<8).map { muxer.mux(Self.opus($0), startsSegment: false, into: &bytes) }
        #expect(wrote == [false, false, false, true, false, false, false, true])
        #expect(!muxer.mux(Self.opus(8), startsSegment: false, into: &bytes))
        muxer.mux(TSSamples.picture(16_200), startsSegment: false, into: &bytes)
        let checker = TransportStreamChecker(Array(bytes.readableBytesView))
        #expect(checker.faults.isEmpty)
        let order = checker.units.sorted { $0.packetIndex < $1.packetIndex }.map(\.streamID)
        #expect(order == [0xE0, 0xBD, 0xBD, 0xBD, 0xE0])
        #expect(checker.units.filter { $0.streamID == 0xBD }.map { $0.payload.count } == [4 * 63, 4 * 63, 63])
    }

    @Test("a hole in the sound begins a PES packet with a time of its own, the rounding of RTMP does not")
    func holesInSound() {
        var muxer = TSMuxer()
        var bytes = ByteBuffer()
        muxer.mux(.audio(TSSamples.aac48), startsSegment: false, into: &bytes)
        // 21.33 ms in whole milliseconds, then 100 ms missing.
        for milliseconds in [0, 21, 43, 64, 185, 207] as [Int64] {
            muxer.mux(TSSamples.sound(milliseconds * 90, size: 100), startsSegment: false, into: &bytes)
        }
        muxer.flush(into: &bytes)
        let checker = TransportStreamChecker(Array(bytes.readableBytesView))
        #expect(checker.faults.isEmpty)
        #expect(checker.units.map { ($0.pts - TSMuxer.timeOffset) / 90 } == [0, 43, 185])
    }

    @Test("sound of the former codec goes before the map of the new one")
    func changesCodecOfSound() {
        var muxer = TSMuxer()
        var bytes = ByteBuffer()
        muxer.mux(.audio(TSSamples.opus), startsSegment: false, into: &bytes)
        #expect(!muxer.mux(Self.opus(0), startsSegment: false, into: &bytes))
        #expect(muxer.mux(.audio(Synthetic.g711), startsSegment: false, into: &bytes))
        muxer.mux(TSSamples.sound(1800, size: 160), startsSegment: false, into: &bytes)
        muxer.flush(into: &bytes)
        let checker = TransportStreamChecker(Array(bytes.readableBytesView))
        #expect(checker.faults.isEmpty)
        #expect(checker.units.map(\.streamID) == [0xBD, 0xC0])
        #expect(checker.maps.map(\.version) == [0, 1])
    }
}
