package import NIOCore
import Wire

/// What one call of `RTPForwarder.forward` appended.
package struct ForwardedUnit: Hashable, Sendable {
    package var media: Int
    /// None while packets are held back until it is known what they begin.
    package var byteCount: Int
    /// The first of the bytes begins an access unit.
    package var startsAccessUnit: Bool
    /// A reader can begin with the first of the bytes: that access unit is a random access point.
    package var isRandomAccess: Bool
    /// The last of the bytes ends an access unit, as its marker says. Without markers only the next `startsAccessUnit` tells.
    package var endsAccessUnit: Bool
    /// Media time in milliseconds since the first packet; it never falls. For figures, not for synchronisation.
    package var time: Int64
}

/// Passes on the RTP packets of a publisher, of any codec, as packets of this server: other SSRCs, numbers and timestamps moved
/// by a constant. Packets that no datagram could carry are cut up where their payload format allows it.
package struct RTPForwarder: Sendable {
    package let description: StreamDescription
    /// Packets that were no RTP, or of a media that is not there.
    package private(set) var invalid = 0
    /// Packets larger than a datagram that could not be cut up: they are passed on, for readers over TCP.
    package private(set) var oversized = 0
    /// Packets that were cut up.
    package private(set) var refragmented = 0

    /// - Parameters:
    ///   - seed: SSRCs, first numbers and first timestamps come from it.
    ///   - continuing: what the publisher before left; its readers then see no break.
    package init(description: StreamDescription, seed: UInt64, continuing: RTPContinuity? = nil) {
        self.description = description
    }

    /// Parameter sets for key frames that have none of their own: readers that were told others need them. Nil: none any more.
    package mutating func insertsParameterSets(_ parameters: VideoParameters?) {}

    /// Appends the packet, or holds it back, or appends it behind those that were held back.
    package mutating func forward(
        _ packet: RawSpan,
        media: Int,
        now: NIODeadline,
        into buffer: inout ByteBuffer
    ) -> ForwardedUnit {
        ForwardedUnit(
            media: media,
            byteCount: 0,
            startsAccessUnit: false,
            isRandomAccess: false,
            endsAccessUnit: false,
            time: 0
        )
    }

    /// Where each media's packets begin for a reader that begins at the latest random access point.
    package var randomAccessStarts: [RTPStart] { [] }

    /// Where each media's next packet begins.
    package func starts(now: NIODeadline) -> [RTPStart] { [] }

    /// The SSRC of each media, for SETUP answers; the same for all readers.
    package var sources: [UInt32] { [] }

    /// For the next publisher of the stream.
    package var continuity: RTPContinuity { RTPContinuity(canonicalName: 0) }

    /// A publisher's own sender report: `ntp` and `rtpTimestamp` as it wrote them.
    package mutating func takeSenderReport(media: Int, ntp: UInt64, rtpTimestamp: UInt32, now: NIODeadline) {}

    /// Appends a sender report and the canonical name for each media that has sent packets, on its RTCP channel.
    package mutating func appendSenderReports(now: NIODeadline, wallClock: WallClock, into buffer: inout ByteBuffer) {}

    /// Appends a BYE for each media.
    package func appendGoodbye(into buffer: inout ByteBuffer) {}
}
