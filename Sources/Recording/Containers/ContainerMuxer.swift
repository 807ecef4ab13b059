internal import Media
internal import NIOCore

/// What is known of a stream when a file begins.
struct RecordedTracks {
    var video: VideoParameters?
    var audio: AudioParameters?
    var metadata: StreamMetadata?

    /// `H264,AAC`: what the index holds.
    var names: String { [video?.codec.rawValue, audio?.codec.rawValue].compactMap { $0 }.joined(separator: ",") }
}

/// Writes one file. Bound to the loop of its recorder; made anew for each file, of HLS for each run of segments.
protocol ContainerMuxer: AnyObject {
    /// Whether the file can go on with these.
    func canContinue(with tracks: RecordedTracks) -> Bool
    /// Parameters and metadata that changed in mid-file.
    func receive(_ event: MediaEvent, into bytes: inout ByteBuffer)
    /// - Parameter frame: its times are those of the file.
    func mux(_ frame: Frame, startsGOP: Bool, into bytes: inout ByteBuffer)
    /// Ends what is incomplete, so that the bytes end with a whole fragment.
    /// - Parameter nextVideoDTS: of the picture that comes next, when it is known.
    func finishFragment(nextVideoDTS: Int64?, into bytes: inout ByteBuffer)
    /// Bytes of frames that are not in the output yet.
    var heldBytes: Int { get }
    /// From the first frame that is held, in 1/90000 s.
    var heldDuration: Int64 { get }
}

extension ContainerMuxer {
    func canContinue(with tracks: RecordedTracks) -> Bool { true }
    func finishFragment(nextVideoDTS: Int64?, into bytes: inout ByteBuffer) {}
    var heldBytes: Int { 0 }
    var heldDuration: Int64 { 0 }
}
