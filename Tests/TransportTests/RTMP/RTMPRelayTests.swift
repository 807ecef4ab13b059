import Hub
import Media
import NIOCore
import NIOPosix
import Streaming
import Testing

@testable import Transport

/// What a relay tells, in order.
struct RelayEvents: Sendable {
    let stream: AsyncStream<RelayEvent>
    let onEvent: @Sendable (RelayEvent) -> Void

    init() {
        let (stream, continuation) = AsyncStream<RelayEvent>.makeStream()
        self.stream = stream
        onEvent = { event in
            continuation.yield(event)
            if case .ended = event { continuation.finish() }
        }
    }

    /// The fault of the end, nil when we ended it or it did not end.
    func fault() async -> RelayFault? {
        for await case .ended(let fault) in stream { return fault }
        return nil
    }

    /// Whether it started before it ended.
    func started() async -> Bool {
        for await event in stream {
            if case .started = event { return true }
            return false
        }
        return false
    }
}

@Suite("RTMP relays between two Hubs", .timeLimit(.minutes(1)))
struct RTMPRelayTests {
    /// A Hub with an RTMP port, as another server.
    struct Site: Sendable {
        let hub: Hub
        let port: Int
        let group: any EventLoopGroup

        func url(_ path: String) throws -> RTMPURL { try RTMPURL("rtmp://127.0.0.1:\(port)/\(path)") }
    }

    private func withSites<Result: Sendable>(
        _ options: RTMPServerOptions = RTMPServerOptions(),
        configuration: HubConfiguration = HubConfiguration(),
        _ body: @Sendable (Site, Site) async throws -> Result
    ) async throws -> Result {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        var sites: [Site] = []
        for _ in 0..<2 {
            let hub = Hub(group: group, configuration: configuration)
            let server = try await RTMPServer.start(
                hub: hub,
                group: group,
                host: "127.0.0.1",
                port: 0,
                options: options
            )
            sites.append(Site(hub: hub, port: server.port, group: group))
        }
        let result: Result
        do {
            result = try await body(sites[0], sites[1])
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
        return result
    }

    private static func pull(
        _ url: RTMPURL,
        into site: Site,
        _ options: RelayOptions = RelayOptions()
    )
        -> (any RelayClient, RelayEvents)
    {
        let events = RelayEvents()
        let relay = RTMPPullClient.start(
            url,
            stream: "x",
            app: "live",
            session: site.hub.makeSession(.rtmpPull, .pull, url: url.redacted),
            hub: site.hub,
            group: site.group,
            options: options,
            onEvent: events.onEvent
        )
        return (relay, events)
    }

    private static func push(
        _ url: RTMPURL,
        of site: Site,
        _ options: RelayOptions = RelayOptions()
    )
        -> (any RelayClient, RelayEvents)
    {
        let events = RelayEvents()
        let relay = RTMPPushClient.start(
            url,
            stream: "x",
            app: "live",
            session: site.hub.makeSession(.rtmpPush, .push, url: url.redacted),
            hub: site.hub,
            group: site.group,
            options: options,
            onEvent: events.onEvent
        )
        return (relay, events)
    }

    /// One group of pictures however many there are: a viewer that comes late gets all of it.
    private static func picture(_ index: Int) -> FLVMessage {
        let start: [UInt8] = index == 0 ? [0x17] : [0x27]
        let unit: [UInt8] = index == 0 ? [0x65, 1, 2] : [0x41, UInt8(truncatingIfNeeded: index), 2]
        return FLVMessage(
            kind: .video,
            timestamp: UInt32(40 * (index + 1)),
            body: ByteBuffer(bytes: start + [1, 0, 0, 0, 0, 0, 0, 3] + unit)
        )
    }
    private static let sps: [UInt8] = [0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x00, 0xA0, 0x47, 0xFE, 0x88]
    private static let header: FLVMessage = {
        var body: [UInt8] = [0x17, 0, 0, 0, 0, 1, 0x42, 0xC0, 0x1E, 0xFF, 0xE1, 0, UInt8(sps.count)] + sps
        body += [1, 0, 4, 0x68, 0xCB, 0x83, 0xCB]
        return FLVMessage(kind: .video, timestamp: 40, body: ByteBuffer(bytes: body))
    }()

    /// Pictures, 40 ms apart, until the test has seen what it waits for.
    private static func publish(_ peer: RTMPTestPeer, from first: Int, _ count: Int) async throws {
        if first == 0 { try await peer.send(header) }
        for index in first..<first + count { try await peer.send(picture(index)) }
    }

    @Test("pull: what the other server has, our viewers get; it is counted, and stop ends it")
    func pulls() async throws {
        try await withSites { origin, edge in
            let (relay, events) = Self.pull(try origin.url("live/x?k=v"), into: edge)
            let received = try await RTMPTestPeer.with(port: edge.port) { player in
                _ = try await player.ask("play", "x", until: "NetStream.Play.Start")
                return try await RTMPTestPeer.with(port: origin.port) { publisher in
                    _ = try await publisher.ask("publish", "x", until: "NetStream.Publish.Start")
                    try await Self.publish(publisher, from: 0, 40)
                    return try await player.media(20)
                }
            }
            #expect(received.first?.body == Self.header.body)
            #expect(received.dropFirst().map(\.body) == (0..<19).map { Self.picture($0).body })
            #expect(await events.started())
            let publisher = try #require(await edge.hub.snapshot(of: "x")?.publisher)
            #expect(publisher.info.kind == .rtmpPull)
            #expect(publisher.info.role == .pull)
            #expect(publisher.info.remoteAddress == "127.0.0.1:\(origin.port)")
            #expect(publisher.info.url == "rtmp://127.0.0.1:\(origin.port)/live/x")
            relay.stop()
            #expect(await events.fault() == nil)
            #expect(edge.hub.publisher(of: "x") == nil)
        }
    }

    @Test("push: the other server gets the stream as from any publisher, and loses it when ours is gone")
    func pushes() async throws {
        var configuration = HubConfiguration()
        configuration.gracePeriod = .zero
        try await withSites(configuration: configuration) { ours, target in
            let received = try await RTMPTestPeer.with(port: ours.port) { publisher in
                _ = try await publisher.ask("publish", "x", until: "NetStream.Publish.Start")
                try await Self.publish(publisher, from: 0, 20)
                let (_, events) = Self.push(try target.url("a/b/y"), of: ours)
                #expect(await events.started())
                let received = try await RTMPTestPeer.with(port: target.port) { player in
                    _ = try await player.ask("play", "y", until: "NetStream.Play.Start")
                    try await Self.publish(publisher, from: 20, 20)
                    return try await player.media(20)
                }
                #expect(target.hub.publisher(of: "y")?.url == "rtmp://127.0.0.1:\(target.port)/a/b/y")
                try await publisher.command("FCUnpublish", .null, .string("x"))
                let fault = await events.fault()
                #expect(fault?.kind == .hub)
                return received
            }
            #expect(received.first?.body == Self.header.body)
        }
    }

    @Test("what the other server answers is the reason, and no secret of the URL is in it")
    func tellsRefusals() async throws {
        var options = RTMPServerOptions()
        options.authorize = { _ in .deny(.unauthorized, reason: "no such token") }
        try await withSites(options) { origin, edge in
            var url = try origin.url("live/x?token=s3cret")
            url.user = "joe"
            url.password = "pa55"
            let pull = await Self.pull(url, into: edge).1.fault()
            #expect(pull?.kind == .refused)
            #expect(pull?.description.contains("NetStream.Play.Failed (no such token)") == true)
            let push = await Self.push(url, of: edge).1.fault()
            #expect(push?.description.contains("NetStream.Publish.Denied (no such token)") == true)
            for text in [pull, push].compactMap({ $0?.description }) {
                #expect(!text.contains("s3cret") && !text.contains("pa55"))
            }
        }
    }

    @Test("a port where nobody listens, a name that does not exist, a server that says nothing")
    func tellsConnecting() async throws {
        try await withSites { origin, edge in
            let silent = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .bind(host: "127.0.0.1", port: 0).get()
            var options = RelayOptions()
            options.timeout = .milliseconds(200)
            let url = RTMPURL(host: "127.0.0.1", port: silent.localAddress?.port, app: "live", stream: "x")
            let timeout = await Self.pull(url, into: edge, options).1.fault()
            #expect(timeout?.kind == .timeout)
            #expect(timeout?.description.contains("handshake") == true)
            try await silent.close()
            let refused = await Self.pull(url, into: edge).1.fault()
            #expect(refused?.kind == .connect)
            #expect(refused?.description.contains("Connection refused") == true)
            let unknown = RTMPURL(host: "no-such-host.invalid", app: "live", stream: "x")
            let unresolved = await Self.push(unknown, of: edge).1.fault()
            #expect(unresolved?.kind == .connect)
            #expect(unresolved?.description.contains("no-such-host.invalid") == true)
        }
    }

    @Test("our Hub's refusal ends a pull; so do a kick, and silence after the acceptance")
    func endsPulls() async throws {
        try await withSites { origin, edge in
            try await RTMPTestPeer.with(port: origin.port) { publisher in
                _ = try await publisher.ask("publish", "x", until: "NetStream.Publish.Start")
                try await Self.publish(publisher, from: 0, 40)
                let (_, first) = Self.pull(try origin.url("live/x"), into: edge)
                #expect(await first.started())
                let second = await Self.pull(try origin.url("live/x"), into: edge).1.fault()
                #expect(second?.kind == .hub)
                let session = try #require(edge.hub.publisher(of: "x"))
                #expect(await edge.hub.kick(session: session.id, of: "x") == nil)
                let kicked = await first.fault()
                #expect(kicked?.kind == .hub)
                #expect(edge.hub.publisher(of: "x") == nil)
            }
            var options = RelayOptions()
            options.silenceTimeout = .milliseconds(200)
            let silent = await Self.pull(try origin.url("live/nobody"), into: edge, options).1.fault()
            #expect(silent?.kind == .lost)
        }
    }

    @Test("the other server ends the connection: lost")
    func tellsLoss() async throws {
        try await withSites { origin, edge in
            try await RTMPTestPeer.with(port: origin.port) { publisher in
                _ = try await publisher.ask("publish", "x", until: "NetStream.Publish.Start")
                try await Self.publish(publisher, from: 0, 40)
                let (_, events) = Self.pull(try origin.url("live/x"), into: edge)
                #expect(await events.started())
                let viewer = try #require(await origin.hub.snapshot(of: "x")?.viewers.first)
                #expect(await origin.hub.kick(session: viewer.info.id, of: "x") == nil)
                #expect(await events.fault()?.kind == .lost)
            }
        }
    }

    #if TLS
    @Test("over TLS in both directions; a certificate that nobody vouches for is refused unless that is switched off")
    func relaysOverTLS() async throws {
        try await withSites { ours, far in
            let secure = try await RTMPServer.start(
                hub: far.hub,
                group: far.group,
                host: "127.0.0.1",
                port: 0,
                tls: TestCertificate().load()
            )
            let url = try RTMPURL("rtmps://localhost:\(secure.port)/live/x")
            let fault = await Self.push(url, of: ours).1.fault()
            #expect(fault?.kind == .connect)
            #expect(fault?.description.contains("TLS") == true)

            var trusting = RelayOptions()
            trusting.verifiesCertificates = false
            let options = trusting
            try await RTMPTestPeer.with(port: ours.port) { publisher in
                _ = try await publisher.ask("publish", "x", until: "NetStream.Publish.Start")
                try await Self.publish(publisher, from: 0, 40)
                let (push, pushed) = Self.push(url, of: ours, options)
                #expect(await pushed.started())
                let third = Site(hub: Hub(group: ours.group), port: 0, group: ours.group)
                let (pull, pulled) = Self.pull(url, into: third, options)
                #expect(await pulled.started())
                while await third.hub.snapshot(of: "x")?.video == nil { await Task.yield() }
                pull.stop()
                push.stop()
                #expect(await pulled.fault() == nil)
                #expect(await pushed.fault() == nil)
            }
        }
    }
    #endif
}
