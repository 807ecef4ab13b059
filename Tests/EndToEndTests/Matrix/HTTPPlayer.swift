import Foundation
import Programs

/// Another's player with its own demuxers, which puts what they find into a file and decodes nothing.
enum HTTPPlayer: String, Sendable {
    case gstreamer = "GStreamer"
    case vlc = "VLC"

    /// What it is judged by. Of HLS in fMP4 whose sound begins after its pictures VLC decodes all, and puts none into a file.
    var forms: [HTTPPlayerTests.Form] {
        switch self {
        case .gstreamer: HTTPPlayerTests.Form.allCases
        case .vlc: [.transportStream, .fragments, .segmentedTransportStream]
        }
    }

    func play(_ form: HTTPPlayerTests.Form, _ clip: MatrixClip, port: Int) throws -> PlayedCopy {
        let folder = try TemporaryFolder()
        let file = "\(folder.path)/copy.mkv"
        let url = "http://127.0.0.1:\(port)\(form.rawValue)"
        let program =
            switch self {
            case .gstreamer: try GStreamer.installed?.launch(Self.pipeline(form, clip, url, file))
            case .vlc: try VLC.installed?.launch(url, into: file, folder)
            }
        guard let program else { throw NeverHappened(what: rawValue) }
        return PlayedCopy(program: program, file: file, folder: folder)
    }

    private static func pipeline(
        _ form: HTTPPlayerTests.Form,
        _ clip: MatrixClip,
        _ url: String,
        _ file: String
    ) -> String {
        let demuxers = (form.isSegmented ? "hlsdemux ! " : "") + (form.isFragments ? "qtdemux" : "tsdemux")
        let sound: String? =
            if clip.pcm != nil { form.isFragments ? "flacparse" : nil } else { clip.audio?.gstreamerParser }
        return "souphttpsrc location=\(url) ! \(demuxers) name=d"
            + " matroskamux name=m streamable=true ! filesink location=\(file) buffer-mode=2"
            + (clip.video.map { " d. ! \($0.gstreamerParser) ! queue ! m.video_0" } ?? "")
            + (sound.map { " d. ! \($0) ! queue ! m.audio_0" } ?? "")
    }
}

/// A Matroska file that a player is writing. It keeps times to the millisecond, and is judged by ffmpeg.
struct PlayedCopy: Sendable {
    let program: Program
    let file: String
    let folder: TemporaryFolder

    /// - Parameter recoded: the samples of G.711 came as another codec.
    func recording(_ clip: MatrixClip, by ffmpeg: FFmpeg, recoded: Bool) async throws -> Recording {
        _ = try await program.exit(limit: .seconds(20))
        return try await ffmpeg.recording(
            of: file,
            hasVideo: clip.video != nil,
            pcm: recoded ? clip.pcm : nil,
            decoding: recoded
        )
    }
}
