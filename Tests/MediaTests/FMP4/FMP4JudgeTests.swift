import NIOCore
import Testing

@testable import Media

/// ffmpeg and ffprobe read what the muxers write.
@Suite(.enabled(if: FFmpeg.isPresent, "ffmpeg and ffprobe are not installed"), .serialized)
struct FMP4JudgeTests {
    typealias Clip = FMP4Sources.Clip

    static let clips = [
        Clip(
            name: "H.264 with B-frames, AAC",
            options: FMP4Sources.picture + FMP4Sources.sound
                + ["-c:v", "libx264", "-g", "25", "-bf", "3", "-c:a", "aac", "-ac", "2"]
        ),
        Clip(
            name: "H.265 with B-frames, Opus",
            options: FMP4Sources.picture + FMP4Sources.sound
                + ["-c:v", "libx265", "-x265-params", "log-level=none:keyint=25:bframes=3", "-c:a", "libopus"]
        ),
        Clip(
            name: "H.264 without B-frames, MP3",
            options: FMP4Sources.picture + FMP4Sources.sound
                + ["-c:v", "libx264", "-g", "25", "-bf", "0", "-c:a", "libmp3lame", "-ar", "44100"]
        ),
        Clip(
            name: "AV1, AAC of 16 kHz",
            options: FMP4Sources.picture + FMP4Sources.sound
                + ["-c:v", "libaom-av1", "-cpu-used", "8", "-g", "25", "-c:a", "aac", "-ar", "16000", "-ac", "1"]
        ),
        Clip(
            name: "VP9, MP3 of 16 kHz",
            options: FMP4Sources.picture + FMP4Sources.sound
                + [
                    "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "25", "-c:a", "libmp3lame",
                    "-ar", "16000",
                ]
        ),
        Clip(
            name: "sound alone, AAC of 44.1 kHz",
            options: FMP4Sources.sound + ["-c:a", "aac", "-ar", "44100", "-ac", "1"]
        ),
        Clip(
            name: "pictures alone",
            options: FMP4Sources.picture + ["-c:v", "libx264", "-g", "25", "-bf", "2", "-x264-params", "slices=3"]
        ),
    ]

    @Test("pictures, sound and times are the source's", arguments: clips)
    func readsWhatWasWritten(clip: Clip) throws {
        let (events, source) = try FMP4Sources.events(clip)
        #expect(events.frames.count > 74)
        let pictureSums = events.pictures.isEmpty ? [] : try FMP4Judge.sums(source, "v")
        let soundSums = events.sounds.isEmpty ? [] : try FMP4Judge.sums(source, "a")
        for form in FMP4Form.allCases {
            let (file, statistics) = try form.file(events)
            #expect(statistics == FMP4Statistics(), "\(form)")
            let reader = try MP4Reader(file)
            let first = try #require(events.frames.first).dts
            for (track, frames) in [(1, events.pictures), (2, events.sounds)] where !frames.isEmpty {
                let samples = reader.samples(of: track)
                #expect(samples.map(\.bytes) == frames.map { Array($0.payload.readableBytesView) })
                #expect(track == 2 || samples.map(\.isSync) == frames.map(\.isKey))
                let scale = reader.tracks[track]?.timescale ?? 1
                // Sound is counted in samples: the frames' 1/90000 s are rounded.
                let wanted = frames.map { RTPTicks.convert($0.dts - first, from: 90_000, to: scale) }
                #expect(zip(samples, wanted).allSatisfy { abs($0.dts - $1) <= (track == 1 ? 0 : 1) })
                #expect(zip(samples, frames).allSatisfy { $0.pts - $0.dts == (track == 1 ? $1.pts - $1.dts : 0) })
                // What ffprobe finds is what the reader here found.
                let stream = track == 1 ? "v" : "a"
                let packets = try FMP4Judge.packets(file, stream)
                #expect(packets == samples.map { [$0.pts, $0.dts, Int64($0.bytes.count)] }, "\(form)")
                let sums = try FMP4Judge.sums(file, stream)
                #expect(sums.count >= frames.count - 3)
                #expect(sums == (track == 1 ? pictureSums : soundSums), "\(form)")
            }
            // 112 bytes of header before a picture, 104 before sound.
            if form == .frames { #expect(reader.headerBytes <= 112 * reader.samples.count) }
        }
    }

    struct Law: Hashable, Sendable, CustomTestStringConvertible {
        var codec: AudioCodec
        var rate: Int
        var channels: Int
        var format: String { codec == .g711a ? "alaw" : "mulaw" }
        var testDescription: String { "\(format) \(rate) Hz x \(channels)" }
    }

    static let laws = [
        Law(codec: .g711a, rate: 8000, channels: 1), Law(codec: .g711u, rate: 8000, channels: 1),
        Law(codec: .g711a, rate: 16_000, channels: 2), Law(codec: .g711u, rate: 16_000, channels: 1),
        Law(codec: .g711a, rate: 11_025, channels: 1), Law(codec: .g711u, rate: 8000, channels: 2),
    ]

    /// 90 s of the first: the number of a frame takes one, two and three bytes.
    @Test("G.711 in FLAC is bit-exact", arguments: laws)
    func g711IsExact(law: Law) throws {
        let seconds: Double = law == Self.laws[0] ? 90 : 12
        let raw = try FMP4Sources.raw(law.format, rate: law.rate, channels: law.channels, seconds: seconds)
        let block = FLACFrame.blockSize * law.channels
        let bytes = Array(raw.prefix(raw.count / block * block))
        var noise = Noise(state: 3)
        var events: [MediaEvent] = [
            .audio(AudioParameters(codec: law.codec, sampleRate: law.rate, channels: law.channels))
        ]
        var at = 0
        while at < bytes.count {
            let size = min(Int.random(in: 1...1000, using: &noise) * law.channels, bytes.count - at)
            let time = Int64(at / law.channels) * 90_000 / Int64(law.rate)
            events.append(.frame(.audio(Array(bytes[at..<at + size]), at: time)))
            at += size
        }
        let wanted = try FMP4Sources.decoded(bytes, law.format, rate: law.rate, channels: law.channels)
        #expect(wanted.count == bytes.count * 2)
        for form in [FMP4Form.frames, .groups] {
            let (file, statistics) = try form.file(events)
            #expect(statistics == FMP4Statistics())
            let samples = try MP4Reader(file).samples
            #expect(samples.count == bytes.count / block)
            #expect(samples.enumerated().allSatisfy { $1.dts == Int64($0 * FLACFrame.blockSize) })
            let decoded = try FMP4Sources.withFile(file) {
                try FMP4Judge.run("ffmpeg", ["-i", $0, "-f", "s16le", "-"])
            }
            #expect(decoded.complaints == "")
            #expect(decoded.output == wanted)
        }
    }

    @Test("the judge notices a wrong CRC")
    func judgeNoticesDamage() throws {
        let events: [MediaEvent] =
            [.audio(Synthetic.g711)]
            + (0..<50).map { index in
                .frame(.audio((0..<320).map { UInt8(truncatingIfNeeded: $0 * 7 + index) }, at: Int64(index) * 3600))
            }
        var (file, _) = try FMP4Form.frames.file(events)
        file[file.count - 100] ^= 1
        let decoded = try FMP4Sources.withFile(file) {
            try FMP4Judge.run("ffmpeg", ["-i", $0, "-f", "s16le", "-"])
        }
        #expect(decoded.complaints != "")
    }

    struct Silence: Sendable, CustomTestStringConvertible {
        var name: String
        var parameters: AudioParameters
        var testDescription: String { name }
    }

    static let silences =
        [1, 2, 3, 4, 5, 6, 8].map { channels in
            Silence(
                name: "AAC-LC x \(channels)",
                parameters: AudioParameters(
                    codec: .aac,
                    sampleRate: 48_000,
                    channels: channels,
                    configuration: AudioSpecificConfig(sampleRate: 48_000, channels: channels).bytes
                )
            )
        } + [
            // SBR said explicitly: core of 24 kHz, AAC-LC.
            Silence(
                name: "HE-AAC",
                parameters: AudioParameters(
                    codec: .aac,
                    sampleRate: 24_000,
                    channels: 2,
                    configuration: [0x2B, 0x11, 0x88, 0x00]
                )
            ),
            Silence(name: "Opus", parameters: AudioParameters(codec: .opus, sampleRate: 48_000, channels: 2)),
            Silence(name: "MP3", parameters: AudioParameters(codec: .mp3, sampleRate: 44_100, channels: 2)),
            Silence(name: "MP3 x 1", parameters: AudioParameters(codec: .mp3, sampleRate: 48_000, channels: 1)),
            Silence(name: "MP3 low", parameters: AudioParameters(codec: .mp3, sampleRate: 22_050, channels: 1)),
            Silence(name: "MP3 lowest", parameters: AudioParameters(codec: .mp3, sampleRate: 8000, channels: 2)),
            Silence(name: "A-law", parameters: Synthetic.g711),
            Silence(
                name: "mu-law x 2",
                parameters: AudioParameters(codec: .g711u, sampleRate: 16_000, channels: 2)
            ),
        ]

    @Test("what fills the gaps is decoded, and is silent", arguments: silences)
    func silenceIsSilent(silence: Silence) throws {
        let pictures = try FMP4Sources.events(try #require(Self.clips.last), seconds: 5).events
        let events = [.audio(silence.parameters)] + pictures
        let (file, statistics) = try FMP4Form.frames.file(events)
        #expect(statistics.filledSounds > 30)
        let decoded = try FMP4Sources.withFile(file) {
            try FMP4Judge.run("ffmpeg", ["-i", $0, "-map", "0:a", "-f", "s16le", "-"])
        }
        #expect(decoded.complaints == "")
        let rate = silence.name == "HE-AAC" ? 48_000 : silence.parameters.sampleRate
        let channels = silence.parameters.channels
        #expect(decoded.output.count > rate * channels * 2 * 9 / 2)
        let loudest = stride(from: 0, to: decoded.output.count - 1, by: 2).map {
            abs(Int(Int16(bitPattern: UInt16(decoded.output[$0]) | UInt16(decoded.output[$0 + 1]) << 8)))
        }.max()
        // A-law has no zero.
        #expect(loudest ?? 99 <= 8)
    }
}
