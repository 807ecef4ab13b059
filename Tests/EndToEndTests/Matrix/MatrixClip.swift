import Foundation
import Programs

/// A clip of three seconds with sound that begins 200 ms after the picture: as FLV where FLV can say it, and as Matroska.
struct MatrixClip: Hashable, Sendable, CustomStringConvertible {
    enum Video: String, Hashable, Sendable {
        case h264 = "H.264"
        case h264B = "H.264 with B-frames"
        case h265 = "H.265"
        case av1 = "AV1"
        case vp9 = "VP9"
        case vp8 = "VP8"
        case jpeg = "JPEG"
    }

    enum Audio: String, Hashable, Sendable {
        case aac = "AAC"
        case g711a = "G.711A"
        case g711u = "G.711U"
        case mp3 = "MP3"
        case opus = "Opus"
    }

    var video: Video?
    var audio: Audio?

    var description: String {
        [video?.rawValue, audio?.rawValue].compactMap { $0 }.joined(separator: " + ")
            + (video == nil ? " only" : audio == nil ? " without sound" : "")
    }

    /// Only RTSP carries it.
    var isBeyondFLV: Bool { video == .vp8 || video == .jpeg }

    /// What ffmpeg calls its samples, of G.711.
    var pcm: String? {
        switch audio {
        case .g711a: "alaw"
        case .g711u: "mulaw"
        default: nil
        }
    }

    /// Beyond the FLV specification of 2010: only Enhanced RTMP can say it, and FFmpeg from 6.1 on.
    var isEnhanced: Bool {
        switch (video, audio) {
        case (.h265, _), (.av1, _), (.vp9, _), (_, .opus): true
        default: false
        }
    }

    /// The FFmpeg that writes and reads it.
    var tool: FFmpeg? { isEnhanced ? FFmpeg.recent : FFmpeg.installed }

    /// The FFmpeg whose RTP knows it.
    var toolOverRTSP: FFmpeg? { video == .av1 || video == .vp9 ? FFmpeg.recent : FFmpeg.installed }

    /// Frames are what is compared, so sound must not repeat itself.
    private var arguments: [String] {
        var inputs: [String] = []
        var codecs: [String] = []
        if let video {
            inputs += ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=3"]
            codecs += ["-pix_fmt", "yuv420p", "-g", "25"]
            switch video {
            case .h264: codecs += ["-c:v", "libx264", "-preset", "veryfast", "-threads", "1", "-bf", "0"]
            case .h264B: codecs += ["-c:v", "libx264", "-preset", "veryfast", "-threads", "1", "-bf", "2"]
            case .h265:
                codecs += ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params"]
                codecs += ["log-level=error:keyint=25:bframes=2:pools=none:frame-threads=1"]
            case .av1: codecs += ["-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime"]
            case .vp9: codecs += ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"]
            case .vp8: codecs += ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8"]
            // RFC 2435 has the standard's Huffman tables and two quantization tables.
            case .jpeg:
                codecs += ["-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-q:v", "5", "-huffman", "default"]
                codecs += ["-force_duplicated_matrix", "1"]
            }
        }
        if let audio {
            if video != nil { inputs += ["-itsoffset", "0.2"] }
            inputs += ["-f", "lavfi", "-i", "aevalsrc=0.4*sin(2*PI*t*(200+300*t))+0.1*random(0):s=44100:d=2.7"]
            switch audio {
            case .aac: codecs += ["-c:a", "aac"]
            case .g711a: codecs += ["-c:a", "pcm_alaw", "-ar", "8000", "-ac", "1"]
            case .g711u: codecs += ["-c:a", "pcm_mulaw", "-ar", "8000", "-ac", "1"]
            case .mp3: codecs += ["-c:a", "libmp3lame"]
            case .opus: codecs += ["-c:a", "libopus"]
            }
        }
        return inputs + codecs
    }

    /// What tests compare with, made once a run.
    struct Made: Sendable {
        let path: String
        let matroska: String
        let recording: Recording
    }

    func made() async throws -> Made {
        try await MatrixClips.shared.made(self)
    }

    fileprivate func make(in folder: TemporaryFolder) async throws -> Made {
        guard let tool else { throw NeverHappened(what: "an ffmpeg for \(self)") }
        let base = "\(folder.path)/\(UUID().uuidString)"
        let matroska = base + ".mkv"
        let path = isBeyondFLV ? matroska : base + ".flv"
        let output = try await tool.run(arguments + [path])
        guard output.status == 0 else { throw NeverHappened(what: "the clip \(self): \(output.errors)") }
        if !isBeyondFLV {
            let copy = try await tool.run(["-i", path, "-c", "copy", matroska])
            guard copy.status == 0 else { throw NeverHappened(what: "a copy of \(self): \(copy.errors)") }
        }
        let recording = try await tool.recording(of: path, hasVideo: video != nil, pcm: pcm)
        guard recording.pictures.count == (video == nil ? 0 : 75), audio == nil || recording.packets.audio.count > 50
        else { throw NeverHappened(what: "three seconds of \(self)") }
        return Made(path: path, matroska: matroska, recording: recording)
    }
}

private actor MatrixClips {
    static let shared = MatrixClips()

    private var clips: [MatrixClip: Task<MatrixClip.Made, any Error>] = [:]
    private var folder: TemporaryFolder?

    func made(_ clip: MatrixClip) async throws -> MatrixClip.Made {
        if let task = clips[clip] { return try await task.value }
        let folder = try folder ?? TemporaryFolder()
        self.folder = folder
        let task = Task { try await clip.make(in: folder) }
        clips[clip] = task
        return try await task.value
    }
}

extension FFmpeg {
    /// Decodes and lists an input up to its end.
    func recording(
        of input: String,
        hasVideo: Bool,
        pcm: String? = nil,
        copying: [String] = [],
        decoding: Bool = false
    ) async throws -> Recording {
        try await reading(input, hasVideo: hasVideo, pcm: pcm, copying: copying, decoding: decoding).recording()
    }

    /// Begins to read an input, a file or a stream.
    /// - Parameters:
    ///   - pcm: the format that the samples of G.711 are written as, too.
    ///   - copying: what packets go through before they are compared.
    ///   - decoding: the samples come as another codec and are made G.711 again.
    func reading(
        _ input: String,
        hasVideo: Bool,
        options: [String] = [],
        pcm: String? = nil,
        copying: [String] = [],
        decoding: Bool = false
    ) throws -> FFmpegReading {
        let folder = try TemporaryFolder()
        let pictures = "\(folder.path)/pictures"
        // The time base of the input, else pictures are timed by the frame; in the words of either version.
        let demuxer = path == FFmpeg.recent?.path ? "demux" : "-1"
        let decoded = [
            "-map", "0:v:0", "-fps_mode", "passthrough", "-enc_time_base", demuxer, "-f", "framemd5", pictures,
        ]
        let packets = ["-f", "framemd5", "\(folder.path)/packets"]
        let copied = ["-map", "0:v?", "-map", "0:a?", "-c", "copy"] + copying + packets
        let samples =
            pcm.map { format in
                ["-map", "0:a", "-c", decoding ? "pcm_\(format)" : "copy", "-f", format, "\(folder.path)/samples"]
            } ?? []
        let program = try Program(
            path,
            // Times as they are: FFmpeg would start them at 0.
            ["-v", "warning", "-nostdin", "-copyts"] + options + ["-i", input] + (hasVideo ? decoded : []) + copied
                + samples
        )
        return FFmpegReading(program: program, folder: folder)
    }
}

/// An FFmpeg that reads a stream.
struct FFmpegReading: Sendable {
    let program: Program
    let folder: TemporaryFolder

    /// What it read, after its end.
    func recording(limit: Duration = .seconds(60)) async throws -> Recording {
        _ = try await program.exit(limit: limit)
        func listing(_ name: String) -> FrameListing {
            FrameListing((try? String(contentsOfFile: "\(folder.path)/\(name)", encoding: .utf8)) ?? "")
        }
        return Recording(
            pictures: listing("pictures").video,
            packets: listing("packets"),
            samples: (try? readFile("\(folder.path)/samples")) ?? []
        )
    }

    /// Over UDP a sender report may be read before the first packet. FFmpeg takes its time for the beginning then, and finds the first
    /// pictures, which are older, before it.
    var complaintsOverUDP: [String] {
        complaints.filter { !$0.contains("Non-monoton") && !$0.contains("Invalid DTS") }
    }

    /// Complaints but those of an end without warning, which a live stream has.
    var complaints: [String] {
        let usual = [
            "Stream ends prematurely", "Input/output error", "Last message repeated", "Error during demuxing",
            "End of file",
            // RTP says no decoding times; and what is not of the stream.
            "Timestamps are unset in a packet", "RTP/VP9 support is still experimental", "Guessed Channel Layout",
        ]
        return program.errors.split(separator: "\n").map(String.init).filter { line in
            !usual.contains { line.contains($0) }
        }
    }
}
