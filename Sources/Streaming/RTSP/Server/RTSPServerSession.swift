import Media
package import NIOCore

package struct RTSPSessionTimeouts: Hashable, Sendable {
    /// Of a player over UDP that sends neither requests nor RTCP, and of whoever stops halfway.
    package var control: TimeAmount = .seconds(60)
    /// Clients are told less: Windows Media Foundation pings exactly when it is over.
    package var margin: TimeAmount = .seconds(5)
    /// Of a publisher that sends nothing.
    package var media: TimeAmount = .seconds(10)

    package init() {}
}

/// How one media of a session is carried, as agreed.
package struct RTSPMediaSetup: Hashable, Sendable {
    package enum Delivery: Hashable, Sendable {
        /// To these ports of the client, or from them.
        case udp(client: RTSPPorts)
        case interleaved(RTSPChannels)
        case multicast
    }

    /// The place of the media in the description.
    package let media: Int
    package let delivery: Delivery
    /// For `RTP-Info`.
    let url: String
}

/// A SETUP that can be granted: take what it needs, then call `setUp`.
package struct RTSPSetup: Hashable, Sendable {
    package let request: RTSPServerRequest
    package let setup: RTSPMediaSetup
    package let isForRecord: Bool

    package var media: Int { setup.media }
    package var delivery: RTSPMediaSetup.Delivery { setup.delivery }
}

/// What the server gives to a SETUP.
package struct RTSPGrant: Hashable, Sendable {
    package struct Multicast: Hashable, Sendable {
        package var destination: String
        package var port: RTSPPorts
        package var ttl: UInt8

        package init(destination: String, port: RTSPPorts, ttl: UInt8) {
            self.destination = destination
            self.port = port
            self.ttl = ttl
        }
    }

    /// Of UDP.
    package var serverPorts: RTSPPorts?
    package var multicast: Multicast?
    /// Of the packets that the server sends; nil where the media has several formats.
    package var ssrc: UInt32?

    package init(serverPorts: RTSPPorts? = nil, multicast: Multicast? = nil, ssrc: UInt32? = nil) {
        self.serverPorts = serverPorts
        self.multicast = multicast
        self.ssrc = ssrc
    }
}

/// What a request asks of the session's owner. Whatever holds a reply is done when the connection has been given it.
package enum RTSPSessionStep: Hashable, Sendable {
    case reply(RTSPServerReply)
    /// To be answered with `setUp`, or with a status.
    case setUp(RTSPSetup)
    /// Find where the stream stands, answer with `play`, and send media behind the answer.
    case play
    /// Send nothing any more, then answer.
    case pause(RTSPServerReply)
    /// Answer, and take media from here on; over UDP send a packet to each port first, for the publisher's NAT.
    case record(RTSPServerReply)
    /// Answer; the session is over.
    case teardown(RTSPServerReply)
}

/// A session of a player or publisher (RFC 2326 section 3.4 and appendix A): which medias it has, how they are carried, in what
/// state it is, and when it has died.
package struct RTSPServerSession: Sendable {
    package enum State: Hashable, Sendable {
        /// Nothing is set up.
        case initial
        case prePlay
        case playing
        case preRecord
        case recording
    }

    package struct Statistics: Hashable, Sendable {
        /// Interleaved frames of channels that were not set up.
        package var unknownChannels: UInt64 = 0
        /// Interleaved frames before PLAY or RECORD, or behind PAUSE.
        package var framesOutOfPlace: UInt64 = 0
    }

    static let maximumMedia = 16

    package let id: String
    package let address: StreamAddress
    package internal(set) var state: State
    /// In the order of their SETUPs.
    package internal(set) var setups: [RTSPMediaSetup] = []
    package internal(set) var statistics = Statistics()
    /// The connection that an interleaved session lives and dies with; before the first SETUP the one that began it.
    package internal(set) var connection: UInt64

    package let peerAddress: String
    let timeouts: RTSPSessionTimeouts
    /// Of a player.
    let mediaCount: Int
    /// Of a publisher.
    let announced: RTSPAnnouncedMedia?
    private var lastRequest: NIODeadline
    private var lastPacket: NIODeadline

    /// A session that plays; its first SETUP is still to be given to it. Where that is refused, forget the session.
    ///
    /// - Parameters:
    ///   - request: the SETUP.
    ///   - id: unguessable: `RTSPServerSession.id`.
    ///   - address: of the stream.
    ///   - mediaCount: how many medias its description has.
    package init(
        playing request: RTSPServerRequest,
        id: String,
        address: StreamAddress,
        mediaCount: Int,
        timeouts: RTSPSessionTimeouts = .init(),
        now: NIODeadline
    ) {
        self.id = id
        self.address = address
        self.mediaCount = mediaCount
        self.timeouts = timeouts
        announced = nil
        state = .initial
        peerAddress = request.peer.address
        connection = request.peer.connection
        lastRequest = now
        lastPacket = now
    }

    /// A session that records; `announced()` is the answer to its ANNOUNCE.
    ///
    /// - Parameter controls: `a=control` of each media; nil where it has none.
    /// - Returns: nil for no medias or too many: answer with 400.
    package init?(
        announcing request: RTSPServerRequest,
        id: String,
        address: StreamAddress,
        controls: [String?],
        timeouts: RTSPSessionTimeouts = .init(),
        now: NIODeadline
    ) {
        guard let url = request.url, (1...Self.maximumMedia).contains(controls.count) else { return nil }
        self.id = id
        self.address = address
        self.timeouts = timeouts
        mediaCount = controls.count
        announced = RTSPAnnouncedMedia(base: url, controls: controls)
        state = .preRecord
        peerAddress = request.peer.address
        connection = request.peer.connection
        lastRequest = now
        lastPacket = now
    }

    /// 32 hexadecimal digits: some clients trip over other characters.
    package static func id(_ random: (UInt64, UInt64)) -> String {
        [random.0, random.1].map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 16 &- digits.utf8.count) + digits
        }.joined()
    }

    package var isInterleaved: Bool {
        if case .interleaved? = setups.first?.delivery { return true }
        return false
    }

    package var isRecord: Bool { announced != nil }

    /// When to call `advance` next.
    package var deadline: NIODeadline? {
        switch state {
        case .initial, .prePlay, .preRecord:
            max(lastRequest, isInterleaved ? lastRequest : lastPacket) + timeouts.control
        // That it reads shows in the writes.
        case .playing: isInterleaved ? nil : max(lastRequest, lastPacket) + timeouts.control
        case .recording: lastPacket + timeouts.media
        }
    }

    /// - Returns: why the session is over, if it is.
    package func advance(to now: NIODeadline) -> RTSPFault? {
        guard let deadline, now >= deadline else { return nil }
        return .timeout(state == .recording ? .media : .control)
    }

    /// Something of the client came, be it RTP or RTCP, over UDP or interleaved; for a publisher over TCP: any bytes.
    package mutating func received(now: NIODeadline) {
        lastPacket = now
    }

    /// - Returns: whether the session is over with this connection.
    package func endsWith(connection: UInt64) -> Bool {
        connection == self.connection && (setups.isEmpty || isInterleaved)
    }

    /// Which media an interleaved frame belongs to; nil, counted, where nothing is done with it.
    package mutating func route(channel: UInt8, now: NIODeadline) -> (media: Int, isRTCP: Bool)? {
        guard state == .playing || state == .recording else {
            statistics.framesOutOfPlace &+= 1
            return nil
        }
        lastPacket = now
        for setup in setups {
            guard case .interleaved(let channels) = setup.delivery else { continue }
            if channels.rtp == channel { return (setup.media, false) }
            if channels.rtcp == channel { return (setup.media, true) }
        }
        statistics.unknownChannels &+= 1
        return nil
    }

    mutating func asked(now: NIODeadline) {
        lastRequest = now
    }

    mutating func beginsRecording(now: NIODeadline) {
        lastPacket = now
        state = .recording
    }
}
