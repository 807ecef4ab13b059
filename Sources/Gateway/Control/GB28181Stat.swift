/// A registered device: the fork's fields first and in its order, ours after them.
package struct GB28181DeviceStat: Codable, Hashable, Sendable {
    package var deviceID: String
    package var deviceName: String
    /// `online` or `offline`.
    package var status: String
    /// ``WallTime/seconds``; empty when it never registered.
    package var registerTime: String
    /// ``WallTime/seconds``; empty before the first keepalive.
    package var keepaliveTime: String
    package var channels: [GB28181ChannelStat]
    package var manufacturer: String
    package var model: String
    package var firmware: String
    /// `udp` or `tcp`: how its SIP comes.
    package var transport: String
    /// `ip:port` of its SIP flow.
    package var remoteAddr: String
    package var userAgent: String
    /// False while parts of the catalog are missing: then `channels` is what came so far.
    package var catalogComplete: Bool
    /// How the last catalog query went, or goes.
    package var catalog: GB28181CatalogStat

    package init(
        deviceID: String,
        deviceName: String,
        status: String,
        registerTime: String = "",
        keepaliveTime: String = "",
        channels: [GB28181ChannelStat] = [],
        manufacturer: String = "",
        model: String = "",
        firmware: String = "",
        transport: String = "",
        remoteAddr: String = "",
        userAgent: String = "",
        catalogComplete: Bool = true,
        catalog: GB28181CatalogStat = GB28181CatalogStat()
    ) {
        self.deviceID = deviceID
        self.deviceName = deviceName
        self.status = status
        self.registerTime = registerTime
        self.keepaliveTime = keepaliveTime
        self.channels = channels
        self.manufacturer = manufacturer
        self.model = model
        self.firmware = firmware
        self.transport = transport
        self.remoteAddr = remoteAddr
        self.userAgent = userAgent
        self.catalogComplete = catalogComplete
        self.catalog = catalog
    }

    private enum CodingKeys: String, CodingKey {
        case deviceID = "device_id"
        case deviceName = "device_name"
        case status
        case registerTime = "register_time"
        case keepaliveTime = "keepalive_time"
        case channels
        case manufacturer
        case model
        case firmware
        case transport
        case remoteAddr = "remote_addr"
        case userAgent = "user_agent"
        case catalogComplete = "catalog_complete"
        case catalog
    }
}

/// A channel of a device's catalog.
package struct GB28181ChannelStat: Codable, Hashable, Sendable {
    package var channelID: String
    package var channelName: String
    /// `idle`, `inviting` or `streaming`: its main stream.
    package var status: String
    /// Empty while idle.
    package var streamName: String
    /// The streams that it can be asked for: 0 the main stream, 1 the first sub stream.
    package var streamNumbers: [Int]
    /// Sub streams that are invited.
    package var subStreams: [GB28181SubStreamStat]
    /// What the device's catalog says about the channel: ON is true.
    package var online: Bool
    package var manufacturer: String
    package var parentID: String
    /// As the catalog has it, 1 dome to 7; 0 where it does not tell.
    package var ptzType: Int
    package var address: String
    /// It says that it has children.
    package var parental: Bool
    /// Why its last invitation failed, or its session ended by itself; empty after one that succeeded. Of a sub stream where the main
    /// stream has none.
    package var lastError: String
    /// ``WallTime/seconds``; empty without an error.
    package var lastErrorTime: String

    package init(
        channelID: String,
        channelName: String,
        status: String,
        streamName: String = "",
        streamNumbers: [Int] = [0],
        subStreams: [GB28181SubStreamStat] = [],
        online: Bool = true,
        manufacturer: String = "",
        parentID: String = "",
        ptzType: Int = 0,
        address: String = "",
        parental: Bool = false,
        lastError: String = "",
        lastErrorTime: String = ""
    ) {
        self.channelID = channelID
        self.channelName = channelName
        self.status = status
        self.streamName = streamName
        self.streamNumbers = streamNumbers
        self.subStreams = subStreams
        self.online = online
        self.manufacturer = manufacturer
        self.parentID = parentID
        self.ptzType = ptzType
        self.address = address
        self.parental = parental
        self.lastError = lastError
        self.lastErrorTime = lastErrorTime
    }

    private enum CodingKeys: String, CodingKey {
        case channelID = "channel_id"
        case channelName = "channel_name"
        case status
        case streamName = "stream_name"
        case streamNumbers = "stream_numbers"
        case subStreams = "sub_streams"
        case online
        case manufacturer
        case parentID = "parent_id"
        case ptzType = "ptz_type"
        case address
        case parental
        case lastError = "last_error"
        case lastErrorTime = "last_error_time"
    }
}

/// A sub stream that a channel is asked for.
package struct GB28181SubStreamStat: Codable, Hashable, Sendable {
    package var streamNumber: Int
    /// `inviting` or `streaming`.
    package var status: String
    package var streamName: String

    package init(streamNumber: Int, status: String, streamName: String) {
        self.streamNumber = streamNumber
        self.status = status
        self.streamName = streamName
    }

    private enum CodingKeys: String, CodingKey {
        case streamNumber = "stream_number"
        case status
        case streamName = "stream_name"
    }
}

/// The `data` of `stat/gb28181_devices`; an empty list is `[]`, never null.
package struct GB28181Devices: Codable, Hashable, Sendable {
    package var devices: [GB28181DeviceStat]

    package init(devices: [GB28181DeviceStat]) {
        self.devices = devices
    }
}

/// One SIP message as it went over the wire, kept for the debug endpoint.
package struct SIPMessageRecord: Codable, Hashable, Sendable {
    package enum Direction: String, Codable, Hashable, Sendable {
        case received
        case sent
    }

    /// ``WallTime/lal``.
    package var time: String
    package var direction: Direction
    /// `udp` or `tcp`.
    package var transport: String
    package var remoteAddr: String
    /// The message; bytes that are not UTF-8 are replaced, a digest response is left out.
    package var text: String

    package init(time: String, direction: Direction, transport: String, remoteAddr: String, text: String) {
        self.time = time
        self.direction = direction
        self.transport = transport
        self.remoteAddr = remoteAddr
        self.text = text
    }

    private enum CodingKeys: String, CodingKey {
        case time
        case direction
        case transport
        case remoteAddr = "remote_addr"
        case text
    }
}

/// The `data` of `stat/gb28181_messages`.
package struct GB28181Messages: Codable, Hashable, Sendable {
    package var deviceID: String
    package var messages: [SIPMessageRecord]

    package init(deviceID: String, messages: [SIPMessageRecord]) {
        self.deviceID = deviceID
        self.messages = messages
    }

    private enum CodingKeys: String, CodingKey {
        case deviceID = "device_id"
        case messages
    }
}
