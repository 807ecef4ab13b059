internal import ArgumentParser
internal import CameraSimulator
internal import NIOCore

struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Plays cameras against a gateway on this machine, for tests and load; prints a report as JSON."
    )

    @Option(help: "The gateway's SIP address, host:port.")
    var server = "127.0.0.1:5060"

    @Option(help: "The gateway's ID.")
    var serverID = "34020000002000000001"

    @Option(help: "How many cameras.")
    var count = 1

    @Option(help: "Their password.")
    var password = ""

    @Option(help: "The clip that they stream (.h264 or .h265, its sound beside it).")
    var clip = "devices/simulated/clips/gate.h264"

    @Flag(help: "They stream nothing.")
    var signallingOnly = false

    @Flag(help: "They register over TCP.")
    var tcp = false

    @Option(help: "Seconds between keepalives.")
    var keepalive = 60

    @Option(help: "Seconds to run; 0: until Ctrl-C.")
    var duration = 0

    @Option(help: "Seconds over which the first registrations are spread.")
    var spread = 5

    @Flag(help: "Ends at once, like a power cut: nothing is unregistered.")
    var abrupt = false

    func validate() throws {
        guard (1...100_000).contains(count) else { throw ValidationError("--count takes 1 to 100000, not \(count)") }
        guard keepalive > 0, duration >= 0, spread >= 0 else {
            throw ValidationError("--keepalive, --duration and --spread take seconds")
        }
    }

    func run() async throws {
        let parts = server.split(separator: ":")
        guard let host = parts.first, parts.count == 2, let port = Int(parts[1]) else {
            throw ValidationError("--server is \(server), expected host:port")
        }
        // It makes load: another machine is no target.
        guard host == "localhost" || host.hasPrefix("127.") else {
            throw ValidationError("--server must be on this machine (127.0.0.1), not \(host)")
        }
        let cameras = (0..<count).map { index in
            CameraConfiguration.numbered(
                index,
                password: password,
                clip: signallingOnly ? nil : clip,
                transport: tcp ? .tcp : .udp,
                keepaliveInterval: keepalive
            )
        }
        let simulation = CameraSimulation(
            cameras: cameras,
            platform: PlatformConfiguration(id: serverID, host: String(host), port: port),
            spread: .seconds(Int64(spread))
        )
        let running = try await simulation.start()
        if duration > 0 {
            try await Task.sleep(for: .seconds(duration))
        } else {
            await Signals.interrupted()
        }
        print(await abrupt ? running.report().json : running.stop().json)
    }
}
