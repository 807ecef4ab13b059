/// The process, its machine and its settings: `stat/server`, for the web console. lal has no such call.
package struct ServerStat: Codable, Hashable, Sendable {
    /// Where players find a stream: `{host}` and `{stream}` stand for the two that the asker knows.
    package struct URLTemplate: Codable, Hashable, Sendable {
        package var `protocol`: String
        package var url: String

        package init(_ name: String, _ url: String) {
            self.protocol = name
            self.url = url
        }
    }

    /// What a camera's menu is filled with. The password is not in it.
    package struct GB28181: Codable, Hashable, Sendable {
        package var enabled: Bool
        package var sipID: String
        package var sipDomain: String
        /// Empty: the address by which a camera reaches this machine.
        package var sipIP: String
        package var sipPort: Int
        package var transports: [String]
        package var passwordRequired: Bool

        package init(
            enabled: Bool,
            sipID: String,
            sipDomain: String,
            sipIP: String,
            sipPort: Int,
            transports: [String],
            passwordRequired: Bool
        ) {
            self.enabled = enabled
            self.sipID = sipID
            self.sipDomain = sipDomain
            self.sipIP = sipIP
            self.sipPort = sipPort
            self.transports = transports
            self.passwordRequired = passwordRequired
        }

        private enum CodingKeys: String, CodingKey {
            case enabled
            case sipID = "sip_id"
            case sipDomain = "sip_domain"
            case sipIP = "sip_ip"
            case sipPort = "sip_port"
            case transports
            case passwordRequired = "password_required"
        }
    }

    package var version: String
    /// ``WallTime/lal``.
    package var startTime: String
    package var uptimeSec: Int
    package var pid: Int
    /// Of one core, over a second or more before.
    package var cpuPercent: Double
    package var cpuCount: Int
    /// Of the machine over 1, 5 and 15 minutes.
    package var load: [Double]
    /// Resident.
    package var memoryBytes: Int
    /// What this process may use; 0: not known.
    package var memoryTotalBytes: Int
    package var streams: Int
    package var publishers: Int
    package var viewers: Int
    package var devices: Int
    package var devicesOnline: Int
    package var channels: Int
    package var channelsStreaming: Int
    /// Of all sessions that are there.
    package var readKbits: Int
    package var writeKbits: Int
    package var limits: [LimitStat]
    /// A level of swift-log, or `off`.
    package var logLevel: String
    package var urls: [URLTemplate]
    package var gb28181: GB28181

    package init(
        version: String,
        startTime: String,
        uptimeSec: Int,
        usage: ProcessUsage,
        groups: [GroupStat],
        devices: [GB28181DeviceStat],
        limits: [LimitStat],
        logLevel: String,
        urls: [URLTemplate],
        gb28181: GB28181
    ) {
        self.version = version
        self.startTime = startTime
        self.uptimeSec = uptimeSec
        pid = usage.pid
        cpuPercent = usage.cpuPercent
        cpuCount = usage.cpuCount
        load = usage.load
        memoryBytes = usage.memoryBytes
        memoryTotalBytes = usage.memoryTotalBytes
        streams = groups.count
        publishers = groups.count { !$0.pub.sessionID.isEmpty || !$0.pull.sessionID.isEmpty }
        viewers = groups.reduce(0) { $0 + $1.subs.count }
        self.devices = devices.count
        devicesOnline = devices.count { $0.status == "online" }
        channels = devices.reduce(0) { $0 + $1.channels.count }
        channelsStreaming = devices.reduce(0) { $0 + $1.channels.count { $0.status == "streaming" } }
        readKbits = groups.reduce(0) { $0 + $1.pub.readBitrateKbits + $1.pull.readBitrateKbits }
        writeKbits = groups.reduce(0) { $0 + $1.subs.reduce(0) { $0 + $1.writeBitrateKbits } }
        self.limits = limits
        self.logLevel = logLevel
        self.urls = urls
        self.gb28181 = gb28181
    }

    private enum CodingKeys: String, CodingKey {
        case version
        case startTime = "start_time"
        case uptimeSec = "uptime_sec"
        case pid
        case cpuPercent = "cpu_percent"
        case cpuCount = "cpu_count"
        case load
        case memoryBytes = "memory_bytes"
        case memoryTotalBytes = "memory_total_bytes"
        case streams, publishers, viewers, devices
        case devicesOnline = "devices_online"
        case channels
        case channelsStreaming = "channels_streaming"
        case readKbits = "read_kbits"
        case writeKbits = "write_kbits"
        case limits
        case logLevel = "log_level"
        case urls, gb28181
    }
}

/// How much of a limit is in use.
package struct LimitStat: Codable, Hashable, Sendable {
    /// The configuration's key.
    package var name: String
    package var used: Int
    /// 0: no limit.
    package var limit: Int

    package init(name: String, used: Int, limit: Int) {
        self.name = name
        self.used = used
        self.limit = limit
    }
}

/// The `data` of `ctrl/log_level`.
package struct LogLevelStat: Codable, Hashable, Sendable {
    package var logLevel: String

    package init(logLevel: String) {
        self.logLevel = logLevel
    }

    private enum CodingKeys: String, CodingKey {
        case logLevel = "log_level"
    }
}
