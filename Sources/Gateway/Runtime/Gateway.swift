internal import FoundationEssentials
internal import Glibc
internal import Hub
package import Logging
package import NIOCore
internal import NIOPosix
internal import ServiceLifecycle
internal import Streaming
internal import Transport

/// The running gateway: its ports, streams and devices, joined by the configuration.
package final class Gateway: Service {
    /// Where the gateway listens, with the real port where 0 was configured; nil: switched off.
    package struct Ports: Hashable, Sendable {
        package var rtmp: Int?
        package var rtmps: Int?
        package var http: Int?
        package var https: Int?
        /// That of `http`, unless HLS has a listener of its own.
        package var hls: Int?
        package var rtsp: Int?
        package var rtsps: Int?
        package var rtspOverWebSocket: Int?
        package var sip: Int?
    }

    package static let version = "0.1.0"

    package let ports: Ports
    package let group: any EventLoopGroup
    let configuration: GatewayConfiguration
    let hub: Hub
    let hls: HLSService?
    let hlsFolders: HLSFolders?
    let recording: RecordingService
    let snapshots = SnapshotMaker()
    let meter = ProcessMeter()
    let media: MediaService
    let signalling: Signalling?
    let publications: RTPPublications
    let relaying: Relays
    let blacklist: AddressBlacklist
    let startTime = WallTime.now()
    let store: DeviceStore?
    let streaming: StreamingPorts
    let logLevel: LogLevel
    /// Threads that write segments and recordings.
    let disk: BlockingPool
    let logger: Logger

    private init(
        ports: Ports,
        group: any EventLoopGroup,
        configuration: GatewayConfiguration,
        hub: Hub,
        hls: HLSService?,
        hlsFolders: HLSFolders?,
        recording: RecordingService,
        media: MediaService,
        signalling: Signalling?,
        publications: RTPPublications,
        relaying: Relays,
        blacklist: AddressBlacklist,
        store: DeviceStore?,
        streaming: StreamingPorts,
        disk: BlockingPool,
        logger: Logger,
        logLevel: LogLevel
    ) {
        self.disk = disk
        self.ports = ports
        self.group = group
        self.configuration = configuration
        self.hub = hub
        self.hls = hls
        self.hlsFolders = hlsFolders
        self.recording = recording
        self.media = media
        self.signalling = signalling
        self.publications = publications
        self.relaying = relaying
        self.blacklist = blacklist
        self.store = store
        self.streaming = streaming
        self.logger = logger
        self.logLevel = logLevel
    }

    /// Opens every port that the configuration asks for. On a failure the ones that are open are closed again.
    /// - Parameter logLevel: what the API changes; nil where nothing logs by it.
    package static func start(
        _ configuration: GatewayConfiguration,
        devices: [ProvisionedDevice] = [],
        group: any EventLoopGroup,
        logger: Logger,
        logLevel: LogLevel? = nil
    ) async throws -> Gateway {
        let activity = ActivityLog(logger: logger)
        let expected = StreamExpectation()
        let disk = BlockingPool()
        let folders = HLSService.folders(configuration, pool: disk, loop: group.next(), logger: logger)
        let hls = HLSService.make(configuration, files: folders, isExpected: { expected.contains($0) })
        let recording = RecordingService(configuration, logger: logger)
        await recording.start(on: group.next())
        let hub = Hub(
            group: group,
            configuration: HubConfiguration(configuration),
            onEvent: { activity.received($0) },
            taps: { stream, loop in
                (hls?.taps(of: stream, on: loop) ?? []) + recording.taps(of: stream, on: loop)
            }
        )
        hls?.start(hub, on: group.next())
        var settings = RelaySettings(configuration.relay)
        settings.makeSessionID = { hub.makeSessionID($0) }
        settings.ownHosts = OwnAddresses.hosts()
        settings.ownPorts = OwnAddresses.ports(configuration)
        let mediaSettings = MediaService.Settings(configuration)
        let pool = PortPool(range: mediaSettings.ports)
        let relays = Relays(
            rules: RelayRules(configuration),
            settings: settings,
            hub: hub,
            connector: NetworkRelayConnector(hub: hub, group: group, ports: pool),
            loop: group.next(),
            logger: logger
        )
        activity.attach(relays)
        expected.attach(relays)
        let singlePort = ListenAddress(":\(configuration.gb28181.rtpSinglePort)") ?? .none
        let media = try await listening("gb28181 rtp", singlePort) {
            try await MediaService.start(settings: mediaSettings, pool: pool, hub: hub, group: group)
        }
        let opened = Opened()
        do {
            return try await start(
                configuration,
                devices,
                group,
                logger,
                logLevel ?? LogLevel(logger.logLevel),
                hub,
                hls,
                recording,
                disk,
                media,
                pool,
                relays,
                activity,
                opened
            )
        } catch {
            await opened.signalling?.stop(grace: .zero)
            await opened.streaming?.close()
            hls?.stop()
            await recording.stop()
            await relays.stop()
            await media.stop()
            throw error
        }
    }

    /// What is open while the rest is being opened.
    private final class Opened {
        var streaming: StreamingPorts?
        var signalling: Signalling?
    }

    private static func start(
        _ configuration: GatewayConfiguration,
        _ devices: [ProvisionedDevice],
        _ group: any EventLoopGroup,
        _ logger: Logger,
        _ logLevel: LogLevel,
        _ hub: Hub,
        _ hls: HLSService?,
        _ recording: RecordingService,
        _ disk: BlockingPool,
        _ media: MediaService,
        _ pool: PortPool,
        _ relays: Relays,
        _ activity: ActivityLog,
        _ opened: Opened
    ) async throws -> Gateway {
        let blacklist = AddressBlacklist()
        var opening = StreamingPortsOpening(
            configuration,
            hub: hub,
            hls: hls,
            group: group,
            gate: StreamGate(configuration, hub: hub, relays: relays, blacklist: blacklist, logger: logger),
            ports: pool,
            activity: activity,
            blacklist: blacklist,
            logger: logger
        )
        let streaming = try await opening.open()
        opened.streaming = streaming
        var ports = streaming.ports
        let section = configuration.gb28181
        let store =
            section.enable && configuration.store.enable
            ? DeviceStore(path: configuration.store.path, logger: logger) : nil
        if section.enable {
            let settings = SignallingSettings(section, limits: configuration.limits, devices: devices)
            let signalling = Signalling(
                settings: settings,
                loop: group.next(),
                media: media,
                store: store,
                logger: logger,
                isWanted: { (hub.presence(of: $0)?.viewers ?? 0) > 0 || recording.records($0) }
            )
            opened.signalling = signalling
            let address = ListenAddress(":\(section.localSipPort)") ?? .none
            ports.sip = try await listening("gb28181 sip", address) { try await signalling.start() }
        }
        logger.notice(
            "gbgate \(version) serves",
            metadata: [
                "rtmp": "\(shown(ports.rtmp))", "rtmps": "\(shown(ports.rtmps))", "http": "\(shown(ports.http))",
                "https": "\(shown(ports.https))", "rtsp": "\(shown(ports.rtsp))", "rtsps": "\(shown(ports.rtsps))",
                "sip": "\(shown(ports.sip))",
            ]
        )
        if let finding = MediaAddressCheck(section)?.finding { logger.log(level: finding.level, "\(finding.text)") }
        await relays.start()
        let advertised = [section.mediaIp, section.localSipIp].first { !$0.isEmpty } ?? "0.0.0.0"
        return Gateway(
            ports: ports,
            group: group,
            configuration: configuration,
            hub: hub,
            hls: hls,
            hlsFolders: hls?.options.files as? HLSFolders,
            recording: recording,
            media: media,
            signalling: opened.signalling,
            publications: RTPPublications(media: media, advertisedHost: advertised, logger: logger),
            relaying: relays,
            blacklist: blacklist,
            store: store,
            streaming: streaming,
            disk: disk,
            logger: logger,
            logLevel: logLevel
        )
    }

    private static func shown(_ port: Int?) -> String { port.map(String.init) ?? "off" }

    static func listening<Value>(
        _ what: String,
        _ address: ListenAddress,
        _ open: () async throws -> Value
    ) async throws -> Value {
        do {
            return try await open()
        } catch let error as SIPBindError {
            // It says what to do already.
            throw GatewayStartError(what: what, address: address.text, cause: "\(error)", advice: "")
        } catch let error as IOError {
            throw GatewayStartError(
                what: what,
                address: address.text,
                cause: String(cString: strerror(error.errnoCode))
            )
        } catch {
            throw GatewayStartError(what: what, address: address.text, cause: "\(error)")
        }
    }

    /// Serves until graceful shutdown; then says BYE to every camera, closes its ports and writes what is unsaved.
    package func run() async throws {
        try await withThrowingDiscardingTaskGroup { tasks in
            if let store { tasks.addTask { try await store.run() } }
            try? await gracefulShutdown()
        }
        await stop()
    }

    /// Ends everything. Called by ``run()``; tests without a service group call it themselves.
    package func stop() async {
        await signalling?.stop()
        await streaming.close()
        await relaying.stop()
        await hub.shutdown()
        hls?.stop()
        await recording.stop()
        await disk.shutDown()
        await media.stop()
        await store?.flush()
        logger.notice("gbgate stopped")
    }
}

/// A port could not be opened.
package struct GatewayStartError: Error, Hashable, Sendable, CustomStringConvertible {
    package let what: String
    package let address: String
    package let cause: String
    var advice = "; is another server running on it? the configuration moves it"

    package var description: String { "\(what): listen on \(address): \(cause)\(advice)" }
}

extension HubConfiguration {
    init(_ configuration: GatewayConfiguration) {
        self.init()
        idleGOPCacheBytes = configuration.limits.idleGopCacheKb * 1024
        gopCacheBytes = configuration.limits.gopCacheMaxKb * 1024
        maximumMergeWindow = .milliseconds(Int64(configuration.mergeWindowMs))
        maximumStreams = configuration.limits.maxStreams
        maximumViewers = configuration.limits.maxViewers
        publisherPolicy = configuration.publish.onConflict == .takeOver ? .takeOver : .reject
        gracePeriod = .milliseconds(Int64(configuration.publish.graceMs))
        // Not as lal: its 0, which its file has, would let every viewer wait for the next key frame.
        let (rtmp, flv) = (configuration.rtmp, configuration.httpflv)
        gopCount = GOPCount(rtmp: rtmp.gopNum, flv: flv.gopNum, rtsp: configuration.rtsp.gopNum)
        // One number for both: the caches are one.
        let caps = [rtmp.singleGopMaxFrameNum, flv.singleGopMaxFrameNum].filter { $0 > 0 }
        singleGOPMessages = caps.min() ?? 0
        mergeWriteBytes = rtmp.mergeWriteSize
        let audio = configuration.inSession
        dummyAudioWait = audio.addDummyAudioEnable ? .milliseconds(Int64(audio.addDummyAudioWaitAudioMs)) : nil
    }
}

extension MediaService.Settings {
    init(_ configuration: GatewayConfiguration) {
        self.init()
        let section = configuration.gb28181
        ports = section.sipRtpPortMin...max(section.sipRtpPortMin, section.sipRtpPortMax)
        singlePort = section.rtpSinglePort
        dumpFolder = configuration.dump.outPath
    }
}
