import NIOCore
import Testing
import Wire

@testable import Streaming

@Suite("RTSP server: authentication")
struct RTSPAuthenticationTests {
    private static let url = "rtsp://192.0.2.9/live/camera1"
    private static let credentials = DigestCredentials(username: "joe", password: "a:b:c")

    private static func server(_ schemes: [RTSPAuthentication.Scheme] = [.basic, .digest]) -> RTSPTestServer {
        var server = RTSPTestServer()
        server.configuration.credentials = credentials
        server.configuration.authentication.schemes = schemes
        server.connect()
        return server
    }

    private static func digest(
        _ challenge: RTSPResponse,
        _ method: String,
        uri: String,
        credentials: DigestCredentials = credentials
    ) throws -> String {
        let value = challenge.headers.all("WWW-Authenticate").compactMap { DigestChallenge(parsing: $0) }.first
        return "Authorization: "
            + credentials.answer(challenge: try #require(value), method: method, uri: uri).headerValue
    }

    private static let basic =
        "Authorization: " + BasicAuthorization(username: "joe", password: "a:b:c").headerValue

    @Test("70, 71: a 401 offers Basic, then Digest with MD5, and the retry comes on the same connection")
    func challenges() throws {
        var server = Self.server()
        let challenge = try server.ask("DESCRIBE", Self.url)
        #expect(challenge.status == .unauthorized)
        #expect(
            challenge.headers.all("WWW-Authenticate") == [
                "Basic realm=\"gbgate\"",
                "Digest realm=\"gbgate\",nonce=\"0123456789abcdef0123456789abcdef\",algorithm=MD5",
            ]
        )
        #expect(try server.ask("DESCRIBE", Self.url, [Self.digest(challenge, "DESCRIBE", uri: Self.url)]).status == .ok)
        #expect(server.log == ["describe live/camera1?"])
    }

    @Test("71: lal's auth_method offers one scheme alone")
    func lal() throws {
        for (method, prefix) in [(0, "Basic realm=\"lal\""), (1, "Digest realm=\"lal\"")] {
            var server = Self.server()
            server.configuration.authentication = RTSPAuthentication(realm: "lal", lalMethod: method)
            server.connect()
            let values = try server.ask("DESCRIBE", Self.url).headers.all("WWW-Authenticate")
            #expect(values.count == 1)
            #expect(values.first?.hasPrefix(prefix) == true)
        }
        var server = Self.server([.digest])
        #expect(try server.ask("DESCRIBE", Self.url, [Self.basic]).status == .unauthorized)
    }

    @Test(
        "72: the digest may be over the URL, its path, and for SETUP the base URL with a slash or without",
        arguments: [
            ("DESCRIBE", "", url, true), ("DESCRIBE", "", "/live/camera1", true), ("DESCRIBE", "", url + "/", true),
            ("SETUP", "/trackID=0", url + "/trackID=0", true), ("SETUP", "/trackID=0", url + "/", true),
            ("SETUP", "/trackID=0", url, true), ("SETUP", "?k=v/trackID=0", url + "?k=v/", true),
            ("SETUP", "/trackID=0?k=v", url + "?k=v", true), ("SETUP", "/", url, true),
            ("DESCRIBE", "", "rtsp://192.0.2.9/live/camera2", false), ("DESCRIBE", "", "", false),
            ("SETUP", "/trackID=0", "rtsp://192.0.2.9/live", false), ("DESCRIBE", "", "rtsp://192.0.2.9/live", false),
        ]
    )
    func uris(method: String, target: String, uri: String, isAccepted: Bool) throws {
        var server = Self.server()
        let challenge = try server.ask("DESCRIBE", Self.url)
        let transport = "Transport: RTP/AVP/TCP;interleaved=0-1"
        let answer = try server.ask(method, Self.url + target, [transport, Self.digest(challenge, method, uri: uri)])
        #expect((answer.status == .ok) == isAccepted)
    }

    @Test("73: DESCRIBE, ANNOUNCE and SETUP of players are asked; what knows the session is not")
    func methods() throws {
        var server = Self.server()
        let transport = "RTP/AVP/TCP;interleaved=0-1"
        #expect(try server.ask("OPTIONS", Self.url).status == .ok)
        #expect(try server.ask("DESCRIBE", Self.url).status == .unauthorized)
        #expect(try server.setUp(Self.url + "/trackID=0", transport).status == .unauthorized)
        #expect(
            try server.ask("ANNOUNCE", Self.url, ["Content-Type: application/sdp"], body: "v=0").status == .unauthorized
        )
        #expect(
            try server.ask("ANNOUNCE", Self.url, ["Content-Type: application/sdp", Self.basic], body: "v=0").status
                == .ok
        )
        #expect(try server.setUp(Self.url + "/trackID=0", "RTP/AVP/TCP;mode=record").status == .ok)
        #expect(try server.setUp(Self.url + "/trackID=1", "RTP/AVP/TCP;mode=record").status == .ok)
        #expect(try server.ask("RECORD", Self.url).status == .ok)
        #expect(try server.ask("TEARDOWN", Self.url).status == .ok)
        // Who says that he records, and has announced nothing, can only begin to play; so can who says it of one alternative.
        let mixed = "RTP/AVP/TCP;unicast;interleaved=0-1,RTP/AVP;unicast;client_port=5000-5001;mode=record"
        for transport in ["RTP/AVP/TCP;mode=record", mixed] {
            #expect(try server.setUp(Self.url + "/trackID=0", transport).status == .unauthorized)
        }
        let record = ["Transport: RTP/AVP/TCP;mode=record", Self.basic]
        #expect(try server.ask("SETUP", Self.url + "/trackID=0", record).status == .badRequest)
    }

    @Test("74: a password may hold colons")
    func colons() throws {
        var server = Self.server()
        #expect(try server.ask("DESCRIBE", Self.url, [Self.basic]).status == .ok)
        let wrong = BasicAuthorization(username: "joe:a", password: "b:c")
        // The same text, and the same user and password: a user holds no colon.
        #expect(BasicAuthorization(parsing: wrong.headerValue)?.username == "joe")
        let other = BasicAuthorization(username: "joe", password: "a:b").headerValue
        #expect(try server.ask("DESCRIBE", Self.url, ["Authorization: \(other)"]).status == .unauthorized)
    }

    @Test("70: three failures are forgiven; the fourth is told, and the connection closed 2 s later")
    func failures() throws {
        var server = Self.server()
        for _ in 0..<3 { #expect(try !server.ask("DESCRIBE", Self.url).headers.all("WWW-Authenticate").isEmpty) }
        // One that succeeds begins anew.
        #expect(try server.ask("DESCRIBE", Self.url, [Self.basic]).status == .ok)
        for _ in 0..<3 { _ = try server.ask("DESCRIBE", Self.url) }
        let last = server.send("DESCRIBE \(Self.url) RTSP/1.0\nCSeq: 4\n\nOPTIONS * RTSP/1.0\nCSeq: 5\n\n")
        #expect(last == "RTSP/1.0 401 Unauthorized\r\nCSeq: 4\r\nServer: gbgate\r\n\r\n")
        #expect(server.connections[1]?.isClosed == false)
        #expect(server.send("OPTIONS * RTSP/1.0\nCSeq: 6\n\n").isEmpty)
        server.advance(to: server.now + .seconds(2))
        #expect(server.connections[1]?.closed == .some(.unauthorized))
    }

    @Test("another's nonce, realm, user or password is no answer")
    func wrongAnswers() throws {
        var server = Self.server()
        let challenge = DigestChallenge(realm: "gbgate", nonce: "0123456789abcdef0123456789abcdee")
        let value = Self.credentials.answer(challenge: challenge, method: "DESCRIBE", uri: Self.url).headerValue
        #expect(try server.ask("DESCRIBE", Self.url, ["Authorization: \(value)"]).status == .unauthorized)
        let other = DigestChallenge(realm: "x", nonce: "0123456789abcdef0123456789abcdef")
        let second = Self.credentials.answer(challenge: other, method: "DESCRIBE", uri: Self.url).headerValue
        #expect(try server.ask("DESCRIBE", Self.url, ["Authorization: \(second)"]).status == .unauthorized)
        server.connect()
        let asked = try server.ask("DESCRIBE", Self.url)
        for (user, password) in [("joe", "x"), ("jim", "a:b:c")] {
            let wrong = DigestCredentials(username: user, password: password)
            let header = try Self.digest(asked, "DESCRIBE", uri: Self.url, credentials: wrong)
            #expect(try server.ask("DESCRIBE", Self.url, [header]).status == .unauthorized)
        }
    }

    @Test("a caller with rules of its own asks for itself")
    func ownRules() {
        let peer = RTSPPeer(connection: 1, address: "192.0.2.1")
        var connection = RTSPServerConnection(peer: peer, nonce: "n", now: RTSPTestServer.start)
        func ask(_ extra: String) -> RTSPServerRequest? {
            let text = "DESCRIBE \(Self.url) RTSP/1.0\r\nCSeq: 1\r\n\(extra)\r\n"
            let actions = connection.receive(ByteBuffer(string: text), now: RTSPTestServer.start)
            if case .describe(let request)? = actions.first { return request }
            return nil
        }
        guard let first = ask("") else { return #expect(Bool(false)) }
        let refused = connection.authenticate(first, now: RTSPTestServer.start) { _ in true }
        guard case .send(let bytes)? = refused?.first else { return #expect(Bool(false)) }
        #expect(String(buffer: bytes).hasPrefix("RTSP/1.0 401"))
        guard let second = ask(Self.basic + "\r\n") else { return #expect(Bool(false)) }
        var asked: [String] = []
        let accepted = connection.authenticate(second, now: RTSPTestServer.start) { claim in
            asked.append("\(claim.username) \(claim.password ?? "")")
            return claim.isValid(password: "a:b:c")
        }
        #expect(accepted == nil)
        #expect(asked == ["joe a:b:c"])
    }
}
