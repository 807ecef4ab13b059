import Foundation
import Hub
import Media
import NIOCore
import NIOHTTP1
import Streaming
import Synchronization
import Testing

@testable import Transport

@Suite struct MediaHTTPRequestTests {
    @Test func flvStreamBeginsWithLalsHeaders() async throws {
        try await MediaHTTPFixture.with { fixture in
            let publisher = try await fixture.publish("door")
            try await publisher.receive(TestPictures.parameters + TestPictures.pictures(0..<14))
            let client = try fixture.client()
            client.send("GET /live/door.flv?token=1 HTTP/1.1\r\nHost: cam\r\n\r\n")
            let head = try #require(client.readHead())
            #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n"))
            for field in [
                "Content-Type: video/x-flv", "Cache-Control: no-cache", "Connection: close", "Expires: -1",
                "Pragma: no-cache",
                "Access-Control-Allow-Origin: *", "Access-Control-Allow-Credentials: true",
                "Access-Control-Allow-Headers: Content-Type",
            ] {
                #expect(head.contains(field + "\r\n"))
            }
            #expect(!head.contains("Content-Length") && !head.contains("chunked"))
            var reader = PictureReader()
            while reader.numbers.count < 4 { try reader.receive(#require(client.readSome())) }
            try await publisher.receive(TestPictures.pictures(14..<16))
            while reader.numbers.count < 6 { try reader.receive(#require(client.readSome())) }
            #expect(reader.numbers == Array(10..<16))
            let snapshot = try #require(await fixture.hub.snapshot(of: "door"))
            let session = try #require(snapshot.viewers.first?.info)
            #expect(session.url == "http://cam/live/door.flv?token=1" && session.query == "token=1")
            #expect(session.remoteAddress.hasPrefix("127.0.0.1:"))
            #expect(snapshot.app == "live")
        }
    }

    @Test("fMP4: the head names the codecs when they are known, and only those that are sent")
    func fragmentsNameTheirCodecs() async throws {
        var configuration = MediaHTTPConfiguration()
        configuration.routes = [.fmp4(under: "/"), .ts(under: "/")]
        try await MediaHTTPFixture.with(http: configuration) { fixture in
            func head(_ target: String, _ method: String = "GET") throws -> String {
                let client = try fixture.client()
                client.send("\(method) \(target) HTTP/1.1\r\nHost: cam\r\n\r\n")
                return try #require(client.readHead())
            }
            #expect(try head("/live/door.mp4").contains("Content-Type: video/mp4\r\n"))
            let publisher = try await fixture.publish("door")
            try await publisher.receive(TestPictures.parameters + TestPictures.pictures(0..<14))
            let both = "Content-Type: video/mp4; codecs=\"avc1.42001E,flac\"\r\n"
            #expect(try head("/live/door.mp4").contains(both))
            #expect(try head("/live/door.mp4", "HEAD").contains(both))
            let alone = "Content-Type: video/mp4; codecs=\"avc1.42001E\"\r\n"
            #expect(try head("/live/door.mp4?audio=0").contains(alone))
            #expect(try head("/live/door.ts").contains("Content-Type: video/mp2t\r\n"))
        }
    }

    @Test(arguments: [
        ("GET /live/door HTTP/1.1\r\n\r\n", 404), ("GET / HTTP/1.1\r\n\r\n", 404),
        ("GET /live/door.avi HTTP/1.1\r\n\r\n", 404), ("GET /live/%2e%2e%2fx.flv HTTP/1.1\r\n\r\n", 404),
        ("POST /live/door.flv HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 405),
        ("DELETE /live/door.flv HTTP/1.1\r\n\r\n", 405), ("nonsense\r\n\r\n", 400),
        ("CONNECT door:80 HTTP/1.1\r\n\r\n", 405), ("OPTIONS\r\n\r\n", 400),
        ("GET /live/door.flv HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        ("GET /live/door.flv HTTP/1.1\r\nExpect: 200-ok\r\n\r\n", 417),
        ("GET /live/door.flv HTTP/1.1\r\nContent-Length: 100000\r\n\r\n", 413),
        ("GET /live/door.flv HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + largeChunks, 413),
        ("GET /live/door.flv HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 426),
        (
            "GET /live/door.flv HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
            400
        ),
        (
            "GET /live/door.flv HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            400
        ),
    ])
    func wrongRequestsGetAReason(request: String, status: Int) async throws {
        try await MediaHTTPFixture.with(loops: 1) { fixture in
            let client = try fixture.client()
            client.send(request)
            let (head, body) = try #require(client.readAnswer())
            #expect(head.hasPrefix("HTTP/1.1 \(status) "))
            #expect(head.contains("Access-Control-Allow-Origin: *\r\n"))
            #expect(body.hasPrefix("{\"error_code\":\(status),\"desp\":\""))
            #expect(head.contains("Allow: GET, HEAD, OPTIONS\r\n") == (status == 405))
            #expect(await fixture.hub.snapshot().isEmpty)
        }
    }

    private static let largeChunks = String(
        repeating: "1000\r\n" + String(repeating: "x", count: 4096) + "\r\n",
        count: 20
    )

    @Test func headAnswersWhatGetWouldAndMakesNoViewer() async throws {
        try await MediaHTTPFixture.with(loops: 1) { fixture in
            let client = try fixture.client()
            client.send("HEAD /live/door HTTP/1.1\r\n\r\nHEAD /live/door.flv HTTP/1.1\r\nHost: x\r\n\r\n")
            let missing = try #require(client.readHead())
            #expect(missing.hasPrefix("HTTP/1.1 404 ") && !missing.contains("Content-Length: 0\r\n"))
            let found = client.readToEnd()
            #expect(found.hasPrefix("HTTP/1.1 200 OK\r\n") && found.contains("Content-Type: video/x-flv\r\n"))
            #expect(found.hasSuffix("\r\n\r\n"))
            #expect(await fixture.hub.snapshot().isEmpty)
        }
    }

    @Test func preflightIsAnsweredWithWhatTheBrowserAsksFor() async throws {
        try await MediaHTTPFixture.with(loops: 1) { fixture in
            let client = try fixture.client()
            client.send(
                "OPTIONS /live/door.flv HTTP/1.1\r\nOrigin: http://page\r\nAccess-Control-Request-Method: GET\r\n"
                    + "Access-Control-Request-Headers: range, x-token, bad name\r\n"
                    + "Access-Control-Request-Private-Network: true\r\n\r\nOPTIONS * HTTP/1.1\r\n\r\n"
            )
            let preflight = try #require(client.readAnswer()).head
            #expect(preflight.hasPrefix("HTTP/1.1 204 No Content\r\n"))
            for field in [
                "Access-Control-Allow-Methods: GET, HEAD, OPTIONS", "Access-Control-Allow-Headers: range, x-token",
                "Access-Control-Allow-Private-Network: true", "Access-Control-Allow-Origin: *",
            ] {
                #expect(preflight.contains(field + "\r\n"))
            }
            #expect(preflight.components(separatedBy: "Access-Control-Allow-Headers").count == 2)
            let plain = try #require(client.readAnswer()).head
            #expect(plain.hasPrefix("HTTP/1.1 204 ") && !plain.contains("Private-Network"))
            #expect(plain.contains("Access-Control-Allow-Headers: Content-Type\r\n"))
        }
    }

    @Test func slowRequestIsCutOff() async throws {
        var http = MediaHTTPConfiguration()
        http.requestTimeout = .milliseconds(50)
        try await MediaHTTPFixture.with(loops: 1, http: http) { fixture in
            let client = try fixture.client()
            client.send("GET /live/door.flv HTTP/1.1\r\nHost: ")
            #expect(client.readToEnd().hasPrefix("HTTP/1.1 408 "))
            // A viewer is not bound by it.
            let viewer = try fixture.client()
            viewer.send("GET /live/door.flv HTTP/1.1\r\n\r\n")
            #expect(viewer.readHead() != nil)
            let late = try fixture.client()
            #expect(late.readToEnd().hasPrefix("HTTP/1.1 408 "))
            #expect(await fixture.hub.snapshot(of: "door")?.viewers.count == 1)
        }
    }

    @Test func longHeadIsRefused() async throws {
        try await MediaHTTPFixture.with(loops: 1) { fixture in
            let client = try fixture.client()
            client.send("GET /live/door.flv HTTP/1.1\r\n")
            for index in 0..<17 { client.send("X-\(index): " + String(repeating: "a", count: 1000) + "\r\n") }
            #expect(client.readToEnd().hasPrefix("HTTP/1.1 431 "))
        }
    }

    @Test func deniedPlayerIsToldWhy() async throws {
        var hub = HubConfiguration()
        hub.maximumViewersOfStream = 1
        var http = MediaHTTPConfiguration()
        http.authorize = { request in
            request.stream.address.query == "token=good" && request.headers["x-key"] == ["1"]
                ? .allow : .deny(status: 403, reason: "the token of \"\(request.stream.address.stream)\" is wrong")
        }
        try await MediaHTTPFixture.with(loops: 1, hub: hub, http: http) { fixture in
            let bad = try fixture.client()
            bad.send("GET /live/door.flv?token=bad HTTP/1.1\r\nX-Key: 1\r\n\r\n")
            let (head, body) = try #require(bad.readAnswer())
            #expect(head.hasPrefix("HTTP/1.1 403 Forbidden\r\n"))
            #expect(body == #"{"error_code":403,"desp":"the token of \"door\" is wrong"}"# + "\n")
            let good = try fixture.client()
            good.send("GET /live/door.flv?token=good HTTP/1.1\r\nX-Key: 1\r\n\r\n")
            #expect(good.readHead()?.hasPrefix("HTTP/1.1 200 ") == true)
            let second = try fixture.client()
            second.send("GET /live/door.flv?token=good HTTP/1.1\r\nX-Key: 1\r\n\r\n")
            let full = try #require(second.readAnswer()).head
            #expect(full.hasPrefix("HTTP/1.1 503 ") && full.contains("Retry-After: 10\r\n"))
        }
    }
}

@Suite struct MediaHTTPViewerTests {
    @Test func bytesBehindTheRequestAreIgnored() async throws {
        try await MediaHTTPFixture.with { fixture in
            let client = try fixture.client()
            client.send("GET /live/door.flv HTTP/1.1\r\n\r\nGET /live/door.flv HTTP/1.1\r\n\r\n")
            #expect(client.readHead() != nil)
            client.send(String(repeating: "noise ", count: 10_000))
            let publisher = try await fixture.publish("door")
            try await publisher.receive(TestPictures.parameters + TestPictures.pictures(0..<14))
            var reader = PictureReader()
            while reader.numbers.last != 13 { try reader.receive(#require(client.readSome())) }
            #expect([Array(0..<14), Array(10..<14)].contains(reader.numbers))
            #expect(await fixture.hub.snapshot(of: "door")?.viewers.count == 1)
        }
    }

    @Test func closedClientLeavesTheStream() async throws {
        try await MediaHTTPFixture.with { fixture in
            var client: RawClient? = try fixture.client()
            client?.send("GET /live/door.flv HTTP/1.1\r\n\r\n")
            #expect(client?.readHead() != nil)
            client = nil
            try await fixture.wait { await $0.snapshot().isEmpty }
        }
    }

    @Test func kickClosesTheConnection() async throws {
        try await MediaHTTPFixture.with { fixture in
            let client = try fixture.client()
            client.send("GET /live/door.flv HTTP/1.1\r\n\r\n")
            #expect(client.readHead() != nil)
            let id = try #require(await fixture.hub.snapshot(of: "door")?.viewers.first?.info.id)
            #expect(await fixture.hub.kick(session: id, of: "window") == .noStream)
            #expect(await fixture.hub.kick(session: "FLVPUBSUB0", of: "door") == .noSession)
            #expect(await fixture.hub.kick(session: id, of: "door") == nil)
            #expect(client.readToEnd() == "")
        }
    }

    @Test func webSocketCarriesFLVAndAnswersPings() async throws {
        try await MediaHTTPFixture.with { fixture in
            let publisher = try await fixture.publish("door")
            try await publisher.receive(TestPictures.parameters + TestPictures.pictures(0..<12))
            let client = try fixture.client()
            client.send(
                "GET /live/door.flv HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n"
                    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    + "Sec-WebSocket-Protocol: flv, other\r\n\r\n"
            )
            let head = try #require(client.readHead())
            #expect(head.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
            #expect(head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
            #expect(head.contains("Sec-WebSocket-Protocol: flv\r\n"))
            var reader = PictureReader()
            var frames: [UInt8] = []
            func next() throws -> (opcode: UInt8, payload: [UInt8]) {
                let head = try #require(client.read(exactly: 2))
                #expect(head[0] & 0x80 != 0 && head[1] & 0x80 == 0)
                var length = Int(head[1])
                if length == 126 { length = try #require(client.read(exactly: 2)).reduce(0) { $0 << 8 | Int($1) } }
                return (head[0] & 0x0F, try #require(client.read(exactly: length)))
            }
            while reader.numbers.count < 2 {
                let (opcode, payload) = try next()
                #expect(opcode == 2)
                try reader.receive(payload)
            }
            client.send(Self.masked(9, Array("are you there".utf8)))
            let pong = try next()
            #expect(pong.opcode == 10 && pong.payload == Array("are you there".utf8))
            client.send(Self.masked(1, Array("hello".utf8)))
            try await publisher.receive(TestPictures.pictures(12..<14))
            while reader.numbers.count < 4 { try reader.receive(try next().payload) }
            #expect(reader.numbers == Array(10..<14))
            client.send(Self.masked(8, [0x03, 0xE8]))
            frames = try next().payload
            #expect(frames == [0x03, 0xE8])
            #expect(client.read() == [])
            try await fixture.wait { await $0.snapshot(of: "door")?.viewers.isEmpty == true }
        }
    }

    static func masked(_ opcode: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let mask: [UInt8] = [1, 2, 3, 4]
        return [0x80 | opcode, 0x80 | UInt8(payload.count)] + mask
            + payload.enumerated().map { $1 ^ mask[$0 & 3] }
    }

    /// Viewers on every loop, and one that reads far too slowly: the others get all, and it gets whole messages.
    @Test func slowReaderHarmsNobody() async throws {
        var hub = HubConfiguration()
        hub.gopCacheBytes = 1 << 20
        hub.unsentBytes = 16 * 1024
        hub.stallTimeout = .minutes(5)
        try await MediaHTTPFixture.with(loops: 3, hub: hub) { fixture in
            let publisher = try await fixture.publish("door")
            try await publisher.receive(TestPictures.parameters + TestPictures.pictures(0..<10))
            let slow = try fixture.client(receiveBuffer: 8192)
            slow.send("GET /live/door.flv HTTP/1.1\r\n\r\n")
            let fast = try (0..<9).map { _ in
                let client = try fixture.client()
                client.send("GET /live/door.flv HTTP/1.1\r\n\r\n")
                return client
            }
            for client in fast { #expect(client.readHead() != nil) }
            #expect(slow.readHead() != nil)
            var readers = fast.map { _ in PictureReader() }
            for start in stride(from: 10, to: 300, by: 10) {
                let pictures = TestPictures.pictures(start..<start + 10, key: 60_000, other: 10_000)
                try await publisher.receive(pictures)
                for index in fast.indices {
                    while readers[index].numbers.last != start + 9 {
                        try readers[index].receive(#require(fast[index].readSome()))
                    }
                }
            }
            for reader in readers { #expect(reader.numbers == Array(0..<300)) }
            var reader = PictureReader()
            while reader.numbers.last != 299 { try reader.receive(#require(slow.readSome())) }
            #expect(reader.numbers.count < 250)
            for (previous, next) in zip(reader.numbers, reader.numbers.dropFirst()) where next != previous + 1 {
                #expect(next > previous && next % 10 == 0)
            }
            let statistics = await fixture.hub.statistics()
            #expect(statistics.skips > 0 && statistics.skippedBytes > 1 << 20 && statistics.parks > 0)
            let snapshot = try #require(await fixture.hub.snapshot(of: "door"))
            #expect(snapshot.viewers.map(\.skips).max() == statistics.skips)
            #expect(snapshot.cacheBytes <= 1 << 20)
        }
    }
}
