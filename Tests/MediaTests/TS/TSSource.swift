import Foundation
import NIOCore
import Testing

@testable import Media

/// The frames of an MP4 file of FFmpeg, as ffprobe says where they lie.
struct TSSource {
    struct Clip: Sendable, CustomTestStringConvertible {
        var name: String
        var video: [String] = []
        var audio: [String] = []
        var type: [UInt8]
        var testDescription: String { name }
    }

    var events: [MediaEvent]

    static func encode(_ clip: Clip, to file: URL, seconds: Int = 3) throws {
        var arguments = ["-v", "error", "-y"]
        if !clip.video.isEmpty { arguments += ["-f", "lavfi", "-i", "testsrc=s=320x180:r=25:d=\(seconds)"] }
        if !clip.audio.isEmpty {
            let noise = "anoisesrc=d=\(seconds):c=pink:r=48000:a=0.2:seed=1"
            arguments += ["-f", "lavfi", "-i", noise]
        }
        if !clip.video.isEmpty { arguments += ["-pix_fmt", "yuv420p", "-c:v"] + clip.video }
        if !clip.audio.isEmpty { arguments += ["-c:a"] + clip.audio }
        _ = try Tool.run("ffmpeg", arguments + [file.path])
    }

    private struct Report: Decodable {
        struct Packet: Decodable {
            var stream_index: Int
            var pts: Int64?
            var dts: Int64?
            var size: String
            var pos: String
            var flags: String
        }

        struct Stream: Decodable {
            var index: Int
            var codec_name: String
            var time_base: String
            var sample_rate: String?
            var channels: Int?
            var extradata: String?
        }

        var packets: [Packet]
        var streams: [Stream]
    }

    init(_ file: URL) throws {
        let json = try Tool.run(
            "ffprobe",
            ["-v", "error", "-show_streams", "-show_packets", "-show_entries"]
                + [
                    "packet=stream_index,pts,dts,size,pos,flags:stream=index,codec_name,time_base,sample_rate,channels,extradata"
                ]
                + ["-show_data_hash", "md5", "-of", "json", file.path]
        )
        let data = try Tool.run("ffprobe", ["-v", "error", "-show_streams", "-show_data", "-of", "json", file.path])
        let report = try JSONDecoder().decode(Report.self, from: json)
        struct Streams: Decodable { var streams: [Report.Stream] }
        let streams = try JSONDecoder().decode(Streams.self, from: data).streams
        let bytes = ByteBuffer(bytes: try Data(contentsOf: file))
        events = []
        for stream in streams { events.append(try #require(Self.parameters(stream))) }
        for packet in report.packets {
            let stream = streams[packet.stream_index]
            let rate = try #require(stream.time_base.split(separator: "/").last.flatMap { Int64($0) })
            let isVideo = stream.channels == nil
            let position = try #require(Int(packet.pos))
            let payload = try #require(bytes.getSlice(at: position, length: Int(packet.size) ?? 0))
            let frame = Frame(
                track: isVideo ? .video : .audio,
                dts: try #require(packet.dts) * 90_000 / rate,
                pts: try #require(packet.pts) * 90_000 / rate,
                isKey: packet.flags.hasPrefix("K"),
                payload: payload
            )
            events.append(.frame(frame))
        }
    }

    private static func parameters(_ stream: Report.Stream) -> MediaEvent? {
        let record = hexadecimal(stream.extradata ?? "")
        let rate = Int(stream.sample_rate ?? "") ?? 0
        let channels = stream.channels ?? 0
        switch stream.codec_name {
        case "h264", "hevc":
            let codec: VideoCodec = stream.codec_name == "h264" ? .h264 : .h265
            return record.withSpan { DecoderConfiguration(codec, $0) }.map { .video($0.parameters) }
        case "aac": return AudioParameters(audioSpecificConfig: record).map { .audio($0) }
        case "mp3": return .audio(AudioParameters(codec: .mp3, sampleRate: rate, channels: channels))
        case "opus":
            return .audio(AudioParameters(codec: .opus, sampleRate: rate, channels: channels, configuration: record))
        default: return nil
        }
    }

    /// Lines like `00000000: 0164 000a ffe1  .d....`.
    private static func hexadecimal(_ dump: String) -> [UInt8] {
        dump.split(separator: "\n").flatMap { line -> [UInt8] in
            guard let colon = line.firstIndex(of: ":") else { return [] }
            let rest = line[line.index(colon, offsetBy: 2)...]
            let digits = rest.range(of: "  ").map { rest[..<$0.lowerBound] } ?? rest
            return FLVSamples.bytes(digits.filter { $0 != " " })
        }
    }
}
