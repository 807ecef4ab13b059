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
    /// Where the server names no timeout of its session.
    package var keepaliveInterval: TimeAmount = .seconds(30)
    package var userAgent = "gbgate"
    package var maximumRedirects = 5

    package init(_ role: Role, _ url: RTSPURL) {
        self.role = role
        self.url = url
    }

    var isPlayer: Bool { role == .player }
}

/// How one media is carried, as the server has answered.
package struct RTSPClientMedia: Hashable, Sendable {
    package enum Delivery: Hashable, Sendable {
        case interleaved(RTSPChannels)
        /// Our ports, and the server's; nil where it named none: then packets of any port are the media's. `source` is where they
        /// come from if not from the server's address; it may be a name.
        case udp(client: RTSPPorts, server: RTSPPorts?, source: String?)
    }

    /// Its place in the description.
    package var media: Int
    package var delivery: Delivery
    package var ssrc: UInt32?

    package init(media: Int, delivery: Delivery, ssrc: UInt32? = nil) {
        self.media = media
        self.delivery = delivery
        self.ssrc = ssrc
    }
}

/// The server has accepted PLAY or RECORD.
package struct RTSPClientAcceptance: Hashable, Sendable {
    package var media: [RTSPClientMedia]
    /// `RTP-Info`, by the media's place, as far as the server told.
    package var starts: [Int: RTPStart]
}

package enum RTSPClientAction: Hashable, Sendable {
    case send(ByteBuffer)
    /// The SDP of the stream that is played; to be answered with `setUp(media:…)`.
    case described(ByteBuffer)
    /// The server has taken the description of the stream that is published; to be answered with `setUp(ports:)`.
    case announced
    /// A media is set up. Over UDP: send a packet to each of the server's ports now, for a NAT in between.
    case media(RTSPClientMedia)
    /// At the most once on a connection, and for a player over UDP that falls back to TCP once again.
    case started(RTSPClientAcceptance)
    /// A packet of an interleaved media: of a player's, from PLAY on, which may be before `started`; RTCP for a publisher.
    case packet(media: Int, isRTCP: Bool, ByteBuffer)
    /// Close this connection, make one to the host and port of the URL, and call `start` when it is up. Ports of UDP are of no
    /// more use.
    case reconnect(RTSPURL)
    /// The connection is of no more use.
    case close(RTSPClientFault)
}
