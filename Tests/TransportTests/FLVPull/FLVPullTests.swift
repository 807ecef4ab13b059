import Foundation
import Hub
import Media
import NIOCore
import NIOPosix
import Testing

@testable import Transport

/// Pulls from our own server, from scripted ones, and from ffmpeg.
@Suite struct FLVPullTests {
    private struct Pull {
        let client: any RelayClient
        let events: Collected<RelayEvent>
    }

    private static func pull(
        _ url: String,
        _ fixture: MediaHTTPFixture,
        options: RelayOptions = RelayOptions()
    ) throws -> Pull {
        let events = Collected<RelayEvent>()
        let client = try FLVPullClient.start(
            url,
            stream: "copy",
            app: "live",
            session: fixture.hub.makeSession(.flvPull, .pull, url: url),
            hub: fixture.hub,
            group: fixture.group,
            options: options,
            onEvent: { events.add($0) }
        )
        return Pull(client: client, events: events)
    }

    private static func flv(_ events: [MediaEvent]) -> ByteBuffer {
        var bytes = ByteBuffer()
        var packager = FLVPackager(hevc: .legacy)
        FLVTagWriter.writeFileHeader(into: &bytes)
        for event in events {
            var messages: [FLVMessage] = []
            packager.package(event, into: &messages)
            for message in messages { FLVTagWriter.write(message, into: &bytes) }
        }
        return bytes
    }

    @Test(arguments: ["http", "ws", "https", "wss"])
    func pulledStreamIsTheSame(scheme: String) async throws {
        let isSecure = ["https", "wss"].contains(scheme)
        guard !isSecure || Tool.exist("openssl") else { return }
        #if !TLS
        if isSecure { return }
        #endif
        let tls = isSecure ? try TestCertificate().load() : nil
        try await MediaHTTPFixture.with(tls: tls) { fixture in
            var options = RelayOptions()
            options.verifiesCertificates = false
            let url = "\(scheme)://127.0.0.1:\(fixture.server.port)/live/door.flv"
            let pull = try Self.pull(url, fixture, options: options)
            // It waits with the origin's viewers: nothing is published for want of media.
            try await fixture.wait { await $0.snapshot(of: "door")?.viewers.count == 1 }
            #expect(fixture.hub.publisher(of: "copy") == nil && pull.events.all.isEmpty)
            let publisher = try await fixture.publish("door")
            let received = Collected<Int>()
            try await publisher.receive(TestPictures.parameters + TestPictures.pictures(0..<20, key: 60_000))
            let address = "127.0.0.1:\(fixture.server.port)"
            try await pull.events.wait { $0 == [.started(remoteAddress: address)] }
            // G.711 has no header in FLV: no frame, no track.
            try await fixture.wait { await $0.snapshot(of: "copy")?.video != nil }
            let snapshot = try #require(await fixture.hub.snapshot(of: "copy"))
            #expect(snapshot.video?.codec == .h264 && snapshot.audio == nil && snapshot.app == "live")
            #expect(snapshot.publisher?.info.remoteAddress == address)
            if !isSecure {
                let client = try fixture.client()
                client.send("GET /live/copy.flv HTTP/1.1\r\n\r\n")
                #expect(client.readHead() != nil)
                var reader = PictureReader()
                while reader.numbers.last != 19 { try reader.receive(#require(client.readSome())) }
                try await publisher.receive(TestPictures.pictures(20..<40))
                while reader.numbers.last != 39 { try reader.receive(#require(client.readSome())) }
                for number in reader.numbers { received.add(number) }
                #expect(received.all == Array(10..<40))
            }
            pull.client.stop()
            try await pull.events.wait { $0.last == .ended(nil) }
            #expect(fixture.hub.publisher(of: "copy") == nil)
            pull.client.stop()
            try await fixture.wait { await $0.snapshot(of: "door")?.viewers.isEmpty == true }
            #expect(pull.events.all.count == 2)
        }
    }

    #if TLS
    @Test(.enabled(if: Tool.exist("openssl"), "needs openssl"))
    func certificateOfNobodyIsRefusedUnlessItIsAllowed() async throws {
        try await MediaHTTPFixture.with(loops: 1, tls: TestCertificate().load()) { fixture in
            let pull = try Self.pull("https://localhost:\(fixture.server.port)/live/door.flv", fixture)
            try await pull.events.wait { !$0.isEmpty }
            guard case .ended(let fault?) = pull.events.all.first else {
                Issue.record("not ended")
                return
            }
            #expect(fault.kind == .connect && fault.description.contains("localhost"))
            #expect(fault.description.uppercased().contains("CERTIFICATE_VERIFY_FAILED"))
        }
    }
    #endif

    @Test(arguments: [
        (
            "HTTP/1.1 302 Found\r\nLocation: http://other.example/live/x.flv?secret=1\r\nContent-Length: 0\r\n\r\n",
            RelayFault.Kind.refused, "it answered 302 Found, to other.example"
        ),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 22\r\n\r\nno such stream\r\nsecond", .refused,
            "it answered 404 Not Found: no such stream"
        ),
        ("HTTP/1.1 401 Unauthorized\r\n\r\n", .unauthorized, "it answered 401 Unauthorized"),
        ("HTTP/1.1 204 No Content\r\n\r\n", .protocolError, "it answered 204 No Content"),
        ("HTTP/1.1 200 OK\r\n\r\n<html><body>", .protocolError, "no FLV"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", .lost, "the server ended the stream"),
        ("HTTP/1.1 200 OK\r\n\r\n", .lost, "the server ended the stream"),
        ("ICY 200 OK\r\n\r\n", .protocolError, "no HTTP"),
        ("", .lost, "the server closed before any media"),
        ("HTTP/1.1 200 OK\r\nX: " + String(repeating: "a", count: 20_000) + "\r\n\r\n", .protocolError, "no HTTP"),
    ])
    func answersThatAreNoStream(answer: String, kind: RelayFault.Kind, reason: String) async throws {
        try await MediaHTTPFixture.with(loops: 1) { fixture in
            let server = try await ScriptedServer.start([Array(answer.utf8)], group: fixture.group)
            let pull = try Self.pull("http://u:p@127.0.0.1:\(server.port)/live/x.flv?secret=1", fixture)
            try await pull.events.wait { !$0.isEmpty }
            guard case .ended(let fault?) = pull.events.all.first else {
                Issue.record("not ended: \(pull.events.all)")
                return
            }
            #expect(fault.kind == kind)
            #expect(fault.description.contains(reason), "\(fault.description)")
            #expect(fault.description.contains("http://127.0.0.1:\(server.port)/live/x.flv"))
            #expect(!fault.description.contains("secret") && !fault.description.contains("u:p"))
            let request = server.received.all.joined()
            #expect(request.hasPrefix("GET /live/x.flv?secret=1 HTTP/1.1\r\n"))
            #expect(request.contains("Authorization: Basic dTpw\r\n") && request.contains("Host: 127.0.0.1:"))
            try await server.close()
        }
    }

    @Test func chunksAreJoinedWhereverTheyAreCut() async throws {
        let flv = Self.flv(TestPictures.parameters + TestPictures.pictures(0..<5, key: 300, other: 200))
        let bytes = Array(flv.readableBytesView)
        var chunked = Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        var size = 1
        var at = 0
        while at < bytes.count {
            let chunk = bytes[at..<min(at + size, bytes.count)]
            chunked += Array("\(String(chunk.count, radix: 16));x=y\r\n".utf8) + chunk + Array("\r\n".utf8)
            at += size
            size = size % 37 + 1
        }
        let parts = stride(from: 0, to: chunked.count, by: 11).map { Array(chunked[$0..<min($0 + 11, chunked.count)]) }
        try await MediaHTTPFixture.with(loops: 1) { fixture in
            let server = try await ScriptedServer.start(parts, closes: false, group: fixture.group)
            let pull = try Self.pull("http://127.0.0.1:\(server.port)/x.flv", fixture)
            try await pull.events.wait { !$0.isEmpty }
            let client = try fixture.client()
            client.send("GET /live/copy.flv HTTP/1.1\r\n\r\n")
            #expect(client.readHead() != nil)
            pull.client.stop()
            try await server.close()
            #expect(pull.events.all.first == .started(remoteAddress: "127.0.0.1:\(server.port)"))
        }
    }

    @Test func silentServersAreGivenUp() async throws {
        try await MediaHTTPFixture.with(loops: 1) { fixture in
            var options = RelayOptions()
            options.timeout = .milliseconds(100)
            options.silenceTimeout = .milliseconds(100)
            let mute = try await ScriptedServer.start([], closes: false, group: fixture.group)
            let first = try Self.pull("http://127.0.0.1:\(mute.port)/x.flv", fixture, options: options)
            try await first.events.wait { !$0.isEmpty }
            guard case .ended(let fault?) = first.events.all.last else {
                throw ChannelError.inappropriateOperationForState
            }
            #expect(fault.kind == .timeout)
            try await mute.close()

            var answer = ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n")
            answer.writeImmutableBuffer(Self.flv(TestPictures.parameters + TestPictures.pictures(0..<2)))
            let stuck = try await ScriptedServer.start(
                [Array(answer.readableBytesView)],
                closes: false,
                group: fixture.group
            )
            let second = try Self.pull("http://127.0.0.1:\(stuck.port)/x.flv", fixture, options: options)
            try await second.events.wait { $0.count == 2 }
            guard case .ended(let silence?) = second.events.all.last else {
                throw ChannelError.inappropriateOperationForState
            }
            #expect(silence.kind == .lost && silence.description.contains("no byte"))
            #expect(fixture.hub.publisher(of: "copy") == nil)
            try await stuck.close()
        }
    }

    @Test func whoIsNotThereIsSaidSoAndAPublisherStays() async throws {
        try await MediaHTTPFixture.with(loops: 1) { fixture in
            let gone = try await ScriptedServer.start([], group: fixture.group)
            let port = gone.port
            try await gone.close()
            let pull = try Self.pull("http://127.0.0.1:\(port)/x.flv", fixture)
            try await pull.events.wait { !$0.isEmpty }
            guard case .ended(let fault?) = pull.events.all.last else {
                throw ChannelError.inappropriateOperationForState
            }
            #expect(fault.kind == .connect && fault.description.contains("127.0.0.1:\(port)"))
            #expect(fault.description.contains("refused"))

            let own = try await fixture.publish("copy")
            let origin = try await fixture.publish("door")
            try await origin.receive(TestPictures.parameters + TestPictures.pictures(0..<12))
            let second = try Self.pull("http://127.0.0.1:\(fixture.server.port)/live/door.flv", fixture)
            try await second.events.wait { !$0.isEmpty }
            guard case .ended(let taken?) = second.events.all.last else {
                throw ChannelError.inappropriateOperationForState
            }
            #expect(taken.kind == .hub)
            #expect(fixture.hub.publisher(of: "copy")?.kind == .ps)
            try await own.finish()
        }
    }

    @Test(.enabled(if: Tool.exist("ffmpeg"), "needs ffmpeg"))
    func pullsFromFFmpegsServer() async throws {
        try await MediaHTTPFixture.with(loops: 1) { fixture in
            let free = try await ScriptedServer.start([], group: fixture.group)
            let port = free.port
            try await free.close()
            async let served = Tool.run(
                "ffmpeg",
                "-v",
                "quiet",
                "-re",
                "-f",
                "lavfi",
                "-i",
                "testsrc2=s=320x180:r=25",
                "-t",
                "4",
                "-c:v",
                "libx264",
                "-preset",
                "ultrafast",
                "-g",
                "25",
                "-f",
                "flv",
                "-listen",
                "1",
                "http://127.0.0.1:\(port)/x.flv"
            )
            let end = ContinuousClock.now + .seconds(15)
            var hasStarted = false
            while !hasStarted, ContinuousClock.now < end {
                let pull = try Self.pull("http://127.0.0.1:\(port)/x.flv", fixture)
                try await pull.events.wait { !$0.isEmpty }
                guard case .started = pull.events.all.first else { continue }
                hasStarted = true
                try await fixture.wait { await $0.snapshot(of: "copy")?.video?.width == 320 }
                try await pull.events.wait { $0.count == 2 }
                guard case .ended(let fault?) = pull.events.all.last else { continue }
                #expect(fault.kind == .lost)
            }
            #expect(hasStarted)
            _ = try await served
        }
    }
}

/// Answers the first bytes of each connection with a script, a part at a time.
private struct ScriptedServer {
    private let channel: any Channel
    let received: Collected<String>
    let port: Int

    static func start(_ parts: [[UInt8]], closes: Bool = true, group: any EventLoopGroup) async throws -> ScriptedServer
    {
        let received = Collected<String>()
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Script(parts, closes: closes, received))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return ScriptedServer(channel: channel, received: received, port: channel.localAddress?.port ?? 0)
    }

    func close() async throws {
        try await channel.close()
    }

    private final class Script: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let parts: [[UInt8]]
        private let closes: Bool
        private let received: Collected<String>
        private var isDone = false

        init(_ parts: [[UInt8]], closes: Bool, _ received: Collected<String>) {
            self.parts = parts
            self.closes = closes
            self.received = received
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received.add(String(buffer: unwrapInboundIn(data)))
            guard !isDone else { return }
            isDone = true
            let channel = context.channel
            for part in parts { channel.writeAndFlush(ByteBuffer(bytes: part), promise: nil) }
            if closes { channel.writeAndFlush(ByteBuffer()).whenComplete { _ in channel.close(promise: nil) } }
        }
    }
}
