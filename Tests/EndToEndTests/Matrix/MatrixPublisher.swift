import Foundation
import Media
import NIOCore

/// Who publishes a clip, over RTMP or RTSP.
enum MatrixPublisher: String, Hashable, Sendable {
    case ffmpeg = "ffmpeg"
    case gstreamer = "GStreamer"
    /// GStreamer's other sink, on librtmp as OBS and many encoders are.
    case librtmp = "librtmp"
    /// The test itself, with H.265 as codec id 12: what the patched encoders of Chinese vendors send.
    case legacy = "codec id 12"
    case ffmpegRTSP = "ffmpeg over RTSP/TCP"
    case ffmpegRTSPUDP = "ffmpeg over RTSP/UDP"
    case gstreamerRTSP = "GStreamer over RTSP/TCP"

    var isRTSP: Bool {
        switch self {
        case .ffmpegRTSP, .ffmpegRTSPUDP, .gstreamerRTSP: true
        case .ffmpeg, .gstreamer, .librtmp, .legacy: false
        }
    }

    /// Publishes the whole clip, in its own time, and returns when it has left.
    func publish(_ clip: MatrixClip, _ made: MatrixClip.Made, to url: String, port: Int, stream: String) async throws {
        switch self {
        case .ffmpeg:
            guard let tool = clip.tool else { return }
            let output = try await tool.run(["-re", "-i", made.path, "-c", "copy", "-f", "flv", url])
            guard output.status == 0 else { throw NeverHappened(what: "the publication by ffmpeg: \(output.errors)") }
        case .ffmpegRTSP, .ffmpegRTSPUDP:
            guard let tool = clip.toolOverRTSP else { return }
            // Its payloader of AAC waits 0.7 s for frames to put in a packet, and keeps what it has at the end.
            let options = ["-muxdelay", "0", "-rtsp_transport", self == .ffmpegRTSP ? "tcp" : "udp"]
            let copy = ["-c", "copy", "-strict", "experimental", "-f", "rtsp"]
            let output = try await tool.run(["-re", "-i", made.matroska] + copy + options + [url])
            guard output.status == 0 else { throw NeverHappened(what: "the publication by ffmpeg: \(output.errors)") }
        case .gstreamer, .librtmp, .gstreamerRTSP:
            let pipeline =
                self == .gstreamerRTSP ? pipelineOverRTSP(clip, made, to: url) : pipeline(clip, made, to: url)
            let program = try GStreamer.installed?.launch(pipeline)
            let status = try await program?.exit(limit: .seconds(40))
            guard status == 0 else {
                throw NeverHappened(what: "the publication by GStreamer: \(program?.errors ?? "")")
            }
        case .legacy:
            try await RTMPPeer.with(port: port) { peer in
                let code = try await peer.ask("publish", stream, until: "NetStream.Publish.Start")
                guard code == "NetStream.Publish.Start" else { throw NeverHappened(what: "publish: \(code ?? "")") }
                try await peer.stream(Self.messages(of: made.path).map { $0.converted(to: .legacy) })
            }
        }
    }

    private func pipeline(_ clip: MatrixClip, _ made: MatrixClip.Made, to url: String) -> String {
        // A pad by name: the muxer would take sound for its picture.
        let video = "d.video ! queue ! h264parse ! m.video"
        let parser =
            switch clip.audio {
            case .mp3: "mpegaudioparse"
            case .g711a: "audio/x-alaw"
            case .g711u: "audio/x-mulaw"
            default: "aacparse"
            }
        let audio = "d.audio ! queue ! \(parser) ! m.audio"
        let sink = self == .librtmp ? "rtmpsink" : "rtmp2sink"
        // The sink keeps the time: a muxer that is fed in real time moves what comes late, on a busy machine.
        return
            "filesrc location=\(made.path) ! flvdemux name=d flvmux name=m streamable=true ! \(sink) sync=true location=\(url)"
            + (clip.video == nil ? "" : " " + video) + (clip.audio == nil ? "" : " " + audio)
    }

    private func pipelineOverRTSP(_ clip: MatrixClip, _ made: MatrixClip.Made, to url: String) -> String {
        "filesrc location=\(made.matroska) ! matroskademux name=d rtspclientsink name=s location=\(url) protocols=tcp"
            + (clip.video.map { " d.video_0 ! queue ! \($0.gstreamerParser) ! s." } ?? "")
            + (clip.audio.map { " d.audio_0 ! queue ! \($0.gstreamerParser) ! s." } ?? "")
    }

    static func messages(of path: String) throws -> [FLVMessage] {
        var bytes = ByteBuffer(bytes: try readFile(path))
        var reader = FLVTagReader()
        var messages: [FLVMessage] = []
        while let message = try reader.next(from: &bytes) { messages.append(message) }
        return messages
    }
}
