import Foundation
import Hub
import NIOCore
import Streaming
import Testing

@testable import Transport

/// How long a connection lasts, and what it may cost.
@Suite struct MediaHTTPConnectionTests {
    @Test func connectionLastsFromShortAnswersToTheStream() async throws {
        try await MediaHTTPFixture.with(loops: 1) { fixture in
            let client = try fixture.client()
            // A body is read past, and what is pipelined is answered in order.
            client.send(
                "POST /a.flv HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\n\r\nOPTIONS / HTTP/1.1\r\n\r\n"
            )
            for status in [405, 404, 204] {
                let head = try #require(client.readAnswer()).head
                #expect(head.hasPrefix("HTTP/1.1 \(status) ") && head.contains("Connection: keep-alive\r\n"))
            }
            client.send("GET /live/door.flv HTTP/1.1\r\n\r\n")
            #expect(client.readHead()?.contains("Connection: close\r\n") == true)
            #expect(await fixture.hub.snapshot(of: "door")?.viewers.count == 1)
        }
    }

    @Test(arguments: ["GET /b HTTP/1.0\r\n\r\n", "GET /b HTTP/1.1\r\nConnection: close\r\n\r\n"])
    func connectionEndsWhereTheClientWantsIt(request: String) async throws {
        try await MediaHTTPFixture.with(loops: 1) { fixture in
            let client = try fixture.client()
            client.send(request)
            let response = client.readToEnd()
            #expect(response.hasPrefix("HTTP/1.1 404 ") && response.contains("Connection: close\r\n"))
        }
    }

    @Test func oldClientsMayKeepTheConnection() async throws {
        try await MediaHTTPFixture.with(loops: 1) { fixture in
            let client = try fixture.client()
            for _ in 0..<2 {
                client.send("GET /b HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
                #expect(try #require(client.readAnswer()).head.contains("Connection: keep-alive\r\n"))
            }
        }
    }

    @Test func pipelineIsBounded() async throws {
        var http = MediaHTTPConfiguration()
        http.maximumRequests = 3
        try await MediaHTTPFixture.with(loops: 1, http: http) { fixture in
            let client = try fixture.client()
            client.send(String(repeating: "GET /b HTTP/1.1\r\n\r\n", count: 10))
            var answers: [String] = []
            while let answer = client.readAnswer() { answers.append(answer.head) }
            #expect(answers.map { $0.contains("Connection: close\r\n") } == [false, false, true])
        }
    }

    @Test func bodyThatIsAwaitedIsAskedFor() async throws {
        try await MediaHTTPFixture.with(loops: 1) { fixture in
            let client = try fixture.client()
            client.send("PUT /live/door.flv HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            #expect(client.readHead() == "HTTP/1.1 100 Continue\r\n\r\n")
            client.send("ab")
            #expect(client.readAnswer()?.head.hasPrefix("HTTP/1.1 405 ") == true)
        }
    }

    @Test func idleConnectionIsClosedWithoutAWord() async throws {
        var http = MediaHTTPConfiguration()
        http.idleTimeout = .milliseconds(50)
        try await MediaHTTPFixture.with(loops: 1, http: http) { fixture in
            let client = try fixture.client()
            client.send("GET /b HTTP/1.1\r\n\r\n")
            #expect(client.readAnswer() != nil)
            client.send("GET /")
            #expect(client.readToEnd() == "")
        }
    }

    /// One byte after the other would otherwise hold a connection for hours.
    @Test func tricklingRequestIsCutOffAllTheSame() async throws {
        var http = MediaHTTPConfiguration()
        http.requestTimeout = .milliseconds(200)
        try await MediaHTTPFixture.with(loops: 1, http: http) { fixture in
            let client = try fixture.client(receiveBuffer: 0)
            client.receiveTimeout(milliseconds: 20)
            let begun = ContinuousClock.now
            var answer: [UInt8]?
            while answer == nil, ContinuousClock.now - begun < .seconds(5) {
                client.send("G")
                answer = client.read()
            }
            #expect(answer.map { String(decoding: $0, as: UTF8.self).hasPrefix("HTTP/1.1 4") } == true)
        }
    }

    @Test func manyConnectionsOfOneAddressAreRefused() async throws {
        let refusals = Collected<String>()
        var listener = ListenerOptions()
        listener.limits = ConnectionLimits(
            maximumPerAddress: 2,
            onRefusal: { address, limit in refusals.add("\(address) \(limit)") }
        )
        try await MediaHTTPFixture.with(loops: 2, listener: listener) { fixture in
            var first: RawClient? = try fixture.client()
            let second = try fixture.client()
            for client in [first, second] {
                client?.send("GET /b HTTP/1.1\r\n\r\n")
                #expect(client?.readAnswer() != nil)
            }
            #expect(listener.limits.statistics == .init(connections: 2, addresses: 1, refused: 0))
            let third = try fixture.client()
            third.send("GET /b HTTP/1.1\r\n\r\n")
            #expect(third.readAnswer() == nil)
            #expect(refusals.all == ["127.0.0.1 2"])
            #expect(listener.limits.statistics == .init(connections: 2, addresses: 1, refused: 1))
            first = nil
            try await fixture.wait { _ in listener.limits.statistics.connections == 1 }
            let fourth = try fixture.client()
            fourth.send("GET /b HTTP/1.1\r\n\r\n")
            #expect(fourth.readAnswer() != nil)
        }
        #expect(listener.limits.statistics == .init(connections: 0, addresses: 0, refused: 1))
    }
}

/// Which paths are served.
@Suite struct MediaHTTPRouteTests {
    @Test(arguments: [
        ("/", "/x.flv", true), ("", "/live/x.flv", true), ("live", "/live/x.flv", true),
        ("/live/", "/live/a/x.flv", true),
        ("/live/", "/x.flv", false), ("/live/", "/lively/x.flv", false), ("/live", "/LIVE/x.flv", false),
        ("/live/", "//live//x.flv", true), ("/live/", "http://host:8080/live/x.flv?a", true), ("/", "/x.ts", false),
    ])
    func patternIsAPrefixOfWholePathItems(pattern: String, target: String, isServed: Bool) throws {
        let stream = try HTTPStreamRequest(target: target)
        let routes = [MediaHTTPRoute.flv(under: pattern)]
        let route = try? routes.find(stream)
        #expect((route != nil) == isServed)
    }

    @Test func wholePathStaysTheAddress() async throws {
        var http = MediaHTTPConfiguration()
        http.routes = [.flv(under: "live")]
        try await MediaHTTPFixture.with(loops: 1, http: http) { fixture in
            let client = try fixture.client()
            client.send("GET /other/door.flv HTTP/1.1\r\n\r\n")
            let refused = try #require(client.readAnswer())
            #expect(refused.body.contains(".flv streams are under /live/ here"))
            client.send("GET http://cam:8080/live/%E9%97%A8.flv?a=%20b HTTP/1.1\r\nHost: cam:8080\r\n\r\n")
            #expect(client.readHead()?.hasPrefix("HTTP/1.1 200 ") == true)
            let stream = try #require(await fixture.hub.snapshot(of: "门"))
            #expect(stream.app == "live")
            #expect(stream.viewers.first?.info.url == "http://cam:8080/live/%E9%97%A8.flv?a=%20b")
        }
    }
}
