import Hub
import Media
import NIOCore
import NIOPosix
import Testing
import Wire

@testable import Streaming
@testable import Transport

extension RTSPPortTests {
    @Suite("RTSP relays between two Hubs", .timeLimit(.minutes(3)))
    struct RTSPRelayTests {
        private static func pull(
            _ url: RTSPURL,
            into fixture: RTSPFixture,
            _ options: RelayOptions = RelayOptions()
        ) -> (any RelayClient, RelayEvents) {
            let events = RelayEvents()
            let relay = RTSPPullClient.start(
                url,
                stream: "x",
                app: "live",
                session: fixture.hub.makeSession(.rtspPull, .pull, url: url.redacted),
                hub: fixture.hub,
                group: fixture.group,
                ports: fixture.options.ports,
                reactors: fixture.options.reactors,
                options: options,
                onEvent: events.onEvent
            )
            return (relay, events)
        }

        private static func push(
            _ url: RTSPURL,
            of fixture: RTSPFixture,
            _ options: RelayOptions = RelayOptions()
        ) -> (any RelayClient, RelayEvents) {
            let events = RelayEvents()
            let relay = RTSPPushClient.start(
                url,
                stream: "x",
                app: "live",
                session: fixture.hub.makeSession(.rtspPush, .push, url: url.redacted),
                hub: fixture.hub,
                group: fixture.group,
                ports: fixture.options.ports,
                reactors: fixture.options.reactors,
                options: options,
                onEvent: events.onEvent
            )
            return (relay, events)
        }

        /// The first that is told is that it runs.
        private static func expectStarted(_ events: RelayEvents, at location: SourceLocation = #_sourceLocation) async {
            for await event in events.stream {
                if case .ended(let fault) = event {
                    Issue.record("it ends instead: \(fault?.description ?? "")", sourceLocation: location)
                }
                return
            }
        }

        /// It ended because we said so.
        private static func expectStopped(_ events: RelayEvents, at location: SourceLocation = #_sourceLocation) async {
            if let fault = await events.fault() {
                Issue.record("it ended by itself: \(fault.description)", sourceLocation: location)
            }
        }

        /// Two sites; the first one is the other server.
        private static func withSites(
            tls: TLSCertificate? = nil,
            hub: HubConfiguration = HubConfiguration(),
            _ change: (inout RTSPServerOptions) -> Void = { _ in },
            _ body: (RTSPFixture, RTSPFixture) async throws -> Void
        ) async throws {
            // Ports that the two do not fight for.
            let ranges = [(30_000, 34_000), (34_002, 38_000)].map { $0.0...$0.1 }
            try await RTSPFixture.with(hub: hub, tls: tls) {
                $0.ports = PortPool(range: ranges[0])
                change(&$0)
            } _: { far in
                try await RTSPFixture.with(hub: hub) {
                    $0.ports = PortPool(range: ranges[1])
                } _: { near in
                    try await body(far, near)
                }
            }
        }

        private static func url(_ fixture: RTSPFixture, _ rest: String = "live/x", user: String = "") throws -> RTSPURL
        {
            try RTSPURL("rtsp://\(user)127.0.0.1:\(fixture.port)/\(rest)")
        }

        private static func options(_ transport: RTSPTransport.Lower) -> RelayOptions {
            var options = RelayOptions()
            options.rtspTransport = transport
            return options
        }

        /// Feeds a stream with sound until a player has seen so many pictures of it.
        private static func play(
            _ player: RTSPTestClient,
            from publisher: TestPublisher,
            _ numbers: Range<Int>,
            group: Int = 10
        ) async throws -> RTSPPictureReader {
            for number in numbers {
                try await publisher.receive(
                    RTSPPictures.pictures(number..<number + 1, group: group) + [RTSPPictures.sound(number)]
                )
            }
            var reader = try RTSPPictureReader(player.sdp)
            // Over UDP sound may come after the picture that it came before.
            try player.read(&reader) {
                $0.numbers.last == numbers.upperBound - 1 && $0.sounds >= numbers.count - 5
            }
            return reader
        }

        @Test("pull: what the other server has our players get", arguments: [RTSPTransport.Lower.tcp, .udp])
        func pulls(transport: RTSPTransport.Lower) async throws {
            try await Self.withSites { origin, edge in
                let publisher = try await origin.publish()
                try await publisher.receive(RTSPPictures.pictures(0..<5, group: 100) + [RTSPPictures.sound(5)])
                let url = try Self.url(origin, "live/x?k=s3cret")
                let (relay, events) = Self.pull(url, into: edge, Self.options(transport))
                await Self.expectStarted(events)
                #expect(origin.options.ports.statistics.leased == (transport == .udp ? 2 : 0))
                let player = try edge.client()
                try player.play()
                let reader = try await Self.play(player, from: publisher, 5..<40, group: 100)
                #expect(reader.numbers == Array(0..<40))
                #expect(reader.sounds >= 30 && reader.gaps == 0)
                let pull = try #require(await edge.hub.snapshot(of: "x")?.publisher)
                #expect(pull.info.kind == .rtspPull && pull.info.role == .pull)
                #expect(pull.info.remoteAddress == "127.0.0.1:\(origin.port)")
                #expect(pull.info.url == "rtsp://127.0.0.1:\(origin.port)/live/x")
                #expect(pull.bytes.readBytes > 40_000)
                relay.stop()
                await Self.expectStopped(events)
                #expect(edge.hub.publisher(of: "x") == nil)
                try await origin.wait { await origin.hub.snapshot(of: "x")?.viewers.isEmpty == true }
                #expect(edge.options.ports.statistics.leased == 0)
                try await origin.wait { origin.options.ports.statistics.leased == 0 }
            }
        }

        @Test(
            "push: the other server gets the stream as from any publisher",
            arguments: [RTSPTransport.Lower.tcp, .udp]
        )
        func pushes(transport: RTSPTransport.Lower) async throws {
            var configuration = HubConfiguration()
            configuration.gracePeriod = .zero
            try await Self.withSites(hub: configuration) { target, ours in
                let publisher = try await ours.publish()
                try await publisher.receive(RTSPPictures.pictures(0..<5, group: 100) + [RTSPPictures.sound(5)])
                let (_, events) = Self.push(try Self.url(target), of: ours, Self.options(transport))
                await Self.expectStarted(events)
                let player = try target.client()
                try player.play()
                let reader = try await Self.play(player, from: publisher, 5..<40, group: 100)
                #expect(reader.numbers == Array(0..<40))
                #expect(reader.sounds >= 30 && reader.gaps == 0)
                #expect(target.hub.publisher(of: "x")?.kind == .rtspPublisher)
                let push = try #require(await ours.hub.snapshot(of: "x")?.viewers.first)
                #expect(push.info.kind == .rtspPush && push.info.role == .push)
                #expect(push.info.remoteAddress == "127.0.0.1:\(target.port)")
                try await publisher.finish()
                #expect(await events.fault()?.kind == .hub)
                try await target.wait { target.hub.publisher(of: "x") == nil }
                // By TEARDOWN: the other server was told.
                #expect(target.ends.reports.filter { $0.role == .publisher }.map(\.fault) == [nil])
            }
        }

        @Test("a push waits for its publisher, and gives up in time")
        func waitsForPublisher() async throws {
            try await Self.withSites { target, ours in
                let (relay, events) = Self.push(try Self.url(target), of: ours)
                let publisher = try await ours.publish()
                try await publisher.receive(RTSPPictures.pictures(0..<3))
                await Self.expectStarted(events)
                relay.stop()
                await Self.expectStopped(events)
                try await target.wait { target.hub.publisher(of: "x") == nil }
                try await publisher.finish()
                var options = RelayOptions()
                options.timeout = .milliseconds(200)
                let fault = await Self.push(try Self.url(target), of: ours, options).1.fault()
                #expect(fault?.kind == .hub && fault?.description.contains("no publisher") == true)
            }
        }

        @Test("78: a server that serves no UDP is asked over TCP")
        func fallsBack() async throws {
            try await Self.withSites {
                $0.policy = RTSPTransportPolicy(udp: false)
            } _: { origin, edge in
                let publisher = try await origin.publish()
                try await publisher.receive(RTSPPictures.pictures(0..<5))
                let (relay, events) = Self.pull(try Self.url(origin), into: edge, Self.options(.udp))
                await Self.expectStarted(events)
                let player = try edge.client()
                try player.play()
                #expect(try await Self.play(player, from: publisher, 5..<20).numbers.last == 19)
                #expect(edge.options.ports.statistics.leased == 0)
                relay.stop()
                await Self.expectStopped(events)
            }
        }

        @Test("user and password are those of the URL; none of them is in what is told")
        func authenticates() async throws {
            try await Self.withSites {
                $0.connection.credentials = DigestCredentials(username: "joe", password: "pa55")
            } _: { origin, edge in
                let publisher = try await origin.publish()
                try await publisher.receive(RTSPPictures.pictures(0..<5))
                let (relay, events) = Self.pull(try Self.url(origin, user: "joe:pa55@"), into: edge)
                await Self.expectStarted(events)
                relay.stop()
                await Self.expectStopped(events)
                let (push, pushed) = Self.push(try Self.url(origin, "live/y", user: "joe:pa55@"), of: origin)
                await Self.expectStarted(pushed)
                push.stop()
                await Self.expectStopped(pushed)
                for user in ["joe:s3cret@", "joe@", ""] {
                    let url = try Self.url(origin, "live/x?token=t0ken", user: user)
                    for fault in [
                        await Self.pull(url, into: edge).1.fault(), await Self.push(url, of: origin).1.fault(),
                    ] {
                        #expect(fault?.kind == .unauthorized)
                        let text = fault?.description ?? ""
                        #expect(text.contains("rtsp://127.0.0.1:\(origin.port)/live/x"))
                        #expect(!text.contains("s3cret") && !text.contains("t0ken"))
                    }
                }
            }
        }

        @Test("16: what is not there, where nobody listens, who says nothing")
        func tellsFailures() async throws {
            try await Self.withSites { origin, edge in
                let missing = await Self.pull(try Self.url(origin), into: edge).1.fault()
                #expect(missing?.kind == .refused)
                #expect(missing?.description.contains("DESCRIBE was answered with 404") == true)
                let silent = try TestSocket.listening()
                var options = RelayOptions()
                options.timeout = .milliseconds(200)
                let url = try RTSPURL("rtsp://127.0.0.1:\(silent.port)/live/x")
                let timeout = await Self.pull(url, into: edge, options).1.fault()
                #expect(timeout?.kind == .timeout && timeout?.description.contains("OPTIONS") == true)
                let unused = try TestSocket.tcp()
                let refused = await Self.pull(try RTSPURL("rtsp://127.0.0.1:\(unused.port)/x"), into: edge).1.fault()
                #expect(refused?.kind == .connect && refused?.description.contains("Connection refused") == true)
                let unknown = await Self.push(try RTSPURL("rtsp://no-such-host.invalid/x"), of: edge).1.fault()
                #expect(unknown?.kind == .connect && unknown?.description.contains("no-such-host.invalid") == true)
            }
        }

        @Test("our Hub's refusal ends a pull, and a kick; the other server's end and silence too")
        func ends() async throws {
            try await Self.withSites { origin, edge in
                let publisher = try await origin.publish()
                try await publisher.receive(RTSPPictures.pictures(0..<5))
                let (_, first) = Self.pull(try Self.url(origin), into: edge)
                await Self.expectStarted(first)
                #expect(await Self.pull(try Self.url(origin), into: edge).1.fault()?.kind == .hub)
                let session = try #require(edge.hub.publisher(of: "x"))
                #expect(await edge.hub.kick(session: session.id, of: "x") == nil)
                #expect(await first.fault()?.kind == .hub)
                #expect(edge.hub.publisher(of: "x") == nil)

                let (_, second) = Self.pull(try Self.url(origin), into: edge)
                await Self.expectStarted(second)
                let viewer = try #require(await origin.hub.snapshot(of: "x")?.viewers.first)
                #expect(await origin.hub.kick(session: viewer.info.id, of: "x") == nil)
                #expect(await second.fault()?.kind == .lost)

                var options = RelayOptions()
                options.silenceTimeout = .milliseconds(300)
                let (_, third) = Self.pull(try Self.url(origin), into: edge, options)
                let lost = await third.fault()
                #expect(lost?.kind == .lost && lost?.description.contains("no media") == true)
            }
        }

        /// Answers of a server that the test plays itself, one connection after the other.
        private static func serve(_ listener: TestSocket, _ answers: [[String]]) {
            for connection in answers {
                guard let peer = listener.accept() else { return }
                peer.waitForBytes()
                for answer in connection {
                    guard let request = peer.receive().map({ String(decoding: $0, as: UTF8.self) }) else { break }
                    let cseq = request.split(separator: "\r\n").first { $0.hasPrefix("CSeq:") } ?? "CSeq: 0"
                    peer.send(Array("RTSP/1.0 \(answer)\r\n\(cseq)\r\n\r\n".utf8))
                }
                while peer.receive() != nil {}
            }
        }

        @Test("81: a redirect is followed to another server; in a circle it is not")
        func followsRedirects() async throws {
            try await Self.withSites { origin, edge in
                let publisher = try await origin.publish()
                try await publisher.receive(RTSPPictures.pictures(0..<5))
                let listener = try TestSocket.listening()
                let url = try RTSPURL("rtsp://127.0.0.1:\(listener.port)/a")
                let target = try Self.url(origin).text
                let (relay, events) = Self.pull(url, into: edge)
                Self.serve(listener, [["200 OK", "302 Found\r\nLocation: \(target)"]])
                await Self.expectStarted(events)
                #expect(edge.hub.publisher(of: "x")?.remoteAddress == "127.0.0.1:\(origin.port)")
                relay.stop()
                await Self.expectStopped(events)
                let circle = ["200 OK", "302 Found\r\nLocation: \(url.text)"]
                let (_, lost) = Self.pull(url, into: edge)
                Self.serve(listener, Array(repeating: circle, count: 6))
                let fault = await lost.fault()
                #expect(fault?.kind == .refused)
                #expect(fault?.description.contains("redirects") == true, "\(fault?.description ?? "")")
            }
        }

        #if TLS
        @Test("over TLS in both directions, media inside of it even where UDP is wished for")
        func relaysOverTLS() async throws {
            try await Self.withSites(tls: TestCertificate().load()) { far, near in
                let url = try RTSPURL("rtsps://localhost:\(far.port)/live/x")
                let fault = await Self.pull(url, into: near).1.fault()
                #expect(fault?.kind == .connect && fault?.description.contains("TLS") == true)
                var options = Self.options(.udp)
                options.verifiesCertificates = false
                let publisher = try await near.publish()
                try await publisher.receive(RTSPPictures.pictures(0..<5, group: 100) + [RTSPPictures.sound(5)])
                let (push, pushed) = Self.push(url, of: near, options)
                await Self.expectStarted(pushed)
                try await RTSPFixture.with { third in
                    let (pull, pulled) = Self.pull(url, into: third, options)
                    await Self.expectStarted(pulled)
                    let player = try third.client()
                    try player.play()
                    let reader = try await Self.play(player, from: publisher, 5..<40, group: 100)
                    #expect(reader.numbers == Array(0..<40) && reader.gaps == 0)
                    pull.stop()
                    await Self.expectStopped(pulled)
                }
                push.stop()
                await Self.expectStopped(pushed)
            }
        }
        #endif

        @Test("66: the other server is told how its packets arrive")
        func sendsReports() async throws {
            try await Self.withSites { origin, edge in
                let publisher = try await origin.publish()
                try await publisher.receive(RTSPPictures.pictures(0..<5))
                let (relay, events) = Self.pull(try Self.url(origin), into: edge)
                await Self.expectStarted(events)
                let before = try #require(await origin.hub.snapshot(of: "x")?.viewers.first?.bytes.readBytes)
                // After 5 s; keepalives are more than 20 s away.
                try await origin.wait {
                    await origin.hub.snapshot(of: "x")?.viewers.first?.bytes.readBytes ?? 0 >= before + 36
                }
                relay.stop()
                await Self.expectStopped(events)
            }
        }
    }
}
