internal import Hub
internal import Logging
internal import NIOCore
internal import Transport

/// The ports of publishers and players: RTMP, RTSP and media HTTP, plain and with TLS.
final class StreamingPorts: Sendable {
    let ports: Gateway.Ports
    /// Where streams are to be had.
    let urls: [ServerStat.URLTemplate]
    private let rtmp: [RTMPServer]
    private let http: [MediaHTTPServer]
    private let rtsp: [RTSPServer]

    fileprivate init(
        ports: Gateway.Ports,
        urls: [ServerStat.URLTemplate],
        rtmp: [RTMPServer],
        http: [MediaHTTPServer],
        rtsp: [RTSPServer]
    ) {
        self.ports = ports
        self.urls = urls
        self.rtmp = rtmp
        self.http = http
        self.rtsp = rtsp
    }

    /// Stops listening.
    func close() async {
        for server in rtmp { try? await server.close() }
        for server in http { try? await server.close() }
        for server in rtsp { try? await server.close() }
    }
}

/// Opens ``StreamingPorts``.
struct StreamingPortsOpening {
    private var ports = Gateway.Ports()
    private var urls: [ServerStat.URLTemplate] = []
    private let configuration: GatewayConfiguration
    private let hub: Hub
    private let hls: HLSService?
    private let group: any EventLoopGroup
    private let gate: StreamGate
    private let activity: ActivityLog
    private let logger: Logger
    private let listener: ListenerOptions
    private var rtmp: [RTMPServer] = []
    private var http: [MediaHTTPServer] = []
    private var rtsp: [RTSPServer] = []
    private let rtspOptions: RTSPServerOptions

    init(
        _ configuration: GatewayConfiguration,
        hub: Hub,
        hls: HLSService?,
        group: any EventLoopGroup,
        gate: StreamGate,
        ports mediaPorts: PortPool,
        activity: ActivityLog,
        blacklist: AddressBlacklist,
        logger: Logger
    ) {
        self.configuration = configuration
        self.hub = hub
        self.hls = hls
        self.group = group
        self.gate = gate
        self.activity = activity
        self.logger = logger
        let limiter = LogRateLimiter()
        var options = ListenerOptions()
        options.limits = ConnectionLimits(
            maximumPerAddress: configuration.limits.maxConnectionsPerIp,
            onRefusal: { address, limit in
                let why = limit > 0 ? "it has \(limit), limits.max_connections_per_ip" : "add_ip_blacklist"
                logger.limited(
                    limiter,
                    key: "connections \(address)",
                    "a connection of \(address) is refused: \(why)"
                )
            },
            isBanned: { blacklist.contains($0, now: .now()) }
        )
        options.onAcceptError = { logger.error("connections wait: the system does not accept them: \($0)") }
        listener = options
        rtspOptions = RTSPServerOptions(configuration.rtsp, ports: mediaPorts, gate: gate, activity: activity)
    }

    /// Opens what the configuration switches on. A plain port that cannot be opened is an error, and then none stays open.
    mutating func open() async throws -> StreamingPorts {
        do {
            if configuration.rtmp.enable {
                let address = configuration.rtmp.addr
                ports.rtmp = try await keep(Gateway.listening("rtmp", address) { try await openRTMP(address, nil) })
            }
            for (address, services) in HTTPService.listeners(configuration) {
                let key = services.first?.key ?? "http"
                let server = try await Gateway.listening(key, address) { try await openHTTP(services, address, nil) }
                let port = keep(server)
                ports.http = ports.http ?? port
                if services.contains(where: { $0.form == .hls }) { ports.hls = port }
                urls += services.flatMap { ServerStat.URLTemplate.http($0, port: port, isSecure: false) }
            }
            if configuration.rtsp.enable {
                let address = configuration.rtsp.addr
                ports.rtsp = try await keep(Gateway.listening("rtsp", address) { try await openRTSP(address, nil) })
            }
        } catch {
            await opened.close()
            throw error
        }
        ports.rtspOverWebSocket = await openWebSocketRTSP().map { keep($0) }
        ports.rtmps = await secure(SecureListeners.rtmps(configuration), openRTMP).map { keep($0) }
        for (wanted, services) in SecureListeners.https(configuration) {
            let server = await secure(wanted) { try await openHTTP(services, $0, $1) }
            if let server {
                let port = keep(server)
                ports.https = ports.https ?? port
                urls += services.flatMap { ServerStat.URLTemplate.http($0, port: port, isSecure: true) }
            }
        }
        ports.rtsps = await secure(SecureListeners.rtsps(configuration), openRTSP).map { keep($0) }
        return opened
    }

    private var opened: StreamingPorts {
        let first: [ServerStat.URLTemplate?] = [
            ports.rtsp.map { .rtsp(port: $0, isSecure: false) }, ports.rtsps.map { .rtsp(port: $0, isSecure: true) },
            ports.rtmp.map { .rtmp(port: $0, isSecure: false) }, ports.rtmps.map { .rtmp(port: $0, isSecure: true) },
        ]
        return StreamingPorts(
            ports: ports,
            urls: first.compactMap(\.self) + urls,
            rtmp: rtmp,
            http: http,
            rtsp: rtsp
        )
    }

    private mutating func keep(_ server: RTSPServer) -> Int {
        rtsp.append(server)
        return server.port
    }

    /// As in lal a port that cannot be opened is an error in the log.
    private func openWebSocketRTSP() async -> RTSPServer? {
        guard configuration.rtsp.wsRtspEnable else { return nil }
        let address = configuration.rtsp.wsRtspAddr
        do {
            return try await Gateway.listening("rtsp.ws_rtsp_enable", address) { try await openRTSP(address, nil) }
        } catch {
            logger.error("rtsp.ws_rtsp_enable: not served: \(error)")
            return nil
        }
    }

    private func openRTSP(_ address: ListenAddress, _ certificate: TLSCertificate?) async throws -> RTSPServer {
        try await RTSPServer.start(
            hub: hub,
            group: group,
            host: address.bindHost,
            port: address.port,
            options: rtspOptions,
            tls: certificate,
            listener: listener
        )
    }

    private mutating func keep(_ server: RTMPServer) -> Int {
        rtmp.append(server)
        return server.port
    }

    private mutating func keep(_ server: MediaHTTPServer) -> Int {
        http.append(server)
        return server.port
    }

    private func secure<Server>(
        _ wanted: SecureListeners.Wanted?,
        _ open: (ListenAddress, TLSCertificate?) async throws -> Server
    ) async -> Server? {
        guard let wanted else { return nil }
        do {
            let certificate = try wanted.certificate(logger: logger)
            return try await Gateway.listening(wanted.key, wanted.address) {
                try await open(wanted.address, certificate)
            }
        } catch {
            logger.error("\(wanted.key): not served: \(error)")
            return nil
        }
    }

    private func openRTMP(_ address: ListenAddress, _ certificate: TLSCertificate?) async throws -> RTMPServer {
        var options = RTMPServerOptions()
        options.authorize = { [gate] in gate.decide($0) }
        options.onClose = { [activity] in activity.closed($0) }
        return try await RTMPServer.start(
            hub: hub,
            group: group,
            host: address.bindHost,
            port: address.port,
            options: options,
            tls: certificate,
            listener: listener
        )
    }

    private func openHTTP(
        _ services: [HTTPService],
        _ address: ListenAddress,
        _ certificate: TLSCertificate?
    ) async throws -> MediaHTTPServer {
        var options = MediaHTTPConfiguration()
        options.routes = services.compactMap { service in
            switch service.form {
            case .flv: .flv(under: service.pattern)
            case .ts: .ts(under: service.pattern)
            case .fmp4: .fmp4(under: service.pattern)
            case .hls: nil
            }
        }
        if services.contains(where: { $0.form == .hls }) { options.hls = hls }
        options.authorize = { [gate] in gate.decide($0) }
        options.authorizeHLS = { [gate] in gate.decide($0, $1) }
        return try await MediaHTTPServer.start(
            hub: hub,
            group: group,
            host: address.bindHost,
            port: address.port,
            configuration: options,
            tls: certificate,
            listener: listener
        )
    }
}
