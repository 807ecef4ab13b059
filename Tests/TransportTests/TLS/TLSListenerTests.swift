#if TLS
import Foundation
import Hub
import Media
import NIOCore
import NIOPosix
import Testing

@testable import Transport

/// Players and publishers over TLS, as a user runs them.
@Suite(.enabled(if: Tool.exist("openssl", "curl", "ffmpeg", "ffprobe"), "needs openssl, curl and ffmpeg"))
struct TLSListenerTests {
    @Test func curlGetsTheWholeStream() async throws {
        try await MediaHTTPFixture.with(tls: TestCertificate().load()) { fixture in
            let publisher = try await fixture.publish("door")
            try await publisher.receive(
                TestPictures.parameters + TestPictures.pictures(0..<100, group: 100, key: 60_000)
            )
            let url = "https://127.0.0.1:\(fixture.server.port)/live/door.flv"
            let head = try await Tool.run("curl", "-sSkI", url, "https://127.0.0.1:\(fixture.server.port)/x")
            #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n") && head.contains("HTTP/1.1 404 "))
            let bytes = try await Tool.data("curl", "-sk", "--max-time", "2", url)
            var reader = PictureReader()
            try reader.receive(Array(bytes))
            #expect(reader.numbers == Array(0..<100))
        }
    }

    @Test func ffprobeReadsHTTPS() async throws {
        let events = try MediaHTTPPlayerTests.encodedPictures()
        try await MediaHTTPFixture.with(tls: TestCertificate().load()) { fixture in
            let publisher = try await fixture.publish("door")
            try await publisher.receive(events)
            let text = try await Tool.run(
                "ffprobe",
                "-v",
                "error",
                "-tls_verify",
                "0",
                "-analyzeduration",
                "500000",
                "-read_intervals",
                "%+#20",
                "-show_entries",
                "stream=codec_name,width:packet=flags",
                "-of",
                "compact",
                "https://localhost:\(fixture.server.port)/live/door.flv"
            )
            #expect(text.contains("codec_name=h264|width=320"))
            #expect(text.split(separator: "\n").filter { $0.hasPrefix("packet|") }.count == 20)
        }
    }

    @Test func ffmpegPublishesAndPlaysRTMPS() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let hub = Hub(group: group)
        let server = try await RTMPServer.start(
            hub: hub,
            group: group,
            host: "127.0.0.1",
            port: 0,
            tls: TestCertificate().load()
        )
        let url = "rtmps://127.0.0.1:\(server.port)/live/door"
        async let published = Tool.run(
            "ffmpeg",
            "-v",
            "error",
            "-re",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=320x180:r=25",
            "-t",
            "6",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-g",
            "25",
            "-f",
            "flv",
            url
        )
        let end = ContinuousClock.now + .seconds(10)
        while hub.publisher(of: "door") == nil, ContinuousClock.now < end { await Task.yield() }
        let text = try await Tool.run(
            "ffprobe",
            "-v",
            "error",
            "-read_intervals",
            "%+#20",
            "-show_entries",
            "stream=codec_name,width:packet=flags",
            "-of",
            "compact",
            url
        )
        #expect(text.contains("codec_name=h264|width=320"))
        #expect(text.split(separator: "\n").filter { $0.hasPrefix("packet|") }.count == 20)
        _ = try await published
        try await server.close()
        try await group.shutdownGracefully()
    }

    @Test func oldProtocolsAndPlainTextGetNothing() async throws {
        try await MediaHTTPFixture.with(loops: 1, tls: TestCertificate().load()) { fixture in
            let connect = "openssl s_client -brief -connect 127.0.0.1:\(fixture.server.port)"
            let new = try await Tool.run("sh", "-c", connect + " -tls1_2 </dev/null 2>&1")
            #expect(new.contains("TLSv1.2"))
            let old = try await Tool.run("sh", "-c", connect + " -tls1_1 -cipher ALL:@SECLEVEL=0 </dev/null 2>&1")
            #expect(!old.contains("Protocol version: TLSv1.1"))
            let plain = try fixture.client()
            plain.send("GET /live/door.flv HTTP/1.1\r\n\r\n")
            #expect(!plain.readToEnd().hasPrefix("HTTP"))
            #expect(await fixture.hub.snapshot().isEmpty)
        }
    }

    @Test func handshakeThatNeverComesIsCutOff() async throws {
        var listener = ListenerOptions()
        listener.handshakeTimeout = .milliseconds(50)
        try await MediaHTTPFixture.with(loops: 1, tls: TestCertificate().load(), listener: listener) { fixture in
            let silent = try fixture.client()
            #expect(silent.readToEnd() == "")
            // The head of a record that goes on for ever.
            let slow = try fixture.client()
            slow.send([0x16, 3, 1, 2, 0, 1])
            #expect(slow.readToEnd() == "")
        }
    }

    /// What waits for a viewer that does not read is bounded, and it goes on with whole messages at a key frame.
    @Test func slowViewerIsSkipped() async throws {
        var hub = HubConfiguration()
        hub.gopCacheBytes = 1 << 20
        hub.stallTimeout = .minutes(5)
        try await MediaHTTPFixture.with(loops: 2, hub: hub, tls: TestCertificate().load()) { fixture in
            let publisher = try await fixture.publish("door")
            try await publisher.receive(TestPictures.parameters + TestPictures.pictures(0..<10))
            let received = Collected<[UInt8]>()
            let channel = try await ClientBootstrap(group: fixture.group)
                .channelOption(.autoRead, value: false)
                .channelOption(.socketOption(.so_rcvbuf), value: 16 * 1024)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try TLSClient.add(to: channel, host: "localhost", verifiesCertificates: false)
                        try channel.pipeline.syncOperations.addHandler(ByteCollector(received))
                    }
                }
                .connect(host: "127.0.0.1", port: fixture.server.port).get()
            channel.writeAndFlush(ByteBuffer(string: "GET /live/door.flv HTTP/1.1\r\n\r\n"), promise: nil)
            try await fixture.wait { hub in
                channel.read()
                return await hub.snapshot(of: "door")?.viewers.isEmpty == false
            }
            for start in stride(from: 10, to: 600, by: 10) {
                try await publisher.receive(TestPictures.pictures(start..<start + 10, key: 60_000, other: 10_000))
            }
            try await fixture.wait { await $0.snapshot(of: "door")?.viewers.first.map { $0.skips > 0 } == true }
            try await channel.setOption(.autoRead, value: true).get()
            try await publisher.receive(TestPictures.pictures(600..<610))
            var reader = PictureReader()
            var taken = 0
            try await received.wait { parts in
                for part in parts.dropFirst(taken) {
                    let isHead = taken == 0
                    taken += 1
                    let body = isHead ? Self.body(part) : part
                    try? reader.receive(body)
                }
                return reader.numbers.last == 609
            }
            #expect(reader.numbers.count < 500)
            for (previous, next) in zip(reader.numbers, reader.numbers.dropFirst()) where next != previous + 1 {
                #expect(next > previous && next % 10 == 0)
            }
            try await channel.close()
        }
    }

    private static func body(_ bytes: [UInt8]) -> [UInt8] {
        let end = bytes.indices.dropLast(3).first { Array(bytes[$0..<$0 + 4]) == [13, 10, 13, 10] }
        return end.map { Array(bytes[($0 + 4)...]) } ?? bytes
    }
}

private final class ByteCollector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let received: Collected<[UInt8]>

    init(_ received: Collected<[UInt8]>) {
        self.received = received
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received.add(Array(unwrapInboundIn(data).readableBytesView))
    }
}
#endif
