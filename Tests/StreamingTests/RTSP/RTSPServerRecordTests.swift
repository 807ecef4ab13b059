import NIOCore
import Testing

@testable import Streaming

@Suite("RTSP server: sessions that record")
struct RTSPServerRecordTests {
    private static let url = "rtsp://192.0.2.9/live/camera1"
    private static let tcp = "RTP/AVP/TCP;unicast;mode=record"

    private static func announced(_ controls: [String?] = ["trackID=0", "trackID=1"]) throws -> RTSPTestServer {
        var server = RTSPTestServer()
        server.controls = controls
        server.connect()
        let answer = try server.ask("ANNOUNCE", url, ["Content-Type: application/sdp"], body: "v=0")
        #expect(answer.status == .ok)
        return server
    }

    @Test("41, 42: ANNOUNCE is answered without Session; the SETUPs behind it need none")
    func publishes() throws {
        var server = RTSPTestServer()
        server.connect()
        let announce = try server.ask("ANNOUNCE", Self.url, ["Content-Type: application/sdp"], body: "v=0")
        #expect(announce.headers["Session"] == nil)
        let first = try server.setUp(Self.url + "/trackID=0", "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record")
        #expect(first.headers["Transport"] == "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record")
        #expect(first.headers["Session"] == "00000000000000000000000000000001")
        _ = try server.setUp(Self.url + "/trackID=1", Self.tcp, session: first.session)
        #expect(try server.ask("RECORD", Self.url, ["Session: \(first.session ?? "")"]).status == .ok)
        server.receive(ByteBuffer(bytes: [0x24, 0, 0, 3, 1, 2, 3, 0x24, 3, 0, 1, 9, 0x24, 7, 0, 1, 9]))
        #expect(server.log == ["recording", "0: 3", "1c: 1"])
    }

    @Test("60: the type must be application/sdp, and there must be a description")
    func badAnnounce() throws {
        var server = RTSPTestServer()
        server.connect()
        #expect(try server.ask("ANNOUNCE", Self.url, body: "v=0").status == .unsupportedMediaType)
        #expect(
            try server.ask("ANNOUNCE", Self.url, ["Content-Type: text/plain"], body: "v=0").status
                == .unsupportedMediaType
        )
        #expect(try server.ask("ANNOUNCE", Self.url, ["Content-Type: application/sdp"]).status == .badRequest)
        server.controls = []
        #expect(
            try server.ask("ANNOUNCE", Self.url, ["Content-Type: application/sdp"], body: "v=0").status == .badRequest
        )
        server.controls = Array(repeating: nil, count: 17)
        #expect(
            try server.ask("ANNOUNCE", Self.url, ["Content-Type: Application/SDP"], body: "v=0").status == .badRequest
        )
        server.controls = [nil]
        #expect(
            try server.ask("ANNOUNCE", Self.url, ["Content-Type: application/sdp;charset=utf-8"], body: "v=0").status
                == .ok
        )
    }

    @Test("25: controls are relative or absolute, before the query or behind it")
    func controls() throws {
        for (controls, target) in [
            (["streamid=0", "streamid=1"], "/streamid=1"), (["streamid=0", "streamid=1"], "/streamid=1?k=v"),
            (["rtsp://10.1.1.1/live/camera1/a", "rtsp://10.1.1.1/live/camera1/b"], "/b"),
        ] {
            var server = try Self.announced(controls)
            #expect(try server.setUp(Self.url + target, Self.tcp).status == .ok, "\(target)")
            #expect(server.sessions.values.first?.setups.first?.media == 1)
        }
    }

    @Test("26: a media without a control is the aggregate URL")
    func noControl() throws {
        for ending in ["", "/"] {
            var server = try Self.announced([nil])
            #expect(try server.setUp(Self.url + ending, Self.tcp).status == .ok)
            #expect(try server.ask("RECORD", Self.url).status == .ok)
        }
    }

    @Test("27: a media twice, or an unknown one, is 400")
    func twice() throws {
        var server = try Self.announced()
        _ = try server.setUp(Self.url + "/trackID=0", Self.tcp)
        #expect(try server.setUp(Self.url + "/trackID=0", Self.tcp).status == .badRequest)
        #expect(try server.setUp(Self.url + "/trackID=5", Self.tcp).status == .badRequest)
    }

    @Test("28: who sends it is known, for whoever wants to answer rtspclientsink later")
    func userAgent() throws {
        var server = RTSPTestServer()
        server.connect()
        _ = try server.ask("OPTIONS", Self.url, ["User-Agent: GStreamer/1.22.0"])
        #expect(server.connections[1]?.connection.userAgent == "GStreamer/1.22.0")
    }

    @Test("61: SETUP wants mode=record, RECORD wants all medias")
    func partial() throws {
        var server = try Self.announced()
        #expect(try server.setUp(Self.url + "/trackID=0", "RTP/AVP/TCP;unicast").status == .badRequest)
        #expect(try server.setUp(Self.url + "/trackID=0", Self.tcp).status == .ok)
        #expect(try server.ask("RECORD", Self.url).status == .badRequest)
        #expect(try server.setUp(Self.url + "/trackID=1", Self.tcp).status == .ok)
        #expect(try server.ask("RECORD", Self.url).status == .ok)
        #expect(try server.ask("RECORD", Self.url).status == .ok)
        #expect(try server.ask("PLAY", Self.url).status == .notValidInState)
    }

    @Test("36: multicast is not for record")
    func multicast() throws {
        var server = RTSPTestServer()
        server.policy.multicast = true
        server.connect()
        _ = try server.ask("ANNOUNCE", Self.url, ["Content-Type: application/sdp"], body: "v=0")
        let transport = "RTP/AVP;multicast;mode=record"
        #expect(try server.setUp(Self.url + "/trackID=0", transport).status == .unsupportedTransport)
    }

    @Test(
        "51, 62: over UDP the publisher's ports are known; 10 s without a packet end it, its connection may be silent"
    )
    func udp() throws {
        var server = try Self.announced(["a"])
        let answer = try server.setUp(Self.url + "/a", "RTP/AVP/UDP;unicast;client_port=6000-6001;mode=record")
        #expect(
            answer.headers["Transport"]
                == "RTP/AVP/UDP;unicast;client_port=6000-6001;server_port=8000-8001;mode=record"
        )
        let id = try #require(answer.session)
        _ = try server.ask("RECORD", Self.url, ["Session: \(id)"])
        #expect(server.sessions[id]?.setups.first?.delivery == .udp(client: RTSPPorts(6000, 6001)))
        for second in 1...200 {
            server.advance(to: RTSPTestServer.start + .seconds(Int64(second)))
            server.sessions[id]?.received(now: server.now)
        }
        #expect(server.connections[1]?.isClosed == false)
        server.advance(to: RTSPTestServer.start + .seconds(209))
        #expect(server.sessions.count == 1)
        server.advance(to: RTSPTestServer.start + .seconds(210))
        #expect(server.log.last == "over: timeout(Streaming.RTSPTimeout.media)")
    }

    @Test("52: over TCP 10 s without a byte end it")
    func tcpTimeout() throws {
        var server = try Self.announced(["a"])
        _ = try server.setUp(Self.url + "/a", Self.tcp)
        _ = try server.ask("RECORD", Self.url)
        server.advance(to: RTSPTestServer.start + .seconds(9))
        server.receive(ByteBuffer(bytes: [0x24, 0, 0, 0]))
        server.advance(to: RTSPTestServer.start + .seconds(18))
        #expect(server.sessions.count == 1)
        server.advance(to: RTSPTestServer.start + .seconds(19))
        #expect(server.sessions.isEmpty)
    }

    @Test("45, 46: over UDP the session outlives its connection; before its first SETUP it does not")
    func outlives() throws {
        var server = try Self.announced(["a"])
        let id = try #require(
            try server.setUp(Self.url + "/a", "RTP/AVP/UDP;client_port=6000-6001;mode=record").session
        )
        server.disconnect()
        #expect(server.sessions.count == 1)
        server.connect(2)
        #expect(try server.ask("RECORD", Self.url, ["Session: \(id)"], on: 2).status == .ok)
        var other = try Self.announced()
        other.disconnect()
        #expect(other.sessions.isEmpty)
    }

    @Test("5: frames behind PAUSE and TEARDOWN are counted, not fatal")
    func lateFrames() throws {
        var server = try Self.announced(["a"])
        _ = try server.setUp(Self.url + "/a", Self.tcp)
        _ = try server.ask("RECORD", Self.url)
        _ = try server.ask("PAUSE", Self.url)
        let late = ByteBuffer(bytes: [0x24, 0, 0, 1, 1])
        server.receive(late)
        #expect(server.sessions.values.first?.statistics.framesOutOfPlace == 1)
        _ = try server.ask("TEARDOWN", Self.url)
        server.receive(late)
        #expect(server.connections[1]?.connection.statistics.framesOutOfPlace == 1)
        #expect(try server.ask("OPTIONS", Self.url).status == .ok)
    }
}
