/// What a session is: the raw value is the prefix of its id, as lal has them.
package enum SessionKind: String, Hashable, Sendable, CaseIterable {
    case rtmp = "RTMPPUBSUB"
    case rtmpPush = "RTMPPUSH"
    case rtmpPull = "RTMPPULL"
    case rtspPublisher = "RTSPPUB"
    case rtspViewer = "RTSPSUB"
    case rtspPush = "RTSPPUSH"
    case rtspPull = "RTSPPULL"
    case flv = "FLVPUBSUB"
    case flvPull = "FLVPULL"
    case ts = "TSPUBSUB"
    case fmp4 = "FMP4PUBSUB"
    case ps = "PSPUB"
    case hls = "HLSSUB"
    case custom = "CUSTOMIZEPUB"

    /// The `protocol` of statistics and hooks.
    package var protocolName: String {
        switch self {
        case .rtmp, .rtmpPush, .rtmpPull: "RTMP"
        case .rtspPublisher, .rtspViewer, .rtspPush, .rtspPull: "RTSP"
        case .flv, .flvPull: "FLV"
        case .ts: "TS"
        case .fmp4: "FMP4"
        case .ps: "PS"
        case .hls: "HLS"
        case .custom: "CUSTOMIZE"
        }
    }
}

/// Who publishes or watches, as statistics and hooks tell it.
package struct SessionInfo: Hashable, Sendable {
    package enum Role: String, Hashable, Sendable {
        case publisher = "PUB"
        case viewer = "SUB"
        case pull = "PULL"
        case push = "PUSH"
    }

    /// Prefix and number, from `Hub.makeSessionID(_:)`.
    package var id: String
    package var kind: SessionKind
    package var role: Role
    /// `host:port`, empty when there is none.
    package var remoteAddress: String
    /// Milliseconds since 1970.
    package var startTime: Int64
    /// The URL that the peer asked for, with its query; empty when there is none.
    package var url: String
    /// The query of the URL, without `?`.
    package var query: String

    package init(
        id: String,
        kind: SessionKind,
        role: Role,
        remoteAddress: String = "",
        startTime: Int64,
        url: String = "",
        query: String = ""
    ) {
        self.id = id
        self.kind = kind
        self.role = role
        self.remoteAddress = remoteAddress
        self.startTime = startTime
        self.url = url
        self.query = query
    }
}

/// The bytes of a session, with its bitrates over the last 5 s.
package struct ByteMeter: Hashable, Sendable {
    package var readBytes = 0
    package var wroteBytes = 0
    package private(set) var readKilobits = 0
    package private(set) var writeKilobits = 0
    private var lastRead = 0
    private var lastWrote = 0

    package init() {}

    /// Closes an interval. Kilobits are of 1024 bits, as lal counts them.
    package mutating func measure(seconds: Int) {
        guard seconds > 0 else { return }
        readKilobits = (readBytes &- lastRead) * 8 / 1024 / seconds
        writeKilobits = (wroteBytes &- lastWrote) * 8 / 1024 / seconds
        lastRead = readBytes
        lastWrote = wroteBytes
    }
}
