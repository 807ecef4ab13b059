import Foundation
import Media
import NIOCore
import Testing

/// ffmpeg and ffprobe, as encoder and as judge.
enum Tool {
    static let ffmpeg = find("ffmpeg")
    static let ffprobe = find("ffprobe")
    static var isThere: Bool { ffmpeg != nil && ffprobe != nil }

    private static func find(_ name: String) -> String? {
        ["/usr/bin/", "/usr/local/bin/", "/opt/homebrew/bin/"].map { $0 + name }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// What a program says, and what it complains of.
    static func run(_ program: String?, _ arguments: [String]) throws -> (output: String, errors: String) {
        let program = try #require(program)
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        let folder = TemporaryFolder()
        let paths = ["\(folder.path)/out", "\(folder.path)/err"]
        let handles = try paths.map { path in
            _ = FileManager.default.createFile(atPath: path, contents: nil)
            return try #require(FileHandle(forWritingAtPath: path))
        }
        process.standardOutput = handles[0]
        process.standardError = handles[1]
        try process.run()
        process.waitUntilExit()
        let texts = paths.map { String(decoding: FileManager.default.contents(atPath: $0) ?? Data(), as: UTF8.self) }
        return (texts[0], texts[1])
    }

    /// Checksums of the decoded pictures, and of the coded sound without ADTS.
    static func pictures(_ path: String, mayComplain: Bool = false) throws -> [String] {
        try checksums(
            ["-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-"],
            mayComplain: mayComplain
        )
    }

    static func sounds(_ path: String) throws -> [String] {
        try checksums(["-i", path, "-map", "0:a:0", "-c", "copy", "-bsf:a", "aac_adtstoasc", "-f", "framemd5", "-"])
    }

    private static func checksums(_ arguments: [String], mayComplain: Bool = false) throws -> [String] {
        let (output, errors) = try run(ffmpeg, ["-v", "error", "-nostdin"] + arguments)
        #expect(errors == "" || mayComplain, "ffmpeg \(arguments.joined(separator: " "))")
        return output.split(separator: "\n").filter { !$0.hasPrefix("#") }
            .compactMap { line in
                // Stream, dts, pts, duration, size, checksum; side data may follow.
                line.split(separator: ",").dropFirst(5).first?.trimmingCharacters(in: .whitespaces)
            }
    }

    /// Decoding times of the packets of a track, in seconds.
    static func times(_ path: String, _ track: String, entry: String = "pts_time") throws -> [Double] {
        let arguments = ["-v", "error", "-select_streams", track, "-show_entries", "packet=\(entry)", "-of", "csv=p=0"]
        let (output, _) = try run(ffprobe, arguments + [path])
        return output.split(separator: "\n").compactMap { line in
            line.split(separator: ",").first.flatMap { Double($0) }
        }
    }

    static func formats(_ path: String) throws -> String {
        let arguments = ["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", path]
        return try run(ffprobe, arguments).output.split(separator: "\n")
            .map { $0.trimmingCharacters(in: [",", " "]) }.filter { !$0.isEmpty }.joined(separator: ",")
    }
}

/// A folder that is gone when the test is.
final class TemporaryFolder {
    let path: String

    init() {
        path = FileManager.default.temporaryDirectory.appending(path: "gbgate-rec-\(UUID().uuidString)").path
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A stream that ffmpeg encoded: H.264 with B-frames and AAC, a key frame a second, as FLV and as events.
struct TestClip {
    let folder: TemporaryFolder
    let path: String
    let events: [MediaEvent]

    static func make(
        seconds: Int = 6,
        audio: [String] = ["-c:a", "aac", "-ar", "44100"],
        bitrate: String = "400k"
    ) throws
        -> TestClip
    {
        let folder = TemporaryFolder()
        let path = "\(folder.path)/source.flv"
        let (_, errors) = try Tool.run(
            Tool.ffmpeg,
            [
                "-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=\(seconds)",
                "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=\(seconds)",
                "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "25", "-sc_threshold", "0", "-b:v", bitrate,
                "-pix_fmt", "yuv420p",
            ] + audio + ["-f", "flv", path]
        )
        #expect(errors == "")
        return TestClip(folder: folder, path: path, events: try unpack(path))
    }

    private static func unpack(_ path: String) throws -> [MediaEvent] {
        var bytes = ByteBuffer(bytes: FileManager.default.contents(atPath: path) ?? Data())
        var reader = FLVTagReader()
        var unpackager = FLVUnpackager()
        var events: [MediaEvent] = []
        while let message = try reader.next(from: &bytes) { unpackager.receive(message, into: &events) }
        return events
    }

    var parameters: [MediaEvent] { events.filter { if case .frame = $0 { false } else { true } } }
    var frames: [Frame] { events.compactMap { if case .frame(let frame) = $0 { frame } else { nil } } }
    /// From the first key frame on.
    var recordable: Int { frames.count - (frames.firstIndex { $0.track == .video } ?? 0) }
}

/// Pictures that nobody decodes, for what is not about codecs.
enum Synthetic {
    static let video = VideoParameters(
        codec: .h264,
        sps: [
            [
                0x67, 0x42, 0xC0, 0x0D, 0xD9, 0x01, 0x60, 0x96, 0xC0, 0x44, 0, 0, 3, 0, 4, 0, 0, 3, 0, 0xC8, 0x3C,
                0x50, 0xA9, 0x20,
            ]
        ],
        pps: [[0x68, 0xCB, 0x83, 0xCB, 0x20]],
        width: 352,
        height: 288
    )
    static let wider = VideoParameters(
        codec: .h264,
        sps: [
            [
                0x67, 0x64, 0, 0x28, 0xAC, 0xD9, 0x40, 0x78, 2, 0x27, 0xE5, 0xC0, 0x44, 0, 0, 3, 0, 4, 0, 0, 3, 0,
                0xC8, 0x3C, 0x60, 0xC6, 0x58,
            ]
        ],
        pps: [[0x68, 0xCB, 0x83, 0xCB, 0x20]],
        width: 1920,
        height: 1080
    )
    static let aac = AudioParameters(codec: .aac, sampleRate: 16_000, channels: 1, configuration: [0x14, 0x08])

    static func picture(_ index: Int, gop: Int = 25, size: Int = 1_000, from start: Int64 = 0) -> Frame {
        let isKey = index % gop == 0
        var payload = ByteBuffer()
        payload.writeInteger(UInt32(size))
        payload.writeInteger(UInt8(isKey ? 0x65 : 0x41))
        payload.writeRepeatingByte(UInt8(index % 200 + 10), count: size - 1)
        let time = start + Int64(index) * 3600
        return Frame(track: .video, dts: time, pts: time, isKey: isKey, payload: payload)
    }

    static func sound(_ index: Int, from start: Int64 = 0) -> Frame {
        let time = start + Int64(index) * 5760
        return Frame(
            track: .audio,
            dts: time,
            pts: time,
            isKey: true,
            payload: ByteBuffer(repeating: UInt8(index % 200 + 10), count: 200)
        )
    }
}
