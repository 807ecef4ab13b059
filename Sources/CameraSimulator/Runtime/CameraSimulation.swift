package import NIOCore
internal import NIOPosix

/// Many simulated cameras at one platform: for the demo, the tests and load.
package struct CameraSimulation: Sendable {
    package var cameras: [CameraConfiguration]
    package var platform: PlatformConfiguration
    /// First registrations are spread over this time.
    package var spread: TimeAmount
    /// How long a camera rests after a failed registration or a lost connection.
    package var retryInterval: TimeAmount
    /// Up to this many UDP cameras have a socket each; more share `sharedSockets` a loop, told apart by ID.
    package var ownSocketLimit: Int
    package var sharedSockets: Int
    package var threads: Int
    /// The address that cameras announce; nil is the one the system uses towards the platform.
    package var localHost: String?

    package init(
        cameras: [CameraConfiguration],
        platform: PlatformConfiguration,
        spread: TimeAmount = .zero,
        retryInterval: TimeAmount = .seconds(10),
        ownSocketLimit: Int = 2000,
        sharedSockets: Int = 16,
        threads: Int = 1,
        localHost: String? = nil
    ) {
        self.cameras = cameras
        self.platform = platform
        self.spread = spread
        self.retryInterval = retryInterval
        self.ownSocketLimit = ownSocketLimit
        self.sharedSockets = sharedSockets
        self.threads = threads
        self.localHost = localHost
    }

    /// Runs until the task is cancelled or `duration` is over, then takes the registrations back.
    package func run(for duration: TimeAmount? = nil) async throws -> SimulationReport {
        let running = try await start()
        do {
            try await Task.sleep(for: duration.map { .nanoseconds($0.nanoseconds) } ?? .seconds(1_000_000_000))
        } catch is CancellationError {
            // The way to end it.
        }
        return await running.stop()
    }

    /// Starts the cameras and returns. Call `stop` on what it gives.
    package func start() async throws -> RunningSimulation {
        var clips: [String: Clip] = [:]
        let channels = cameras.flatMap(\.channels)
        for path in Set(channels.compactMap(\.clip) + channels.compactMap(\.subClip)) {
            clips[path] = try Clip.load(path: path)
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(threads, 1))
        do {
            return try await start(on: group, clips: clips)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private func start(on group: MultiThreadedEventLoopGroup, clips: [String: Clip]) async throws -> RunningSimulation {
        let address = try SocketAddress.makeAddressResolvingHost(platform.host, port: platform.port)
        let settings = SimulationLoop.Settings(
            platform: platform,
            platformAddress: address,
            localHost: try await localAddress(towards: address, on: group),
            sharedSockets: cameras.count > ownSocketLimit ? max(sharedSockets, 1) : 0,
            retryInterval: retryInterval,
            clips: clips
        )
        var loops: [NIOLoopBound<SimulationLoop>] = []
        for loop in group.makeIterator() {
            let bound = try await loop.submit {
                NIOLoopBound(SimulationLoop(loop: loop, settings: settings), eventLoop: loop)
            }.get()
            try await loop.flatSubmit { bound.value.prepare() }.get()
            loops.append(bound)
        }
        let started = NIODeadline.now()
        for (offset, bound) in loops.enumerated() {
            let shares = cameras.enumerated().filter { $0.offset % loops.count == offset }
            try await bound.eventLoop.submit {
                for (index, camera) in shares {
                    let delay = spread.nanoseconds / Int64(max(cameras.count, 1)) * Int64(index)
                    bound.value.add(camera, startAt: started + .nanoseconds(delay))
                }
            }.get()
        }
        return RunningSimulation(group: group, loops: loops, started: started)
    }

    /// A connected datagram socket sends nothing and knows which of our addresses it would use.
    private func localAddress(towards address: SocketAddress, on group: any EventLoopGroup) async throws -> String {
        if let localHost { return localHost }
        let probe = try await DatagramBootstrap(group: group).connect(to: address).get()
        let host = probe.localAddress?.ipAddress
        try await probe.close().get()
        return host ?? "127.0.0.1"
    }
}

/// Cameras at work.
package struct RunningSimulation: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let loops: [NIOLoopBound<SimulationLoop>]
    private let started: NIODeadline

    init(group: MultiThreadedEventLoopGroup, loops: [NIOLoopBound<SimulationLoop>], started: NIODeadline) {
        self.group = group
        self.loops = loops
        self.started = started
    }

    /// The counters so far.
    package func report() async -> SimulationReport {
        var total = SimulationStatistics()
        var cameras = 0
        for bound in loops {
            let share = try? await bound.eventLoop.submit { (bound.value.statistics, bound.value.cameraCount) }.get()
            guard let share else { continue }
            total.merge(share.0)
            cameras += share.1
        }
        return SimulationReport(
            cameras: cameras,
            registered: total.registered,
            elapsedSeconds: Double((NIODeadline.now() - started).nanoseconds / 1_000_000) / 1000,
            register: total.register.report,
            keepalive: total.keepalive.report,
            sessions: total.sessions,
            invites: total.invites,
            mediaPackets: total.mediaPackets,
            mediaBytes: total.mediaBytes
        )
    }

    /// Says goodbye to the platform, waits a second at most for its answers and closes all. Returns the last report.
    @discardableResult
    package func stop() async -> SimulationReport {
        let report = await report()
        for bound in loops { try? await bound.eventLoop.submit { bound.value.stop() }.get() }
        for _ in 0..<20 where await self.report().registered > 0 {
            // In a task of its own: this one may be cancelled already, and the goodbye is worth a second.
            await Task { try? await Task.sleep(for: .milliseconds(50)) }.value
        }
        for bound in loops { try? await bound.eventLoop.submit { bound.value.close() }.get() }
        try? await group.shutdownGracefully()
        return report
    }
}
