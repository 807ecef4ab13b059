/// What is known about the reception of a stream over RTSP, for the API and the log.
package struct RTSPIngestStatistics: Equatable, Sendable {
    /// One media's packets.
    package struct Media: Equatable, Sendable {
        /// RTP packets and their bytes, as they came.
        package var packets = 0
        package var bytes = 0
        package var rtcpPackets = 0
        /// What came as RTP or RTCP and is neither.
        package var invalid = 0
        package var ssrc: UInt32?
        package var ssrcChanges = 0
        /// Lost, reordered, duplicates.
        package var order = ReorderBuffer.Statistics()
        /// In seconds.
        package var jitter = 0.0
        /// Payloads that do not follow their format, or use a part of it that is not read.
        package var malformed = 0
        /// Packets of payload types that are not made frames of, in a media that is.
        package var otherPayloadTypes = 0
        package var frames = 0
        /// Jumps of the RTP clock, taken out.
        package var clockJumps = 0
        /// The codec that is made frames of; nil where packets are only passed on.
        package var codec: String?

        package init() {}
    }

    package var media: [Media] = []
    /// Pictures: damaged, withheld, …
    package var video = VideoTrack.Statistics()
    /// What is only passed on, by the names that users know: `G726`, `JPEG`.
    package var passedOn: [String] = []

    package init() {}

    package var packets: Int { media.reduce(0) { $0 &+ $1.packets } }
    package var bytes: Int { media.reduce(0) { $0 &+ $1.bytes } }
    package var lost: Int { media.reduce(0) { $0 &+ $1.order.lost } }
    package var invalid: Int { media.reduce(0) { $0 &+ $1.invalid &+ $1.malformed } }
}
