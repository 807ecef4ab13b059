import Foundation
import Media
import NIOCore
import Programs

/// Who plays.
enum MatrixReader: String, Hashable, Sendable {
    case ffmpegRTMP = "ffmpeg over RTMP"
    case ffmpegHTTP = "ffmpeg over HTTP"
    case recentRTMP = "a recent ffmpeg over RTMP"
    case gstreamerRTMP = "GStreamer over RTMP"
    case gstreamerHTTP = "GStreamer over HTTP"
    case webSocket = "a WebSocket client"
    case ffmpegTS = "ffmpeg over HTTP-TS"
    case ffmpegFMP4 = "ffmpeg over HTTP-fMP4"
    case webSocketTS = "a WebSocket client, MPEG-TS"
    case webSocketFMP4 = "a WebSocket client, fMP4"
    case ffmpegRTSP = "ffmpeg over RTSP/TCP"
    case ffmpegRTSPUDP = "ffmpeg over RTSP/UDP"
    case gstreamerRTSP = "GStreamer over RTSP/TCP"
    case gstreamerRTSPUDP = "GStreamer over RTSP/UDP"

    var isRTSP: Bool {
        switch self {
        case .ffmpegRTSP, .ffmpegRTSPUDP, .gstreamerRTSP, .gstreamerRTSPUDP: true
        default: false
        }
    }

    static func all(for clip: MatrixClip) -> [MatrixReader] {
        var readers: [MatrixReader] = [.ffmpegRTMP, .ffmpegHTTP, .webSocket]
        guard !clip.isEnhanced else { return readers }
        if GStreamer.installed != nil { readers += [.gstreamerRTMP, .gstreamerHTTP] }
        if FFmpeg.recent != nil { readers.append(.recentRTMP) }
        return readers
    }

    /// The forms that are made of frames.
    static func ofFrames(for clip: MatrixClip) -> [MatrixReader] {
        let carriesTS = clip.video != .av1 && clip.video != .vp9 && clip.audio != .g711a && clip.audio != .g711u
        return (carriesTS ? [.ffmpegTS, .webSocketTS] : []) + [.ffmpegFMP4, .webSocketFMP4]
    }

    private var isOfFrames: Bool {
        switch self {
        case .ffmpegTS, .ffmpegFMP4, .webSocketTS, .webSocketFMP4: true
        default: false
        }
    }

    /// Where the publisher or the player speaks RTSP.
    static func withRTSP(for clip: MatrixClip) -> [MatrixReader] {
        var readers: [MatrixReader] = [.ffmpegRTSP, .ffmpegRTSPUDP]
        if GStreamer.installed != nil, clip.video != .av1 { readers += [.gstreamerRTSP, .gstreamerRTSPUDP] }
        if !clip.isBeyondFLV, clip.tool != nil { readers += [.ffmpegRTMP, .ffmpegHTTP] }
        return readers
    }

    /// One that has begun to play; `finish` after the end of the stream.
    enum Running: Sendable {
        case ffmpeg(FFmpegReading)
        case gstreamer(Program, file: String, TemporaryFolder)
        case webSocket(Task<[UInt8], any Error>)
    }

    func start(
        _ clip: MatrixClip,
        rtmp: Int,
        http: Int,
        rtsp: Int = 0,
        stream: String,
        latm: Bool = false
    ) throws -> Running {
        let overRTSP = "rtsp://127.0.0.1:\(rtsp)/live/\(stream)"
        let overRTMP = "rtmp://127.0.0.1:\(rtmp)/live/\(stream)"
        let overHTTP = "http://127.0.0.1:\(http)/live/\(stream).flv"
        let tool = self == .recentRTMP ? FFmpeg.recent : isRTSP ? clip.toolOverRTSP : clip.tool
        guard let ffmpeg = tool else {
            throw NeverHappened(what: "an ffmpeg for \(clip)")
        }
        switch self {
        case .ffmpegRTMP, .recentRTMP:
            // It says what it can take only when it is told to.
            let options = clip.isEnhanced ? ["-rtmp_enhanced_codecs", "hvc1,av01,vp09,Opus"] : []
            return .ffmpeg(try ffmpeg.reading(overRTMP, hasVideo: clip.video != nil, options: options, pcm: clip.pcm))
        case .ffmpegTS, .ffmpegFMP4:
            let url = "http://127.0.0.1:\(http)/live/\(stream).\(self == .ffmpegTS ? "ts" : "mp4")"
            let hasVideo = clip.video != nil
            let reading = try ffmpeg.reading(
                url,
                hasVideo: hasVideo,
                pcm: clip.pcm,
                copying: copying(clip),
                decoding: true
            )
            return .ffmpeg(reading)
        case .webSocketTS, .webSocketFMP4:
            let isTS = self == .webSocketTS
            return .webSocket(
                Task {
                    var socket = try await WebSocketStream.get("/live/\(stream).\(isTS ? "ts" : "mp4")", port: http)
                    guard socket.isAccepted else { throw NeverHappened(what: "101: \(socket.stream.head)") }
                    var bytes: [UInt8] = []
                    var texts = 0
                    while let frame = try await socket.next() {
                        // fMP4: the codecs come in a text message before each init segment.
                        if !isTS, frame.readableBytesView.first == UInt8(ascii: "{") {
                            texts += 1
                        } else {
                            bytes += frame.readableBytesView
                        }
                    }
                    guard isTS || texts == 1 else { throw NeverHappened(what: "one text message: \(texts)") }
                    return bytes
                }
            )
        case .ffmpegHTTP: return .ffmpeg(try ffmpeg.reading(overHTTP, hasVideo: clip.video != nil, pcm: clip.pcm))
        case .ffmpegRTSP, .ffmpegRTSPUDP:
            let options = ["-rtsp_transport", self == .ffmpegRTSP ? "tcp" : "udp"]
            let reading = try ffmpeg.reading(overRTSP, hasVideo: clip.video != nil, options: options, pcm: clip.pcm)
            return .ffmpeg(reading)
        case .gstreamerRTSP: return try Self.gstreamer(clip, rtsp: overRTSP, "tcp", latm)
        case .gstreamerRTSPUDP: return try Self.gstreamer(clip, rtsp: overRTSP, "udp", latm)
        case .gstreamerRTMP: return try Self.gstreamer(clip, "rtmp2src location=\(overRTMP)")
        case .gstreamerHTTP: return try Self.gstreamer(clip, "souphttpsrc location=\(overHTTP)")
        case .webSocket:
            return .webSocket(
                Task {
                    // A browser's player that takes AV1 and VP9 must say so: codec id 12 is what they expect of H.265.
                    let query = clip.video == .av1 || clip.video == .vp9 ? "?hevc=enhanced" : ""
                    var socket = try await WebSocketStream.get("/live/\(stream).flv\(query)", port: http)
                    guard socket.isAccepted else { throw NeverHappened(what: "101: \(socket.stream.head)") }
                    var bytes: [UInt8] = []
                    while let frame = try await socket.next() { bytes += frame.readableBytesView }
                    return bytes
                }
            )
        }
    }

    /// TS has AAC with ADTS headers, the source without.
    private func copying(_ clip: MatrixClip) -> [String] {
        let isTS = self == .ffmpegTS || self == .webSocketTS
        return isTS && clip.audio == .aac ? ["-bsf:a", "aac_adtstoasc"] : []
    }

    /// GStreamer writes Matroska: it keeps times to the millisecond, and is judged by ffmpeg.
    private static func gstreamer(_ clip: MatrixClip, _ source: String) throws -> Running {
        let folder = try TemporaryFolder()
        let file = "\(folder.path)/gst.mkv"
        let parser =
            switch clip.audio {
            case .mp3: "mpegaudioparse"
            case .g711a: "audio/x-alaw"
            case .g711u: "audio/x-mulaw"
            default: "aacparse"
            }
        let program = try GStreamer.installed?.launch(
            "\(source) ! flvdemux name=d matroskamux name=m streamable=true ! filesink location=\(file) buffer-mode=2"
                + (clip.video == nil ? "" : " d.video ! queue ! h264parse ! m.video_0")
                + (clip.audio == nil ? "" : " d.audio ! queue ! \(parser) ! m.audio_0")
        )
        guard let program else { throw NeverHappened(what: "GStreamer") }
        return .gstreamer(program, file: file, folder)
    }

    private static func gstreamer(
        _ clip: MatrixClip,
        rtsp url: String,
        _ transport: String,
        _ latm: Bool
    ) throws -> Running {
        let folder = try TemporaryFolder()
        let file = "\(folder.path)/gst.mkv"
        // Times as the packets say them: by default it evens out what it takes for a clock that is off.
        let source = "rtspsrc location=\(url) protocols=\(transport) buffer-mode=none name=s"
        let video = clip.video.map {
            " s. ! application/x-rtp,media=video ! \($0.gstreamerDepayloader) ! \($0.gstreamerParser) ! queue ! m.video_0"
        }
        let audio = clip.audio.map {
            " s. ! application/x-rtp,media=audio ! \(latm ? "rtpmp4adepay" : $0.gstreamerDepayloader) ! \($0.gstreamerParser) ! queue ! m.audio_0"
        }
        let program = try GStreamer.installed?.launch(
            "\(source) matroskamux name=m streamable=true ! filesink location=\(file) buffer-mode=2"
                + (video ?? "") + (audio ?? "")
        )
        guard let program else { throw NeverHappened(what: "GStreamer") }
        return .gstreamer(program, file: file, folder)
    }

    /// What is wrong with what it got, where RTSP is on one side at least; empty when nothing is.
    func judge(
        _ running: Running,
        _ clip: MatrixClip,
        _ source: Recording,
        _ leniency: RTSPLeniency
    ) async throws -> [String] {
        switch running {
        case .ffmpeg(let reading):
            let recording = try await reading.recording()
            let complaints = self == .ffmpegRTSPUDP ? reading.complaintsOverUDP : reading.complaints
            return complaints + recording.faults(against: source, leniency)
        case .gstreamer(let program, let file, _):
            _ = try await program.exit(limit: .seconds(20))
            guard let ffmpeg = clip.video == .av1 ? clip.tool : clip.toolOverRTSP else { return [] }
            var found = try await ffmpeg.recording(of: file, hasVideo: clip.video != nil, pcm: clip.pcm)
            found.packets.video = []
            return found.faults(against: source, leniency)
        case .webSocket: return ["not judged"]
        }
    }

    /// What is wrong with what it got; empty when nothing is.
    func judge(
        _ running: Running,
        _ clip: MatrixClip,
        _ source: Recording,
        strict: Bool
    ) async throws -> [String] {
        let hasVideo = clip.video != nil
        var faults: [String] = []
        let recording: Recording
        switch running {
        case .ffmpeg(let reading):
            recording = try await reading.recording()
            faults += reading.complaints
        case .gstreamer(let program, let file, _):
            _ = try await program.exit(limit: .seconds(20))
            guard let ffmpeg = clip.tool else { return [] }
            var found = try await ffmpeg.recording(of: file, hasVideo: hasVideo)
            // Matroska has no decoding times: ffmpeg makes them up.
            found.packets.video = []
            recording = found
        case .webSocket(let task):
            let bytes = try await limited(.seconds(20), "the end of the WebSocket stream") { try await task.value }
            let folder = try TemporaryFolder()
            if self == .webSocketTS || self == .webSocketFMP4 {
                let file = "\(folder.path)/ws.\(self == .webSocketTS ? "ts" : "mp4")"
                try bytes.write(toFile: file)
                guard let ffmpeg = clip.tool else { return [] }
                recording = try await ffmpeg.recording(
                    of: file,
                    hasVideo: hasVideo,
                    pcm: clip.pcm,
                    copying: copying(clip),
                    decoding: true
                )
                break
            }
            let file = "\(folder.path)/ws.flv"
            guard let ffmpeg = clip.tool else { return [] }
            try Self.forFFmpeg(bytes, hasVideo: hasVideo, hasAudio: clip.audio != nil, faults: &faults).write(
                toFile: file
            )
            recording = try await ffmpeg.recording(of: file, hasVideo: hasVideo)
        }
        if isOfFrames, clip.pcm != nil {
            return faults + recording.faultsOfRecodedSound(against: source, tolerance: 60)
        }
        if self == .ffmpegFMP4 || self == .webSocketFMP4 {
            let found = recording.withoutFirstSilence(before: source)
            return faults + found.faults(against: source, tolerance: tolerance(strict), strict: strict)
        }
        return faults + recording.faults(against: source, tolerance: tolerance(strict), strict: strict)
    }

    /// Of pictures with one decoding time GStreamer's parser moves one by a frame, with or without us between.
    private func tolerance(_ strict: Bool) -> Int {
        !strict && (self == .gstreamerRTMP || self == .gstreamerHTTP) ? 40 : 20
    }

    /// Checks what a browser's player looks at, and rewrites codec id 12, which ffmpeg does not know, as `hvc1`.
    private static func forFFmpeg(
        _ bytes: [UInt8],
        hasVideo: Bool,
        hasAudio: Bool,
        faults: inout [String]
    ) throws -> [UInt8] {
        let flags: UInt8 = (hasVideo ? 1 : 0) | (hasAudio ? 4 : 0)
        // A viewer that came first is told both: nobody knew.
        if bytes.count < 13 || bytes[4] & flags != flags { faults.append("FLV header \(bytes.prefix(13))") }
        var buffer = ByteBuffer(bytes: bytes)
        var reader = FLVTagReader()
        var result = ByteBuffer()
        FLVTagWriter.writeFileHeader(hasVideo: hasVideo, hasAudio: hasAudio, into: &result)
        while let message = try reader.next(from: &buffer) {
            FLVTagWriter.write(message.converted(to: .enhanced), into: &result)
        }
        return Array(result.readableBytesView)
    }
}
