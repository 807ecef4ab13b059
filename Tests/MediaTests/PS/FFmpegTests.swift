import Foundation
import NIOCore
import Testing

@testable import Media

/// Program streams of another's making, and ours in another's hands.
enum FFmpeg {
    static func path(_ tool: String) -> String? {
        ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"].map { "\($0)/\(tool)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    static var isPresent: Bool { path("ffmpeg") != nil && path("ffprobe") != nil }

    /// Runs a tool and gives its standard output.
    static func run(_ tool: String, _ arguments: [String]) throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(filePath: path(tool) ?? tool)
        process.arguments = ["-v", "error"] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return [UInt8](data)
    }

    static func temporary(_ suffix: String) -> URL {
        FileManager.default.temporaryDirectory.appending(path: "gbgate-\(UUID().uuidString).\(suffix)")
    }
}

@Suite(.enabled(if: FFmpeg.isPresent, "ffmpeg and ffprobe are not installed"), .serialized)
struct FFmpegTests {
    struct Source: CustomStringConvertible, Sendable {
        var format: String
        var codec: VideoCodec
        var options: [String]
        var description: String { "\(format) \(codec.rawValue) \(options.joined(separator: " "))" }
    }

    static let sources: [Source] = [
        Source(format: "mpeg", codec: .h264, options: ["-bf", "0"]),
        Source(format: "vob", codec: .h264, options: ["-bf", "0"]),
        Source(format: "dvd", codec: .h264, options: ["-bf", "0"]),
        Source(format: "vob", codec: .h264, options: ["-bf", "2"]),
        Source(format: "vob", codec: .h264, options: ["-bf", "0", "-x264-params", "slices=4"]),
        Source(format: "mpeg", codec: .h265, options: []),
        Source(format: "vob", codec: .h265, options: []),
    ]

    @Test(arguments: sources)
    func findsTheUnitsThatFFmpegFinds(source: Source) throws {
        let file = FFmpeg.temporary("ps")
        defer { try? FileManager.default.removeItem(at: file) }
        let encoder =
            source.codec == .h264 ? ["libx264"] : ["libx265", "-x265-params", "log-level=error:keyint=25"]
        _ = try FFmpeg.run(
            "ffmpeg",
            ["-f", "lavfi", "-i", "testsrc=size=640x480:rate=25", "-t", "4", "-pix_fmt", "yuv420p", "-c:v"] + encoder
                + ["-g", "25"] + source.options + ["-f", source.format, "-y", file.path]
        )
        let elementary = try FFmpeg.run(
            "ffmpeg",
            ["-i", file.path, "-c", "copy", "-f", source.codec == .h264 ? "h264" : "hevc", "-"]
        )
        let wanted = elementary.withSpan { span in
            AnnexB.units(in: span, limit: 100_000).filter { range in
                switch source.codec.kind(of: span, at: range.lowerBound) {
                case .slice, .prefix, .suffix: true
                default: false
                }
            }
        }.map { Array(elementary[$0]) }
        #expect(wanted.count >= 100)

        let stream = [UInt8](try Data(contentsOf: file))
        // In RTP as a careless sender cuts it: 1400 bytes each, all with one time stamp.
        var packetizer = RTPPacketizer(ssrc: 1)
        var all: [[UInt8]] = []
        stream.withSpan { span in
            packetizer.packetize(span, timestamp: 0) { all.append($0.array(0..<$0.byteCount)) }
        }
        var ingest = RTPIngest(configuration: .init(transport: .tcp))
        let got = ingest.feed(all)
        let units = got.pictures.flatMap(\.units)
        #expect(units.count == wanted.count)
        #expect(units == wanted)
        #expect(got.pictures.count == 100)
        #expect(got.pictures.map(\.dts).isStrictlyRising)
        #expect(got.parameters.first?.width == 640)
        #expect(ingest.statistics.demux.resynchronisations == 0)
        #expect(ingest.statistics.video.damaged == 0)
    }

    @Test(arguments: [(Synthetic.h264, Synthetic.aac), (Synthetic.h265, Synthetic.g711)])
    func makesStreamsThatFFprobeReads(video: VideoParameters, audio: AudioParameters) throws {
        let file = FFmpeg.temporary("ps")
        defer { try? FileManager.default.removeItem(at: file) }
        var muxer = PSMuxer()
        var bytes: [UInt8] = []
        let events = Synthetic.stream(video, audio: audio, pictures: 100, keySize: 150_000)
        for event in events { muxer.mux(event, into: &bytes) }
        try Data(bytes).write(to: file)
        let text = String(
            decoding: try FFmpeg.run(
                "ffprobe",
                ["-f", "mpeg", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0", file.path]
            ),
            as: UTF8.self
        )
        #expect(text.contains(video.codec == .h264 ? "h264,352,288" : "hevc,1920,1080"), "\(text)")
        // ffmpeg 5.1 knows no stream type for G.711 and takes any other audio for MPEG's.
        #expect(text.contains(audio.codec == .aac ? "aac" : "mp2") || text.contains("pcm_alaw"), "\(text)")
        let times = String(
            decoding: try FFmpeg.run(
                "ffprobe",
                ["-f", "mpeg", "-select_streams", "v", "-show_entries", "packet=pts", "-of", "csv=p=0", file.path]
            ),
            as: UTF8.self
        ).split(separator: "\n").compactMap { Int64($0.split(separator: ",")[0]) }
        #expect(times == events.pictures.map(\.pts))
    }
}
