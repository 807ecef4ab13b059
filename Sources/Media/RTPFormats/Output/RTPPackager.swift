package import NIOCore
import Wire

/// Frames into RTP packets, each in an interleaved frame: the form in which they lie in a stream's log.
package struct RTPPackager: Sendable {
    package let description: StreamDescription
    /// Frames of codecs that the description has not, empty ones, and those that no packet can carry.
    package private(set) var droppedFrames = 0

    /// - Parameters:
    ///   - seed: SSRCs, first numbers and first timestamps come from it.
    ///   - continuing: what the publisher before left; its readers then see no break.
    package init(description: StreamDescription, seed: UInt64, continuing: RTPContinuity? = nil) {
        self.description = description
    }

    /// Parameter sets, which go before each key frame of H.264 and H.265. Give the first ones too.
    package mutating func take(_ parameters: VideoParameters) {}

    /// Appends all packets of the frame; the last one of an access unit has the marker.
    package mutating func package(_ frame: Frame, now: NIODeadline, into buffer: inout ByteBuffer) {}

    /// Where each media's packets begin for a reader that gets this frame first; by place in the description. Ask before `package`.
    package mutating func starts(before frame: Frame, now: NIODeadline) -> [RTPStart] { [] }

    /// The SSRC of each media, for SETUP answers; the same for all readers.
    package var sources: [UInt32] { [] }

    /// For the next publisher of the stream.
    package var continuity: RTPContinuity { RTPContinuity(canonicalName: 0) }

    /// Appends a sender report and the canonical name for each media that has sent packets, on its RTCP channel.
    package mutating func appendSenderReports(now: NIODeadline, wallClock: WallClock, into buffer: inout ByteBuffer) {}

    /// Appends a BYE for each media.
    package func appendGoodbye(into buffer: inout ByteBuffer) {}
}
