/// `ctrl/gb28181_invite`: ask a channel for its live picture.
package struct GB28181InviteRequest: Hashable, Sendable {
    /// How the media comes: `is_tcp_flag`.
    package enum MediaTransport: Int, Hashable, Sendable {
        case udp = 0
        /// The camera connects to us.
        case tcpPassive = 1
        /// We connect to the camera.
        case tcpActive = 2
    }

    /// 20 digits.
    package var deviceID: String
    /// 20 digits; a camera without channels is its own channel.
    package var channelID: String
    /// 0: the main stream, 1: the first sub stream.
    package var streamNumber: Int
    /// Never empty: `device_id_channel_id` when the caller gave none, with `_1` behind it for sub stream 1.
    package var streamName: String
    /// 0: the pool chooses. A port that is taken is an error.
    package var port: Int
    /// Nil: as the device is provisioned, else UDP.
    package var transport: MediaTransport?
    /// Ends the session after so long without a viewer or a recording; -1: never.
    package var autoByeAfterNoOutMs: Int

    package init(
        deviceID: String,
        channelID: String,
        streamNumber: Int = 0,
        streamName: String = "",
        port: Int = 0,
        transport: MediaTransport? = nil,
        autoByeAfterNoOutMs: Int = -1
    ) {
        self.deviceID = deviceID
        self.channelID = channelID
        self.streamNumber = streamNumber
        let suffix = streamNumber == 0 ? "" : "_\(streamNumber)"
        self.streamName = streamName.isEmpty ? "\(deviceID)_\(channelID)\(suffix)" : streamName
        self.port = port
        self.transport = transport
        self.autoByeAfterNoOutMs = autoByeAfterNoOutMs
    }
}

/// The `data` of `ctrl/gb28181_invite`.
package typealias GB28181InviteStarted = RTPPubStarted

/// `ctrl/gb28181_bye`: take one invitation of a channel back.
package struct GB28181ByeRequest: Hashable, Sendable {
    package var deviceID: String
    package var channelID: String
    /// Nil: the one that feeds `streamName`, else the main stream.
    package var streamNumber: Int?
    /// Nil: whatever name that stream has.
    package var streamName: String?

    package init(deviceID: String, channelID: String, streamNumber: Int? = nil, streamName: String? = nil) {
        self.deviceID = deviceID
        self.channelID = channelID
        self.streamNumber = streamNumber
        self.streamName = streamName
    }
}

/// The `data` of `ctrl/gb28181_bye`.
package typealias GB28181ByeDone = RTPPubStopped
