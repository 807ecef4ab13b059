import CameraSimulator
import NIOCore
import NIOPosix
import Testing

@testable import Gateway

/// A gateway on loopback with simulated cameras that are registered.
struct SimulatedSite: Sendable {
    static let password = "a password"

    let gateway: Gateway
    let cameras: [CameraConfiguration]
    private let simulation: RunningSimulation
    private let group: MultiThreadedEventLoopGroup

    /// Runs a test at a site that is taken down afterwards.
    static func open(
        cameras count: Int = 1,
        configure: (inout GatewayConfiguration) -> Void = { _ in },
        devices: [ProvisionedDevice] = [],
        hasPictures: Bool = true,
        camera change: (inout CameraConfiguration) -> Void = { _ in },
        _ test: (SimulatedSite) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        var configuration = GatewayConfiguration.loopback
        configuration.gb28181.password = Secret(password)
        configure(&configuration)
        let logger = LogMemory().logger
        let gateway = try await Gateway.start(configuration, devices: devices, group: group, logger: logger)
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let clip = "/\(root)/devices/simulated/clips/gate.h264"
        let cameras = (1...count).map {
            var camera = CameraConfiguration.numbered($0, password: password, clip: hasPictures ? clip : nil)
            change(&camera)
            return camera
        }
        let simulation = try await CameraSimulation(
            cameras: cameras,
            platform: PlatformConfiguration(
                id: configuration.gb28181.localSipId,
                host: "127.0.0.1",
                port: gateway.ports.sip ?? 0
            )
        ).start()
        let site = SimulatedSite(gateway: gateway, cameras: cameras, simulation: simulation, group: group)
        do {
            try await eventually("all cameras register") {
                await gateway.gb28181Devices().filter { $0.status == "online" && !$0.channels.isEmpty }.count == count
            }
            try await test(site)
        } catch {
            await site.close()
            throw error
        }
        await site.close()
    }

    func request(_ index: Int = 0) -> GB28181InviteRequest {
        GB28181InviteRequest(deviceID: cameras[index].id, channelID: cameras[index].channels[0].id)
    }

    func bye(_ index: Int = 0) -> GB28181ByeRequest {
        GB28181ByeRequest(deviceID: cameras[index].id, channelID: cameras[index].channels[0].id)
    }

    /// Neither side holds anything of a session.
    func becomesIdle() async throws {
        try await eventually("both sides are idle") {
            let sessions = await gateway.media.counts().sessions
            let streaming = await simulation.report().sessions
            let groups = await gateway.allGroups()
            return sessions == 0 && streaming == 0 && groups.isEmpty
        }
    }

    private func close() async {
        await gateway.stop()
        await simulation.stop()
        try? await group.shutdownGracefully()
    }
}

struct NeverHappened: Error {
    let what: String
}

/// Asks again until it holds, ten seconds at most.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(10)
    while try await !condition() {
        guard ContinuousClock.now < end else { throw NeverHappened(what: what) }
        try await Task.sleep(for: .milliseconds(5))
    }
}

extension GatewayConfiguration {
    /// Every port chosen by the system, nothing kept.
    static var loopback: GatewayConfiguration {
        var configuration = GatewayConfiguration()
        configuration.rtmp.addr = "127.0.0.1:0"
        configuration.rtsp.addr = "127.0.0.1:0"
        configuration.defaultHttp.httpListenAddr = "127.0.0.1:0"
        configuration.httpApi.enable = false
        configuration.gb28181.localSipIp = "127.0.0.1"
        configuration.gb28181.localSipPort = 0
        configuration.gb28181.sipRtpPortMin = 41_000
        configuration.gb28181.sipRtpPortMax = 49_999
        configuration.store.enable = false
        return configuration
    }
}
