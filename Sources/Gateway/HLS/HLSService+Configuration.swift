internal import Hub
internal import Logging
internal import Media
internal import NIOCore
internal import Synchronization
internal import Transport

extension HLSService {
    /// nil when the configuration switches HLS off.
    static func make(
        _ configuration: GatewayConfiguration,
        files: (any HLSFiles)? = nil,
        isExpected: @escaping @Sendable (String) -> Bool
    ) -> HLSService? {
        let section = configuration.hls
        guard section.enable || section.enableHttps else { return nil }
        var options = HLSOptions()
        options.pattern = section.urlPattern
        options.files = files
        options.isExpected = isExpected
        options.start =
            switch section.start {
            case .always: .always
            case .onDemand: .onDemand
            case .auto: section.useMemoryAsDiskFlag ? .onDemand : .always
            }
        options.transportStream = segments(section, .transportStream)
        // What has left the list is read from the disk.
        if files != nil { options.transportStream.kept = 0 }
        options.fragmentedMP4 = segments(section, .fragmentedMP4)
        options.idleTime = .milliseconds(Int64(section.idleStopMs))
        // lal's rule for 0.
        let timeout = section.subSessionTimeoutMs
        let window = max(section.fragmentNum, 1) * max(section.fragmentDurationMs, 1000) * 2
        options.sessionTime = .milliseconds(Int64(timeout > 0 ? timeout : window))
        options.sessionKey = section.subSessionHashKey.value
        options.gracePeriod = .milliseconds(Int64(configuration.publish.graceMs))
        if section.memoryTotalMaxMb > 0 { options.budget = HLSBudget(limit: section.memoryTotalMaxMb << 20) }
        options.maximumSessions = configuration.limits.maxViewers
        return HLSService(options)
    }

    /// Where segments are written; nil when memory is all there is.
    static func folders(
        _ configuration: GatewayConfiguration,
        pool: BlockingPool,
        loop: any EventLoop,
        logger: Logger
    ) -> HLSFolders? {
        let section = configuration.hls
        guard section.enable || section.enableHttps, !section.useMemoryAsDiskFlag else { return nil }
        let entries = max(section.fragmentNum, 1) + section.deleteThreshold
        return HLSFolders(
            HLSFolders.Settings(
                root: section.outPath.hasSuffix("/") ? section.outPath : section.outPath + "/",
                cleanUp: HLSFolders.CleanUp(rawValue: section.cleanupMode) ?? .never,
                removalDelay: .milliseconds(Int64(max(section.fragmentDurationMs, 1) * entries)),
                kept: section.deleteThreshold
            ),
            pool: pool,
            loop: loop,
            logger: logger
        )
    }

    private static func segments(_ section: HLSSection, _ container: HLSConfiguration.Container) -> HLSConfiguration {
        HLSConfiguration(
            container: container,
            fragmentMilliseconds: section.fragmentDurationMs,
            partMilliseconds: section.partDurationMs,
            fragmentNumber: section.fragmentNum,
            deleteThreshold: section.deleteThreshold,
            maximumBytes: section.memoryMaxMb << 20
        )
    }
}

/// Whether a pull may bring a stream that nobody publishes: asked before there are relays to ask.
final class StreamExpectation: Sendable {
    private let relays = Mutex<Relays?>(nil)

    func attach(_ relays: Relays) {
        self.relays.withLock { $0 = relays }
    }

    func contains(_ stream: String) -> Bool {
        relays.withLock { $0 }?.expects(stream) ?? false
    }
}
