package import NIOCore

/// Takes a session's RTP and RTCP packets, on the loop of its receiver.
///
/// A sink may close its own receiver, or any other of the loop, from within these calls.
package protocol RTPSink: AnyObject {
    /// One whole packet, valid for the call. RTCP comes the same way; datagrams that are neither may come too.
    func receive(_ packet: RawSpan, from source: RTPSource, now: NIODeadline)

    /// Called once after each drain that brought packets, and about every 50 ms otherwise.
    func tick(now: NIODeadline)

    /// The kernel's count of datagrams that it dropped for want of buffer space, since the socket was opened.
    func kernelDropped(_ total: UInt32)

    /// RTCP to send to the camera, asked every 5 s: some stop after 20 s without a receiver report.
    func receiverReport(now: NIODeadline) -> [UInt8]?

    /// Where the packets come from that the sink takes: reports go there, and a stranger's packets change nothing.
    var mediaSource: RTPSource? { get }
}

extension RTPSink {
    package func kernelDropped(_ total: UInt32) {}
    package func receiverReport(now: NIODeadline) -> [UInt8]? { nil }
    package var mediaSource: RTPSource? { nil }
}
