import NIOCore

/// When to tell the peer how many bytes have come (RTMP 1.0 section 5.4.3). Acknowledgements of the peer are not waited for.
struct RTMPAcknowledgement: Sendable {
    /// 2.5 MB is what lal tells unasked.
    private var window: UInt64 = 2_500_000
    private var told: UInt64 = 0

    /// The peer's Window Acknowledgement Size. Half of it, so that the peer never has to wait; not below 64 KB, so that nobody
    /// makes us chatter.
    mutating func setWindow(_ body: ByteBuffer) {
        guard let size = body.getInteger(at: body.readerIndex, as: UInt32.self) else { return }
        window = max(UInt64(size) / 2, 65_536)
    }

    /// The message that is due, if any.
    /// - Parameter received: all bytes of the connection, the handshake too.
    mutating func due(_ received: UInt64) -> ByteBuffer? {
        guard received &- told >= window else { return nil }
        told = received
        var buffer = ByteBuffer()
        // Sequence numbers wrap at 2^32.
        RTMPControl.write(.acknowledgement, UInt32(truncatingIfNeeded: received), into: &buffer)
        return buffer
    }
}
