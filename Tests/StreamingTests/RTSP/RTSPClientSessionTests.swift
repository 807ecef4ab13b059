import Media
import NIOCore
import Testing

@testable import Streaming

@Suite("RTSP client: playing")
struct RTSPClientSessionTests {
    private static let url = "rtsp://192.0.2.7/Streaming/Channels/101?transportmode=unicast"

    @Test("77: OPTIONS, DESCRIBE, SETUPs, PLAY, each with CSeq and User-Agent")
    func plays() throws {
        var camera = try RTSPTestCamera.player(Self.url)
        #expect(try camera.last.method == .options)
        #expect(try camera.last.target == Self.url)
        try camera.answer(200, ["Public: OPTIONS, DESCRIBE"])
        #expect(try camera.last.method == .describe)
        #expect(try camera.last.headers["Accept"] == "application/sdp")
        try camera.answer(
            200,
            ["Content-Type: application/sdp; charset=utf-8", "Content-Base: rtsp://192.0.2.7/Streaming/Channels/101/"],
            body: "v=0\r\n"
        )
        #expect(camera.actions == [.described(ByteBuffer(string: "v=0\r\n"))])
        try camera.setUp(["trackID=1", "trackID=2"])
        #expect(try camera.last.target == "rtsp://192.0.2.7/Streaming/Channels/101/trackID=1")
        // Without a mode.
        #expect(try camera.last.headers["Transport"] == "RTP/AVP/TCP;unicast;interleaved=0-1")
        #expect(try camera.last.headers["Session"] == nil)
        try camera.answer(200, ["Session: 4711;timeout=60", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=1f"])
        #expect(
            camera.actions.last
                == .media(RTSPClientMedia(media: 0, delivery: .interleaved(RTSPChannels(0, 1)), ssrc: 0x1F))
        )
        #expect(try camera.last.target == "rtsp://192.0.2.7/Streaming/Channels/101/trackID=2")
        #expect(try camera.last.headers["Session"] == "4711")
        try camera.answer(200, ["Session: 4711", "Transport: RTP/AVP/TCP;unicast;interleaved=2-3"])
        #expect(try camera.last.method == .play)
        #expect(try camera.last.target == "rtsp://192.0.2.7/Streaming/Channels/101/")
        #expect(try camera.last.headers["Range"] == "npt=0-")
        try camera.answer(
            200,
            [
                "RTP-Info: url=rtsp://192.0.2.7/Streaming/Channels/101/trackID=2;seq=5;rtptime=9,"
                    + "url=trackID=1;seq=65535;rtptime=4294967295"
            ]
        )
        let acceptance = try #require(camera.acceptance)
        #expect(acceptance.media.map(\.media) == [0, 1])
        #expect(
            acceptance.starts == [
                1: RTPStart(sequenceNumber: 5, timestamp: 9),
                0: RTPStart(sequenceNumber: .max, timestamp: .max),
            ]
        )
        try camera.receive(ByteBuffer(bytes: [0x24, 0, 0, 1, 9, 0x24, 3, 0, 1, 8, 0x24, 9, 0, 1, 7]))
        #expect(
            camera.actions.suffix(2) == [
                .packet(media: 0, isRTCP: false, ByteBuffer(bytes: [9])),
                .packet(media: 1, isRTCP: true, ByteBuffer(bytes: [8])),
            ]
        )
        // What looks like a frame of a channel that there is not is one all the same, between messages.
        #expect(camera.session.statistics.unknownChannels == 1)
        #expect(camera.requests.compactMap(\.cseq) == ["1", "2", "3", "4", "5"])
        #expect(camera.requests.allSatisfy { $0.headers["User-Agent"] == "gbgate" && $0.headers["Require"] == nil })
        let farewell = camera.session.goodbye()
        let goodbye = try #require(farewell)
        #expect(
            String(buffer: goodbye).hasPrefix("TEARDOWN rtsp://192.0.2.7/Streaming/Channels/101/ RTSP/1.0\r\nCSeq: 6")
        )
    }

    @Test("77: whatever OPTIONS is answered with, DESCRIBE is tried", arguments: [404, 405, 501, 400, 454])
    func optionsRefused(code: Int) throws {
        var camera = try RTSPTestCamera.player(Self.url)
        try camera.answer(code)
        #expect(try camera.last.method == .describe)
    }

    @Test("a refusal is told with the step, its code and reason; what is no SDP too")
    func refused() throws {
        var camera = try RTSPTestCamera.player(Self.url)
        try camera.answer()
        try camera.answer(404)
        #expect(camera.fault == .refused(step: "DESCRIBE", code: 404, reason: "Reason"))
        #expect(camera.fault?.explanation == "DESCRIBE was answered with 404 Reason")
        #expect(camera.session.deadline == nil)
        var other = try RTSPTestCamera.player(Self.url)
        try other.answer()
        try other.answer(200, ["Content-Type: text/html"], body: "<html>")
        #expect(other.fault == .unusable(step: "DESCRIBE", "answered with something else than SDP"))
        var third = try RTSPTestCamera.player(Self.url)
        try third.describe(controls: [])
        #expect(third.fault == .unusable(step: "DESCRIBE", "the stream has no media that can be used"))
    }

    @Test("no answer in time is a fault that names the step; accepted, silence is")
    func timeouts() throws {
        var camera = try RTSPTestCamera.player(Self.url)
        try camera.answer()
        try camera.advance(by: .seconds(9))
        #expect(camera.fault == nil)
        try camera.advance(by: .seconds(1))
        #expect(camera.fault == .timeout(step: "DESCRIBE"))
        var other = try RTSPTestCamera.player(Self.url)
        try other.describe(controls: ["a"])
        try other.answer(200, ["Session: 1;timeout=600"])
        try other.answer()
        try other.advance(by: .seconds(29))
        try other.receive(ByteBuffer(bytes: [0x24, 0, 0, 0]))
        try other.advance(by: .seconds(29))
        #expect(other.fault == nil)
        try other.advance(by: .seconds(1))
        #expect(other.fault == .silence)
    }

    @Test("77: keepalives go at the timeout less 5 s, GET_PARAMETER where there is one, and are not waited for")
    func keepalives() throws {
        var camera = try RTSPTestCamera.player(Self.url) { $0.silenceTimeout = .hours(1) }
        try camera.describe(controls: ["a"])
        try camera.answer(200, ["Session: 1;timeout=20"])
        try camera.answer()
        try camera.advance(by: .seconds(14))
        #expect(try camera.last.method == .play)
        try camera.advance(by: .seconds(1))
        #expect(try camera.last.method == .getParameter)
        #expect(try camera.last.headers["Session"] == "1")
        try camera.advance(by: .seconds(15))
        #expect(camera.requests.suffix(2).map(\.method) == [.getParameter, .getParameter])
        try camera.answer(454)
        #expect(camera.fault == nil)
        var other = try RTSPTestCamera.player(Self.url) { $0.silenceTimeout = .hours(1) }
        try other.answer(200, ["Public: OPTIONS, DESCRIBE"])
        try other.answer(200, [], body: "v=0")
        try other.setUp([nil])
        try other.answer(200, ["Session: 1"])
        try other.answer()
        try other.advance(by: .seconds(30))
        #expect(try other.last.method == .options)
        #expect(try other.last.target == Self.url)
    }

    @Test("78: over UDP, no packet in 3 s means TCP, from the beginning")
    func fallsBack() throws {
        var camera = try RTSPTestCamera.player(Self.url) { $0.transport = .udp }
        try camera.describe(controls: ["a"])
        #expect(try camera.last.headers["Transport"] == "RTP/AVP/UDP;unicast;client_port=7000-7001")
        try camera.answer(
            200,
            ["Session: 1", "Transport: RTP/AVP;unicast;client_port=7000-7001;server_port=6000-6001"]
        )
        try camera.answer()
        #expect(camera.acceptance != nil)
        try camera.advance(by: .seconds(3))
        #expect(camera.reconnection == camera.session.configuration.url)
        try camera.advance(by: .seconds(8))
        #expect(camera.fault == nil)
        try camera.start()
        #expect(try camera.last.method == .options)
        #expect(try camera.last.headers["Session"] == nil)
        try camera.describe(controls: ["a"])
        #expect(try camera.last.headers["Transport"] == "RTP/AVP/TCP;unicast;interleaved=0-1")
    }

    @Test("78: packets over UDP keep it; silence afterwards is a fault")
    func staysUDP() throws {
        var camera = try RTSPTestCamera.player(Self.url) { $0.transport = .udp }
        try camera.describe(controls: ["a"])
        try camera.answer(200, ["Session: 1;timeout=600"])
        try camera.answer()
        camera.session.received(now: camera.now + .seconds(2))
        try camera.advance(by: .seconds(31))
        #expect(camera.fault == nil && camera.reconnection == nil)
        try camera.advance(by: .seconds(1))
        #expect(camera.fault == .silence)
    }

    @Test("78: 461 and a TCP answer mean TCP; 461 to TCP is a refusal")
    func unsupportedTransport() throws {
        var camera = try RTSPTestCamera.player(Self.url) { $0.transport = .udp }
        try camera.describe(controls: ["a"])
        try camera.answer(461)
        #expect(camera.reconnection != nil)
        try camera.start()
        try camera.describe(controls: ["a"])
        try camera.answer(461)
        #expect(camera.fault == .refused(step: "SETUP", code: 461, reason: "Reason"))
        var other = try RTSPTestCamera.player(Self.url) { $0.transport = .udp }
        try other.describe(controls: ["a"])
        try other.answer(200, ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1"])
        #expect(other.reconnection != nil)
        var fixed = try RTSPTestCamera.player(Self.url) {
            $0.transport = .udp
            $0.fallsBackToTCP = false
        }
        try fixed.describe(controls: ["a"])
        try fixed.answer(461)
        #expect(fixed.fault == .refused(step: "SETUP", code: 461, reason: "Reason"))
    }

    @Test(
        "79: server_port may be absent or 0-1, source a name",
        arguments: [
            ("RTP/AVP;unicast;client_port=7000-7001", nil, nil),
            ("RTP/AVP;unicast;client_port=7000-7001;server_port=0-1", nil, nil),
            ("RTP/AVP/UDP;unicast;source=cam.local;server_port=6970-6971", RTSPPorts(6970, 6971), "cam.local"),
            ("RTP/AVP;unicast;client_port=x;server_port=;source=", nil, nil), ("", nil, nil),
        ] as [(String, RTSPPorts?, String?)]
    )
    func serverPorts(transport: String, ports: RTSPPorts?, source: String?) throws {
        var camera = try RTSPTestCamera.player(Self.url) { $0.transport = .udp }
        try camera.describe(controls: ["a"])
        try camera.answer(200, ["Transport: \(transport)"])
        #expect(
            camera.actions.last
                == .media(
                    RTSPClientMedia(
                        media: 0,
                        delivery: .udp(client: RTSPPorts(7000, 7001), server: ports, source: source)
                    )
                )
        )
    }

    @Test("79: the channels of the answer count, not those asked for")
    func otherChannels() throws {
        var camera = try RTSPTestCamera.player(Self.url)
        try camera.describe()
        try camera.answer(200, ["Transport: RTP/AVP/TCP;unicast;interleaved=10-11"])
        try camera.answer(200, ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1"])
        try camera.receive(ByteBuffer(bytes: [0x24, 10, 0, 0, 0x24, 1, 0, 0]))
        #expect(
            camera.actions.suffix(2)
                == [.packet(media: 0, isRTCP: false, ByteBuffer()), .packet(media: 1, isRTCP: true, ByteBuffer())]
        )
    }

    @Test("79: a server asks, too")
    func serverRequests() throws {
        var camera = try RTSPTestCamera.player(Self.url)
        let request = ByteBuffer(string: "OPTIONS rtsp://192.0.2.7/ RTSP/1.0\r\nCSeq: 99\r\n\r\n")
        let answer = camera.session.receive(request, now: camera.now)
        guard case .send(let bytes)? = answer.first else { return #expect(Bool(false)) }
        #expect(String(buffer: bytes).hasPrefix("RTSP/1.0 200 OK\r\nCSeq: 99\r\n"))
        let other = ByteBuffer(string: "DESCRIBE rtsp://192.0.2.7/ RTSP/1.0\r\nCSeq: 99\r\n\r\n")
        guard case .send(let refusal)? = camera.session.receive(other, now: camera.now).first else {
            return #expect(Bool(false))
        }
        #expect(String(buffer: refusal).hasPrefix("RTSP/1.0 501"))
        try camera.receive(ByteBuffer(string: "TEARDOWN rtsp://192.0.2.7/ RTSP/1.0\r\nCSeq: 100\r\n\r\n"))
        #expect(camera.fault == .ended("the server ends the session"))
    }

    struct Base: Sendable {
        var contentBase: String?
        var sessionControl: String?
        var control: String?
        var setup: String
        var play: String
    }

    @Test(
        "80: whose URL is which",
        arguments: [
            Base(setup: "rtsp://h:8554/a?k=v", play: "rtsp://h:8554/a?k=v"),
            Base(control: "t=1", setup: "rtsp://h:8554/a?k=v/t=1", play: "rtsp://h:8554/a?k=v"),
            Base(control: "?t=1", setup: "rtsp://h:8554/a?k=v?t=1", play: "rtsp://h:8554/a?k=v"),
            Base(contentBase: "rtsp://h/b/", control: "t=1", setup: "rtsp://h/b/t=1", play: "rtsp://h/b/"),
            Base(contentBase: "rtsp://h/b", control: "t=1", setup: "rtsp://h/b/t=1", play: "rtsp://h/b"),
            Base(contentBase: "/b", control: "t=1", setup: "rtsp://h:8554/b/t=1", play: "rtsp://h:8554/b"),
            Base(
                contentBase: "nonsense",
                control: "t=1",
                setup: "rtsp://h:8554/a?k=v/t=1",
                play: "rtsp://h:8554/a?k=v"
            ),
            Base(
                contentBase: "rtsp://h/b/",
                sessionControl: "*",
                control: "t=1",
                setup: "rtsp://h/b/t=1",
                play: "rtsp://h/b/"
            ),
            Base(
                contentBase: "rtsp://h/b/",
                sessionControl: "rtsp://h/c",
                control: "t=1",
                setup: "rtsp://h/c/t=1",
                play: "rtsp://h/c"
            ),
            Base(
                sessionControl: "c",
                control: "t=1",
                setup: "rtsp://h:8554/a?k=v/c/t=1",
                play: "rtsp://h:8554/a?k=v/c"
            ),
            // A camera behind NAT.
            Base(
                contentBase: "rtsp://10.0.0.5/b/",
                control: "rtsp://10.0.0.5:554/b/t=1",
                setup: "rtsp://h:8554/b/t=1",
                play: "rtsp://10.0.0.5/b/"
            ),
        ]
    )
    func baseURLs(_ base: Base) throws {
        var camera = try RTSPTestCamera.player("rtsp://joe:word@h:8554/a?k=v")
        try camera.describe(
            base.contentBase.map { ["Content-Base: \($0)"] } ?? [],
            controls: [base.control],
            sessionControl: base.sessionControl
        )
        #expect(try camera.last.target == base.setup)
        try camera.answer()
        #expect(try camera.last.target == base.play)
    }

    @Test("81: redirects are followed, five of them", arguments: [301, 302, 303, 305])
    func redirects(code: Int) throws {
        var camera = try RTSPTestCamera.player(Self.url)
        for hop in 1...5 {
            try camera.answer()
            try camera.answer(code, ["Location: rtsp://192.0.2.\(100 + hop):8554/a"])
            #expect(camera.reconnection == (try? RTSPURL("rtsp://192.0.2.\(100 + hop):8554/a")))
            try camera.start()
            #expect(try camera.last.target == "rtsp://192.0.2.\(100 + hop):8554/a")
        }
        try camera.answer()
        try camera.answer(code, ["Location: rtsp://192.0.2.200/a"])
        #expect(camera.fault == .redirected("the server redirects more than 5 times"))
    }

    @Test("81: one Location, RTSP, and never from TLS to none")
    func badRedirects() throws {
        for (from, locations) in [
            ("rtsp://h/a", []), ("rtsp://h/a", ["rtsp://b/", "rtsp://c/"]), ("rtsp://h/a", ["http://h/a"]),
            ("rtsps://h/a", ["rtsp://h/a"]),
        ] {
            var camera = try RTSPTestCamera.player(from)
            try camera.answer()
            try camera.answer(302, locations.map { "Location: \($0)" })
            #expect(camera.fault != nil, "\(from) \(locations)")
        }
        var upgrade = try RTSPTestCamera.player("rtsp://h/a")
        try upgrade.answer(302, ["Location: rtsps://h/a"])
        #expect(upgrade.reconnection?.isTLS == true)
    }

    @Test("81: user and password go along to the same host alone")
    func redirectedCredentials() throws {
        var camera = try RTSPTestCamera.player("rtsp://joe:word@h/a")
        try camera.answer(302, ["Location: rtsp://h:9000/b"])
        #expect(camera.reconnection?.user == "joe")
        try camera.start()
        try camera.answer(401, ["WWW-Authenticate: Basic realm=\"x\""])
        #expect(try camera.last.headers["Authorization"] != nil)
        try camera.answer(302, ["Location: rtsp://other/b"])
        #expect(camera.reconnection?.user == "")
        try camera.start()
        #expect(try camera.last.headers["Authorization"] == nil)
        try camera.answer(401, ["WWW-Authenticate: Basic realm=\"x\""])
        #expect(camera.fault == .unauthorized("the server asks for a user and a password, and the URL has none"))
    }

    @Test("9, 8: junk between messages, answers without a reason, CSeq with blanks, and answers to nothing")
    func messyServer() throws {
        var camera = try RTSPTestCamera.player(Self.url)
        try camera.receive(ByteBuffer(bytes: [0x80, 0x60, 1, 2, 3]))
        try camera.receive(ByteBuffer(string: "RTSP/1.0 200\r\nCSeq: 77\r\n\r\n"))
        try camera.receive(ByteBuffer(string: "RTSP/1.0 100 Continue\r\nCSeq: 1\r\n\r\n"))
        try camera.receive(ByteBuffer(string: "RTSP/1.0 200\nCSeq:    1  \n\n"))
        #expect(try camera.last.method == .describe)
        #expect(camera.session.statistics.junkBytes == 5)
        #expect(camera.session.statistics.otherResponses == 1)
        // Some servers forget it.
        try camera.receive(ByteBuffer(string: "RTSP/1.0 404 Not Found\r\n\r\n"))
        #expect(camera.fault?.explanation == "DESCRIBE was answered with 404 Not Found")
    }

    @Test("what the server says is shown without queries")
    func hidesSecrets() {
        let fault = RTSPClientFault.refused(step: "PLAY", code: 404, reason: "no rtsp://h/a?token=secret here\u{7}")
        #expect(fault.explanation == "PLAY was answered with 404 no rtsp://h/a?… here")
    }
}
