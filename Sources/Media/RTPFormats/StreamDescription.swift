package import Wire

/// One payload format of a media: `a=rtpmap` and `a=fmtp` of a payload type.
package struct RTPFormat: Hashable, Sendable {
    package var payloadType: UInt8
    /// As the SDP writes it, to be compared without case: `H264`, `MPEG4-GENERIC`, `smart`. For static payload types without
    /// `a=rtpmap` the name of RFC 3551; empty when nothing says what it is.
    package var encoding: String
    /// RTP ticks a second.
    package var clockRate: Int
    /// Audio channels as told; nil when the SDP says none.
    package var channels: Int?
    /// What stands behind the payload type in `a=fmtp`; nil without such a line.
    package var fmtp: String?

    package init(payloadType: UInt8, encoding: String, clockRate: Int, channels: Int? = nil, fmtp: String? = nil) {
        self.payloadType = payloadType
        self.encoding = encoding
        self.clockRate = clockRate
        self.channels = channels
        self.fmtp = fmtp
    }
}

/// One media of a stream as RTSP describes it: an `m=` section, without ports, addresses and controls.
package struct RTPMedia: Hashable, Sendable {
    /// `video`, `audio`, `application`, `metadata`, …
    package var kind: String
    /// `RTP/AVP`, or what a passed-through SDP said.
    package var profile: String
    /// In the order of the `m=` line; never empty.
    package var formats: [RTPFormat]
    /// `a=sendonly` in a server's description: sound from the client to the server (ONVIF's back channel).
    package var isBackChannel: Bool
    /// `b=` lines.
    package var bandwidth: [String]
    /// Further attributes that are passed on as they are; no rtpmap, fmtp, control or direction among them.
    package var attributes: [SessionDescription.Attribute]

    package init(
        kind: String,
        profile: String = "RTP/AVP",
        formats: [RTPFormat],
        isBackChannel: Bool = false,
        bandwidth: [String] = [],
        attributes: [SessionDescription.Attribute] = []
    ) {
        self.kind = kind
        self.profile = profile
        self.formats = formats
        self.isBackChannel = isBackChannel
        self.bandwidth = bandwidth
        self.attributes = attributes
    }
}

/// What an RTSP stream consists of: the medias of its SDP, in order. A media's place is its number everywhere: `trackID=1` is
/// `media[1]`, and its default interleaved channels are 2 and 3.
package struct StreamDescription: Hashable, Sendable {
    /// `s=`; a blank where the stream has no title.
    package var name: String
    package var media: [RTPMedia]

    package init(name: String = " ", media: [RTPMedia]) {
        self.name = name
        self.media = media
    }
}

/// Where a reader's first packet of a media stands, for `RTP-Info` (RFC 2326 12.33).
package struct RTPStart: Hashable, Sendable {
    package var sequenceNumber: UInt16
    package var timestamp: UInt32

    package init(sequenceNumber: UInt16, timestamp: UInt32) {
        self.sequenceNumber = sequenceNumber
        self.timestamp = timestamp
    }
}

/// RTP and RTCP packets on a TCP connection of RTSP (RFC 2326 10.12): `$`, channel, length, packet.
package enum InterleavedFrame {
    package static let marker = UInt8(ascii: "$")
    package static let headerLength = 4

    /// The channel of a media's RTP packets where nothing else was agreed; RTCP has the next.
    package static func channel(ofMedia index: Int, isRTCP: Bool = false) -> UInt8 {
        UInt8(truncatingIfNeeded: index * 2 + (isRTCP ? 1 : 0))
    }
}
