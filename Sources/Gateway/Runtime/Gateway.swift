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
        package var http: Int?
        package var sip: Int?
    }

    package static let version = "0.1.0"

    package let ports: Ports
    package let group: any EventLoopGroup
    let configuration: GatewayConfiguration
    let hub: Hub
    let media: MediaService
    let signalling: Signalling?
    let publications: RTPPublications
    let startTime = WallTime.now()
    let store: DeviceStore?
    private let rtmp: RTMPServer?
    private let http: MediaHTTPServer?
    private let logger: Logger

    private init(
        ports: Ports,
        group: any EventLoopGroup,
        configuration: GatewayConfiguration,
        hub: Hub,
        media: MediaService,
        signalling: Signalling?,
        publications: RTPPublications,
        store: DeviceStore?,
        rtmp: RTMPServer?,
        http: MediaHTTPServer?,
        logger: Logger
    ) {
        self.ports = ports
        self.group = group
        self.configuration = configuration
        self.hub = hub
        self.media = media
        self.signalling = signalling
        self.publications = publications
        self.store = store
        self.rtmp = rtmp
        self.http = http
        self.logger = logger
    }

    /// Opens every port that the configuration asks for. On a failure the ones that are open are closed again.
    package static func start(
        _ configuration: GatewayConfiguration,
        devices: [ProvisionedDevice] = [],
        group: any EventLoopGroup,
        logger: Logger
    ) async throws -> Gateway {
        let hub = Hub(group: group, configuration: HubConfiguration(configuration))
        let singlePort = ListenAddress(":\(configuration.gb28181.rtpSinglePort)") ?? .none
        let media = try await listening("gb28181 rtp", singlePort) {
            try await MediaService.start(settings: .init(configuration), hub: hub, group: group)
        }
        let opened = Opened()
        do {
            return try await start(configuration, devices, group, logger, hub, media, opened)
        } catch {
            await opened.signalling?.stop(grace: .zero)
            try? await opened.rtmp?.close()
            try? await opened.http?.close()
            await media.stop()
            throw error
        }
    }

    /// What is open while the rest is being opened.
    private final class Opened {
        var rtmp: RTMPServer?
        var http: MediaHTTPServer?
        var signalling: Signalling?
    }

    private static func start(
        _ configuration: GatewayConfiguration,
        _ devices: [ProvisionedDevice],
        _ group: any EventLoopGroup,
        _ logger: Logger,
        _ hub: Hub,
        _ media: MediaService,
        _ opened: Opened
    ) async throws -> Gateway {
        var ports = Ports()
        if configuration.rtmp.enable {
            let address = configuration.rtmp.addr
            opened.rtmp = try await listening("rtmp", address) {
                try await RTMPServer.start(hub: hub, group: group, host: address.bindHost, port: address.port)
            }
            ports.rtmp = opened.rtmp?.port
        }
        if configuration.httpflv.enable {
            let own = configuration.httpflv.httpListenAddr
            let address = own.isEmpty ? configuration.defaultHttp.httpListenAddr : own
            opened.http = try await listening("httpflv", address) {
                try await MediaHTTPServer.start(
                    hub: hub,
                    group: group,
                    host: address.bindHost,
                    port: address.port
                )
            }
            ports.http = opened.http?.port
        }
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
                logger: logger
            )
            opened.signalling = signalling
            let address = ListenAddress(":\(section.localSipPort)") ?? .none
            ports.sip = try await listening("gb28181 sip", address) { try await signalling.start() }
        }
        logger.notice(
            "gbgate \(version) serves",
            metadata: [
                "rtmp": "\(ports.rtmp.map(String.init) ?? "off")", "http": "\(ports.http.map(String.init) ?? "off")",
                "sip": "\(ports.sip.map(String.init) ?? "off")",
            ]
        )
        if let finding = MediaAddressCheck(section)?.finding { logger.log(level: finding.level, "\(finding.text)") }
        let advertised = [section.mediaIp, section.localSipIp].first { !$0.isEmpty } ?? "0.0.0.0"
        return Gateway(
            ports: ports,
            group: group,
            configuration: configuration,
            hub: hub,
            media: media,
            signalling: opened.signalling,
            publications: RTPPublications(media: media, advertisedHost: advertised, logger: logger),
            store: store,
            rtmp: opened.rtmp,
            http: opened.http,
            logger: logger
        )
    }

    private static func listening<Value>(
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
        await media.stop()
        try? await rtmp?.close()
        try? await http?.close()
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
