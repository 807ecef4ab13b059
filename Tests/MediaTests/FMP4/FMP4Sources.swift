import Foundation
import NIOCore
import Testing

@testable import Media

/// Streams that ffmpeg encoded, as events, and what it says of ours.
enum FMP4Sources {
    struct Clip: Sendable, CustomTestStringConvertible {
        var name: String
        var options: [String]
        /// The audio encoder, or empty.
        var testDescription: String { name }
    }

    static let picture = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"]
    static let sound = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]

    /// The events of a clip out of ffmpeg's own fragmented MP4, and the file.
    static func events(_ clip: Clip, seconds: Int = 3) throws -> (events: [MediaEvent], file: [UInt8]) {
        let url = FFmpeg.temporary("mp4")
        defer { try? FileManager.default.removeItem(at: url) }
        _ = try FFmpeg.run(
            "ffmpeg",
            clip.options + ["-t", "\(seconds)", "-pix_fmt", "yuv420p", "-strict", "-2", "-tag:v"]
                + [clip.name.contains("265") ? "hvc1" : "0"] + [
                    "-movflags", "+delay_moov+frag_keyframe", "-y", url.path,
                ]
        )
        let file = [UInt8](try Data(contentsOf: url))
        let reader = try MP4Reader(file, strict: false)
        var events: [MediaEvent] = []
        for track in reader.tracks.values.sorted(by: { $0.id < $1.id }) {
            if track.handler == "vide" {
                let codec: VideoCodec =
                    switch track.entry {
                    case "avc1": .h264
                    case "hvc1": .h265
                    case "av01": .av1
                    default: .vp9
                    }
                let read = track.record.withSpan { DecoderConfiguration(codec, $0) }
                var parameters = try #require(read).parameters
                if codec == .vp9 || codec == .av1 {
                    (parameters.width, parameters.height) = (track.width, track.height)
                }
                events.append(.video(parameters))
            } else {
                events.append(.audio(try audio(track)))
            }
        }
        // In the order of time, as a publisher sends them.
        let frames = reader.samples.map { sample -> Frame in
            let track = reader.tracks[sample.track]
            let scale = track?.timescale ?? 1
            return Frame(
                track: track?.handler == "vide" ? .video : .audio,
                dts: RTPTicks.convert(sample.dts, from: scale, to: 90_000),
                pts: RTPTicks.convert(sample.pts, from: scale, to: 90_000),
                isKey: sample.isSync,
                payload: ByteBuffer(bytes: sample.bytes)
            )
        }
        events += frames.enumerated().sorted { ($0.element.dts, $0.offset) < ($1.element.dts, $1.offset) }
            .map { .frame($0.element) }
        return (events, file)
    }

    private static func audio(_ track: MP4Reader.Track) throws -> AudioParameters {
        let rate = track.timescale
        switch track.entry {
        case "Opus":
            // Out of dOps, which is the other way round, an OpusHead.
            let record = track.record
            let head = Array("OpusHead".utf8) + [1, record[1], record[3], record[2], 0x80, 0xBB, 0, 0, 0, 0, 0]
            return AudioParameters(codec: .opus, sampleRate: 48_000, channels: track.channels, configuration: head)
        default:
            let tag = track.record.firstIndex(of: 5).map { $0 + 5 }
            // Version and flags, ES with its id, and what is decoded.
            guard track.record[17] == 0x40, let tag else {
                return AudioParameters(codec: .mp3, sampleRate: rate, channels: track.channels)
            }
            let length = Int(track.record[tag - 1])
            let configuration = Array(track.record[tag..<tag + length])
            return try #require(AudioParameters(audioSpecificConfig: configuration))
        }
    }

    static func raw(_ format: String, rate: Int, channels: Int, seconds: Double) throws -> [UInt8] {
        try FFmpeg.run(
            "ffmpeg",
            [
                "-f", "lavfi", "-i", "anoisesrc=amplitude=0.9:sample_rate=\(rate):seed=7", "-t", "\(seconds)",
                "-ar", "\(rate)", "-ac", "\(channels)", "-c:a", "pcm_\(format)", "-f", format, "-",
            ]
        )
    }

    /// 16-bit samples of G.711, as ffmpeg decodes it.
    static func decoded(_ bytes: [UInt8], _ format: String, rate: Int, channels: Int) throws -> [UInt8] {
        try withFile(bytes) {
            try FFmpeg.run(
                "ffmpeg",
                ["-f", format, "-ar", "\(rate)", "-ac", "\(channels)", "-i", $0, "-f", "s16le", "-"]
            )
        }
    }

    static func withFile<Result>(_ bytes: [UInt8], _ body: (String) throws -> Result) throws -> Result {
        let url = FFmpeg.temporary("mp4")
        defer { try? FileManager.default.removeItem(at: url) }
        try Data(bytes).write(to: url)
        return try body(url.path)
    }
}

/// What tools say of a file, with everything that they complain about.
enum FMP4Judge {
    static func run(_ tool: String, _ arguments: [String]) throws -> (output: [UInt8], complaints: String) {
        let errors = FFmpeg.temporary("txt")
        defer { try? FileManager.default.removeItem(at: errors) }
        try Data().write(to: errors)
        let process = Process()
        process.executableURL = URL(filePath: try #require(FFmpeg.path(tool)))
        process.arguments = ["-v", "warning", "-err_detect", "crccheck+bitstream+buffer+explode"] + arguments
        let output = Pipe()
        let handle = try FileHandle(forWritingTo: errors)
        process.standardOutput = output
        process.standardError = handle
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try handle.close()
        var complaints = String(decoding: try Data(contentsOf: errors), as: UTF8.self)
        if process.terminationStatus != 0 { complaints += "status \(process.terminationStatus)" }
        return ([UInt8](data), complaints)
    }

    /// The rows of a framemd5, of one stream, decoded or copied. A complaint is an issue.
    static func sums(_ file: [UInt8], _ stream: String, copy: Bool = false) throws -> [String] {
        try FMP4Sources.withFile(file) { path in
            // As the packets are: no frame is doubled or dropped to fit a rate, no edit list or pre-skip is heeded.
            let judged = try run(
                "ffmpeg",
                ["-ignore_editlist", "1", "-flags2", "+skip_manual", "-i", path, "-map", "0:\(stream)", "-fps_mode"]
                    + ["passthrough"] + (copy ? ["-c", "copy"] : []) + ["-f", "framemd5", "-"]
            )
            #expect(judged.complaints == "")
            return String(decoding: judged.output, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("#") }
                .map { String($0.split(separator: ",").last ?? "").trimmingCharacters(in: .whitespaces) }
        }
    }

    /// pts, dts and size of the packets of a stream.
    static func packets(_ file: [UInt8], _ stream: String) throws -> [[Int64]] {
        try FMP4Sources.withFile(file) { path in
            let judged = try run(
                "ffprobe",
                [
                    "-select_streams", stream, "-show_entries", "packet=pts,dts,size", "-of", "csv=p=0",
                    "-ignore_editlist", "1", path,
                ]
            )
            #expect(judged.complaints == "")
            return String(decoding: judged.output, as: UTF8.self).split(separator: "\n").map { line in
                line.split(separator: ",").prefix(3).compactMap { Int64($0) }
            }
        }
    }
}

/// How a stream becomes a file: a fragment each, or parts of some pictures.
enum FMP4Form: Sendable, CaseIterable {
    case frames
    case parts
    case groups

    func file(_ events: [MediaEvent], origin: Int64? = nil) throws -> (bytes: [UInt8], statistics: FMP4Statistics) {
        var video: VideoParameters?
        var audio: AudioParameters?
        for event in events {
            if case .video(let parameters) = event { video = video ?? parameters }
            if case .audio(let parameters) = event { audio = audio ?? parameters }
        }
        let description = try #require(FMP4Description(video: video, audio: audio))
        #expect(description.omitted.isEmpty)
        var bytes = ByteBuffer()
        description.writeInit(into: &bytes)
        if self == .frames {
            var muxer = FMP4FrameMuxer(description, origin: origin)
            for frame in events.frames { muxer.mux(frame, into: &bytes) }
            return (Array(bytes.readableBytesView), muxer.statistics)
        }
        var muxer = FMP4PartMuxer(description, origin: origin)
        let size = self == .parts ? 5 : 25
        var gathered = 0
        for frame in events.frames {
            let ends = video == nil ? muxer.samples >= size : frame.track == .video && gathered == size
            if ends {
                let wanted = (muxer.bytes, muxer.samples, muxer.isIndependent, muxer.duration(until: frame.dts))
                #expect(muxer.finishPart(nextVideoDTS: video == nil ? nil : frame.dts, into: &bytes))
                let part = muxer.lastPart
                #expect((part.samples, part.isIndependent, part.duration) == (wanted.1, wanted.2, wanted.3))
                #expect(part.bytes > wanted.0)
                #expect(muxer.isEmpty && muxer.bytes == 0)
                gathered = 0
            }
            muxer.append(frame)
            if frame.track == .video { gathered += 1 }
        }
        muxer.finishPart(nextVideoDTS: nil, into: &bytes)
        #expect(!muxer.finishPart(nextVideoDTS: nil, into: &bytes))
        return (Array(bytes.readableBytesView), muxer.statistics)
    }
}
