internal import Media
internal import NIOCore

/// MPEG transport stream: whole after each packet. Of HLS one goes on over all segments, so that counters and times do.
final class TSFile: ContainerMuxer {
    private var muxer = TSMuxer()
    private var startsSegment = true

    init(_ tracks: RecordedTracks) {
        var nothing = ByteBuffer()
        for event in tracks.events { muxer.mux(event, startsSegment: false, into: &nothing) }
    }

    /// The next frame is the first of a segment: tables go before it.
    func startSegment() { startsSegment = true }

    func receive(_ event: MediaEvent, into bytes: inout ByteBuffer) {
        muxer.mux(event, startsSegment: false, into: &bytes)
    }

    func mux(_ frame: Frame, startsGOP: Bool, into bytes: inout ByteBuffer) {
        if muxer.mux(.frame(frame), startsSegment: startsSegment, into: &bytes) { startsSegment = false }
    }

    func finishFragment(nextVideoDTS: Int64?, into bytes: inout ByteBuffer) {
        muxer.flush(into: &bytes)
    }
}
