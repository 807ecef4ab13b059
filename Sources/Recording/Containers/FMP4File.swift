internal import Media
internal import NIOCore

/// Fragmented MP4: a fragment is a GOP, or a second of it, so that a file that is cut short plays up to the last one.
final class FMP4File: ContainerMuxer {
    private let description: FMP4Description
    private var parts: FMP4PartMuxer

    /// Nil when MP4 carries nothing of the stream.
    init?(_ tracks: RecordedTracks, into bytes: inout ByteBuffer) {
        guard let description = FMP4Description(video: tracks.video, audio: tracks.audio) else { return nil }
        self.description = description
        parts = FMP4PartMuxer(description, origin: 0)
        description.writeInit(into: &bytes)
    }

    /// The init segment stands at the beginning and holds for all of the file.
    func canContinue(with tracks: RecordedTracks) -> Bool {
        FMP4Description(video: tracks.video, audio: tracks.audio) == description
    }

    func receive(_ event: MediaEvent, into bytes: inout ByteBuffer) {}

    func mux(_ frame: Frame, startsGOP: Bool, into bytes: inout ByteBuffer) {
        parts.append(frame)
    }

    func finishFragment(nextVideoDTS: Int64?, into bytes: inout ByteBuffer) {
        guard !parts.isEmpty else { return }
        parts.finishPart(nextVideoDTS: nextVideoDTS, into: &bytes)
    }

    var heldBytes: Int { parts.bytes }
    var heldDuration: Int64 { parts.duration }
}
