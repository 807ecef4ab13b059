import Hub
import NIOCore
import Testing

@testable import Transport

/// HLS through its port.
@Suite(.timeLimit(.minutes(1)))
struct HLSAnswersTests {
    /// More than the kernel takes for a client that does not read (tcp_wmem: 4 MB).
    private static let pictures = TestPictures.pictures(0..<170, key: 800_000)

    @Test func aSlowClientGetsEveryByteOfAnswersThatItAskedForAtOnce() async throws {
        let service = HLSService(HLSOptions())
        var http = MediaHTTPConfiguration()
        http.hls = service
        try await MediaHTTPFixture.with(http: http) { fixture in
            service.start(fixture.hub, on: fixture.group.next())
            let publisher = try await fixture.publish("a")
            try await publisher.receive([TestPictures.parameters[0]] + Self.pictures.prefix(1))
            let client = try fixture.client()
            client.send(Self.get("playlist.m3u8"))
            // The first request begins the cutting, and waits for a segment.
            try await fixture.wait { _ in service.statistics.first?.waiting == 1 }
            try await publisher.receive(Array(Self.pictures.dropFirst()))
            #expect(client.readAnswer()?.body.contains(".ts") == true)
            client.send(Self.get("playlist.m3u8"))
            let playlist = try #require(client.readAnswer()).body
            let names = playlist.split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
            try #require(names.count == 2)

            let asked = [names[0], "none-1-1.ts", names[1], "playlist.m3u8"]
            let expected = asked.map { name in
                client.send(Self.get(name))
                return client.readBytes()?.body
            }
            #expect(expected[0]?.count ?? 0 > 5_000_000 && expected[3] == Array(playlist.utf8))
            let slow = try fixture.client()
            slow.send(asked.map(Self.get).joined())
            // It does not read while others are served.
            client.send(Self.get(names[1]))
            #expect(client.readBytes()?.body == expected[2])
            for (name, body) in zip(asked, expected) {
                #expect(slow.readBytes()?.body == body, "\(name)")
            }
            try await publisher.finish()
            service.stop()
        }
    }

    private static func get(_ name: String) -> String {
        "GET /hls/a/\(name) HTTP/1.1\r\nHost: a\r\n\r\n"
    }
}
