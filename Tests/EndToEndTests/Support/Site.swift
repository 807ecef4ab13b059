import CameraSimulator
import Foundation
import Gateway
import GatewayAPI
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// The project's own files.
enum Project {
    static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4)
        .joined(separator: "/")
    static let cameras = "\(root)/devices/simulated"
    static let gateClip = "\(cameras)/clips/gate.h264"
    static let yardClip = "\(cameras)/clips/yard.h265"
}

/// A gateway with its API in this process, every port free chosen by the system, on loopback.
struct Site: Sendable {
    static let platformID = "34020000002000000001"
    static let password = "12345678"

    let gateway: Gateway
    let api: API
    let log: CapturedLog

    var sip: Int { gateway.ports.sip ?? 0 }
    var http: Int { gateway.ports.http ?? 0 }
    var rtmp: Int { gateway.ports.rtmp ?? 0 }
    var rtsp: Int { gateway.ports.rtsp ?? 0 }

    /// Each site's media ports: other tests run beside it, and some count what one of them has leased.
    private static let nextRange = Atomic<Int>(0)

    static func configuration(password: String = "") -> GatewayConfiguration {
        var configuration = GatewayConfiguration()
        configuration.rtmp.addr = "127.0.0.1:0"
        configuration.rtsp.addr = "127.0.0.1:0"
        configuration.defaultHttp.httpListenAddr = "127.0.0.1:0"
        configuration.httpApi.addr = "127.0.0.1:0"
        configuration.gb28181.localSipIp = "127.0.0.1"
        configuration.gb28181.localSipPort = 0
        configuration.gb28181.password = Secret(password)
        // Below what the system hands out by itself.
        let first = 20_000 + nextRange.add(1, ordering: .relaxed).oldValue % 80 * 100
        configuration.gb28181.sipRtpPortMin = first
        configuration.gb28181.sipRtpPortMax = first + 99
        configuration.store.enable = false
        configuration.record.indexPath = NSTemporaryDirectory() + "gbgate-\(UUID().uuidString).sqlite"
        return configuration
    }

    static func run(
        password: String = "",
        _ change: (inout GatewayConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (Site) async throws -> Void
    ) async throws {
        var configuration = configuration(password: password)
        change(&configuration)
        let log = CapturedLog()
        let logger = Logger(label: "gbgate") { _ in CapturedLog.Handler(log: log) }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let gateway = try await Gateway.start(configuration, group: group, logger: logger)
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let server = try APIServer(
            configuration: configuration.httpApi,
            control: gateway,
            group: group,
            logger: logger
        ) { port.yield($0.port ?? 0) }
        do {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await server.run() }
                tasks.addTask {
                    for await bound in ports {
                        try await body(Site(gateway: gateway, api: API(port: bound), log: log))
                        return
                    }
                }
                _ = try await tasks.next()
                tasks.cancelAll()
            }
        } catch {
            await gateway.stop()
            try await group.shutdownGracefully()
            throw error
        }
        await gateway.stop()
        try await group.shutdownGracefully()
    }

    /// Runs `body` with simulated cameras that have registered and told their channels.
    func withCameras(
        _ cameras: [CameraConfiguration],
        _ body: (RunningSimulation) async throws -> Void
    ) async throws {
        let simulation = CameraSimulation(
            cameras: cameras,
            platform: PlatformConfiguration(id: Self.platformID, host: "127.0.0.1", port: sip),
            retryInterval: .seconds(1)
        )
        let running = try await simulation.start()
        do {
            try await wait(for: "\(cameras.count) cameras with their catalogs") {
                try await api.playable() == cameras.count
            }
            try await body(running)
        } catch {
            await running.stop()
            throw error
        }
        await running.stop()
    }
}

/// Log records in memory.
final class CapturedLog: Sendable {
    private let records = Mutex<[String]>([])

    var lines: [String] { records.withLock { $0 } }

    func contains(_ words: String...) -> Bool {
        lines.contains { line in words.allSatisfy { line.contains($0) } }
    }

    struct Handler: LogHandler {
        let log: CapturedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let facts = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            let line = "\(event.level) \(event.message) \(facts.joined(separator: " "))"
            log.records.withLock { $0.append(line) }
        }
    }
}
