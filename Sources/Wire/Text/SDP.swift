/// A session description (RFC 4566), as SIP and RTSP carry it. Lines that this type does not know, such as GB28181's `y=`
/// and `f=`, are kept where they stood: after the last media section they belong to that section.
package struct SessionDescription: Hashable, Sendable {
    package var origin: Origin
    /// `s=`.
    package var name: String
    /// `i=`.
    package var information: String?
    /// `u=`: GB28181 puts `channelID:type` here for playback.
    package var uri: String?
    package var connection: Connection?
    /// `b=` lines, such as `AS:4096`.
    package var bandwidth: [String]
    /// `t=`; none when the line is missing, which is read as 0 0.
    package var times: [Time]
    package var attributes: [Attribute]
    /// Lines of other types before the first media section.
    package var others: [Line]
    package var media: [Media]

    package init(
        origin: Origin = Origin(),
        name: String = "-",
        information: String? = nil,
        uri: String? = nil,
        connection: Connection? = nil,
        bandwidth: [String] = [],
        times: [Time] = [],
        attributes: [Attribute] = [],
        others: [Line] = [],
        media: [Media] = []
    ) {
        self.origin = origin
        self.name = name
        self.information = information
        self.uri = uri
        self.connection = connection
        self.bandwidth = bandwidth
        self.times = times
        self.attributes = attributes
        self.others = others
        self.media = media
    }

    /// `o=`.
    package struct Origin: Hashable, Sendable {
        package var user: String
        package var sessionID: String
        package var version: String
        package var host: String

        package init(user: String = "-", sessionID: String = "0", version: String = "0", host: String = "127.0.0.1") {
            self.user = user
            self.sessionID = sessionID
            self.version = version
            self.host = host
        }
    }

    /// `c=`, without the TTL of multicast.
    package struct Connection: Hashable, Sendable {
        package var isIPv6: Bool
        package var host: String

        package init(host: String) {
            self.host = host
            isIPv6 = host.utf8.contains(UInt8(ascii: ":"))
        }
    }

    /// `t=`, in the numbers as written. GB28181 writes seconds since 1970, not NTP time.
    package struct Time: Hashable, Sendable {
        package var start: UInt64
        package var end: UInt64

        package init(start: UInt64, end: UInt64) {
            self.start = start
            self.end = end
        }
    }

    /// `a=name` or `a=name:value`.
    package struct Attribute: Hashable, Sendable {
        package var name: String
        package var value: String?

        package init(_ name: String, _ value: String? = nil) {
            self.name = name
            self.value = value
        }
    }

    /// A line of a type that SDP does not have, `y=0200000001` for one.
    package struct Line: Hashable, Sendable {
        package var type: Character
        package var value: String

        package init(_ type: Character, _ value: String) {
            self.type = type
            self.value = value
        }
    }
}

extension SessionDescription {
    /// `m=` and the lines below it.
    package struct Media: Hashable, Sendable {
        /// `video`, `audio`, `application`.
        package var kind: String
        package var port: UInt16
        /// `RTP/AVP`, `TCP/RTP/AVP`.
        package var transport: String
        /// RTP payload types for the RTP transports.
        package var formats: [String]
        package var information: String?
        package var connection: Connection?
        package var bandwidth: [String]
        package var attributes: [Attribute]
        package var others: [Line]

        package init(
            kind: String,
            port: UInt16,
            transport: String = "RTP/AVP",
            formats: [String],
            information: String? = nil,
            connection: Connection? = nil,
            bandwidth: [String] = [],
            attributes: [Attribute] = [],
            others: [Line] = []
        ) {
            self.kind = kind
            self.port = port
            self.transport = transport
            self.formats = formats
            self.information = information
            self.connection = connection
            self.bandwidth = bandwidth
            self.attributes = attributes
            self.others = others
        }

        /// The value of the first attribute of that name: nil when absent, empty for a bare `a=name`.
        package func attribute(_ name: String) -> String? {
            attributes.first(name)
        }

        /// `a=rtpmap` of one payload type: `PS/90000` for 96.
        package func encoding(ofPayloadType type: UInt8) -> RTPMap? {
            rtpMaps.first { $0.payloadType == type }
        }

        package var rtpMaps: [RTPMap] {
            attributes.compactMap { $0.name == "rtpmap" ? RTPMap($0.value ?? "") : nil }
        }
    }

    /// `a=rtpmap:96 PS/90000`.
    package struct RTPMap: Hashable, Sendable {
        package var payloadType: UInt8
        /// As written: compare without case.
        package var encoding: String
        package var clockRate: Int
        /// Channels of audio; 1 when not told.
        package var channels: Int

        /// Reads what stands behind `rtpmap:`. Some cameras leave the clock rate out: it is 90000 then.
        package init?(_ text: String) {
            let parts = text.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, let type = UInt8(parts[0]), type < 128 else { return nil }
            let fields = parts[1].split(separator: "/").map { $0.filter { $0 != " " } }
            guard let encoding = fields.first else { return nil }
            payloadType = type
            self.encoding = encoding
            clockRate = fields.dropFirst().first.flatMap { Int($0) } ?? 90_000
            channels = fields.dropFirst(2).first.flatMap { Int($0) } ?? 1
        }
    }

    /// The value of the first attribute of that name at session level.
    package func attribute(_ name: String) -> String? {
        attributes.first(name)
    }

    /// The first line of that type that is not SDP's own, wherever it stands: `other("y")`.
    package func other(_ type: Character) -> String? {
        if let line = others.first(where: { $0.type == type }) { return line.value }
        return media.lazy.flatMap(\.others).first { $0.type == type }?.value
    }
}

extension [SessionDescription.Attribute] {
    fileprivate func first(_ name: String) -> String? {
        first { $0.name == name }.map { $0.value ?? "" }
    }
}
