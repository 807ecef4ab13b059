import NIOCore
import Testing

@testable import Media

@Suite struct PSDemuxerTests {
    private static let events = Synthetic.stream(pictures: 4, interval: 2, keySize: 900, pictureSize: 200)

    private static func mux(_ events: [MediaEvent]) -> [UInt8] {
        var muxer = PSMuxer()
        var bytes: [UInt8] = []
        for event in events { muxer.mux(event, into: &bytes) }
        return bytes
    }

    @Test(arguments: [Synthetic.h264, Synthetic.h265])
    func givesBackWhatWasMuxed(parameters: VideoParameters) {
        for audio in [Synthetic.g711, Synthetic.aac, nil] {
            let events = Synthetic.stream(parameters, audio: audio, pictures: 30, keySize: 200_000)
            let out = demux(Self.mux(events))
            #expect(out.pictures == events.pictures)
            #expect(out.sounds.map(\.payload) == events.sounds.map(\.payload))
            #expect(out.parameters == [parameters])
            if let audio { #expect(out.contains(.audio(audio))) }
        }
    }

    @Test func isIndifferentToEverySplit() {
        let bytes = Self.mux(Self.events)
        let whole = demux(bytes)
        #expect(whole.pictures == Self.events.pictures)
        #expect(whole.sounds.map(\.payload) == Self.events.sounds.map(\.payload))
        for split in 0...bytes.count {
            #expect(demux(bytes, cuts: [split]) == whole, "split at \(split)")
        }
        for size in [1, 2, 3, 5] {
            #expect(
                demux(bytes, cuts: Array(stride(from: size, to: bytes.count, by: size))) == whole,
                "pieces of \(size)"
            )
        }
    }

    @Test func needsNoMap() {
        for parameters in [Synthetic.h264, Synthetic.h265] {
            var bytes = Self.mux(Synthetic.stream(parameters, audio: nil, pictures: 6, interval: 3, keySize: 900))
            // Turn each map into padding.
            while let at = bytes.firstOffset(of: [0, 0, 1, 0xBC]) { bytes[at + 3] = 0xBE }
            let out = demux(bytes)
            #expect(out.pictures.count == 6)
            #expect(out.parameters == [parameters])
        }
    }

    @Test("R-22 a map that contradicts the bits is overruled")
    func trustsBitsMoreThanTheMap() {
        for (parameters, lie) in [(Synthetic.h264, UInt8(0x24)), (Synthetic.h265, 0x1B)] {
            var bytes = Self.mux(Synthetic.stream(parameters, audio: nil, pictures: 6, interval: 3, keySize: 900))
            let truth = PSStreamType.video(parameters.codec).byte
            while let at = bytes.firstOffset(of: [truth, 0xE0, 0, 0]) { bytes[at] = lie }
            let out = demux(bytes)
            #expect(out.pictures.count == 6, "\(parameters.codec) declared as another")
            #expect(out.parameters == [parameters])
        }
    }

    @Test("R-22 a malformed map is never fatal")
    func survivesBrokenMaps() {
        let bytes = Self.mux(Synthetic.stream(audio: nil, pictures: 4, interval: 2, keySize: 900))
        let map = bytes.firstOffset(of: [0, 0, 1, 0xBC]) ?? 0
        for index in 6..<20 {
            for value in [UInt8(0), 3, 0x7F, 0xFF] {
                var broken = bytes
                broken[map + index] = value
                #expect(demux(broken).pictures.count == 4, "byte \(index) = \(value)")
            }
        }
    }

    @Test func readsPicturesOfPacketsWithoutLength() {
        var bytes = Self.mux(Synthetic.stream(audio: nil, pictures: 6, interval: 3, keySize: 900))
        var from = 0
        while let at = bytes.firstOffset(of: [0, 0, 1, 0xE0], from: from) {
            bytes[at + 4] = 0
            bytes[at + 5] = 0
            from = at + 6
        }
        let expected = Synthetic.stream(audio: nil, pictures: 6, interval: 3, keySize: 900).pictures
        #expect(demux(bytes).pictures == expected)
        for size in 1...40 {
            #expect(demux(bytes, cuts: Array(stride(from: size, to: bytes.count, by: size))).pictures == expected)
        }
    }

    @Test func extendsPacketsWhoseLengthIsTooSmall() {
        let events = Synthetic.stream(audio: nil, pictures: 6, interval: 3, keySize: 900)
        var bytes = Self.mux(events)
        var from = 0
        while let at = bytes.firstOffset(of: [0, 0, 1, 0xE0], from: from) {
            bytes[at + 4] = 0
            bytes[at + 5] = 100
            from = at + 6
        }
        #expect(demux(bytes).pictures == events.pictures)
        for size in 1...40 {
            let cuts = Array(stride(from: size, to: bytes.count, by: size))
            #expect(demux(bytes, cuts: cuts).pictures == events.pictures, "pieces of \(size)")
        }
    }

    @Test func ignoresALengthThatIsTooLargeWhenTheNextPackComes() {
        let events = Synthetic.stream(audio: nil, pictures: 6, interval: 3, keySize: 900)
        var all = packets(events)
        for index in all.indices {
            if let at = all[index].firstOffset(of: [0, 0, 1, 0xE0]) {
                all[index][at + 4] = 0x40
            }
        }
        var ingest = RTPIngest(configuration: .init())
        // The last picture stays open: nothing says that it is over.
        #expect(ingest.feed(all).pictures == Array(events.pictures.dropLast()))
        #expect(ingest.statistics.demux.truncatedPackets == 5)
    }

    @Test func readsMPEG1Packs() {
        let events = Synthetic.stream(audio: nil, pictures: 2, interval: 1, keySize: 300)
        var bytes: [UInt8] = []
        for picture in events.pictures {
            bytes += [0, 0, 1, 0xBA, 0x21, 0, 1, 0, 1, 0x80, 0, 1]
            var body: [UInt8] = [0xFF, 0xFF, 0x60, 0x10, 0x21]
            body += [
                UInt8(picture.pts >> 22 & 0xFF), UInt8(picture.pts >> 14 & 0xFE) | 1, UInt8(picture.pts >> 7 & 0xFF),
                UInt8(picture.pts << 1 & 0xFE) | 1,
            ]
            for unit in [Synthetic.h264SPS, Synthetic.h264PPS] + picture.units { body += [0, 0, 0, 1] + unit }
            bytes += [0, 0, 1, 0xE0, UInt8(body.count >> 8), UInt8(body.count & 0xFF)] + body
        }
        #expect(demux(bytes).pictures == events.pictures)
        for split in 0...bytes.count { #expect(demux(bytes, cuts: [split]).pictures == events.pictures) }
    }

    @Test("R-24 private data inside a picture is skipped by length")
    func skipsPrivateDataThatLooksLikeUnits() {
        let events = Synthetic.stream(audio: nil, pictures: 4, interval: 2, keySize: 900)
        var muxer = PSMuxer()
        var bytes: [UInt8] = []
        for event in events {
            var pack: [UInt8] = []
            guard muxer.mux(event, into: &pack) else { continue }
            // Metadata that holds a pack header and a start code.
            let data: [UInt8] = [0x8C, 0x80, 0x07, 0x25, 0, 0, 1, 0xBA, 0, 0, 1, 0xE0, 0, 0, 0, 1, 0x65, 0x88, 0x11]
            let unit: [UInt8] = [0, 0, 1, 0xBD, 0, UInt8(data.count)] + data
            if let at = pack.firstOffset(of: [0, 0, 1, 0xE0]) { pack.insert(contentsOf: unit, at: at) }
            bytes += pack + unit
        }
        #expect(demux(bytes).pictures == events.pictures)
        for split in 0...bytes.count {
            #expect(demux(bytes, cuts: [split]).pictures == events.pictures, "split at \(split)")
        }
    }

    @Test func hearsPrivateStreamsThatTheMapCallsAudio() {
        var bytes = Self.mux(Synthetic.stream(pictures: 4, interval: 2, keySize: 900))
        var from = 0
        while let at = bytes.firstOffset(of: [0, 0, 1, 0xC0], from: from) {
            bytes[at + 3] = 0xBD
            from = at + 4
        }
        while let at = bytes.firstOffset(of: [0x90, 0xC0, 0, 0]) { bytes[at + 1] = 0xBD }
        let out = demux(bytes)
        #expect(out.sounds.count == 4)
        #expect(out.contains(.audio(Synthetic.g711)))
    }

    @Test(arguments: [(UInt8(0xC1), UInt8(0xE1)), (0xDF, 0xEF)])
    func takesAnyVideoAndAudioID(audio: UInt8, video: UInt8) {
        var bytes = Self.mux(Self.events)
        for (old, new) in [(UInt8(0xC0), audio), (0xE0, video)] {
            var from = 0
            while let at = bytes.firstOffset(of: [0, 0, 1, old], from: from) {
                bytes[at + 3] = new
                from = at + 4
            }
            for type in [UInt8(0x1B), 0x90] {
                while let at = bytes.firstOffset(of: [type, old, 0, 0]) { bytes[at + 1] = new }
            }
        }
        let out = demux(bytes)
        #expect(out.pictures == Self.events.pictures)
        #expect(out.sounds.count == Self.events.sounds.count)
    }

    @Test func hearsAACThatIsDeclaredAsG711() {
        var bytes = Self.mux(Synthetic.stream(audio: Synthetic.aac, pictures: 4, interval: 2, keySize: 900))
        while let at = bytes.firstOffset(of: [0x0F, 0xC0, 0, 0]) { bytes[at] = 0x90 }
        let out = demux(bytes)
        #expect(out.contains(.audio(Synthetic.aac)))
        #expect(out.sounds.count == 4)
    }

    @Test func givesSeveralAACFramesOfOnePacketOneByOne() {
        let sounds = (0..<4).map { [UInt8](repeating: UInt8($0 + 1), count: 30) }
        var body: [UInt8] = []
        for sound in sounds {
            body += (ADTSHeader(sampleRate: 16_000, channels: 1, payloadLength: sound.count).bytes ?? []) + sound
        }
        let pts: [UInt8] = [0x21, 0x00, 0x05, 0xBF, 0x21]
        var bytes: [UInt8] = [0, 0, 1, 0xBA, 0x44, 0, 4, 0, 4, 1, 0, 0, 3, 0xF8]
        bytes += [0, 0, 1, 0xC0, 0, UInt8(body.count + 8), 0x80, 0x80, 5] + pts + body
        let out = demux(bytes)
        #expect(out.sounds.map { Array($0.payload.readableBytesView) } == sounds)
        let start = out.sounds.first?.pts ?? 0
        #expect(out.sounds.map(\.pts) == (0..<4).map { start + Int64($0) * 5760 })
    }

    @Test func endsAPictureWhereTheNextBeginsThoughNothingSaysSo() {
        // Four pictures in one packet with one time.
        var body: [UInt8] = []
        for unit in [Synthetic.h264SPS, Synthetic.h264PPS] { body += [0, 0, 0, 1] + unit }
        for index in 0..<4 {
            body += [0, 0, 1] + Synthetic.slice(.h264, isKey: index == 0, size: 100, seed: index)
            // A second slice of the same picture.
            body += [0, 0, 1] + Synthetic.slice(.h264, isKey: index == 0, isFirst: false, size: 50, seed: index)
        }
        var bytes: [UInt8] = [0, 0, 1, 0xBA, 0x44, 0, 4, 0, 4, 1, 0, 0, 3, 0xF8]
        let length = body.count + 8
        bytes +=
            [0, 0, 1, 0xE0, UInt8(length >> 8), UInt8(length & 0xFF), 0x80, 0x80, 5, 0x21, 0, 5, 0xBF, 0x21] + body
        let out = demux(bytes)
        #expect(out.pictures.count == 4)
        #expect(out.pictures.allSatisfy { $0.units.count == 2 })
        #expect(zip(out.pictures, out.pictures.dropFirst()).allSatisfy { $0.dts < $1.dts })
    }

    @Test func carriesHikvisionKeyFramesOfManyPackets() {
        // SPS, PPS, SEI and the parts of the IDR in packets of their own, only the first with a time.
        func packet(_ payload: [UInt8], pts: Bool) -> [UInt8] {
            let head: [UInt8] = pts ? [0x8C, 0x80, 5, 0x21, 0, 5, 0xBF, 0x21] : [0x88, 0, 3, 0xFF, 0xFF, 0xF8]
            let length = head.count + payload.count
            return [0, 0, 1, 0xE0, UInt8(length >> 8), UInt8(length & 0xFF)] + head + payload
        }
        let slice = Synthetic.slice(.h264, isKey: true, size: 5000, seed: 1)
        var bytes: [UInt8] = [0, 0, 1, 0xBA, 0x44, 0, 4, 0, 4, 1, 0, 0, 3, 0xFE, 0xFF, 0xFF, 0, 0, 0, 7]
        bytes += packet([0, 0, 0, 1] + Synthetic.h264SPS, pts: true)
        bytes += packet([0, 0, 0, 1] + Synthetic.h264PPS, pts: false)
        bytes += packet([0, 0, 0, 1, 6, 5, 1, 0x80], pts: false)
        bytes += packet([0, 0, 0, 1] + slice[..<2000], pts: false)
        bytes += packet(Array(slice[2000..<4000]), pts: false)
        bytes += packet(Array(slice[4000...]), pts: false)
        bytes += [0, 0, 1, 0xBD, 0, 8, 0x8C, 0x80, 5, 0x21, 0, 5, 0xBF, 0x21]
        for split in 0...bytes.count {
            let out = demux(bytes, cuts: [split])
            #expect(out.pictures.map(\.units) == [[[6, 5, 1, 0x80], slice]], "split at \(split)")
        }
    }

    @Test func staysSmallWhenNothingMakesSense() {
        var noise = Noise(state: 11)
        var demuxer = PSDemuxer()
        var streams = ElementaryStreams()
        var events: [MediaEvent] = []
        for index in 0..<20_000 {
            var bytes: [UInt8] = [0, 0, 1, [0xE0, 0xC0, 0xBC, 0xBA, 0xBD, 0xBB][index % 6]]
            bytes += (0..<60).map { _ in UInt8.random(in: 0...255, using: &noise) }
            bytes.withSpan {
                demuxer.receive(
                    $0,
                    rtpTimestamp: UInt32(index / 3),
                    marker: index % 5 == 0,
                    now: .milliseconds(index),
                    streams: &streams,
                    into: &events
                )
            }
        }
        #expect(demuxer.statistics.packets > 0)
    }
}

extension Array where Element == UInt8 {
    /// Where `part` first occurs.
    func firstOffset(of part: [UInt8], from: Int = 0) -> Int? {
        guard count >= part.count else { return nil }
        return (from..<Swift.max(from, count - part.count + 1)).first { Array(self[$0..<$0 + part.count]) == part }
    }
}

extension Frame {
    /// The NAL units of a picture.
    var units: [[UInt8]] {
        let bytes = Array(payload.readableBytesView)
        return bytes.withSpan { LengthPrefixed.units(in: $0) }.map { Array(bytes[$0]) }
    }
}

/// What the fuzzers found.
@Suite struct PSDemuxerFuzzFindingsTests {
    @Test func findsTheSameAfterGarbageWhereverItIsCut() {
        // A system header, a padding stream and a packet without length among garbage: whether they are believed must not
        // depend on where an RTP packet happens to begin.
        var garbage: [UInt8] = [9, 1, 0xBA, 0x44, 0, 4, 0, 4, 1, 0x43, 0x43, 0x5B, 0xF8]
        garbage += [0, 0, 1, 0xBB, 0, 18] + [UInt8](repeating: 0xA1, count: 18)
        garbage += [0, 0, 1, 0xBF, 0, 40] + [UInt8](repeating: 0, count: 40)
        garbage += [0, 0, 1, 0xC0, 0, 0, 0x80, 0, 0] + [UInt8](repeating: 0xD5, count: 30)
        garbage += [0, 0, 1, 0xC0, 0xFF, 0xFF, 0x00, 0x05]
        var muxer = PSMuxer()
        var stream: [UInt8] = []
        for event in Synthetic.stream(pictures: 2, interval: 1, keySize: 300) { muxer.mux(event, into: &stream) }
        let bytes = garbage + stream
        let whole = demux(bytes)
        #expect(whole.pictures.count == 2)
        for split in 0...bytes.count { #expect(demux(bytes, cuts: [split]) == whole, "split at \(split)") }
        #expect(demux(bytes, cuts: Array(1..<bytes.count)) == whole)
    }
}
