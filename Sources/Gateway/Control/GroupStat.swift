/// Who answers the API: lal's `stat/lal_info`, also the body of the `on_server_start` hook.
package struct LalInfo: Codable, Hashable, Sendable {
    package var serverID: String
    package var binInfo: String
    package var lalVersion: String
    package var apiVersion: String
    package var notifyVersion: String
    package var webUIVersion: String
    /// ``WallTime/lal``.
    package var startTime: String

    /// lal's versions as of the API this product is compatible with are the defaults.
    package init(
        serverID: String,
        binInfo: String,
        lalVersion: String = "v0.37.4",
        apiVersion: String = "v0.4.9",
        notifyVersion: String = "v0.2.5",
        webUIVersion: String = "v0.0.3",
        startTime: String
    ) {
        self.serverID = serverID
        self.binInfo = binInfo
        self.lalVersion = lalVersion
        self.apiVersion = apiVersion
        self.notifyVersion = notifyVersion
        self.webUIVersion = webUIVersion
        self.startTime = startTime
    }

    private enum CodingKeys: String, CodingKey {
        case serverID = "server_id"
        case binInfo = "bin_info"
        case lalVersion = "lal_version"
        case apiVersion = "api_version"
        case notifyVersion = "notify_version"
        case webUIVersion = "WebUiVersion"
        case startTime = "start_time"
    }
}

/// One stream: lal's group object, in lal's field order.
package struct GroupStat: Codable, Hashable, Sendable {
    package var streamName: String
    package var appName: String
    /// AAC, PCMA, PCMU, OPUS or empty.
    package var audioCodec: String
    /// H264, H265 or empty.
    package var videoCodec: String
    package var videoWidth: Int
    package var videoHeight: Int
    /// The publisher; ``SessionStat/none`` when there is none.
    package var pub: SessionStat
    /// The viewers; `null` in JSON when there are none.
    @NullWhenEmpty package var subs: [SessionStat]
    /// The relay pull; ``SessionStat/none`` when there is none.
    package var pull: SessionStat
    /// Video messages per wall-clock second, newest first, at most 31 finished seconds.
    package var inFramePerSec: [FrameCount]
    /// Relays of the stream, pulls and pushes; left out when there are none. lal has no such member.
    package var relays: [RelayStat]?

    package init(
        streamName: String,
        appName: String,
        audioCodec: String = "",
        videoCodec: String = "",
        videoWidth: Int = 0,
        videoHeight: Int = 0,
        pub: SessionStat = .none,
        subs: [SessionStat] = [],
        pull: SessionStat = .none,
        inFramePerSec: [FrameCount] = [],
        relays: [RelayStat]? = nil
    ) {
        self.streamName = streamName
        self.appName = appName
        self.audioCodec = audioCodec
        self.videoCodec = videoCodec
        self.videoWidth = videoWidth
        self.videoHeight = videoHeight
        self.pub = pub
        self.subs = subs
        self.pull = pull
        self.inFramePerSec = inFramePerSec
        self.relays = relays
    }

    private enum CodingKeys: String, CodingKey {
        case streamName = "stream_name"
        case appName = "app_name"
        case audioCodec = "audio_codec"
        case videoCodec = "video_codec"
        case videoWidth = "video_width"
        case videoHeight = "video_height"
        case pub
        case subs
        case pull
        case inFramePerSec = "in_frame_per_sec"
        case relays
    }
}

/// Video messages that came in during one wall-clock second.
package struct FrameCount: Codable, Hashable, Sendable {
    package var unixSec: Int64
    package var v: Int

    package init(unixSec: Int64, v: Int) {
        self.unixSec = unixSec
        self.v = v
    }

    private enum CodingKeys: String, CodingKey {
        case unixSec = "unix_sec"
        case v
    }
}

/// The `data` of `stat/all_group`, and with a server_id in front of it the body of `on_update`.
package struct AllGroups: Codable, Hashable, Sendable {
    @NullWhenEmpty package var groups: [GroupStat]

    package init(groups: [GroupStat]) {
        self.groups = groups
    }
}
