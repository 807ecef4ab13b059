import Foundation
import NIOCore
import Testing

@testable import Media

/// FFmpeg plays what the window lists, from files.
@Suite("HLS: FFmpeg plays it", .enabled(if: FFmpeg.isPresent, "ffmpeg and ffprobe are not installed"), .serialized)
struct HLSPlayerTests {
    struct Clip: Sendable, CustomTestStringConvertible {
        var name: String
        var video: [String]
        var audio: [String] = ["-c:a", "aac", "-ar", "48000"]
        var testDescription: String { name }
    }

    static let clips = [
        Clip(name: "B-frames, groups of 1 s", video: ["-c:v", "libx264", "-bf", "2", "-g", "25"]),
        Clip(name: "groups of 2 s, no B-frames", video: ["-c:v", "libx264", "-bf", "0", "-g", "50"]),
        Clip(
            name: "groups longer than a segment",
            video: ["-c:v", "libx264", "-bf", "2", "-g", "110", "-sc_threshold", "0"]
        ),
        Clip(name: "no sound", video: ["-c:v", "libx264", "-g", "25"], audio: ["-an"]),
        Clip(name: "sound alone", video: ["-vn"]),
    ]

    /// Twelve seconds as FLV, whose events a publisher would send.
    private static func make(_ clip: Clip, in folder: URL) throws -> (file: URL, events: [MediaEvent]) {
        let file = folder.appending(path: "source.flv")
        _ = try FFmpeg.run(
            "ffmpeg",
            ["-f", "lavfi", "-i", "testsrc=size=320x240:rate=25", "-f", "lavfi", "-i", "sine=frequency=440"]
                + ["-t", "12", "-pix_fmt", "yuv420p"] + clip.video + clip.audio + ["-f", "flv", "-y", file.path]
        )
        var bytes = ByteBuffer(bytes: try Data(contentsOf: file))
        var reader = FLVTagReader()
        var unpackager = FLVUnpackager()
        var events: [MediaEvent] = []
        while let message = try reader.next(from: &bytes) { unpackager.receive(message, into: &events) }
        return (file, events)
    }

    private static func run(_ container: HLSConfiguration.Container, _ events: [MediaEvent]) -> HLSRun {
        var run = HLSRun(HLSConfiguration(container: container, fragmentMilliseconds: 2000, fragmentNumber: 100))
        for event in events {
            guard case .frame(let frame) = event else {
                run.feed(event)
                continue
            }
            run.feed(event, isStart: frame.isKey && (frame.track == .video))
        }
        run.finish()
        return run
    }

    /// Everything that the playlist names, as a web server would have it.
    private static func write(_ run: HLSRun, to folder: URL) throws -> URL {
        for action in run.actions {
            switch action {
            case .initialization(let file):
                try Data(file.bytes.readableBytesView).write(to: folder.appending(path: file.name))
            case .closed(let file): try Data(file.bytes.readableBytesView).write(to: folder.appending(path: file.name))
            case .part(let file): try Data(file.bytes.readableBytesView).write(to: folder.appending(path: file.name))
            case .opened, .target: break
            }
        }
        let list = folder.appending(path: "playlist.m3u8")
        try Data((run.playlists.last ?? "").utf8).write(to: list)
        return list
    }

    private static func folder() throws -> URL {
        let folder = FFmpeg.temporary("hls")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    /// Checksums of the decoded pictures.
    private static func pictures(_ input: [String]) throws -> [String] {
        let text = try FFmpeg.run(
            "ffmpeg",
            input + ["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-"]
        )
        return String(decoding: text, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("#") }
            .compactMap { $0.split(separator: ",").last?.trimmingCharacters(in: .whitespaces) }
    }

    /// Sound as samples, without the ends, where encoders' delays are handled differently by formats.
    private static func soundPackets(_ file: URL) throws -> Int {
        let text = try FFmpeg.run(
            "ffprobe",
            [
                "-select_streams", "a", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0",
                "-allowed_extensions", "ALL", file.path,
            ]
        )
        return String(decoding: text, as: UTF8.self).split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) }
            ?? 0
    }

    @Test(arguments: clips, HLSLiveTests.containers)
    func plays(clip: Clip, container: HLSConfiguration.Container) throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let (file, events) = try Self.make(clip, in: folder)
        let run = Self.run(container, events)
        #expect(run.rules.violations.isEmpty, "\(run.rules.report)")
        let list = try Self.write(run, to: folder)
        if !clip.video.contains("-vn") {
            let wanted = try Self.pictures(["-i", file.path])
            #expect(wanted.count == 300)
            #expect(try Self.pictures(["-allowed_extensions", "ALL", "-i", list.path]) == wanted)
        }
        if !clip.audio.contains("-an") {
            let sounds = events.filter { if case .frame(let frame) = $0 { frame.track == .audio } else { false } }
            #expect(sounds.count > 500)
            let packets = try Self.soundPackets(list)
            // Fragmented MP4 begins with silence where sound begins later than the picture.
            #expect((-1...4).contains(packets - sounds.count), "\(packets) of \(sounds.count)")
        }
    }

    /// Times of the packets of a segment, decoding order.
    private static func times(_ run: HLSRun, _ closing: HLSClosing, _ folder: URL, _ track: String) throws -> [Double] {
        let file = folder.appending(path: "probe-\(closing.name)")
        var bytes = Data()
        for case .initialization(let initialization) in run.actions {
            bytes += Data(initialization.bytes.readableBytesView)
        }
        bytes += Data(closing.bytes.readableBytesView)
        try bytes.write(to: file)
        let text = try FFmpeg.run(
            "ffprobe",
            ["-select_streams", track, "-show_entries", "packet=dts_time", "-of", "csv=p=0", file.path]
        )
        return String(decoding: text, as: UTF8.self).split(separator: "\n")
            .compactMap { Double($0.trimmingCharacters(in: .init(charactersIn: ", "))) }
    }

    @Test("EXTINF is what ffprobe measures, to the millisecond", arguments: clips, HLSLiveTests.containers)
    func durations(clip: Clip, container: HLSConfiguration.Container) throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let (_, events) = try Self.make(clip, in: folder)
        let run = Self.run(container, events)
        #expect(run.closings.count >= 3)
        let track = clip.video.contains("-vn") ? "a" : "v"
        let starts = try run.closings.map { try Self.times(run, $0, folder, track).first ?? -1 }
        let listed = HLSParsedPlaylist(run.playlists.last ?? "").segments.map(\.duration)
        #expect(listed.count == starts.count)
        for (index, next) in starts.enumerated().dropFirst() {
            // Sound in MPEG-TS is gathered into packets of 80 ms: its first time is exact, too.
            #expect(abs(next - starts[index - 1] - listed[index - 1]) < 0.0015, "segment \(index - 1)")
        }
        let last = try Self.times(run, try #require(run.closings.last), folder, track)
        let end = try #require(last.last) + (track == "v" ? 0.04 : 0.0213)
        #expect(abs(end - (last.first ?? 0) - (listed.last ?? 0)) < 0.003)
    }

    @Test("Each part can be decoded behind the ones before it, and independent ones alone")
    func independentParts() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let (_, events) = try Self.make(Self.clips[0], in: folder)
        let run = Self.run(.fragmentedMP4, events)
        var initialization = Data()
        for case .initialization(let file) in run.actions { initialization += Data(file.bytes.readableBytesView) }
        var flags: [Bool] = []
        for part in run.parts {
            let file = folder.appending(path: part.name)
            try (initialization + Data(part.bytes.readableBytesView)).write(to: file)
            let text = try FFmpeg.run(
                "ffprobe",
                ["-select_streams", "v", "-show_entries", "packet=flags", "-of", "csv=p=0", file.path]
            )
            let keys = String(decoding: text, as: UTF8.self).split(separator: "\n").map { $0.hasPrefix("K") }
            #expect(keys.contains(true) == part.isIndependent, "\(part.name)")
            flags.append(part.isIndependent)
        }
        #expect(flags.filter { $0 }.count == 12 && flags.count > 55)
    }
}
