package import NIOCore

/// What peers may cost before and after they are known (GB/T 28181 practice, spec 2.2).
package struct SIPSocketLimits: Equatable, Sendable {
    /// A TCP connection on which no device registered is closed when no message came for so long.
    package var unknownIdleTimeout: TimeAmount = .seconds(30)
    /// TCP connections of one address on which no device registered; a NAT site with more cameras gets in as they register.
    package var unknownConnectionsPerHost = 64
    package var connections = 20_000
    /// Content-Length over TCP, in bytes: 512 KB is a catalog of hundreds, 8 MB one of 10,000 items.
    package var unknownBodyBytes = 512 * 1024
    package var knownBodyBytes = 8 * 1024 * 1024
    /// Messages that are not complete, all connections together.
    package var bufferedBytes = 256 * 1024 * 1024
    /// What a TCP peer may leave unread before it is given up.
    package var writeQueueBytes = 1024 * 1024
    /// SO_RCVBUF of the UDP socket: a restart makes every device register at once.
    package var receiveBufferBytes = 4 * 1024 * 1024
    /// UDP peers whose address texts are kept at hand.
    package var cachedPeers = 16_384

    package init() {}
}

/// What happened on a SIP socket since it was bound.
package struct SIPSocketStatistics: Equatable, Sendable {
    package var datagrams = 0
    /// SIP messages given to the delegate.
    package var messages = 0
    /// CRLF, NUL and `jaK\0`, dropped.
    package var keepAlives = 0
    package var unreadable = 0
    /// Messages sent, or queued on a connection.
    package var sent = 0
    /// Datagrams that the system did not take: no route, full buffer, too long.
    package var sendFailures = 0
    /// Messages for a connection that is gone, dropped.
    package var unknownFlows = 0
    package var acceptedConnections = 0
    package var openConnections = 0
    /// Refused: one of the connection limits.
    package var refusedConnections = 0
    /// Closed by us: idle and unknown, unread answers, no SIP or too long.
    package var idleConnections = 0
    package var slowConnections = 0
    package var brokenConnections = 0
    /// Times that the UDP socket had to be taken up again after an error.
    package var reopened = 0

    package init() {}
}
