/// `ctrl/start_relay_pull`: pull a stream from another server. It answers when the attempt begins.
package struct StartRelayPullRequest: Hashable, Sendable {
    package var url: String
    /// Empty: the last item of the URL's path.
    package var streamName: String
    /// Until the other server accepts; 0: no limit.
    package var pullTimeoutMs: Int
    /// Attempts after one that failed: -1 without end.
    package var pullRetryNum: Int
    /// -1 never, 0 with the last viewer, else so long after it.
    package var autoStopPullAfterNoOutMs: Int
    /// RTSP: 0 over TCP, 1 over UDP where the other server does that.
    package var rtspMode: Int

    package init(
        url: String,
        streamName: String = "",
        pullTimeoutMs: Int = 10_000,
        pullRetryNum: Int = 0,
        autoStopPullAfterNoOutMs: Int = -1,
        rtspMode: Int = 0
    ) {
        self.url = url
        self.streamName = streamName
        self.pullTimeoutMs = pullTimeoutMs
        self.pullRetryNum = pullRetryNum
        self.autoStopPullAfterNoOutMs = autoStopPullAfterNoOutMs
        self.rtspMode = rtspMode
    }
}

/// The `data` of `ctrl/start_relay_pull`.
package typealias RelayPullStarted = RTPPubStopped

/// The `data` of `ctrl/stop_relay_pull`.
package struct RelayPullStopped: Codable, Hashable, Sendable {
    package var sessionID: String

    package init(sessionID: String) {
        self.sessionID = sessionID
    }

    private enum CodingKeys: String, CodingKey {
        case sessionID = "session_id"
    }
}

/// `ctrl/start_relay`: pull here and push there. It answers when both run.
package struct StartRelayRequest: Hashable, Sendable {
    package var pullURL: String
    package var pushURL: String
    /// Empty: the last item of the pull URL's path.
    package var streamName: String
    /// 0 means 10000.
    package var timeoutMs: Int
    package var retryNum: Int
    /// RTSP on either side: 0 over TCP, 1 over UDP.
    package var rtspMode: Int

    package init(
        pullURL: String,
        pushURL: String,
        streamName: String = "",
        timeoutMs: Int = 10_000,
        retryNum: Int = 0,
        rtspMode: Int = 0
    ) {
        self.pullURL = pullURL
        self.pushURL = pushURL
        self.streamName = streamName
        self.timeoutMs = timeoutMs
        self.retryNum = retryNum
        self.rtspMode = rtspMode
    }
}

/// The `data` of `ctrl/start_relay` and `ctrl/stop_relay`.
package struct RelayTask: Codable, Hashable, Sendable {
    package var streamName: String
    /// Empty: the stream was there already (start_relay_from_stream).
    package var pullSessionID: String
    package var pushSessionID: String

    package init(streamName: String, pullSessionID: String, pushSessionID: String) {
        self.streamName = streamName
        self.pullSessionID = pullSessionID
        self.pushSessionID = pushSessionID
    }

    private enum CodingKeys: String, CodingKey {
        case streamName = "stream_name"
        case pullSessionID = "pull_session_id"
        case pushSessionID = "push_session_id"
    }
}

/// `ctrl/start_relay_from_stream`: push a stream that is here. It answers when the other server has accepted.
package struct StartRelayFromStreamRequest: Hashable, Sendable {
    package var streamName: String
    package var pushURL: String
    /// 0 means 10000.
    package var timeoutMs: Int
    package var retryNum: Int
    /// RTSP: 0 over TCP, 1 over UDP.
    package var rtspMode: Int

    package init(
        streamName: String,
        pushURL: String,
        timeoutMs: Int = 10_000,
        retryNum: Int = 0,
        rtspMode: Int = 0
    ) {
        self.streamName = streamName
        self.pushURL = pushURL
        self.timeoutMs = timeoutMs
        self.retryNum = retryNum
        self.rtspMode = rtspMode
    }
}

/// The `data` of `ctrl/start_relay_from_stream`.
package struct RelayPushStarted: Codable, Hashable, Sendable {
    package var streamName: String
    package var pushSessionID: String

    package init(streamName: String, pushSessionID: String) {
        self.streamName = streamName
        self.pushSessionID = pushSessionID
    }

    private enum CodingKeys: String, CodingKey {
        case streamName = "stream_name"
        case pushSessionID = "push_session_id"
    }
}
