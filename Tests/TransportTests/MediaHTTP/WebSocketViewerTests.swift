import Hub
import NIOCore
import Testing

@testable import Transport

/// A browser's side of WebSocket-FLV, by hand.
@Suite struct WebSocketViewerTests {
    private static func upgraded(_ fixture: MediaHTTPFixture) throws -> RawClient {
        let client = try fixture.client()
        client.send(
            "GET /live/door.flv HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: http://other\r\n"
                + "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        let head = try #require(client.readHead())
        #expect(head.hasPrefix("HTTP/1.1 101 ") && !head.contains("Sec-WebSocket-Extensions"))
        return client
    }

    @Test(arguments: [
        // Not masked, a fragmented ping, a reserved bit, too long, a continuation of nothing, a close without sense, no UTF-8.
        ([0x81, 0x01, 0x41] as [UInt8], 1002), ([0x09, 0x80, 0, 0, 0, 0], 1002), ([0xC2, 0x80, 0, 0, 0, 0], 1002),
        ([0x82, 0xFE, 0xFF, 0xFF, 0, 0, 0, 0], 1009), ([0x80, 0x80, 0, 0, 0, 0], 1002),
        ([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xED], 1002), ([0x81, 0x81, 0, 0, 0, 0, 0xFF], 1007),
    ])
    func breachIsAnsweredWithItsCode(bytes: [UInt8], code: Int) async throws {
        try await MediaHTTPFixture.with(loops: 1) { fixture in
            let client = try Self.upgraded(fixture)
            client.send(bytes)
            let frame = try #require(client.readFrame())
            #expect(frame.opcode == 8)
            #expect(frame.payload.prefix(2).reduce(0) { $0 << 8 | Int($1) } == code)
            #expect(client.read() == [])
        }
    }

    @Test func closeIsEchoedAndOneWithoutACodeIsNormal() async throws {
        try await MediaHTTPFixture.with(loops: 1) { fixture in
            for (sent, echoed) in [([0x0F, 0xA0] as [UInt8], [0x0F, 0xA0] as [UInt8]), ([], [0x03, 0xE8])] {
                let client = try Self.upgraded(fixture)
                client.sendFrame(8, sent)
                #expect(try #require(client.readFrame()).payload == echoed)
                #expect(client.read() == [])
            }
        }
    }

    @Test func viewerThatAnswersPingsStaysAndASilentOneIsClosed() async throws {
        var http = MediaHTTPConfiguration()
        http.webSocketPingInterval = .milliseconds(100)
        try await MediaHTTPFixture.with(loops: 1, http: http) { fixture in
            let client = try Self.upgraded(fixture)
            for _ in 0..<5 {
                let ping = try #require(client.readFrame())
                #expect(ping.opcode == 9)
                client.sendFrame(10, ping.payload)
            }
            #expect(await fixture.hub.snapshot(of: "door")?.viewers.count == 1)
            var pings = 0
            while let frame = client.readFrame(), frame.opcode == 9 { pings += 1 }
            #expect((1...3).contains(pings))
            try await fixture.wait { await $0.snapshot().isEmpty }
        }
    }

    @Test func kickedViewerIsToldWhy() async throws {
        try await MediaHTTPFixture.with(loops: 1) { fixture in
            let client = try Self.upgraded(fixture)
            let id = try #require(await fixture.hub.snapshot(of: "door")?.viewers.first?.info.id)
            #expect(await fixture.hub.kick(session: id, of: "door") == nil)
            let frame = try #require(client.readFrame())
            #expect(frame.opcode == 8 && frame.payload.starts(with: [0x03, 0xF0]))
            #expect(String(decoding: frame.payload.dropFirst(2), as: UTF8.self) == "ended by the operator")
        }
    }
}
