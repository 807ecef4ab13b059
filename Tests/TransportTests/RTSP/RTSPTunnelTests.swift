import Foundation
import Hub
import Media
import NIOCore
import Testing
import Wire

@testable import Streaming
@testable import Transport

extension RTSPPortTests {
    @Suite("RTSP: tunnels, WebSocket, TLS, passwords", .timeLimit(.minutes(3)))
    struct RTSPTunnelTests {
        /// A client whose requests go in base64 through a POST, cut at odd places.
        private static func tunnelled(_ fixture: RTSPFixture, cookie: String) throws -> RTSPTestClient {
            let client = try fixture.client()
            client.socket.send(
                Array(
                    "GET /live/x HTTP/1.0\r\nx-sessioncookie: \(cookie)\r\nAccept: application/x-rtsp-tunnelled\r\n\r\n"
                        .utf8
                )
            )
            let head = String(decoding: client.socket.receive() ?? [], as: UTF8.self)
            #expect(head.hasPrefix("HTTP/1.0 200 OK\r\n") && head.hasSuffix("\r\n\r\n"))
            let post = try TestSocket.connected(to: fixture.port)
            post.send(
                Array(
                    ("POST /live/x HTTP/1.0\r\nx-sessioncookie: \(cookie)\r\nContent-Type: application/x-rtsp-tunnelled\r\n"
                        + "Content-Length: 32767\r\n\r\n").utf8
                )
            )
            client.outgoing = post
            // Each piece with padding of its own.
            client.wrap = { Array(Data($0).base64EncodedData()) }
            return client
        }

        private static func webSocket(_ fixture: RTSPFixture) throws -> RTSPTestClient {
            let client = try fixture.client()
            client.socket.send(
                Array(
                    ("GET /live/x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                        + "Sec-WebSocket-Protocol: rtsp.onvif.org\r\n\r\n").utf8
                )
            )
            let head = String(decoding: client.socket.receive() ?? [], as: UTF8.self)
            #expect(head.hasPrefix("HTTP/1.1 101 ") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
            #expect(head.lowercased().contains("sec-websocket-protocol: rtsp.onvif.org"))
            client.wrap = { payload in
                let mask: [UInt8] = [1, 2, 3, 4]
                let length: [UInt8] =
                    payload.count < 126
                    ? [0x80 | UInt8(payload.count)] : [0xFE, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
                return [0x82] + length + mask + payload.enumerated().map { $1 ^ mask[$0 & 3] }
            }
            var parser = WebSocketFrames()
            client.unwrap = { try parser.receive($0) }
            return client
        }

        /// A server's frames, which are binary and hold whole messages and packets.
        struct WebSocketFrames {
            private var bytes: [UInt8] = []

            mutating func receive(_ input: [UInt8]) throws -> [UInt8] {
                bytes += input
                var output: [UInt8] = []
                while bytes.count >= 2 {
                    try #require(bytes[0] == 0x82 && bytes[1] & 0x80 == 0)
                    var (length, start) = (Int(bytes[1]), 2)
                    if length == 126 {
                        guard bytes.count >= 4 else { break }
                        (length, start) = (Int(bytes[2]) << 8 | Int(bytes[3]), 4)
                    } else if length == 127 {
                        guard bytes.count >= 10 else { break }
                        (length, start) = (bytes[2..<10].reduce(0) { $0 << 8 | Int($1) }, 10)
                    }
                    guard bytes.count >= start + length else { break }
                    output += bytes[start..<start + length]
                    bytes.removeFirst(start + length)
                }
                return output
            }
        }

        enum Way: String, CaseIterable {
            case http
            case webSocket
        }

        private static func client(_ way: Way, _ fixture: RTSPFixture, _ name: String) throws -> RTSPTestClient {
            switch way {
            case .http: try tunnelled(fixture, cookie: "cookie-" + name)
            case .webSocket: try webSocket(fixture)
            }
        }

        @Test("90, 91: players and publishers over HTTP and WebSocket; UDP is refused", arguments: Way.allCases)
        func tunnels(way: Way) async throws {
            try await RTSPFixture.with(loops: 3) { fixture in
                let publisher = try Self.client(way, fixture, "publisher")
                #expect(try publisher.record().status.code == 200)
                let player = try Self.client(way, fixture, "player")
                try player.describe()
                #expect(try player.setUp(0, "RTP/AVP;unicast;client_port=5000-5001").status.code == 461)
                #expect(try player.setUp(0, "RTP/AVP/TCP;unicast;interleaved=4-5").status.code == 200)
                #expect(try player.ask("PLAY").status.code == 200)
                var source = RTSPPacketSource()
                for number in 0..<30 {
                    for packet in source.packets(number, isKey: number % 10 == 0, size: 5000) {
                        publisher.send(packet: packet)
                    }
                }
                #expect(try player.read(pictures: 30).numbers == Array(0..<30))
                #expect(try player.ask("PAUSE").status.code == 200)
                #expect(try player.ask("TEARDOWN").status.code == 200)
                #expect(try publisher.ask("TEARDOWN").status.code == 200)
                try await fixture.wait { fixture.hub.publisher(of: "x") == nil }
            }
        }

        @Test("90: halves without the other, and with another's cookie")
        func refusesHalves() async throws {
            try await RTSPFixture.with { fixture in
                let post = try TestSocket.connected(to: fixture.port)
                post.send(
                    Array(
                        ("POST /x HTTP/1.0\r\nx-sessioncookie: none\r\nContent-Type: application/x-rtsp-tunnelled\r\n"
                            + "Content-Length: 99\r\n\r\n").utf8
                    )
                )
                #expect(post.endsSoon())
                let tunnel = try Self.tunnelled(fixture, cookie: "one")
                #expect(try tunnel.ask("OPTIONS", "*").status.code == 200)
                let second = try TestSocket.connected(to: fixture.port)
                second.send(
                    Array(
                        ("POST /x HTTP/1.0\r\nx-sessioncookie: one\r\nContent-Type: application/x-rtsp-tunnelled\r\n"
                            + "Content-Length: 99\r\n\r\n").utf8
                    )
                )
                #expect(second.endsSoon())
                #expect(try tunnel.ask("OPTIONS", "*").status.code == 200)
                // What is no base64 ends the tunnel.
                tunnel.outgoing?.send(Array("!!!!".utf8))
                #expect(tunnel.socket.endsSoon())
            }
        }

        @Test("90: the half that requests come through ends with the other")
        func endsBothHalves() async throws {
            try await RTSPFixture.with(loops: 3) { fixture in
                let tunnel = try Self.tunnelled(fixture, cookie: "both")
                #expect(try tunnel.ask("OPTIONS", "*").status.code == 200)
                let post = try #require(tunnel.outgoing)
                #expect(!post.isEnded)
                tunnel.socket.shutdown()
                #expect(post.endsSoon())
            }
        }

        @Test("70, 71: Basic and Digest are asked for on the same connection; with neither there is a 401")
        func asksForPasswords() async throws {
            try await RTSPFixture.with {
                $0.connection.credentials = DigestCredentials(username: "joe", password: "pa:55")
            } _: { fixture in
                let publisher = try await fixture.publish()
                try await publisher.receive(RTSPPictures.pictures(0..<3))
                let client = try fixture.client()
                let refused = try client.ask("DESCRIBE")
                #expect(refused.status.code == 401)
                let challenges = refused.headers.all("WWW-Authenticate")
                #expect(challenges.map { $0.prefix(5) } == ["Basic", "Diges"])
                let basic = "Authorization: Basic \(Data("joe:pa:55".utf8).base64EncodedString())"
                #expect(try client.ask("DESCRIBE", nil, [basic]).status.code == 200)

                let digest = try fixture.client()
                let challenge = try #require(
                    try digest.ask("DESCRIBE").headers.all("WWW-Authenticate").last.flatMap {
                        DigestChallenge(parsing: $0)
                    }
                )
                func authorization(_ method: String, _ url: String, password: String = "pa:55") -> String {
                    let credentials = DigestCredentials(username: "joe", password: password)
                    return "Authorization: "
                        + credentials.answer(challenge: challenge, method: method, uri: url, cnonce: "", nonceCount: 1)
                        .headerValue
                }
                let wrong = authorization("DESCRIBE", digest.url, password: "pa55")
                #expect(try digest.ask("DESCRIBE", nil, [wrong]).status.code == 401)
                #expect(try digest.ask("DESCRIBE", nil, [authorization("DESCRIBE", digest.url)]).status.code == 200)
                let track = digest.url + "/trackID=0"
                let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
                #expect(try digest.ask("SETUP", track, [transport]).status.code == 401)
                let answer = try digest.ask("SETUP", track, [transport, authorization("SETUP", track)])
                #expect(answer.status.code == 200)
                digest.session = RTSPSessionHeader(answer.headers)?.id
                #expect(try digest.ask("PLAY").status.code == 200)
            }
        }

        @Test("who is not allowed is told so, publisher and player")
        func isNotAllowed() async throws {
            try await RTSPFixture.with {
                $0.authorize = { $0.address.query == "token=good" ? .allow : .deny(.forbidden) }
            } _: { fixture in
                _ = try await fixture.publish()
                let client = try fixture.client()
                #expect(try client.ask("DESCRIBE").status.code == 403)
                #expect(try client.ask("DESCRIBE", client.url + "?token=good").status.code == 200)
                let body = RTSPTestClient.announcement(sound: false)
                let announced = try client.ask("ANNOUNCE", nil, ["Content-Type: application/sdp"], body: body)
                #expect(announced.status.code == 403)
            }
        }
    }
}
