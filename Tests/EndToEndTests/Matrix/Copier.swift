/// Another's player with its own demuxers, which puts what they find into a file and decodes nothing: what is wrong there is not
/// the fault of a decoder.
enum Copier: String, CaseIterable, Sendable {
    case gstreamer = "GStreamer"
    case vlc = "VLC"

    enum Form: Sendable {
        case transportStream
        case fragments
        /// HLS of either.
        case segmentedTransportStream
        case segmentedFragments
        case flv

        /// What GStreamer takes it apart with.
        fileprivate var demuxers: String {
            switch self {
            case .transportStream: "tsdemux"
            case .fragments: "qtdemux"
            case .segmentedTransportStream: "hlsdemux ! tsdemux"
            case .segmentedFragments: "hlsdemux ! qtdemux"
            case .flv: "flvdemux"
            }
        }

        fileprivate var isFragments: Bool {
            switch self {
            case .fragments, .segmentedFragments: true
            case .transportStream, .segmentedTransportStream, .flv: false
            }
        }
    }

    static let installed = allCases.filter { $0 == .vlc ? VLC.installed != nil : GStreamer.installed != nil }

    func start(_ clip: MatrixClip, _ url: String, _ form: Form) throws -> Copy {
        let folder = try TemporaryFolder()
        let file = "\(folder.path)/copy.mkv"
        let program: Program?
        switch self {
        case .vlc: program = try VLC.installed?.launch(url, into: file, folder)
        case .gstreamer:
            let sound = form.isFragments && clip.pcm != nil ? "flacparse" : clip.audio?.gstreamerParser
            program = try GStreamer.installed?.launch(
                "souphttpsrc location=\(url) ! \(form.demuxers) name=d"
                    + " matroskamux name=m streamable=true ! filesink location=\(file) buffer-mode=2"
                    + (clip.video.map { " d. ! \($0.gstreamerParser) ! queue ! m.video_0" } ?? "")
                    + (sound.map { " d. ! \($0) ! queue ! m.audio_0" } ?? "")
            )
        }
        guard let program else { throw NeverHappened(what: rawValue) }
        return Copy(program: program, file: file, folder: folder)
    }
}

/// A Matroska file that a player is writing. It keeps times to the millisecond, and is judged by ffmpeg.
struct Copy: Sendable {
    let program: Program
    let file: String
    let folder: TemporaryFolder

    /// What is in it when the player has ended.
    /// - Parameter decoding: the samples of G.711 came as another codec.
    func recording(_ clip: MatrixClip, by ffmpeg: FFmpeg, decoding: Bool = false) async throws -> Recording {
        _ = try await program.exit(limit: .seconds(20))
        var found = try await ffmpeg.recording(
            of: file,
            hasVideo: clip.video != nil,
            pcm: clip.pcm,
            decoding: decoding
        )
        // Matroska has no decoding times: ffmpeg makes them up.
        found.packets.video = []
        return found
    }
}
