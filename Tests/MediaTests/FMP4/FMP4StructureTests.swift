import NIOCore
import Testing

@testable import Media

/// The boxes, held against the standard.
@Suite struct FMP4StructureTests {
    private static let events = Synthetic.stream(
        FLVSamples.avc,
        audio: FLVSamples.g711a,
        pictures: 30,
        keySize: 400,
        pictureSize: 90
    )

    @Test func namesCodecs() throws {
        let strings: [(VideoParameters?, AudioParameters?, String)] = [
            (Synthetic.h264, Synthetic.aac, "avc1.42C00D,mp4a.40.2"),
            (FLVSamples.avc, FLVSamples.g711a, "avc1.64000C,flac"),
            (Synthetic.h265, FLVSamples.opus, "hvc1.1.6.L120.90,opus"),
            (FLVSamples.hevc, FLVSamples.mp3, "hvc1.1.6.L60.90,mp4a.6B"),
            (FLVSamples.av1, nil, "av01.0.00M.08"),
            (nil, Synthetic.aac, "mp4a.40.2"),
        ]
        for (video, audio, wanted) in strings {
            let description = try #require(FMP4Description(video: video, audio: audio))
            #expect(description.codecs == wanted)
            #expect(description.omitted.isEmpty)
        }
        var vp9 = FLVSamples.vp9
        #expect(FMP4Description(video: vp9, audio: nil) == nil, "without a size")
        (vp9.width, vp9.height) = (320, 180)
        #expect(FMP4Description(video: vp9, audio: nil)?.codecs == "vp09.00.11.08")
        vp9.record = Array(vp9.record.dropFirst(4))
        #expect(FMP4Description(video: vp9, audio: nil)?.codecs == "vp09.00.11.08")
        let he = AudioParameters(codec: .aac, sampleRate: 24_000, channels: 2, configuration: [0x2B, 0x11, 0x88, 0])
        #expect(FMP4Description(video: nil, audio: he)?.codecs == "mp4a.40.5")
        #expect(FMP4Description(video: nil, audio: he)?.contentType == "audio/mp4; codecs=\"mp4a.40.5\"")
        let low = AudioParameters(codec: .mp3, sampleRate: 16_000, channels: 1)
        #expect(FMP4Description(video: nil, audio: low)?.codecs == "mp4a.69")
    }

    @Test func leavesOutWhatItCannotCarry() throws {
        let bare = VideoParameters(codec: .h264, sps: [], pps: [])
        let odd = AudioParameters(codec: .g711a, sampleRate: 8000, channels: 6)
        #expect(FMP4Description(video: bare, audio: odd) == nil)
        #expect(FMP4Description(video: nil, audio: nil) == nil)
        let half = try #require(FMP4Description(video: bare, audio: FLVSamples.aac))
        #expect(half.omitted == ["H264"])
        #expect(half.codecs == "mp4a.40.2" && !half.hasVideo && half.hasAudio)
        #expect(FMP4Description(video: FLVSamples.avc, audio: odd)?.omitted == ["PCMA"])
        var muxer = FMP4FrameMuxer(half)
        var bytes = ByteBuffer()
        #expect(!muxer.mux(Synthetic.picture(.h264, 0, isKey: true, size: 50), into: &bytes))
        #expect(muxer.statistics.droppedFrames == 1 && bytes.readableBytes == 0)
    }

    @Test func describesItsTracks() throws {
        let (file, _) = try FMP4Form.frames.file(Self.events)
        let reader = try MP4Reader(file)
        let video = try #require(reader.tracks[1])
        let audio = try #require(reader.tracks[2])
        #expect((video.entry, video.handler, video.timescale) == ("avc1", "vide", 90_000))
        #expect((video.width, video.height) == (320, 180))
        #expect(video.record == FLVSamples.avc.decoderConfiguration)
        #expect(video.defaults == [0, 0, 0x0101_0000])
        #expect((audio.entry, audio.handler, audio.timescale) == ("fLaC", "soun", 8000))
        #expect((audio.channels, audio.sampleRate) == (1, 8000))
        #expect(audio.defaults == [0, 0, 0x0200_0000])
        // Blocks of 320, 8000 Hz, one channel of 16 bits.
        let stream: [UInt8] = [0, 0, 0, 0, 0x80, 0, 0, 0x22, 1, 0x40, 1, 0x40, 0, 0, 0, 0, 0, 0, 1, 0xF4, 0, 0xF0]
        #expect(audio.record == stream + [UInt8](repeating: 0, count: 20))
    }

    @Test("Opus: the rate of the entry is that of dOps")
    func opusRates() throws {
        let description = try #require(FMP4Description(video: nil, audio: FLVSamples.opus))
        var bytes = ByteBuffer()
        description.writeInit(into: &bytes)
        let track = try #require(try MP4Reader(Array(bytes.readableBytesView)).tracks[2])
        #expect(track.sampleRate == 48_000)
        #expect(track.record == [0, 2, 0x01, 0x38, 0, 0, 0xBB, 0x80, 0, 0, 0])
    }

    /// The reader is a judge only if it refuses what is wrong.
    @Test func readerNoticesWrongFields() throws {
        let (file, _) = try FMP4Form.frames.file(Self.events)
        func refuses(_ name: String, at offset: Int, _ change: UInt8, occurrence: Int = 0) throws -> Bool {
            var broken = file
            let letters = Array(name.utf8)
            var found: [Int] = []
            for at in 0..<file.count - 4 where file[at] == letters[0] && Array(file[at..<at + 4]) == letters {
                found.append(at)
            }
            try #require(found.count > occurrence)
            broken[found[occurrence] + offset] ^= change
            do {
                _ = try MP4Reader(broken)
                return false
            } catch {
                return true
            }
        }
        #expect(try refuses("tkhd", at: -1, 4))
        #expect(try refuses("tkhd", at: 4 + 76, 1))
        #expect(try refuses("tkhd", at: 4 + 40, 1))
        #expect(try refuses("mvhd", at: 4 + 99, 2))
        #expect(try refuses("mvhd", at: 4 + 36, 1))
        #expect(try refuses("trex", at: 4 + 7, 4))
        #expect(try refuses("mdhd", at: 4 + 20, 1))
        #expect(try refuses("mfhd", at: 11, 4, occurrence: 2))
        #expect(try refuses("tfhd", at: 5, 2))
        #expect(try refuses("tfdt", at: 4, 1))
        #expect(try refuses("tfdt", at: 13, 0x80))
        #expect(try refuses("trun", at: 15, 1))
        #expect(try refuses("trun", at: 23, 1))
        #expect(try refuses("mdat", at: -1, 1))
        // What is not checked by anything: the control of the control.
        #expect(try !refuses("mdat", at: 6, 1))
    }

    @Test func partsCarryBothTracksAndExactDurations() throws {
        let (file, _) = try FMP4Form.groups.file(Self.events)
        let reader = try MP4Reader(file)
        #expect(reader.fragments == 2 && reader.numbers == [1, 2])
        let pictures = reader.samples(of: 1)
        #expect(pictures.count == 30)
        #expect(pictures.allSatisfy { $0.duration == 3600 })
        #expect(reader.samples(of: 2).count == 30)
    }

    @Test func aPartHasItsLimits() throws {
        let description = try #require(FMP4Description(video: FLVSamples.avc, audio: nil))
        var muxer = FMP4PartMuxer(description)
        for index in 0..<5000 { muxer.append(Synthetic.picture(.h264, index, isKey: index == 0, size: 10)) }
        #expect(muxer.samples == FMP4PartMuxer.maximumSamples)
        #expect(muxer.statistics.overflow == 5000 - FMP4PartMuxer.maximumSamples)
        var bytes = ByteBuffer()
        description.writeInit(into: &bytes)
        muxer.finishPart(nextVideoDTS: nil, into: &bytes)
        // What refers to what was dropped is of no use.
        muxer.append(Synthetic.picture(.h264, 5000, isKey: false, size: 10))
        #expect(muxer.isEmpty)
        muxer.append(Synthetic.picture(.h264, 5001, isKey: true, size: 10))
        muxer.append(Synthetic.picture(.h264, 5002, isKey: false, size: 10))
        #expect(muxer.samples == 2 && muxer.isIndependent)
        let large = ByteBuffer(repeating: 7, count: 9 << 20)
        for index in 0..<2 {
            let time = Int64(5003 + index) * 3600 + 90_000
            muxer.append(Frame(track: .video, dts: time, pts: time, isKey: true, payload: large))
        }
        #expect(muxer.bytes < FMP4PartMuxer.maximumBytes && muxer.samples == 3)
        muxer.finishPart(nextVideoDTS: nil, into: &bytes)
        _ = try MP4Reader(Array(bytes.readableBytesView))
    }

    @Test func anotherDescriptionGoesOnInTime() throws {
        var bytes = ByteBuffer()
        let first = try #require(FMP4Description(video: FLVSamples.avc, audio: nil))
        let second = try #require(FMP4Description(video: FLVSamples.avc, audio: FLVSamples.g711a))
        var muxer = FMP4FrameMuxer(first)
        first.writeInit(into: &bytes)
        for index in 0..<10 { muxer.mux(Synthetic.picture(.h264, index, isKey: index == 0, size: 50), into: &bytes) }
        let before = try #require(try MP4Reader(Array(bytes.readableBytesView)).samples.last)
        muxer.change(to: second)
        bytes.clear()
        second.writeInit(into: &bytes)
        for index in 10..<40 {
            let frame = Synthetic.picture(.h264, index, isKey: index == 10, size: 50)
            muxer.mux(frame, into: &bytes)
            muxer.mux(.audio([UInt8](repeating: UInt8(index), count: 320), at: frame.dts), into: &bytes)
        }
        let file = Array(bytes.readableBytesView)
        // Its fragments' numbers run on: they do not begin with 1.
        #expect(throws: MP4Reader.Fault.self) { try MP4Reader(file) }
        let after = try MP4Reader(file, strict: false)
        #expect(after.samples.first?.dts == before.dts + 3600)
        #expect(after.samples(of: 2).first?.dts == RTPTicks.convert(before.dts + 3600, from: 90_000, to: 8000))
        #expect(after.samples(of: 2).count == 30)
    }
}
