import NIOCore
import Testing

@testable import Media

@Suite("Transport stream: codecs of sound")
struct TSAudioTests {
    private static func map(_ parameters: AudioParameters) -> TransportStreamChecker.Map? {
        TransportStreamChecker(TSSamples.muxed([.audio(parameters), TSSamples.sound(0)])).maps.first
    }

    @Test(
        "stream types and descriptors",
        arguments: [
            (AudioCodec.aac, 48_000, 0x0F), (.mp3, 44_100, 0x03), (.mp3, 32_000, 0x03), (.mp3, 24_000, 0x04),
            (.g711a, 8000, 0x90), (.g711u, 8000, 0x91), (.opus, 48_000, 0x06),
        ]
    )
    func types(codec: AudioCodec, rate: Int, type: UInt8) throws {
        let map = try #require(Self.map(AudioParameters(codec: codec, sampleRate: rate, channels: 2)))
        #expect(map.streams.keys.map { $0 } == [map.clockPID])
        #expect(map.streams[map.clockPID]?.type == type)
        let descriptors: [UInt8] = codec == .opus ? [5, 4] + Array("Opus".utf8) + [0x7F, 2, 0x80, 2] : []
        #expect(map.streams[map.clockPID]?.descriptors == descriptors)
        #expect(TSMuxer.canCarry(codec))
    }

    /// The ADTS header that a configuration leads to.
    private static func header(_ parameters: AudioParameters) -> ADTSHeader? {
        let checker = TransportStreamChecker(TSSamples.muxed([.audio(parameters), TSSamples.sound(0, size: 333)]))
        return checker.units.first?.payload.withSpan { ADTSHeader($0) }
    }

    @Test("ADTS says profile, rate, channels and length")
    func adts() throws {
        // LC stereo; HE-AAC of 24 kHz named by its output rate; HE-AAC v2; 5.1; Main.
        let cases: [([UInt8], Int, Int, (Int, Int, Int))] = [
            ([0x12, 0x10], 44_100, 2, (2, 44_100, 2)),
            ([0x2B, 0x11, 0x88, 0x00], 48_000, 2, (2, 24_000, 2)),
            ([0xEB, 0x09, 0x88, 0x00], 48_000, 2, (2, 24_000, 1)),
            ([0x11, 0xB0], 48_000, 6, (2, 48_000, 6)),
            ([0x0A, 0x10], 44_100, 2, (1, 44_100, 2)),
            ([], 16_000, 1, (2, 16_000, 1)),
        ]
        for (configuration, rate, channels, expected) in cases {
            let parameters = AudioParameters(
                codec: .aac,
                sampleRate: rate,
                channels: channels,
                configuration: configuration
            )
            let header = try #require(Self.header(parameters))
            #expect((header.objectType, header.sampleRate, header.channels) == expected)
            #expect(header.frameLength == 340)
            #expect(header.headerLength == 7)
        }
    }

    @Test("AAC that ADTS cannot say is left out: low delay, a rate of its own, frames above 8184 bytes")
    func beyondADTS() {
        let configurations: [[UInt8]] = [[0xB9, 0x90], [0x17, 0x80, 0x61, 0xA8, 0x10]]
        for configuration in configurations {
            let audio = AudioParameters(codec: .aac, sampleRate: 48_000, channels: 2, configuration: configuration)
            #expect(TSSamples.muxed([.audio(audio), TSSamples.sound(0)]).isEmpty)
        }
        var muxer = TSMuxer()
        let bytes = muxer.packets([
            .audio(TSSamples.aac48), TSSamples.sound(0, size: 8184), TSSamples.sound(1920, size: 8185),
        ])
        #expect(TransportStreamChecker(bytes).units.map { $0.payload.count } == [8191])
        #expect(muxer.droppedFrames == 1)
    }

    @Test("an access unit of Opus has its size before it, in steps of 255", arguments: [1, 254, 255, 256, 510, 1275])
    func opusControl(size: Int) throws {
        let checker = TransportStreamChecker(TSSamples.muxed([.audio(TSSamples.opus), TSSamples.sound(0, size: size)]))
        #expect(checker.faults.isEmpty)
        let unit = try #require(checker.units.first)
        #expect(unit.streamID == 0xBD)
        let control = [0x7F, 0xE0] + [UInt8](repeating: 0xFF, count: size / 255) + [UInt8(size % 255)]
        #expect(Array(unit.payload.prefix(control.count)) == control)
        #expect(unit.payload.count == control.count + size)
    }

    @Test("channels of Opus: the layouts of Vorbis by their count, single channels, and what has no name")
    func opusLayouts() {
        func code(_ channels: Int, _ family: UInt8, _ table: [UInt8]) -> UInt8? {
            let head = Array("OpusHead".utf8) + [1, UInt8(channels), 0, 0, 0x80, 0xBB, 0, 0, 0, 0, family] + table
            let opus = AudioParameters(codec: .opus, sampleRate: 48_000, channels: channels, configuration: head)
            return Self.map(opus).flatMap { $0.streams[$0.clockPID]?.descriptors.last }
        }
        #expect(code(1, 0, []) == 1)
        #expect(code(2, 0, []) == 2)
        #expect(code(6, 1, [4, 2, 0, 4, 1, 2, 3, 5]) == 6)
        #expect(code(3, 255, [3, 0, 0, 1, 2]) == 0x83)
        #expect(code(6, 1, [4, 2, 0, 1, 2, 3, 4, 5]) == nil)
        #expect(code(6, 1, [4, 2, 0]) == nil)
        #expect(code(6, 0, []) == nil)
        #expect(code(9, 1, []) == nil)
    }

    @Test("G.711 comes out sample for sample, with the times of its frames", arguments: [AudioCodec.g711a, .g711u])
    func g711(codec: AudioCodec) {
        var events: [MediaEvent] = [.audio(AudioParameters(codec: codec, sampleRate: 8000, channels: 1))]
        for index in 0..<100 as Range<Int64> { events.append(TSSamples.sound(index * 1800, size: 160)) }
        let checker = TransportStreamChecker(TSSamples.muxed(events))
        #expect(checker.faults.isEmpty)
        #expect(checker.units.flatMap(\.payload) == events.sounds.flatMap { Array($0.payload.readableBytesView) })
        var samples: Int64 = 0
        for unit in checker.units {
            #expect(unit.pts == TSMuxer.timeOffset + samples * 90_000 / 8000)
            samples += Int64(unit.payload.count)
        }
    }
}
