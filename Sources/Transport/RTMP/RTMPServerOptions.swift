package import Media
package import Streaming

/// How the RTMP port behaves.
package struct RTMPServerOptions: Sendable {
    package var session = RTMPServerConfiguration()
    /// Asked when a client connects, before it names a stream; nil: everybody may. On the event loop of the connection: be quick.
    package var admit: (@Sendable (RTMPConnectRequest) -> RTMPAdmission)?
    /// Asked before a stream is published or played, on the event loop of the connection: be quick.
    package var authorize: @Sendable (RTMPAccess) -> RTMPAccessDecision = { _ in .allow }
    /// Told when a connection is over, for the log; on its event loop.
    package var onClose: @Sendable (RTMPConnectionReport) -> Void = { _ in }
    /// Reads publishers together where there are many; shared by all copies.
    var reads = ReadTicks()

    package init() {}
}

/// A client that has sent `connect`.
package struct RTMPConnectRequest: Hashable, Sendable {
    /// Without slashes at the ends and without a query.
    package var app: String
    /// What followed `?` in the app.
    package var query: String
    package var tcURL: String
    package var flashVersion: String
    /// `host:port` of the client.
    package var remoteAddress: String
}

package enum RTMPAdmission: Hashable, Sendable {
    case allow
    /// The client is told NetConnection.Connect.Rejected with the reason, then closed.
    case reject(reason: String)
}

/// What a client wants, for the authorisation.
package struct RTMPAccess: Hashable, Sendable {
    package var role: RTMPServerSession.Role
    package var request: RTMPRequest
    /// `host:port` of the client.
    package var remoteAddress: String
}

package enum RTMPAccessDecision: Hashable, Sendable {
    case allow
    /// The client is told the reason.
    case deny(RTMPRefusal, reason: String)
}

/// What there is to say of a connection that is over.
package struct RTMPConnectionReport: Hashable, Sendable {
    package var remoteAddress: String
    /// The role and stream that were accepted last.
    package var role: RTMPServerSession.Role?
    package var stream: String?
    /// Nil when the client left of itself.
    package var fault: RTMPFault?
    package var session: RTMPServerSession.Statistics
    /// Of a publisher: what was dropped of its media.
    package var media: FLVUnpackager.Statistics
    /// Names of the codecs that were left out of it.
    package var unsupportedCodecs: [String] = []
}
