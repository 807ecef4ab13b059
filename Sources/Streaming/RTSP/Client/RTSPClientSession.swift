package import Media
package import NIOCore

package struct RTSPClientConfiguration: Hashable, Sendable {
    package enum Role: Hashable, Sendable {
        case player
        /// With the description to announce; its controls are `trackID=N`, by the media's place.
        case publisher(sdp: [UInt8], mediaCount: Int)
    }

    package var role: Role
    /// With user and password, if any.
    package var url: RTSPURL
    /// What is asked for first.
    package var transport = RTSPTransport.Lower.tcp
    /// Whether TCP is tried where UDP does not work.
    package var fallsBackToTCP = true
    /// From the first packet until the server has accepted, over all connections that it takes; nil: no limit.
    package var timeout: TimeAmount? = .seconds(10)
    /// A stream that is played and brings no packet for so long is over…
    package var silenceTimeout: TimeAmount = .seconds(30)
    /// …and is asked for over TCP where it brings none over UDP for so long at its beginning.
    package var udpTimeout: TimeAmount = .seconds(3)
    package var userAgent = "gbgate"
    package var maximumRedirects = 5

    package init(_ role: Role, _ url: RTSPURL) {
        self.role = role
        self.url = url
    }
}

/// The answer to DESCRIBE, to be answered with `setUp`.
package struct RTSPClientDescription: Hashable, Sendable {
    /// SDP.
    package var body: ByteBuffer
}

/// How one media is carried, as the server has answered.
package struct RTSPClientMedia: Hashable, Sendable {
    package enum Delivery: Hashable, Sendable {
        case interleaved(RTSPChannels)
        /// Ours, and the server's; nil where it named none: then packets of any port are the media's.
        case udp(client: RTSPPorts, server: RTSPPorts?, source: String?)
    }

    /// Its place in the description.
    package var media: Int
    package var delivery: Delivery
    package var ssrc: UInt32?
}

/// The server has accepted PLAY or RECORD.
package struct RTSPClientAcceptance: Hashable, Sendable {
    package var media: [RTSPClientMedia]
    /// `RTP-Info`, by the media's place, as far as the server told.
    package var starts: [Int: RTPStart]
}

package enum RTSPClientAction: Hashable, Sendable {
    case send(ByteBuffer)
    /// To be answered with `setUp`. Only of players.
    case described(RTSPClientDescription)
    /// A media is set up. Over UDP: send a packet to each of the server's ports now, for a NAT in between.
    case media(RTSPClientMedia)
    /// At the most once.
    case started(RTSPClientAcceptance)
    /// A packet of an interleaved media of a player, or RTCP for a publisher.
    case packet(media: Int, isRTCP: Bool, ByteBuffer)
    /// Close this connection, make one to the host and port of the URL, and call `start` when it is up. Give up the ports of UDP.
    case reconnect(RTSPURL)
    /// The connection is of no more use.
    case close(RTSPClientFault)
}

/// Our side of a connection to another RTSP server or camera: plays a stream, or publishes one.
package struct RTSPClientSession: Sendable {
    package let configuration: RTSPClientConfiguration
    /// What is asked for now: TCP after UDP has failed.
    package internal(set) var transport: RTSPTransport.Lower

    package init(_ configuration: RTSPClientConfiguration, seed: UInt64, now: NIODeadline) {
        self.configuration = configuration
        transport = configuration.transport
    }

    /// When to call `advance` next.
    package var deadline: NIODeadline? { nil }

    package mutating func advance(to now: NIODeadline) -> [RTSPClientAction] { [] }

    /// A connection is up: the first one, or one after `reconnect`.
    package mutating func start(now: NIODeadline) -> [RTSPClientAction] { [] }

    /// Takes bytes of the server.
    package mutating func receive(_ input: ByteBuffer, now: NIODeadline) -> [RTSPClientAction] { [] }

    /// Answers `described`; for a publisher over UDP, answers `start` (see there).
    ///
    /// - Parameters:
    ///   - media: the places of the medias that are wanted, in order.
    ///   - controls: `a=control` of every media of the description.
    ///   - sessionControl: that of the session.
    ///   - ports: over UDP, ours for each wanted media.
    package mutating func setUp(
        media: [Int],
        controls: [String?],
        sessionControl: String?,
        ports: [RTSPPorts] = [],
        now: NIODeadline
    ) -> [RTSPClientAction] { [] }

    /// A packet came over UDP.
    package mutating func received(now: NIODeadline) {}

    /// What to send before the connection is closed of our own accord: TEARDOWN; nil where nothing is set up.
    package mutating func goodbye() -> ByteBuffer? { nil }
}
