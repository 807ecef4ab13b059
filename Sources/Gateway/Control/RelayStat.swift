/// One relay, in `stat/relays` and in its group's `relays`.
package struct RelayStat: Codable, Hashable, Sendable {
    package var streamName: String
    /// The same over all attempts.
    package var sessionID: String
    /// `pull` or `push`.
    package var direction: String
    /// RTMP or FLV.
    package var `protocol`: String
    /// Who wants it: `api`, `task` (start_relay), `on_demand`, `configuration`.
    package var origin: String
    /// Without user, password and the values of its query.
    package var url: String
    /// `connecting`, `running`, `waiting` (for the next attempt, or until another publisher leaves), `idle`, `stopping`,
    /// `ended`.
    package var state: String
    /// Of the last connection.
    package var remoteAddr: String
    /// Connections that were begun.
    package var attempts: Int
    /// Why the last connection ended; empty when none has.
    package var lastError: String
    /// Milliseconds until the next attempt; 0 unless it waits for that.
    package var nextRetryMs: Int
    /// ``WallTime/lal``: when the relay was ordered.
    package var startTime: String
    package var readBytesSum: Int
    package var wroteBytesSum: Int

    package init(
        streamName: String,
        sessionID: String,
        direction: String,
        protocol: String,
        origin: String,
        url: String,
        state: String,
        remoteAddr: String = "",
        attempts: Int = 0,
        lastError: String = "",
        nextRetryMs: Int = 0,
        startTime: String,
        readBytesSum: Int = 0,
        wroteBytesSum: Int = 0
    ) {
        self.streamName = streamName
        self.sessionID = sessionID
        self.direction = direction
        self.protocol = `protocol`
        self.origin = origin
        self.url = url
        self.state = state
        self.remoteAddr = remoteAddr
        self.attempts = attempts
        self.lastError = lastError
        self.nextRetryMs = nextRetryMs
        self.startTime = startTime
        self.readBytesSum = readBytesSum
        self.wroteBytesSum = wroteBytesSum
    }

    private enum CodingKeys: String, CodingKey {
        case streamName = "stream_name"
        case sessionID = "session_id"
        case direction
        case `protocol`
        case origin
        case url
        case state
        case remoteAddr = "remote_addr"
        case attempts
        case lastError = "last_error"
        case nextRetryMs = "next_retry_ms"
        case startTime = "start_time"
        case readBytesSum = "read_bytes_sum"
        case wroteBytesSum = "wrote_bytes_sum"
    }
}

/// The `data` of `stat/relays`; an empty list is `[]`.
package struct RelayStats: Codable, Hashable, Sendable {
    package var relays: [RelayStat]

    package init(relays: [RelayStat]) {
        self.relays = relays
    }
}
