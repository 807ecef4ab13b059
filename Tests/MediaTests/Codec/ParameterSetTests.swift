import NIOCore
import Testing

@testable import Media

@Suite struct ParameterSetTests {
    @Test func readsSizesAfterCropping() {
        #expect(Synthetic.h264.width == 352)
        #expect(Synthetic.h264.height == 288)
        let high = VideoParameters(codec: .h264, sps: [Synthetic.h264HighSPS], pps: [Synthetic.h264PPS])
        #expect(high.width == 1920)
        #expect(high.height == 1080)
        #expect(Synthetic.h265.width == 1920)
        #expect(Synthetic.h265.height == 1080)
    }

    @Test func refusesEveryTruncationAndSurvivesEveryFlip() {
        for (codec, sps) in [(VideoCodec.h264, Synthetic.h264HighSPS), (.h265, Synthetic.h265SPS)] {
            for length in 0..<10 {
                let cut = Array(sps.prefix(length))
                #expect(cut.withSpan { SequenceParameterSet(codec, $0) } == nil)
            }
            for bit in 0..<sps.count * 8 {
                var flipped = sps
                flipped[bit / 8] ^= 1 << UInt8(bit % 8)
                if let parsed = flipped.withSpan({ SequenceParameterSet(codec, $0) }) {
                    #expect((1...16_384).contains(parsed.width))
                    #expect((1...16_384).contains(parsed.height))
                }
            }
        }
    }

    @Test func refusesExpGolombBeyond32Bits() {
        var zeros = BitReader([0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0])
        #expect(zeros.unsignedGolomb() == nil)
        var largest = BitReader([0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF])
        #expect(largest.unsignedGolomb() == UInt32.max - 1)
        var signed = BitReader([0b0010_0000])
        #expect(signed.signedGolomb() == 2)
    }

    @Test func writesTheConfigurationRecordThatOthersWrite() throws {
        let avc = try #require(Synthetic.h264.decoderConfiguration)
        #expect(avc.prefix(8) == [1, 0x42, 0xC0, 0x0D, 0xFF, 0xE1, 0, 24])
        #expect(avc.suffix(8) == [1, 0, 5, 0x68, 0xCB, 0x83, 0xCB, 0x20])
        let hevc = try #require(Synthetic.h265.decoderConfiguration)
        // As ffmpeg 5.1 writes it for the same stream, but for avgFrameRate and complete arrays.
        let head: [UInt8] = [
            1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 0x78, 0xF0, 0, 0xFC, 0xFD, 0xF8, 0xF8, 0, 0, 0x0F, 3, 0xA0, 0, 1,
            0, 24,
        ]
        #expect(Array(hevc.prefix(head.count)) == head)
    }

    @Test func readsBackItsRecordsAndRefusesCutOnes() throws {
        for parameters in [Synthetic.h264, Synthetic.h265] {
            let record = try #require(parameters.decoderConfiguration)
            let read = record.withSpan { DecoderConfiguration(parameters.codec, $0) }
            #expect(read?.parameters == parameters)
            #expect(read?.lengthSize == 4)
            for length in 0..<record.count {
                let cut = Array(record.prefix(length))
                #expect(cut.withSpan { DecoderConfiguration(parameters.codec, $0) } == nil, "\(length)")
            }
        }
    }

    @Test func needsVPSForH265Only() {
        #expect(
            VideoParameters(codec: .h265, sps: [Synthetic.h265SPS], pps: [Synthetic.h265PPS]).decoderConfiguration
                == nil
        )
        #expect(VideoParameters(codec: .h264, sps: [Synthetic.h264SPS], pps: []).decoderConfiguration == nil)
    }
}

@Suite struct NALUnitTests {
    @Test func findsUnitsBehindThreeAndFourByteCodes() {
        let stream: [UInt8] = [0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 0, 1, 0x65, 3, 0, 0]
        #expect(stream.withSpan { AnnexB.units(in: $0) } == [4..<6, 9..<11, 16..<18])
        #expect([UInt8]().withSpan { AnnexB.units(in: $0) }.isEmpty)
        #expect([UInt8](repeating: 0, count: 100).withSpan { AnnexB.units(in: $0) }.isEmpty)
    }

    @Test func findsStartCodesAsANaiveSearchDoes() {
        var noise = Noise(state: 7)
        for _ in 0..<300 {
            let bytes = (0..<60).map { _ in UInt8.random(in: 0...2, using: &noise) }
            for from in 0...bytes.count {
                let naive = (from..<max(from, bytes.count - 2)).first { Array(bytes[$0..<$0 + 3]) == [0, 0, 1] }
                #expect(bytes.withSpan { $0.startCode(from: from) } == naive)
            }
        }
    }

    @Test func stopsAtALengthThatRunsPastTheEnd() {
        let bytes: [UInt8] = [0, 0, 0, 2, 1, 2, 0xFF, 0xFF, 0xFF, 0xFF, 1]
        #expect(bytes.withSpan { LengthPrefixed.units(in: $0) } == [4..<6])
    }

    @Test func tellsKeyFramesAndFirstSlices() {
        #expect([0x65, 0x88].withSpan { VideoCodec.h264.kind(of: $0) } == .slice(startsPicture: true, isKey: true))
        #expect([0x41, 0x48].withSpan { VideoCodec.h264.kind(of: $0) } == .slice(startsPicture: false, isKey: false))
        #expect([0x26, 1, 0xAF].withSpan { VideoCodec.h265.kind(of: $0) } == .slice(startsPicture: true, isKey: true))
        // CRA is a key frame, RADL is none.
        #expect([0x2A, 1, 0x80].withSpan { VideoCodec.h265.kind(of: $0) } == .slice(startsPicture: true, isKey: true))
        #expect(
            [0x0C, 1, 0x00].withSpan { VideoCodec.h265.kind(of: $0) } == .slice(startsPicture: false, isKey: false)
        )
        #expect([0xE5, 0x88].withSpan { VideoCodec.h264.kind(of: $0) } == .invalid)
    }

    @Test("R-22 the guess needs proof or two units that agree")
    func guessesOnlyWithTwoUnits() {
        var guess = CodecGuess()
        let slice: [UInt8] = [0x41, 0x9A, 0x00]
        #expect(slice.withSpan { guess.look(at: $0, 0) } == nil)
        #expect(slice.withSpan { guess.look(at: $0, 0) } == .h264)
        var other = CodecGuess()
        let trail: [UInt8] = [0x02, 0x01, 0xD0]
        #expect(trail.withSpan { other.look(at: $0, 0) } == nil)
        #expect(trail.withSpan { other.look(at: $0, 0) } == .h265)
        #expect(Synthetic.h265VPS.withSpan { CodecGuess.proof($0, at: 0) } == .h265)
        #expect(Synthetic.h264SPS.withSpan { CodecGuess.proof($0, at: 0) } == .h264)
    }
}

@Suite struct AACTests {
    @Test func readsTheHeaderOfAHikvisionFrame() throws {
        // 16 kHz mono with the lengths of a capture.
        let header = try #require([0xFF, 0xF9, 0x60, 0x40, 0x0C, 0x9F, 0xFC].withSpan { ADTSHeader($0) })
        #expect(header.sampleRate == 16_000)
        #expect(header.channels == 1)
        #expect(header.objectType == 2)
        #expect(header.frameLength == 100)
        #expect(header.samples == 1024)
    }

    @Test func writesWhatItReads() throws {
        for rate in [8000, 16_000, 44_100, 48_000] {
            for channels in [1, 2] {
                let header = ADTSHeader(sampleRate: rate, channels: channels, payloadLength: 371)
                let bytes = try #require(header.bytes)
                #expect(bytes.withSpan { ADTSHeader($0) } == header)
            }
        }
        #expect(ADTSHeader(sampleRate: 12_345, channels: 1, payloadLength: 1).bytes == nil)
        #expect(ADTSHeader(sampleRate: 8000, channels: 1, payloadLength: 9000).bytes == nil)
    }

    @Test func configurationsGoBothWays() {
        #expect(AudioSpecificConfig(sampleRate: 16_000, channels: 1).bytes == [0x14, 0x08])
        #expect(AudioSpecificConfig([0x12, 0x10]) == AudioSpecificConfig(sampleRate: 44_100, channels: 2))
        let odd = AudioSpecificConfig(sampleRate: 12_345, channels: 2)
        #expect(AudioSpecificConfig(odd.bytes) == odd)
        #expect(AudioSpecificConfig([0x14]) == nil)
        #expect(AudioSpecificConfig([0x17, 0x80]) == nil)
    }
}
