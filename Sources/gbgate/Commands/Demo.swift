internal import ArgumentParser
internal import CameraSimulator
internal import Gateway
internal import Logging
internal import ServiceLifecycle

struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs a gateway with simulated cameras, invites them, and prints what to watch."
    )

    @Option(help: "The folder of the simulated cameras' files; else devices/simulated here or above this program.")
    var cameras: String?

    private static let password = "12345678"

    func run() async throws {
        guard let folder = cameras ?? DemoFolder.find() else {
            throw ValidationError(
                "there is no \(DemoFolder.name) here, nor above this program: run it in the project's folder, or name the "
                    + "folder with --cameras"
            )
        }
        let cameras = try CameraConfiguration.load(folder: folder)
        guard !cameras.isEmpty else { throw ValidationError("\(folder) holds no camera (*.json)") }
        // The environment still counts: GBGATE_RTMP_ADDR and the like move the ports.
        var environment = Environment.all
        environment["GBGATE_GB28181_LOCAL_SIP_IP"] = environment["GBGATE_GB28181_LOCAL_SIP_IP"] ?? "127.0.0.1"
        environment["GBGATE_GB28181_PASSWORD"] = Self.password
        // Its password is known to everybody: it stays on this machine unless it is told otherwise.
        for (name, address) in [
            ("RTMP_ADDR", "127.0.0.1:1935"), ("RTSP_ADDR", "127.0.0.1:5544"),
            ("DEFAULT_HTTP_HTTP_LISTEN_ADDR", "127.0.0.1:8080"),
        ] {
            environment["GBGATE_\(name)"] = environment["GBGATE_\(name)"] ?? address
        }
        environment["GBGATE_STORE_ENABLE"] = "false"
        environment["GBGATE_LOG_FILENAME"] = ""
        environment["GBGATE_LOG_LEVEL"] = environment["GBGATE_LOG_LEVEL"] ?? "3"
        let loaded = try GatewayConfiguration.load(file: nil, environment: environment)
        let running = try await Running.start(loaded, devices: [])
        let show = DemoCameras(gateway: running.gateway, configuration: loaded.configuration, cameras: cameras)
        try await running.run(with: [show])
    }
}

/// The cameras of the demo: registered, invited, shown; and taken back in the reverse order.
private struct DemoCameras: Service {
    private static let patience = Duration.seconds(15)

    let gateway: Gateway
    let configuration: GatewayConfiguration
    let cameras: [CameraConfiguration]

    func run() async throws {
        let section = configuration.gb28181
        let simulation = CameraSimulation(
            cameras: cameras,
            platform: PlatformConfiguration(
                id: section.localSipId,
                host: section.localSipIp,
                port: gateway.ports.sip ?? section.localSipPort
            )
        )
        let simulated = try await simulation.start()
        var streams: [GB28181InviteRequest] = []
        do {
            try await waitForChannels()
            for camera in cameras {
                for (index, channel) in camera.channels.enumerated() {
                    var request = GB28181InviteRequest(deviceID: camera.id, channelID: channel.id)
                    request.streamName = name(of: channel)
                    // Both ways of TCP and UDP are shown: the first camera's over UDP, the second's over TCP.
                    request.transport = streams.count % 2 == 0 && index == 0 ? .udp : .tcpPassive
                    _ = try await gateway.gb28181Invite(request)
                    streams.append(request)
                }
            }
            await show(streams)
            try? await gracefulShutdown()
        } catch {
            await simulated.stop()
            throw error
        }
        print("\nsaying BYE to \(streams.count) cameras")
        for request in streams {
            _ = try? await gateway.gb28181Bye(
                GB28181ByeRequest(deviceID: request.deviceID, channelID: request.channelID)
            )
        }
        let end = ContinuousClock.now + .seconds(2)
        while await simulated.report().sessions > 0, ContinuousClock.now < end {
            try? await Task.sleep(for: .milliseconds(20))
        }
        await simulated.stop()
    }

    private func waitForChannels() async throws {
        let end = ContinuousClock.now + Self.patience
        while true {
            let ready = await gateway.gb28181Devices().filter { $0.status == "online" && !$0.channels.isEmpty }
            if ready.count >= cameras.count { return }
            guard ContinuousClock.now < end else {
                throw ValidationError("only \(ready.count) of \(cameras.count) simulated cameras registered in 15 s")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private func name(of channel: CameraConfiguration.Channel) -> String {
        let file = channel.clip?.split(separator: "/").last ?? ""
        let stem = file.split(separator: ".").first.map(String.init) ?? ""
        return stem.isEmpty ? channel.id : stem
    }

    private func show(_ streams: [GB28181InviteRequest]) async {
        // What stands in a browser's page, and not in a player's window, is left to the console.
        let urls = await gateway.serverStat().urls.filter { !$0.protocol.hasPrefix("WS") }
        let names = Dictionary(
            cameras.flatMap(\.channels).map { ($0.id, $0.name) },
            uniquingKeysWith: { first, _ in first }
        )
        print("\(streams.count) simulated cameras are registered and stream. Open any of these in VLC or ffplay:\n")
        for request in streams {
            let transport = request.transport?.text ?? ""
            print("  \(names[request.channelID] ?? "") (channel \(request.channelID), \(transport))")
            for url in urls { print("    \(url.at("127.0.0.1", stream: request.streamName))") }
        }
        let api = configuration.httpApi.addr
        let place = "http://\(api.isLoopback ? "\(api)" : "127.0.0.1:\(api.port)")"
        print("\nAll of them in a browser: \(place)/")
        print("The API: curl \(place)/api/stat/gb28181_devices")
        print("Ctrl-C says BYE to the cameras and ends.")
        Output.flush()
    }
}

extension ServerStat.URLTemplate {
    fileprivate func at(_ host: String, stream: String) -> String {
        url.split(separator: "{host}", omittingEmptySubsequences: false).joined(separator: host)
            .split(separator: "{stream}", omittingEmptySubsequences: false).joined(separator: stream)
    }
}

extension GB28181InviteRequest.MediaTransport {
    fileprivate var text: String {
        switch self {
        case .udp: "PS over UDP"
        case .tcpPassive: "PS over TCP, the camera connects"
        case .tcpActive: "PS over TCP, we connect"
        }
    }
}
