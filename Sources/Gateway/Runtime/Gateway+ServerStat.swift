package import Logging
internal import Transport

extension Gateway {
    package func serverStat() async -> ServerStat {
        let gb28181 = configuration.gb28181
        let groups = await allGroups()
        let devices = await gb28181Devices()
        return ServerStat(
            version: Self.version,
            startTime: startTime.lal,
            uptimeSec: Int((WallTime.now().unixMilliseconds &- startTime.unixMilliseconds) / 1000),
            usage: meter.usage(),
            groups: groups,
            devices: devices,
            limits: await limits(groups, devices),
            logLevel: logLevel.name,
            urls: streaming.urls,
            gb28181: .init(
                enabled: ports.sip != nil,
                sipID: gb28181.localSipId,
                sipDomain: gb28181.domain,
                sipIP: gb28181.localSipIp,
                sipPort: ports.sip ?? gb28181.localSipPort,
                transports: ["udp", "tcp"],
                passwordRequired: !gb28181.password.isEmpty
            )
        )
    }

    package func gb28181Catalog(deviceID: String) async throws {
        guard let signalling else { throw ControlError.deviceNotFound(deviceID) }
        try await signalling.queryCatalog(deviceID)
    }

    /// The limits whose use is known.
    private func limits(_ streams: [GroupStat], _ devices: [GB28181DeviceStat]) async -> [LimitStat] {
        let limits = configuration.limits
        // Pushes count as viewers there.
        let viewers = streams.reduce(0) { sum, stream in
            sum + stream.subs.count + (stream.relays ?? []).count { $0.direction == "push" && $0.state == "running" }
        }
        // Megabytes.
        let segments = hls.map(\.options.budget).map { budget in
            LimitStat(
                name: "hls.memory_total_max_mb",
                used: budget.bytes >> 20,
                limit: budget.limit == .max ? 0 : budget.limit >> 20
            )
        }
        return [
            LimitStat(name: "limits.max_devices", used: devices.count, limit: limits.maxDevices),
            LimitStat(name: "limits.max_streams", used: streams.count, limit: limits.maxStreams),
            LimitStat(name: "limits.max_viewers", used: viewers, limit: limits.maxViewers),
            LimitStat(
                name: "record.max_recordings",
                used: await records().count,
                limit: configuration.record.maxRecordings
            ),
        ] + (segments.map { [$0] } ?? [])
    }

    package func setLogLevel(_ level: Logger.Level) async -> LogLevelStat {
        let former = logLevel.current
        // It is said while the more talkative of the two holds.
        if former.map({ $0 > level }) ?? true { logLevel.set(level) }
        logger.notice(
            "the log level is changed",
            metadata: ["level": "\(level)", "before": "\(former?.rawValue ?? "off")"]
        )
        logLevel.set(level)
        return LogLevelStat(logLevel: logLevel.name)
    }
}
