package import NIOCore
package import Streaming

/// A connection of ours to another server, which pulls a stream into the Hub or pushes one out of it. It makes one attempt:
/// trying again is its owner's business.
package protocol RelayClient: Sendable {
    /// Ends the connection, at any stage. `.ended(nil)` follows unless the end was told already.
    func stop()
}

/// What becomes of an attempt: `started` at the most once, then `ended` exactly once. Told on the connection's event loop.
package enum RelayEvent: Hashable, Sendable {
    /// The other side has accepted; media flows. `remoteAddress` is `host:port`.
    case started(remoteAddress: String)
    /// Nil: we stopped it.
    case ended(RelayFault?)
}

/// Why an attempt ended. Never holds a password or a query.
package struct RelayFault: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Kind: Hashable, Sendable {
        /// Name, network, TLS.
        case connect
        /// The time limit from the first packet to the acceptance.
        case timeout
        /// User, password or certificate.
        case unauthorized
        /// The other server said no, or redirected.
        case refused
        /// The other side closed, or sent nothing for too long.
        case lost
        /// It does not keep to the protocol.
        case protocolError
        /// Our own Hub refused: the stream has a publisher, a limit is reached.
        case hub
    }

    package var kind: Kind
    /// What was attempted, on whom, what came instead.
    package var description: String

    package init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}

/// How a relay connects.
package struct RelayOptions: Hashable, Sendable {
    /// From the first packet until the other side has accepted; nil: no limit.
    package var timeout: TimeAmount? = .seconds(10)
    /// A pull that gets no byte for so long is over.
    package var silenceTimeout: TimeAmount = .seconds(30)
    /// Whether TLS certificates are verified, against the system's authorities.
    package var verifiesCertificates = true
    /// How an RTSP relay's media is carried. UDP gives way to TCP where the other server wants that, or where nothing comes.
    package var rtspTransport = RTSPTransport.Lower.tcp

    package init() {}
}
