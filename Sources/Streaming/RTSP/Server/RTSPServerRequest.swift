import NIOCore
import Wire

/// How media may be carried for a connection's clients.
package struct RTSPTransportPolicy: Hashable, Sendable {
    package var udp = true
    package var tcp = true
    package var multicast = false

    package init(udp: Bool = true, tcp: Bool = true, multicast: Bool = false) {
        self.udp = udp
        self.tcp = tcp
        self.multicast = multicast
    }

    /// Of tunnels and of connections with TLS: media must not take another way than the requests.
    package static let interleavedOnly = RTSPTransportPolicy(udp: false)
}

/// Who is at the other end of a connection.
package struct RTSPPeer: Hashable, Sendable {
    /// A number of the connection that no other has.
    package var connection: UInt64
    /// The client's IP address as a text, always in the same spelling.
    package var address: String

    package init(connection: UInt64, address: String) {
        self.connection = connection
        self.address = address
    }
}

/// A request that waits for an answer, with what its connection knows about it.
package struct RTSPServerRequest: Hashable, Sendable {
    /// Which request of its connection it is.
    let token: UInt64
    package let message: RTSPRequest
    /// Nil for `*`.
    package let url: RTSPURL?
    package let peer: RTSPPeer
    package let policy: RTSPTransportPolicy
    /// The session that it concerns: the one that it names, else the one of its connection. Nil: there is none.
    package let sessionID: String?

    package var method: RTSPMethod { message.method }

    package var userAgent: String { message.headers["User-Agent"] ?? "" }

    /// Which stream DESCRIBE and ANNOUNCE are about.
    package func address() throws(StreamAddress.Fault) -> StreamAddress {
        guard let url else { throw .empty }
        return try url.address()
    }

    /// Which stream and track a SETUP is about that begins to play.
    package func track() throws(RTSPTrackURL.Fault) -> RTSPTrackURL {
        guard let url else { throw .noTrack }
        return try RTSPTrackURL(url)
    }

    /// SETUP: whether it can only be one of a publisher, whichever alternative is taken. Without a session it begins a player's.
    var isForRecord: Bool {
        guard sessionID != nil, let all = try? RTSPTransport.alternatives(message.headers) else { return false }
        return all.allSatisfy { $0.mode == .record }
    }

    /// DESCRIBE: whether the client wants to hear of medias towards us (ONVIF's back channel).
    package var wantsBackChannel: Bool { requires(RTSPFeature.backChannel) }

    private func requires(_ feature: String) -> Bool {
        RTSPFeature.required(message.headers).contains { HeaderText.isEqual($0, feature) }
    }
}

/// Option tags of `Require` (RFC 2326 12.32).
enum RTSPFeature {
    static let backChannel = "www.onvif.org/ver20/backchannel"
    private static let known = [backChannel, "play.basic", "implicit-play"]

    static func required(_ headers: RTSPHeaders) -> [String] {
        (headers.all("Require") + headers.all("Proxy-Require")).flatMap { value in
            HeaderText.split(value[...], separator: UInt8(ascii: ",")).map { String($0) }
        }
    }

    /// Those that this server does not know.
    static func unsupported(_ headers: RTSPHeaders) -> [String] {
        required(headers).filter { feature in !known.contains { HeaderText.isEqual($0, feature) } }
    }
}

/// The answer to a request; its connection adds what every answer has. Make one with the functions here, or take a session's.
package struct RTSPServerReply: Hashable, Sendable {
    /// What becomes of the session that the connection serves.
    enum Binding: Hashable, Sendable {
        case stays
        case serves(String, isInterleaved: Bool)
        case ends
    }

    package var response: RTSPResponse
    var binding = Binding.stays

    init(_ response: RTSPResponse, _ binding: Binding = .stays) {
        self.response = response
        self.binding = binding
    }

    package static func status(_ status: RTSPStatus) -> RTSPServerReply {
        RTSPServerReply(RTSPResponse(status))
    }

    /// - Parameter url: absolute.
    package static func redirect(_ status: RTSPStatus = .found, to url: String) -> RTSPServerReply {
        RTSPServerReply(RTSPResponse(status, headers: ["Location": url]))
    }

    /// The answer to DESCRIBE.
    ///
    /// - Parameter sdp: its controls are relative: `trackID=N`, by the media's place.
    package static func description(_ sdp: [UInt8], of request: RTSPServerRequest) -> RTSPServerReply {
        var base = request.url
        // A client joins the control behind it; a second slash would make another path. GStreamer joins as RFC 3986 says, by the
        // path alone: the slash belongs there and not behind the query.
        if let path = base?.path, path.utf8.last != UInt8(ascii: "/") { base?.path = path + "/" }
        let headers: RTSPHeaders = ["Content-Base": base?.text ?? "", "Content-Type": "application/sdp"]
        return RTSPServerReply(RTSPResponse(.ok, headers: headers, body: .init(bytes: sdp)))
    }
}
