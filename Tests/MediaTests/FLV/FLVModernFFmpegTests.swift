import Foundation
import Media
import NIOCore
import Testing

/// FLV as FFmpeg 8 and later write and read it: enhanced codecs, several tracks. Debian 12 has 5.1: the environment variable
/// GBGATE_FFMPEG names a newer one, or these tests are skipped.
@Suite(
    "FLV and a modern FFmpeg",
    .enabled(if: Tool.modernFFmpeg != nil, "GBGATE_FFMPEG names no ffmpeg"),
    .serialized
)
struct FLVModernFFmpegTests {
    struct Clip: Sendable, CustomTestStringConvertible {
        var name: String
        var video: [String]
        var audio: [String]
        var videoCodec: VideoCodec
        var audioCodec: AudioCodec
        var tracks = 1
        var testDescription: String { name }
    }

    static let clips = [
        Clip(
            name: "H.264 with B-frames, AAC",
            video: ["libx264", "-bf", "2", "-g", "10"],
            audio: ["aac"],
            videoCodec: .h264,
            audioCodec: .aac
        ),
        Clip(
            name: "H.265, Opus",
            video: ["libx265", "-g", "10", "-x265-params", "log-level=none:info=0:bframes=2"],
            audio: ["libopus"],
            videoCodec: .h265,
            audioCodec: .opus
        ),
        Clip(
            name: "AV1 of libaom, MP3",
            video: ["libaom-av1", "-cpu-used", "8", "-g", "10"],
            audio: ["libmp3lame", "-ar", "44100"],
            videoCodec: .av1,
            audioCodec: .mp3
        ),
        Clip(
            name: "AV1 of SVT, MP3 of 48 kHz",
            video: ["libsvtav1", "-preset", "12", "-g", "10", "-svtav1-params", "pred-struct=1"],
            audio: ["libmp3lame", "-ar", "48000"],
            videoCodec: .av1,
            audioCodec: .mp3
        ),
        Clip(
            name: "VP9, G.711",
            video: ["libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "10"],
            audio: ["pcm_alaw", "-ar", "8000", "-ac", "1"],
            videoCodec: .vp9,
            audioCodec: .g711a
        ),
        Clip(
            name: "two tracks of each",
            video: ["libx264", "-g", "10", "-c:v:1", "libx265", "-x265-params", "log-level=none"],
            audio: ["aac", "-c:a:1", "libopus"],
            videoCodec: .h264,
            audioCodec: .aac,
            tracks: 2
        ),
    ]

    private static func read(_ file: URL) throws -> (unpackager: FLVUnpackager, events: [MediaEvent]) {
        var bytes = ByteBuffer(bytes: try Data(contentsOf: file))
        var reader = FLVTagReader()
        var unpackager = FLVUnpackager()
        var events: [MediaEvent] = []
        while let message = try reader.next(from: &bytes) { unpackager.receive(message, into: &events) }
        return (unpackager, events)
    }

    private static func run(_ arguments: [String]) throws -> String {
        String(decoding: try Tool.run(path: Tool.modernFFmpeg ?? "", ["-v", "error"] + arguments), as: UTF8.self)
    }

    /// Our hvcC says that its parameter sets are complete, as none are left in the frames: another sum.
    private static func comparable(_ sums: String, _ clip: Clip) -> [Substring] {
        sums.split(separator: "\n").filter { clip.videoCodec != .h265 || !$0.hasPrefix("#extradata 0") }
    }

    private static func encode(_ clip: Clip, to file: URL) throws {
        var arguments: [String] = []
        for _ in 0..<clip.tracks { arguments += ["-f", "lavfi", "-i", "testsrc=s=320x180:r=25:d=2"] }
        for _ in 0..<clip.tracks { arguments += ["-f", "lavfi", "-i", "sine=d=2:r=48000"] }
        for input in 0..<clip.tracks * 2 { arguments += ["-map", "\(input)"] }
        arguments += ["-pix_fmt", "yuv420p", "-metadata", "title=gate 3", "-c:v"] + clip.video
        _ = try run(["-y"] + arguments + ["-c:a"] + clip.audio + [file.path])
    }

    @Test("read, packed again and written, its packets, times and decoder records are the same", arguments: clips)
    func remuxesExactly(clip: Clip) throws {
        try Tool.withDirectory { directory in
            let source = directory.appendingPathComponent("source.flv")
            let remuxed = directory.appendingPathComponent("remuxed.flv")
            try Self.encode(clip, to: source)
            let (unpackager, events) = try Self.read(source)
            #expect(unpackager.statistics.malformed == 0)
            #expect(unpackager.statistics.unsupported == 0)
            #expect(unpackager.statistics.withoutParameters == 0)
            #expect((unpackager.statistics.skippedTracks > 50) == (clip.tracks > 1))
            let video = events.compactMap { if case .video(let parameters) = $0 { parameters } else { nil } }.last
            let audio = events.compactMap { if case .audio(let parameters) = $0 { parameters } else { nil } }.last
            #expect(video?.codec == clip.videoCodec)
            #expect(audio?.codec == clip.audioCodec)
            #expect(video.map { [$0.width, $0.height] } == [320, 180])
            guard case .metadata(let metadata) = events.first else {
                Issue.record("no metadata")
                return
            }
            #expect(metadata["title"] == .string("gate 3"))

            var file = ByteBuffer()
            FLVTagWriter.writeFileHeader(into: &file)
            for message in FLVSamples.package(events, hevc: .enhanced) { FLVTagWriter.write(message, into: &file) }
            try Data(file.readableBytesView).write(to: remuxed)
            let sums = try [source, remuxed].map { file in
                let maps = ["-map", "0:v:0", "-map", "0:a:0"]
                return try Self.run(["-i", file.path] + maps + ["-c", "copy", "-f", "framemd5", "-"])
            }
            #expect(sums[0].split(separator: "\n").count > 100)
            #expect(Self.comparable(sums[0], clip) == Self.comparable(sums[1], clip))
        }
    }

    @Test("codecs that are not carried are named", arguments: [("ac3", "AC-3"), ("eac3", "E-AC-3"), ("flac", "FLAC")])
    func namesUnsupported(encoder: String, name: String) throws {
        try Tool.withDirectory { directory in
            let file = directory.appendingPathComponent("a.flv")
            _ = try Self.run(["-y", "-f", "lavfi", "-i", "sine=d=1:r=48000", "-c:a", encoder, file.path])
            let (unpackager, events) = try Self.read(file)
            #expect(unpackager.unsupportedCodecs == [name])
            #expect(unpackager.statistics.unsupported > 10)
            #expect(events.allSatisfy { if case .metadata = $0 { true } else { false } })
        }
    }
}
