import Foundation
import NIOCore
import Testing

@testable import Media

/// What FFmpeg's and GStreamer's demuxers make of our packets.
@Suite(
    "Transport stream: FFmpeg and GStreamer read it",
    .enabled(if: Tool.exists("ffmpeg") && Tool.exists("ffprobe")),
    .serialized
)
struct TSFFmpegTests {
    static let clips = [
        TSSource.Clip(
            name: "H.264 with B-frames, AAC",
            video: ["libx264", "-bf", "3", "-g", "25"],
            audio: ["aac", "-ac", "2", "-b:a", "96k"],
            type: [0x1B, 0x0F]
        ),
        TSSource.Clip(
            name: "H.265 with B-frames, Opus",
            video: ["libx265", "-tag:v", "hvc1", "-g", "25", "-x265-params", "log-level=none:bframes=3"],
            audio: ["libopus", "-ac", "2"],
            type: [0x24, 0x06]
        ),
        TSSource.Clip(
            name: "H.264 of several slices, MP3",
            video: ["libx264", "-bf", "0", "-slices", "4", "-g", "10"],
            audio: ["libmp3lame", "-ar", "44100", "-ac", "2"],
            type: [0x1B, 0x03]
        ),
        TSSource.Clip(
            name: "key frames every 2 s at 5 fps, AAC of 16 kHz",
            video: ["libx264", "-r", "5", "-g", "10"],
            audio: ["aac", "-ar", "16000", "-ac", "1"],
            type: [0x1B, 0x0F]
        ),
        TSSource.Clip(name: "pictures alone", video: ["libx264", "-bf", "2"], type: [0x1B]),
        TSSource.Clip(name: "AAC alone, six channels", audio: ["aac", "-ac", "6"], type: [0x0F]),
        TSSource.Clip(name: "MP3 of 24 kHz alone", audio: ["libmp3lame", "-ar", "24000", "-ac", "1"], type: [0x04]),
        TSSource.Clip(name: "Opus alone, one channel", audio: ["libopus", "-ac", "1", "-b:a", "24k"], type: [0x06]),
        TSSource.Clip(
            name: "Opus alone, frames of 60 ms above 255 bytes",
            audio: ["libopus", "-ac", "2", "-b:a", "128k", "-frame_duration", "60"],
            type: [0x06]
        ),
    ]

    private struct Packet: Equatable {
        var pts: Int64
        var dts: Int64
        var isKey: Bool
    }

    private static func packets(_ file: URL, _ stream: String) throws -> [Packet] {
        let entries = ["-show_entries", "packet=pts,dts,flags", "-of", "csv=p=0"]
        let output = try Tool.run("ffprobe", ["-v", "error", "-select_streams", stream] + entries + [file.path])
        return String(decoding: output, as: UTF8.self).split(separator: "\n").map { line in
            let fields = line.split(separator: ",")
            return Packet(pts: Int64(fields[0]) ?? -1, dts: Int64(fields[1]) ?? -1, isKey: fields[2].hasPrefix("K"))
        }
    }

    /// The column of framemd5 behind the size; what comes after it is side data.
    private static func sums(_ file: URL, _ arguments: [String]) throws -> [Substring] {
        let output = try Tool.run("ffmpeg", ["-v", "error", "-i", file.path] + arguments + ["-f", "framemd5", "-"])
        return String(decoding: output, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("#") }
            .map { $0.split(separator: ",")[5] }
    }

    @Test("payload and times are those of the source", arguments: clips)
    func readsBack(clip: TSSource.Clip) throws {
        try Tool.withDirectory { directory in
            let source = directory.appendingPathComponent("source.mp4")
            let result = directory.appendingPathComponent("result.ts")
            try TSSource.encode(clip, to: source)
            let events = try TSSource(source).events
            let bytes = TSSamples.muxed(events)
            try Data(bytes).write(to: result)

            let checker = TransportStreamChecker(bytes)
            #expect(checker.faults.isEmpty)
            #expect(checker.discontinuities == 0)
            #expect(checker.maps.count == 1)
            let types = (checker.maps.first?.streams ?? [:]).sorted { $0.key < $1.key }.map(\.value.type)
            #expect(types == clip.type)

            if !clip.video.isEmpty {
                let packets = try Self.packets(result, "v")
                #expect(
                    packets
                        == events.pictures.map {
                            Packet(pts: $0.pts + TSMuxer.timeOffset, dts: $0.dts + TSMuxer.timeOffset, isKey: $0.isKey)
                        }
                )
                let decode = ["-map", "0:v", "-vsync", "passthrough"]
                let sums = try Self.sums(result, decode)
                #expect(sums.count == events.pictures.count)
                #expect(sums == (try Self.sums(source, decode)))
            }
            if !clip.audio.isEmpty {
                let times = try Self.packets(result, "a").map(\.pts)
                let expected = events.sounds.map { $0.pts + TSMuxer.timeOffset }
                #expect(times.count == expected.count)
                // Within a PES packet FFmpeg counts samples: the rounding to 90 kHz of either side.
                #expect(zip(times, expected).allSatisfy { abs($0 - $1) <= 90 })
                let copy = ["-map", "0:a", "-c", "copy"]
                let bare = clip.type.last == 0x0F ? ["-bsf:a", "aac_adtstoasc"] : []
                let sums = try Self.sums(result, copy + bare)
                #expect(sums.count == events.sounds.count)
                #expect(sums == (try Self.sums(source, copy)))
            }
        }
    }

    @Test("AAC of 6.1 channels, which ADTS has no number for, is decoded with all of them")
    func programConfig() throws {
        try Tool.withDirectory { directory in
            let source = directory.appendingPathComponent("source.mp4")
            let result = directory.appendingPathComponent("result.ts")
            let layout = ["aac", "-af", "aformat=channel_layouts=6.1"]
            try TSSource.encode(TSSource.Clip(name: "6.1", audio: layout, type: [0x0F]), to: source)
            let events = try TSSource(source).events
            guard case .audio(let parameters) = events.first else {
                Issue.record("no sound")
                return
            }
            #expect(parameters.channels == 0)
            try Data(TSSamples.muxed(events)).write(to: result)
            let decoded = try [source, result].map { file in
                try Tool.run("ffmpeg", ["-v", "error", "-flags2", "skip_manual", "-i", file.path, "-f", "s16le", "-"])
            }
            #expect(decoded[0].count == events.sounds.count * 1024 * 7 * 2)
            #expect(decoded[0] == decoded[1])
        }
    }

    @Test("a stream over the wrap of 33 bits is read with times that go on")
    func readsOverTheWrap() throws {
        try Tool.withDirectory { directory in
            let source = directory.appendingPathComponent("source.mp4")
            let result = directory.appendingPathComponent("result.ts")
            try TSSource.encode(Self.clips[0], to: source)
            var events = try TSSource(source).events
            for index in events.indices {
                guard case .frame(var frame) = events[index] else { continue }
                frame.pts += TransportStreamChecker.wrap - 225_000
                frame.dts += TransportStreamChecker.wrap - 225_000
                events[index] = .frame(frame)
            }
            let bytes = TSSamples.muxed(events)
            #expect(TransportStreamChecker(bytes).faults.isEmpty)
            try Data(bytes).write(to: result)
            let steps = try Self.packets(result, "v").map(\.dts)
            #expect(steps.count == events.pictures.count)
            #expect(zip(steps, steps.dropFirst()).allSatisfy { $1 - $0 == 3600 })
            let decode = ["-map", "0:v", "-vsync", "passthrough"]
            #expect(try Self.sums(result, decode) == (try Self.sums(source, decode)))
        }
    }

    @Test("a viewer who begins at the second segment decodes from there")
    func beginsLater() throws {
        try Tool.withDirectory { directory in
            let source = directory.appendingPathComponent("source.mp4")
            let result = directory.appendingPathComponent("result.ts")
            try TSSource.encode(Self.clips[0], to: source)
            let events = try TSSource(source).events
            var muxer = TSMuxer()
            var bytes = ByteBuffer()
            var pictures = 0
            for event in events {
                guard case .frame(let frame) = event, frame.track == .video, frame.isKey, frame.dts > 0 else {
                    muxer.mux(event, startsSegment: false, into: &bytes)
                    if case .frame(let frame) = event, frame.track == .video { pictures += 1 }
                    continue
                }
                if frame.dts < 130_000 {
                    muxer.flush(into: &bytes)
                    bytes.clear()
                    pictures = 0
                }
                muxer.mux(event, startsSegment: true, into: &bytes)
                pictures += 1
            }
            #expect(pictures < events.pictures.count)
            try Data(bytes.readableBytesView).write(to: result)
            let decode = ["-map", "0:v", "-vsync", "passthrough"]
            let sums = try Self.sums(result, decode)
            #expect(sums.count == pictures)
            #expect(sums == (try Self.sums(source, decode)).suffix(pictures))
        }
    }

    @Test(
        "GStreamer's demuxer and parser find every picture",
        .enabled(if: Tool.exists("gst-launch-1.0")),
        arguments: [0, 1, 2]
    )
    func gstreamer(clip: Int) throws {
        try Tool.withDirectory { directory in
            let source = directory.appendingPathComponent("source.mp4")
            let result = directory.appendingPathComponent("result.ts")
            let bare = directory.appendingPathComponent("bare.264")
            try TSSource.encode(Self.clips[clip], to: source)
            try Data(TSSamples.muxed(try TSSource(source).events)).write(to: result)
            let name = clip == 1 ? "h265" : "h264"
            let form = "video/x-\(name),stream-format=byte-stream,alignment=au"
            let pipeline =
                "filesrc location=\(result.path) ! tsdemux ! \(name)parse ! \(form) ! filesink location=\(bare.path)"
            _ = try Tool.run("gst-launch-1.0", ["-q"] + pipeline.split(separator: " ").map(String.init))
            let decode = ["-map", "0:v", "-vsync", "passthrough"]
            let sums = try Self.sums(bare, decode)
            #expect(sums.count == 75)
            #expect(sums == (try Self.sums(source, decode)))
        }
    }
}
