import CameraSimulator
import GB28181
import Media
import NIOCore
import Testing

@Suite(.timeLimit(.minutes(1)))
struct CameraSimulationTests {
    private static let clip =
        #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/devices/simulated/clips/gate.h264"

    private func simulation(
        _ count: Int,
        _ transport: CameraConfiguration.Transport,
        port: Int,
        ownSocketLimit: Int = 2000
    ) -> CameraSimulation {
        CameraSimulation(
            cameras: (1...count).map {
                .numbered(
                    $0,
                    password: LoopbackPlatform.password,
                    clip: Self.clip,
                    transport: transport,
                    keepaliveInterval: 1
                )
            },
            platform: PlatformConfiguration(id: LoopbackPlatform.id, host: "127.0.0.1", port: port),
            spread: .milliseconds(100),
            ownSocketLimit: ownSocketLimit,
            sharedSockets: 2
        )
    }

    /// Cameras over their own sockets, over shared ones, and over TCP.
    @Test(arguments: [
        (CameraConfiguration.Transport.udp, 2000), (.udp, 0), (.tcp, 2000),
    ])
    func registersKeepsAliveAndLeaves(transport: CameraConfiguration.Transport, ownSocketLimit: Int) async throws {
        let platform = LoopbackPlatform()
        try await platform.start()
        let running = try await simulation(50, transport, port: platform.port, ownSocketLimit: ownSocketLimit).start()
        var events = platform.events.makeAsyncIterator()
        var registered = Set<String>()
        var alive = Set<String>()
        while alive.count < 50, let event = await events.next() {
            if case .registered(let id) = event { registered.insert(id) }
            if case .keepalive(let id) = event { alive.insert(id) }
        }
        #expect(registered.count == 50)
        let report = await running.stop()
        #expect(report.cameras == 50)
        #expect(report.registered == 50)
        #expect(report.register.count == 100)
        #expect(report.register.refused == 0)
        #expect(report.register.p99Milliseconds > 0)
        #expect(report.register.p99Milliseconds >= report.register.p50Milliseconds)
        #expect(report.json.contains("\"p99_ms\""))
        var left = Set<String>()
        while left.count < 50, let event = await events.next() {
            if case .unregistered(let id) = event { left.insert(id) }
        }
        #expect(left.count == 50)
        await platform.stop()
    }

    @Test(arguments: [MediaTransport.udp, .tcpPassive, .tcpActive])
    func streamsToThePlatform(transport: MediaTransport) async throws {
        let platform = LoopbackPlatform()
        try await platform.start()
        let running = try await simulation(1, .udp, port: platform.port).start()
        var events = platform.events.makeAsyncIterator()
        while let event = await events.next() {
            if case .registered = event { break }
        }
        try await platform.invite("34020000001310000001", of: "34020000001320000001", transport)
        var ingest = RTPIngest(configuration: RTPIngestConfiguration())
        var media: [MediaEvent] = []
        var frames = 0
        while frames < 30, let event = await events.next() {
            switch event {
            case .answered(let status, let port):
                #expect(status == 200)
                #expect(port > 0)
            case .media(let packet):
                ingest.receive(packet.span.bytes, now: .now(), into: &media)
                frames = media.count { if case .frame(let frame) = $0 { frame.track == .video } else { false } }
            default: break
            }
        }
        #expect(frames == 30)
        #expect(ingest.statistics.ssrc == 200_000_001)
        #expect(ingest.statistics.order.lost == 0)
        #expect(await running.report().sessions == 1)
        try await platform.bye()
        var report = await running.report()
        while report.sessions > 0 { report = await running.report() }
        #expect(report.invites == 1)
        #expect(report.mediaPackets > 30)
        await running.stop()
        await platform.stop()
    }

    @Test func saysWhichClipIsMissing() async {
        var simulation = simulation(1, .udp, port: 5060)
        simulation.cameras[0].channels[0].clip = "/nowhere/x.h264"
        await #expect(throws: ClipError.self) { try await simulation.start() }
    }

    @Test func percentilesAreWithinSixPercent() {
        var histogram = LatencyHistogram()
        for milliseconds in 1...1000 { histogram.record(.milliseconds(Int64(milliseconds))) }
        let median = Double(histogram.percentile(50).nanoseconds) / 1e6
        #expect(median > 470 && median < 540)
        let high = Double(histogram.percentile(99).nanoseconds) / 1e6
        #expect(high >= 990 && high <= 1000)
        #expect(histogram.maximum == .seconds(1))
        #expect(LatencyHistogram().percentile(99) == .zero)
        histogram.record(.nanoseconds(-5))
        histogram.record(.hours(1000))
        #expect(histogram.count == 1002)
    }
}
