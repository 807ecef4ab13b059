import NIOCore
import Testing
import Wire

@testable import Streaming

@Suite("RTSP client: publishing and authentication")
struct RTSPClientPublishTests {
    private static let url = "rtsp://192.0.2.7/live/x"

    @Test("OPTIONS, ANNOUNCE with its type, SETUPs with mode=record, RECORD")
    func publishes() throws {
        var camera = try RTSPTestCamera.publisher(Self.url, medias: 2)
        try camera.answer()
        let announce = try camera.last
        #expect(announce.method == .announce)
        #expect(announce.headers["Content-Type"] == "application/sdp")
        #expect(announce.headers["Content-Length"] == "5")
        #expect(String(buffer: announce.body) == "v=0\r\n")
        try camera.answer()
        #expect(camera.actions == [.announced])
        try camera.take(camera.session.setUp(now: camera.now))
        #expect(try camera.last.target == Self.url + "/trackID=0")
        #expect(try camera.last.headers["Transport"] == "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record")
        try camera.answer(200, ["Session: 5"])
        #expect(try camera.last.target == Self.url + "/trackID=1")
        #expect(try camera.last.headers["Transport"] == "RTP/AVP/TCP;unicast;interleaved=2-3;mode=record")
        try camera.answer(200, ["Session: 5"])
        #expect(try camera.last.method == .record)
        #expect(try camera.last.headers["Session"] == "5")
        try camera.answer()
        #expect(camera.acceptance?.media.map(\.media) == [0, 1])
        // RTCP comes back, media does not; and nobody waits for it.
        try camera.receive(ByteBuffer(bytes: [0x24, 1, 0, 1, 5, 0x24, 0, 0, 1, 5]))
        #expect(camera.actions.last == .packet(media: 0, isRTCP: true, ByteBuffer(bytes: [5])))
        for _ in 0..<10 { try camera.advance(by: .seconds(30)) }
        #expect(camera.fault == nil)
        #expect(camera.requests.filter { $0.method == .options }.count == 11)
    }

    @Test("over UDP with the caller's ports; 461 means TCP")
    func udp() throws {
        var camera = try RTSPTestCamera.publisher(Self.url) { $0.transport = .udp }
        try camera.answer()
        try camera.answer()
        try camera.take(camera.session.setUp(ports: [RTSPPorts(7000, 7001)], now: camera.now))
        #expect(try camera.last.headers["Transport"] == "RTP/AVP/UDP;unicast;client_port=7000-7001;mode=record")
        try camera.answer(461)
        #expect(camera.reconnection != nil)
        try camera.start()
        try camera.answer()
        #expect(try camera.last.method == .announce)
    }

    @Test("our own server takes what our client sends")
    func againstOurServer() throws {
        var server = RTSPTestServer()
        server.configuration.credentials = DigestCredentials(username: "joe", password: "word")
        server.connect()
        var client = RTSPClientSession(
            RTSPClientConfiguration(
                .publisher(sdp: Array("v=0\r\n".utf8), mediaCount: 2),
                try RTSPURL("rtsp://joe:word@192.0.2.7/live/x?k=v")
            ),
            seed: 1,
            now: server.now
        )
        var started = false
        var actions = client.start(now: server.now)
        while let action = actions.first {
            actions.removeFirst()
            switch action {
            case .send(let bytes):
                let answer = server.receive(bytes)
                if !answer.isEmpty { actions += client.receive(ByteBuffer(string: answer), now: server.now) }
            case .announced: actions += client.setUp(now: server.now)
            case .started: started = true
            case .close(let fault): Issue.record("\(fault.explanation)")
            default: break
            }
        }
        #expect(started)
        #expect(server.log == ["recording"])
        #expect(server.sessions.values.first?.address == StreamAddress(app: "live", stream: "x", query: "k=v"))
    }

    // MARK: - Authentication

    private static func challenged(
        _ challenges: [String],
        url: String = "rtsp://joe:word@192.0.2.7/a"
    ) throws -> RTSPTestCamera {
        var camera = try RTSPTestCamera.player(url)
        try camera.answer()
        try camera.answer(401, challenges.map { "WWW-Authenticate: \($0)" })
        return camera
    }

    private static let sha = "Digest realm=\"r\", nonce=\"n2\", algorithm=SHA-256, qop=\"auth\", opaque=\"o\""
    private static let md5 = "Digest realm=\"r\", nonce=\"n1\", algorithm=MD5"

    @Test("75: SHA-256 before MD5 before Basic, whatever their order; unknown schemes do not matter")
    func chooses() throws {
        for (challenges, expected) in [
            (["Negotiate", "Basic realm=\"r\"", Self.md5, Self.sha], "algorithm=SHA-256"),
            ([Self.sha, Self.md5], "algorithm=SHA-256"), ([Self.md5, "Basic realm=\"r\""], "algorithm=MD5"),
            (["Basic realm=\"r\", \(Self.md5)"], "algorithm=MD5"), (["basic realm=\"r\""], "Basic am9lOndvcmQ="),
            (["Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256", "Basic realm=\"r\""], "Basic am9lOndvcmQ="),
        ] {
            let camera = try Self.challenged(challenges)
            #expect(try camera.last.method == .describe)
            #expect(try camera.last.headers["Authorization"]?.contains(expected) == true, "\(challenges)")
        }
    }

    private static func authorization(_ camera: RTSPTestCamera) throws -> DigestAuthorization? {
        DigestAuthorization(parsing: try camera.last.headers["Authorization"] ?? "", algorithms: [.sha256])
    }

    @Test("75: qop, nc, cnonce and opaque as RFC 7616 wants them; the digest is right")
    func quality() throws {
        var camera = try Self.challenged([Self.sha])
        let credentials = "rtsp://192.0.2.7/a"
        let first = try #require(
            try Self.authorization(camera)
        )
        #expect(first.qop == "auth")
        #expect(first.nonceCount == "00000001")
        #expect(first.cnonce?.utf8.count == 16)
        #expect(first.opaque == "o")
        #expect(first.uri == credentials)
        #expect(first.isValid(method: "DESCRIBE", password: "word"))
        #expect(!first.isValid(method: "DESCRIBE", password: "wrong"))
        try camera.answer(200, ["Content-Type: application/sdp"], body: "v=0")
        try camera.setUp(["t=0"])
        let second = try #require(
            try Self.authorization(camera)
        )
        #expect(second.nonceCount == "00000002")
        #expect(second.cnonce != first.cnonce)
        #expect(second.uri == "rtsp://192.0.2.7/a/t=0")
        #expect(second.isValid(method: "SETUP", password: "word"))
    }

    @Test("75: a stale nonce is no wrong password; the same challenge again, or another one, is")
    func stale() throws {
        var camera = try Self.challenged([Self.md5])
        try camera.answer(401, ["WWW-Authenticate: Digest realm=\"r\", nonce=\"n9\", stale=TRUE"])
        #expect(try camera.last.headers["Authorization"]?.contains("nonce=\"n9\"") == true)
        try camera.answer(401, ["WWW-Authenticate: Digest realm=\"r\", nonce=\"n10\""])
        #expect(camera.fault == .unauthorized("the server does not take the user and password of the URL"))
        var same = try Self.challenged([Self.md5])
        try same.answer(401, ["WWW-Authenticate: \(Self.md5)"])
        guard case .unauthorized? = same.fault else { return #expect(Bool(false)) }
        var basic = try Self.challenged(["Basic realm=\"r\""])
        try basic.answer(401, ["WWW-Authenticate: Basic realm=\"r\""])
        guard case .unauthorized? = basic.fault else { return #expect(Bool(false)) }
        #expect(basic.fault?.explanation.contains("joe") == false)
    }

    @Test("a nonce that grew old at a later request is answered once more")
    func laterNonce() throws {
        var camera = try Self.challenged([Self.md5])
        try camera.answer(200, ["Content-Type: application/sdp"], body: "v=0")
        try camera.setUp(["t=0"])
        try camera.answer(401, ["WWW-Authenticate: Digest realm=\"r\", nonce=\"n3\""])
        #expect(try camera.last.method == .setup)
        #expect(try camera.last.headers["Authorization"]?.contains("nonce=\"n3\"") == true)
        try camera.answer(200, ["Session: 1;timeout=20"])
        try camera.answer()
        try camera.advance(by: .seconds(15))
        #expect(try camera.last.method == .options)
        try camera.answer(401, ["WWW-Authenticate: Digest realm=\"r\", nonce=\"n4\""])
        #expect(try camera.last.headers["Authorization"]?.contains("nonce=\"n4\"") == true)
        #expect(camera.requests.suffix(2).allSatisfy { $0.method == .options })
        #expect(camera.fault == nil)
    }

    @Test("without a user the fault says so, and a challenge that is not known too")
    func noUser() throws {
        let camera = try Self.challenged([Self.md5], url: "rtsp://192.0.2.7/a")
        #expect(camera.fault == .unauthorized("the server asks for a user and a password, and the URL has none"))
        let other = try Self.challenged(["Negotiate"])
        guard case .unauthorized? = other.fault else { return #expect(Bool(false)) }
    }
}
