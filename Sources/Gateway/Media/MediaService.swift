internal import Hub
internal import NIOCore
internal import Synchronization
internal import Transport

/// All media sessions, spread over the event loops.
final class MediaService: Sendable {
    struct Settings: Sendable {
        var bindHost = "0.0.0.0"
        var ports = 30_000...60_000
        /// 0: a port a session.
        var singlePort = 0
        var dumpFolder = "./dump/"

        init() {}
    }

    let settings: Settings
    let hub: Hub
    let blocking = BlockingPool()
    private let loops: [NIOLoopBound<MediaLoop>]
    private let next = Atomic<Int>(0)
    private let pool: PortPool

    /// Opens the shared port if there is one. On a failure nothing stays open.
    static func start(
        settings: Settings,
        pool: PortPool,
        hub: Hub,
        group: any EventLoopGroup
    ) async throws -> MediaService {
        var loops: [NIOLoopBound<MediaLoop>] = []
        do {
            for loop in group.makeIterator() {
                let media = try await loop.submit {
                    NIOLoopBound(
                        try MediaLoop(loop: loop, hub: hub, pool: pool, bindHost: settings.bindHost),
                        eventLoop: loop
                    )
                }.get()
                loops.append(media)
            }
            if settings.singlePort != 0, let first = loops.first {
                try await first.eventLoop.submit { try first.value.openShared(port: settings.singlePort) }.get()
            }
        } catch {
            for loop in loops { try? await loop.eventLoop.submit { loop.value.closeAll() }.get() }
            throw error
        }
        return MediaService(settings: settings, hub: hub, pool: pool, loops: loops)
    }

    private init(settings: Settings, hub: Hub, pool: PortPool, loops: [NIOLoopBound<MediaLoop>]) {
        self.settings = settings
        self.hub = hub
        self.pool = pool
        self.loops = loops
    }

    /// Publishes the stream and opens its port.
    func open(_ request: MediaRequest) async throws -> MediaHandle {
        let usesShared =
            settings.singlePort != 0 && request.ssrc != nil
            && (request.port == 0 || request.port == settings.singlePort)
        let index = usesShared ? 0 : next.add(1, ordering: .relaxed).oldValue % loops.count
        let loop = loops[index]
        let id = hub.makeSessionID(.ps)
        return try await loop.eventLoop.submit { try loop.value.open(request, session: id) }.get()
    }

    func reports() async -> [String: MediaReport] {
        var all: [String: MediaReport] = [:]
        for loop in loops {
            let part = try? await loop.eventLoop.submit { loop.value.report() }.get()
            all.merge(part ?? [:]) { first, _ in first }
        }
        return all
    }

    func counts() async -> MediaCounts {
        var sum = MediaCounts()
        for loop in loops {
            guard let part = try? await loop.eventLoop.submit({ loop.value.counts }).get() else { continue }
            sum.sessions += part.sessions
            sum.sockets += part.sockets
            sum.unmatchedPackets += part.unmatchedPackets
        }
        return sum
    }

    /// Starts or ends the dump of a session.
    func dump(_ handle: MediaHandle, enable: Bool, now: WallTime) async throws -> String {
        guard enable else { return try await handle.dump(nil) ?? "" }
        let name =
            "\(handle.stream.map { $0 == "/" ? "_" : $0 }.map(String.init).joined())-\(now.unixMilliseconds).rfc4571"
        let writer = try DumpWriter(folder: settings.dumpFolder, name: name, pool: blocking)
        return try await handle.dump(writer) ?? ""
    }

    func stop() async {
        for loop in loops {
            try? await loop.eventLoop.submit { loop.value.closeAll() }.get()
        }
        await blocking.shutDown()
    }
}
