import NIOCore

/// Segments of MPEG-TS.
struct HLSTransportStreamWriter: Sendable {
    private var muxer = TSMuxer()
    private var bytes = ByteBuffer()
    private var isFresh = true
    /// What the last segment came to: what the next one is given room for.
    private var usualSize = 0

    var byteCount: Int { bytes.readableBytes }

    mutating func set(_ parameters: MediaEvent) {
        muxer.mux(parameters, startsSegment: false, into: &bytes)
    }

    mutating func begin() {
        bytes = ByteBuffer()
        bytes.reserveCapacity(usualSize)
        isFresh = true
    }

    mutating func append(_ frame: Frame) {
        if muxer.mux(.frame(frame), startsSegment: isFresh, into: &bytes) { isFresh = false }
    }

    /// The whole segment, with the sound that came before the cut.
    mutating func end() -> ByteBuffer {
        muxer.flush(into: &bytes)
        usualSize = bytes.readableBytes
        defer { bytes = ByteBuffer() }
        return bytes
    }
}
