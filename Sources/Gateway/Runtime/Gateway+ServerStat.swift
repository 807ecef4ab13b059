extension Gateway {
    package func serverStat() async -> ServerStat {
        let gb28181 = configuration.gb28181
        return ServerStat(
            version: Self.version,
            startTime: startTime.lal,
            uptimeSec: Int((WallTime.now().unixMilliseconds &- startTime.unixMilliseconds) / 1000),
            usage: meter.usage(),
            groups: await allGroups(),
            devices: await gb28181Devices(),
            urls: urlTemplates,
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

    /// Of the ports that are open.
    private var urlTemplates: [ServerStat.URLTemplate] {
        var urls: [ServerStat.URLTemplate] = []
        func add(_ name: String, _ scheme: String, _ port: Int?, _ path: String) {
            if let port { urls.append(.init(name, "\(scheme)://{host}:\(port)\(path)")) }
        }
        add("RTSP", "rtsp", ports.rtsp, "/live/{stream}")
        add("RTSPS", "rtsps", ports.rtsps, "/live/{stream}")
        add("RTMP", "rtmp", ports.rtmp, "/live/{stream}")
        add("RTMPS", "rtmps", ports.rtmps, "/live/{stream}")
        let services = HTTPService.all(configuration)
        let secure = SecureListeners.https(configuration).map { $0.services.map(\.form) }
        for service in services where service.form != .hls {
            let path = "\(service.folder)/{stream}\(service.suffix)"
            // Services on addresses of their own have ports that ``Ports`` does not name.
            let plain = service.isOn ? port(of: service) : nil
            add("HTTP-\(service.label)", "http", plain, path)
            add("WS-\(service.label)", "ws", plain, path)
            let tls = secure.first?.contains(service.form) == true ? ports.https : nil
            add("HTTPS-\(service.label)", "https", tls, path)
            add("WSS-\(service.label)", "wss", tls, path)
        }
        if let hls = services.first(where: { $0.form == .hls }) {
            let path = "\(hls.folder)/{stream}"
            let plain = hls.isOn ? ports.hls : nil
            let tls = secure.first?.contains(.hls) == true ? ports.https : nil
            add("HLS", "http", plain, "\(path).m3u8")
            add("LL-HLS", "http", plain, "\(path)/index.m3u8")
            add("HLS-TLS", "https", tls, "\(path).m3u8")
            add("LL-HLS-TLS", "https", tls, "\(path)/index.m3u8")
        }
        return urls
    }

    private func port(of service: HTTPService) -> Int? {
        let groups = HTTPService.listeners(configuration)
        guard let index = groups.firstIndex(where: { $0.services.contains { $0.form == service.form } }) else {
            return nil
        }
        return index == 0 ? ports.http : groups[index].address.port
    }
}

extension HTTPService {
    /// Where everything is served, lal's players say `live`.
    fileprivate var folder: String {
        let folder = pattern.hasSuffix("/") ? String(pattern.dropLast()) : pattern
        return folder.isEmpty && form != .hls ? "/live" : folder
    }

    fileprivate var label: String {
        switch form {
        case .flv: "FLV"
        case .ts: "TS"
        case .fmp4: "fMP4"
        case .hls: "HLS"
        }
    }

    fileprivate var suffix: String {
        switch form {
        case .flv: ".flv"
        case .ts: ".ts"
        case .fmp4: ".mp4"
        case .hls: ".m3u8"
        }
    }
}
