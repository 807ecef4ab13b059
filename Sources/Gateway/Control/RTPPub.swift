/// `ctrl/start_rtp_pub`: open a PS/RTP port without SIP.
package struct StartRTPPubRequest: Hashable, Sendable {
    /// Empty: the session id becomes the name.
    package var streamName: String
    /// 0: the pool chooses.
    package var port: Int
    /// How long the input may stay silent; below 1000 it never times out (lal).
    package var timeoutMs: Int
    /// 0 UDP, 1 TCP (we listen).
    package var isTCPFlag: Int
    /// The sender's SSRC, where several share `gb28181.rtp_single_port`; nil: any.
    package var ssrc: UInt32?
    /// Not empty: dump the input, below the dump folder of the configuration. The text itself is lal's file name, and not used.
    package var debugDumpPacket: String

    package init(
        streamName: String,
        port: Int = 0,
        timeoutMs: Int = 60_000,
        isTCPFlag: Int = 0,
        ssrc: UInt32? = nil,
        debugDumpPacket: String = ""
    ) {
        self.streamName = streamName
        self.port = port
        self.timeoutMs = timeoutMs
        self.isTCPFlag = isTCPFlag
        self.ssrc = ssrc
        self.debugDumpPacket = debugDumpPacket
    }
}

/// The `data` of `ctrl/start_rtp_pub`.
package struct RTPPubStarted: Codable, Hashable, Sendable {
    package var streamName: String
    /// PSPUB and a number.
    package var sessionID: String
    /// The port that listens.
    package var port: Int

    package init(streamName: String, sessionID: String, port: Int) {
        self.streamName = streamName
        self.sessionID = sessionID
        self.port = port
    }

    private enum CodingKeys: String, CodingKey {
        case streamName = "stream_name"
        case sessionID = "session_id"
        case port
    }
}

/// Which RTP publication to stop: callers know one of the two.
package enum RTPPubTarget: Hashable, Sendable {
    case stream(String)
    case session(String)
}

/// The `data` of `ctrl/stop_rtp_pub`.
package struct RTPPubStopped: Codable, Hashable, Sendable {
    package var streamName: String
    package var sessionID: String

    package init(streamName: String, sessionID: String) {
        self.streamName = streamName
        self.sessionID = sessionID
    }

    private enum CodingKeys: String, CodingKey {
        case streamName = "stream_name"
        case sessionID = "session_id"
    }
}

/// `ctrl/dump_session`: the raw dump of a stream's RTP input, on or off, while it runs.
package struct DumpRequest: Hashable, Sendable {
    package var streamName: String
    /// Empty: the stream's publisher, whichever it is.
    package var sessionID: String
    package var enable: Bool

    package init(streamName: String, sessionID: String = "", enable: Bool) {
        self.streamName = streamName
        self.sessionID = sessionID
        self.enable = enable
    }
}

/// The `data` of `ctrl/dump_session`.
package struct DumpState: Codable, Hashable, Sendable {
    package var streamName: String
    package var sessionID: String
    /// The file on the server, written while on; the one just closed when switched off.
    package var file: String

    package init(streamName: String, sessionID: String, file: String) {
        self.streamName = streamName
        self.sessionID = sessionID
        self.file = file
    }

    private enum CodingKeys: String, CodingKey {
        case streamName = "stream_name"
        case sessionID = "session_id"
        case file
    }
}
