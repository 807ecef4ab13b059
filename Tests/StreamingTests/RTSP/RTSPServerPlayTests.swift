import Media
import NIOCore
import Testing

@testable import Streaming

@Suite("RTSP server: sessions that play")
struct RTSPServerPlayTests {
    private static let url = "rtsp://192.0.2.9/live/camera1"
    private static let tcp = "RTP/AVP/TCP;unicast;interleaved=0-1"
    private static let udp = "RTP/AVP;unicast;client_port=5000-5001"

    private static func server() -> RTSPTestServer {
        var server = RTSPTestServer()
        server.connect()
        return server
    }

    @Test("18-21: a track is found in every form of its URL")
    func tracks() throws {
        for (target, media) in [
            ("/trackID=1", 1), ("?k=v/trackID=1", 1), ("/trackID=1?k=v", 1), ("/", 0), ("?k=v/", 0), ("/?k=v", 0),
        ] {
            var server = Self.server()
            let answer = try server.setUp(Self.url + target, Self.tcp)
            #expect(answer.status == .ok, "\(target)")
            #expect(server.sessions.values.first?.setups.map(\.media) == [media], "\(target)")
        }
    }

    @Test("24: an unknown track and a URL without one are 400")
    func noTrack() throws {
        var server = Self.server()
        for target in ["/trackID=2", "/trackID=x", "", "?k=v", "/trackID=-1"] {
            #expect(try server.setUp(Self.url + target, Self.tcp).status == .badRequest, "\(target)")
        }
        #expect(server.sessions.isEmpty)
    }

    @Test("23, 53, 54: PLAY of the aggregate URL; RTP-Info has the medias in the order of their SETUPs")
    func plays() throws {
        for ending in ["", "/"] {
            var server = Self.server()
            server.starts = [0: RTPStart(sequenceNumber: 7, timestamp: 90_000)]
            let first = try server.setUp(Self.url + "/trackID=1?k=v", "RTP/AVP/TCP;unicast;interleaved=2-3")
            let id = try #require(first.session)
            #expect(try server.setUp(Self.url + "/trackID=0", Self.tcp, session: id).status == .ok)
            let answer = try server.ask("PLAY", Self.url + ending, ["Session: \(id)", "Range: npt=5-"])
            #expect(answer.status == .ok)
            #expect(
                answer.headers["RTP-Info"]
                    == "url=\(Self.url)/trackID=1?k=v,url=\(Self.url)/trackID=0;seq=7;rtptime=90000"
            )
            #expect(server.log == ["playing"])
        }
    }

    @Test("54: who names no track is told which one it has")
    func namesTrack() throws {
        var server = Self.server()
        _ = try server.setUp(Self.url + "/", Self.tcp)
        #expect(try server.ask("PLAY", Self.url + "/").headers["RTP-Info"] == "url=\(Self.url)/trackID=0")
    }

    @Test("29, 36: the first alternative that is allowed; none is 461")
    func alternatives() throws {
        let list = "RTP/AVP/UDP;multicast;client_port=5000-5001, RTP/SAVP/TCP, \(Self.udp), \(Self.tcp)"
        for (policy, expected) in [
            (RTSPTransportPolicy(), "RTP/AVP/UDP;unicast;client_port=5000-5001;server_port=8000-8001;ssrc=000000AB"),
            (.interleavedOnly, "RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=000000AB"),
            (
                RTSPTransportPolicy(udp: false, tcp: false, multicast: true),
                "RTP/AVP/UDP;multicast;destination=239.0.0.1;port=5000-5001;ttl=16;ssrc=000000AB"
            ),
        ] {
            var server = RTSPTestServer()
            server.policy = policy
            server.connect()
            let answer = try server.setUp(Self.url + "/trackID=0", list)
            #expect(answer.headers["Transport"] == expected)
        }
        var server = RTSPTestServer()
        server.policy = RTSPTransportPolicy(udp: false, tcp: false)
        server.connect()
        #expect(try server.setUp(Self.url + "/trackID=0", list).status == .unsupportedTransport)
        #expect(try server.setUp(Self.url + "/trackID=0", "MP2T/H2221/UDP").status == .unsupportedTransport)
        #expect(server.sessions.isEmpty)
        #expect(try server.setUp(Self.url + "/trackID=0", "RTP/SAVP;client_port=1-2").status == .unsupportedTransport)
    }

    @Test("30, 32: no profile is 400, and so is UDP without ports")
    func malformedTransport() throws {
        var server = Self.server()
        for transport in ["", "unicast;interleaved=0-1", "RTP/AVP;unicast", "RTP/AVP;client_port=0-1"] {
            #expect(try server.setUp(Self.url + "/trackID=0", transport).status == .badRequest, "\(transport)")
        }
        #expect(try server.ask("SETUP", Self.url + "/trackID=0").status == .badRequest)
    }

    @Test("32: one port means it and the next one")
    func onePort() throws {
        var server = Self.server()
        let answer = try server.setUp(Self.url + "/trackID=0", "RTP/AVP;unicast;client_port=5004")
        #expect(answer.headers["Transport"]?.contains("client_port=5004-5005") == true)
    }

    @Test("33: channels are pairs, none twice; where there are none, the server chooses the first that are free")
    func channels() throws {
        var server = Self.server()
        server.medias = 4
        let url = Self.url + "/trackID="
        #expect(try server.setUp(url + "0", "RTP/AVP/TCP;interleaved=0-2").status == .badRequest)
        let first = try server.setUp(url + "0", "RTP/AVP/TCP;interleaved=1-2")
        #expect(first.headers["Transport"]?.contains("interleaved=1-2") == true)
        let id = try #require(first.session)
        #expect(try server.setUp(url + "1", "RTP/AVP/TCP;interleaved=2-3", session: id).status == .badRequest)
        let second = try server.setUp(url + "1", "RTP/AVP/TCP;unicast", session: id)
        #expect(second.headers["Transport"]?.contains("interleaved=4-5") == true)
        let third = try server.setUp(url + "2", "RTP/AVP/TCP;unicast", session: id)
        #expect(third.headers["Transport"]?.contains("interleaved=6-7") == true)
    }

    @Test("33: without channels of the client the medias get 0-1, 2-3")
    func noChannels() throws {
        var server = Self.server()
        let first = try server.setUp(Self.url + "/trackID=0", "RTP/AVP/TCP;unicast")
        #expect(first.headers["Transport"] == "RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=000000AB")
        let second = try server.setUp(Self.url + "/trackID=1", "RTP/AVP/TCP;unicast")
        #expect(second.headers["Transport"] == "RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=000000AB")
    }

    @Test("35: medias of one session have one transport and one stream; none is set up twice")
    func mixes() throws {
        var server = Self.server()
        let id = try #require(try server.setUp(Self.url + "/trackID=0", Self.tcp).session)
        #expect(try server.setUp(Self.url + "/trackID=1", Self.udp, session: id).status == .badRequest)
        #expect(try server.setUp("rtsp://192.0.2.9/live/b/trackID=1", Self.tcp, session: id).status == .badRequest)
        #expect(try server.setUp(Self.url + "/trackID=0", "RTP/AVP/TCP", session: id).status == .badRequest)
        #expect(try server.setUp(Self.url + "/trackID=1", "RTP/AVP/TCP;mode=record", session: id).status == .badRequest)
        #expect(server.sessions[id]?.setups.count == 1)
    }

    @Test("40: the id is 32 hexadecimal digits, and the timeout told is 5 s less than the real one")
    func sessionID() throws {
        var server = Self.server()
        let answer = try server.setUp(Self.url + "/trackID=0", Self.udp)
        #expect(answer.headers["Session"] == "00000000000000000000000000000001;timeout=55")
        #expect(RTSPServerSession.id((UInt64.max, 1)) == "ffffffffffffffff0000000000000001")
    }

    @Test("41, 47: TEARDOWN is answered without Session, and the connection goes on with another one")
    func teardown() throws {
        var server = Self.server()
        let id = try #require(try server.setUp(Self.url + "/trackID=0", Self.tcp).session)
        #expect(try server.ask("PLAY", Self.url, ["Session: \(id)"]).headers["Session"] != nil)
        let answer = try server.ask("TEARDOWN", Self.url, ["Session: \(id)"])
        #expect(answer.status == .ok)
        #expect(answer.headers["Session"] == nil)
        #expect(server.sessions.isEmpty)
        #expect(try server.ask("PLAY", Self.url, ["Session: \(id)"]).status == .sessionNotFound)
        #expect(try server.ask("DESCRIBE", Self.url).status == .ok)
        let again = try server.setUp(Self.url + "/trackID=0", Self.udp)
        #expect(again.status == .ok)
        #expect(again.session != id)
    }

    @Test("43: a session used from another address is 400")
    func otherAddress() throws {
        var server = Self.server()
        server.connect(2, address: "192.0.2.2")
        let id = try #require(try server.setUp(Self.url + "/trackID=0", Self.udp).session)
        #expect(try server.ask("PLAY", Self.url, ["Session: \(id)"], on: 2).status == .badRequest)
        #expect(try server.ask("TEARDOWN", Self.url, ["Session: \(id)"], on: 2).status == .badRequest)
        #expect(server.sessions[id]?.state == .prePlay)
    }

    @Test("44: two connections on one session over TCP are 400, and one connection on two sessions")
    func oneToOne() throws {
        var server = Self.server()
        server.connect(2)
        let id = try #require(try server.setUp(Self.url + "/trackID=0", Self.tcp).session)
        #expect(try server.setUp(Self.url + "/trackID=1", Self.tcp, session: id, on: 2).status == .badRequest)
        #expect(try server.ask("PLAY", Self.url, ["Session: \(id)"], on: 2).status == .badRequest)
        let other = try #require(try server.setUp(Self.url + "/trackID=0", Self.tcp, on: 2).session)
        #expect(try server.ask("PLAY", Self.url, ["Session: \(other)"]).status == .badRequest)
        #expect(try server.ask("ANNOUNCE", Self.url, ["Content-Type: application/sdp"], body: "v=0").status.code == 455)
        #expect(try server.ask("PLAY", Self.url, ["Session: \(id)"]).status == .ok)
    }

    @Test("45, 46: a session over UDP survives its connection and is driven from another; one over TCP does not")
    func changesConnection() throws {
        var server = Self.server()
        let id = try #require(try server.setUp(Self.url + "/trackID=0", Self.udp).session)
        server.disconnect()
        server.connect(2)
        #expect(try server.ask("PLAY", Self.url, ["Session: \(id)"], on: 2).status == .ok)
        server.disconnect(2)
        #expect(server.sessions[id]?.state == .playing)
        server.connect(3)
        #expect(try server.ask("TEARDOWN", Self.url, ["Session: \(id)"], on: 3).status == .ok)
        _ = try server.setUp(Self.url + "/trackID=0", Self.tcp, on: 3)
        #expect(server.sessions.count == 1)
        server.disconnect(3)
        #expect(server.sessions.isEmpty)
    }

    @Test("48, 50: over UDP every request and packet counts as life; without them it is over after 60 s")
    func udpTimeout() throws {
        var server = Self.server()
        let id = try #require(try server.setUp(Self.url + "/trackID=0", Self.udp).session)
        var time = RTSPTestServer.start
        for method in ["PLAY", "OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "PLAY"] {
            time = time + .seconds(59)
            server.advance(to: time)
            let answer = try server.ask(method, Self.url, ["Session: \(id)"])
            #expect(answer.status == .ok, "\(method)")
            #expect(answer.session == id, "\(method)")
        }
        time = time + .seconds(59)
        server.advance(to: time)
        server.sessions[id]?.received(now: time)
        server.advance(to: time + .seconds(59))
        #expect(server.sessions[id] != nil)
        server.advance(to: time + .seconds(60))
        #expect(server.log.last == "over: timeout(Streaming.RTSPTimeout.control)")
        // The connection has no session any more: it is idle from now on, and begins anew.
        #expect(try server.setUp(Self.url + "/trackID=0", Self.udp).status == .ok)
    }

    @Test("50: over TCP a client that never speaks plays on")
    func tcpNoTimeout() throws {
        var server = Self.server()
        _ = try server.setUp(Self.url + "/trackID=0", Self.tcp)
        _ = try server.ask("PLAY", Self.url)
        server.advance(to: RTSPTestServer.start + .hours(5))
        #expect(server.sessions.count == 1)
        #expect(server.connections[1]?.isClosed == false)
    }

    @Test("a session that is set up and never plays is over after 60 s")
    func neverPlays() throws {
        var server = Self.server()
        _ = try server.setUp(Self.url + "/trackID=0", Self.tcp)
        server.advance(to: RTSPTestServer.start + .seconds(60))
        #expect(server.sessions.isEmpty)
        server.advance(to: RTSPTestServer.start + .seconds(120))
        #expect(server.connections[1]?.closed == .some(.timeout(.idle)))
    }

    @Test("55: PLAY, PLAY, PAUSE, PAUSE, PLAY on the same channels")
    func pauses() throws {
        var server = Self.server()
        _ = try server.setUp(Self.url + "/trackID=0", Self.tcp)
        let id = try #require(server.sessions.keys.first)
        for method in ["PLAY", "PLAY", "PAUSE", "PAUSE", "PLAY"] {
            #expect(try server.ask(method, Self.url, ["Session: \(id)"]).status == .ok, "\(method)")
        }
        #expect(server.log == ["playing", "paused", "paused", "playing"])
        #expect(server.sessions[id]?.setups.first?.delivery == .interleaved(RTSPChannels(0, 1)))
    }

    @Test("56: a part of the medias plays")
    func partial() throws {
        var server = Self.server()
        _ = try server.setUp(Self.url + "/trackID=1", Self.tcp)
        let answer = try server.ask("PLAY", Self.url)
        #expect(answer.headers["RTP-Info"] == "url=\(Self.url)/trackID=1")
    }

    @Test("57: Range is ignored")
    func range() throws {
        var server = Self.server()
        _ = try server.setUp(Self.url + "/trackID=0", Self.tcp)
        for range in ["npt=now-", "npt=0.000-", "clock=20260101T000000Z-", "nonsense"] {
            #expect(try server.ask("PLAY", Self.url, ["Range: \(range)"]).status == .ok)
        }
    }

    @Test("58: frames of a player are RTCP; those of unknown channels and behind PAUSE are counted")
    func frames() throws {
        var server = Self.server()
        _ = try server.setUp(Self.url + "/trackID=1", Self.tcp)
        let id = try #require(server.sessions.keys.first)
        server.receive(ByteBuffer(bytes: [0x24, 1, 0, 1, 0]))
        _ = try server.ask("PLAY", Self.url)
        server.receive(ByteBuffer(bytes: [0x24, 1, 0, 2, 0x81, 0xC9, 0x24, 9, 0, 0]))
        _ = try server.ask("PAUSE", Self.url)
        server.receive(ByteBuffer(bytes: [0x24, 1, 0, 1, 0]))
        #expect(server.log == ["playing", "1c: 2", "paused"])
        #expect(server.sessions[id]?.statistics == .init(unknownChannels: 1, framesOutOfPlace: 2))
    }

    @Test("what is not valid in a state is 455 and says what would be")
    func notValid() throws {
        var server = Self.server()
        _ = try server.setUp(Self.url + "/trackID=0", Self.tcp)
        let record = try server.ask("RECORD", Self.url)
        #expect(record.status == .notValidInState)
        #expect(record.headers["Allow"] == "SETUP, PLAY, PAUSE, OPTIONS, TEARDOWN, GET_PARAMETER, SET_PARAMETER")
        _ = try server.ask("PLAY", Self.url)
        #expect(try server.setUp(Self.url + "/trackID=1", "RTP/AVP/TCP").status == .notValidInState)
    }
}
