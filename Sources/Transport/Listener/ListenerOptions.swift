package import NIOCore

/// What all listening TCP ports of the gateway have in common.
package struct ListenerOptions: Sendable {
    /// Shared by listeners that are to count together.
    package var limits = ConnectionLimits()
    /// A TLS handshake that takes longer ends the connection.
    package var handshakeTimeout = TimeAmount.seconds(10)
    /// Connections that the kernel holds until they are accepted.
    package var backlog = 1024
    /// The system refuses to accept for now, mostly for want of file descriptors; connections wait meanwhile. Told at the most
    /// once in 10 s, with what the system said.
    package var onAcceptError: @Sendable (String) -> Void = { _ in }

    package init() {}
}
