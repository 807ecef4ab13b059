package import NIOCore
package import Streaming

/// How the RTSP ports behave; what one process has of them shares a copy.
package struct RTSPServerOptions: Sendable {
    package var connection = RTSPServerConfiguration()
    package var timeouts = RTSPSessionTimeouts()
    /// Of plain connections. With TLS and in tunnels media comes with the requests.
    package var policy = RTSPTransportPolicy()
    /// How long DESCRIBE waits for a publisher that is to come, as a pull on demand is.
    package var describeTimeout = TimeAmount.seconds(10)
    /// Receiver reports to publishers over UDP.
    package var reportInterval = TimeAmount.seconds(10)
    /// Asked at DESCRIBE, ANNOUNCE and SETUP, on the event loop of the connection: be quick.
    package var authorize: @Sendable (RTSPAccess) -> RTSPAccessDecision = { _ in .allow }
    /// Told when a session is over, for the log; on its event loop.
    package var onEnd: @Sendable (RTSPSessionReport) -> Void = { _ in }
    /// Told when a connection is closed for what its client did; on its event loop.
    package var onFault: @Sendable (_ remoteAddress: String, RTSPFault) -> Void = { _, _ in }
    /// Where UDP ports come from, in pairs.
    package var ports = PortPool()
    /// Read UDP ports; RTSP relays may share them.
    package var reactors = RTPReactors()
    /// The address that UDP ports are opened on.
    package var portHost = "0.0.0.0"
    /// nil: no multicast.
    package var multicast: RTSPMulticastOptions?
    /// Sessions, tunnels and the like, of all ports.
    let shared = RTSPSessions()
    /// Reads publishers together where there are many.
    var reads = ReadTicks()

    package init() {}
}

/// What a client wants, for the authorisation.
package struct RTSPAccess: Hashable, Sendable {
    package enum Role: Hashable, Sendable {
        case publisher
        case player
    }

    package var role: Role
    package var address: StreamAddress
    /// `host:port` of the client.
    package var remoteAddress: String
    package var isWebSocket: Bool
}

package enum RTSPAccessDecision: Hashable, Sendable {
    case allow
    /// - Parameter reason: for the log of whoever decides; a client sees the status.
    case deny(RTSPStatus)
}

/// What there is to say of a session that is over.
package struct RTSPSessionReport: Sendable {
    package var remoteAddress: String
    package var role: RTSPAccess.Role
    package var stream: String
    /// `TCP`, `UDP`, `multicast`.
    package var transport: String
    /// nil: the client left of itself.
    package var fault: RTSPFault?
    /// Of a publisher.
    package var lostPackets = 0
    package var invalidPackets = 0
    package var damagedPictures = 0
    /// Names of codecs that only RTSP readers got.
    package var passedOn: [String] = []
}
