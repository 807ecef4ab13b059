import NIOCore
import Testing

@testable import Streaming

@Suite("RTSP server: a connection")
struct RTSPServerConnectionTests {
    private static let url = "rtsp://192.0.2.9:5544/live/camera1"

    private static func server() -> RTSPTestServer {
        var server = RTSPTestServer()
        server.connect()
        return server
    }

    @Test("1: a request without CSeq is answered with 400, and the connection is closed")
    func noCSeq() {
        var server = Self.server()
        #expect(server.send("OPTIONS * RTSP/1.0\n\n").hasPrefix("RTSP/1.0 400 "))
        #expect(server.connections[1]?.closed == .some(.noCSeq))
        #expect(server.send("OPTIONS * RTSP/1.0\nCSeq: 1\n\n").isEmpty)
    }

    @Test("1: CSeq comes back in every answer, errors too")
    func echoesCSeq() throws {
        var server = Self.server()
        for (method, url) in [
            ("OPTIONS", "*"), ("FLY", Self.url), ("DESCRIBE", "nonsense"), ("DESCRIBE", "rtsp://h/live/nothing"),
            ("PLAY", Self.url), ("SETUP", Self.url),
        ] {
            let answer = try RTSPResponse(text: server.send("\(method) \(url) RTSP/1.0\ncseq: 000a \n\n"))
            #expect(answer.headers["CSeq"] == "000a", "\(method)")
            #expect(answer.headers["Server"] == "gbgate")
        }
        #expect(server.connections[1]?.isClosed == false)
    }

    @Test("2, 3: OPTIONS * lists exactly what is done; other methods want a URL")
    func options() throws {
        var server = Self.server()
        #expect(
            server.send("OPTIONS * RTSP/1.0\nCSeq: 1\n\n")
                == "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: gbgate\r\nPublic: OPTIONS, DESCRIBE, ANNOUNCE, SETUP, PLAY, "
                + "PAUSE, RECORD, TEARDOWN, GET_PARAMETER, SET_PARAMETER\r\n\r\n"
        )
        #expect(try server.ask("OPTIONS", Self.url).status == .ok)
        #expect(try server.ask("DESCRIBE", "*").status == .badRequest)
        #expect(try server.ask("SETUP", "/live/x").status == .badRequest)
        #expect(try server.ask("GET_PARAMETER", "*").status == .badRequest)
    }

    @Test("4: an unknown method is answered with 501, and the connection stays")
    func unknownMethod() throws {
        var server = Self.server()
        #expect(try server.ask("REDIRECT", Self.url).status == .notImplemented)
        #expect(try server.ask("options", Self.url).status == .notImplemented)
        #expect(try server.ask("OPTIONS", Self.url).status == .ok)
    }

    @Test("5: a response and frames without a session are dropped and counted")
    func strayResponse() throws {
        var server = Self.server()
        server.receive(ByteBuffer(bytes: [0x24, 0, 0, 2, 1, 2]))
        #expect(server.send("RTSP/1.0 200 OK\nCSeq: 1\n\n").isEmpty)
        #expect(try server.ask("OPTIONS", Self.url).status == .ok)
        #expect(server.connections[1]?.connection.statistics.framesOutOfPlace == 1)
        #expect(server.connections[1]?.connection.statistics.responses == 1)
        #expect(server.log.isEmpty)
    }

    @Test("11, 12: the answer to DESCRIBE has its type, and Content-Base ends in one slash")
    func describes() throws {
        var server = Self.server()
        for (url, base) in [
            (Self.url, Self.url + "/"), (Self.url + "/", Self.url + "/"), (Self.url + "?k=v", Self.url + "/?k=v"),
            ("rtsp://joe:word@192.0.2.9:5544/live/camera1", Self.url + "/"),
        ] {
            let answer = try server.ask("DESCRIBE", url, ["Accept: application/sdp"])
            #expect(answer.status == .ok)
            #expect(answer.headers["Content-Base"] == base)
            #expect(answer.headers["Content-Type"] == "application/sdp")
            #expect(answer.headers["Content-Length"] == "\(RTSPTestServer.sdp.count)")
            #expect(Array(buffer: answer.body) == RTSPTestServer.sdp)
        }
        #expect(server.log.first == "describe live/camera1?")
        #expect(try server.ask("DESCRIBE", Self.url, ["Accept: text/html"]).status == .notAcceptable)
        #expect(try server.ask("DESCRIBE", Self.url, ["Accept: text/html, application/sdp"]).status == .ok)
    }

    @Test("16: what is not there is 404, what is elsewhere is a redirect with an absolute Location")
    func notFound() throws {
        var server = Self.server()
        #expect(try server.ask("DESCRIBE", "rtsp://h/live/nothing").status == .notFound)
        let answer = try server.ask("DESCRIBE", "rtsp://h/live/moved")
        #expect(answer.status == .found)
        #expect(answer.headers["Location"] == "rtsp://elsewhere/live/moved")
    }

    @Test("a DESCRIBE that waits holds the requests behind it, not the time limit; the answers come in order")
    func ordered() throws {
        var server = Self.server()
        server.holds = true
        #expect(server.send("DESCRIBE \(Self.url) RTSP/1.0\nCSeq: 1\n\nOPTIONS * RTSP/1.0\nCSeq: 2\n\n").isEmpty)
        #expect(server.send("GET_PARAMETER \(Self.url) RTSP/1.0\nCSeq: 3\n\n").isEmpty)
        server.advance(to: server.now + .minutes(5))
        #expect(server.connections[1]?.isClosed == false)
        server.answerHeld()
        let answers = try RTSPReader.all(.client, [ByteBuffer(string: server.takeSent(1))])
        let numbers = answers.compactMap { event -> String? in
            if case .response(let response) = event { response.headers["CSeq"] } else { nil }
        }
        #expect(numbers == ["1", "2", "3"])
    }

    @Test("what cannot be read is told behind the answers that wait")
    func faultInOrder() throws {
        var server = Self.server()
        server.holds = true
        server.send("DESCRIBE \(Self.url) RTSP/1.0\nCSeq: 1\n\nOPTIONS * RTSP/2.0\nCSeq: 2\n\n")
        #expect(server.connections[1]?.isClosed == false)
        server.answerHeld()
        let sent = server.takeSent(1)
        #expect(sent.hasPrefix("RTSP/1.0 200 OK\r\nCSeq: 1\r\n"))
        #expect(sent.contains("RTSP/1.0 505 "))
        #expect(server.connections[1]?.closed == .some(.version("RTSP/2.0")))
    }

    @Test("too many requests behind one that waits end the connection")
    func flood() {
        var server = Self.server()
        server.holds = true
        server.send("DESCRIBE \(Self.url) RTSP/1.0\nCSeq: 1\n\n")
        for number in 2...33 { server.send("OPTIONS * RTSP/1.0\nCSeq: \(number)\n\n") }
        #expect(server.connections[1]?.isClosed == false)
        #expect(server.send("OPTIONS * RTSP/1.0\nCSeq: 34\n\n").hasPrefix("RTSP/1.0 503"))
        #expect(server.connections[1]?.closed == .some(.tooManyRequests))
        // Its answer comes too late, and does no harm.
        server.answerHeld()
        #expect(server.takeSent(1).isEmpty)
    }

    @Test("49: parameters are taken with a body and without")
    func parameters() throws {
        var server = Self.server()
        for method in ["GET_PARAMETER", "SET_PARAMETER"] {
            for body in ["", "packets_received\r\njitter\r\n"] {
                let answer = try server.ask(method, Self.url, body: body)
                #expect(answer.status == .ok)
                #expect(answer.headers["Content-Type"] == "text/parameters")
            }
        }
    }

    @Test("52: a connection without a session is closed after 60 s without a request")
    func idle() {
        var server = Self.server()
        server.advance(to: RTSPTestServer.start + .seconds(59))
        server.send("OPTIONS * RTSP/1.0\nCSeq: 1\n\n")
        server.advance(to: RTSPTestServer.start + .seconds(118))
        #expect(server.connections[1]?.isClosed == false)
        server.advance(to: RTSPTestServer.start + .seconds(119))
        #expect(server.connections[1]?.closed == .some(.timeout(.idle)))
    }

    @Test("a request that is never completed ends the connection after 10 s, however slowly it drips")
    func slowLoris() {
        var server = Self.server()
        server.send("OPTIONS * RTSP/1.0\n")
        for second in 1...9 {
            server.advance(to: RTSPTestServer.start + .seconds(Int64(second)))
            server.send("X: y\n")
        }
        #expect(server.connections[1]?.isClosed == false)
        server.advance(to: RTSPTestServer.start + .seconds(10))
        #expect(server.connections[1]?.closed == .some(.timeout(.message)))
    }

    @Test("what cannot be read is answered as far as its sender would understand it")
    func faults() {
        for (text, answer, fault) in [
            ("OPTIONS * RTSP/2.0\n\n", "RTSP/1.0 505 ", RTSPFault.version("RTSP/2.0")),
            ("OPTIONS * RTSP/1.0\nContent-Length: -1\n\n", "RTSP/1.0 400 ", .badContentLength),
            ("OPTIONS * RTSP/1.0\nContent-Length: 131073\n\n", "RTSP/1.0 413 ", .bodyTooLong),
            ("OPTIONS \(String(repeating: "x", count: 2049)) RTSP/1.0\n\n", "RTSP/1.0 414 ", .urlTooLong),
            ("GET / HTTP/1.1\n\n", "", .http), ("\u{16}\u{3}", "", .badStartLine),
        ] {
            var server = Self.server()
            let sent = server.send(text)
            #expect(answer.isEmpty ? sent.isEmpty : sent.hasPrefix(answer), "\(fault)")
            #expect(server.connections[1]?.closed == .some(fault))
        }
    }

    @Test("76: the back channel may be required, other features not")
    func requires() throws {
        var server = Self.server()
        #expect(try server.ask("DESCRIBE", Self.url, ["Require: www.onvif.org/ver20/backchannel"]).status == .ok)
        let answer = try server.ask("DESCRIBE", Self.url, ["Require: funky-feature, www.onvif.org/ver20/backchannel"])
        #expect(answer.status == .optionNotSupported)
        #expect(answer.headers["Unsupported"] == "funky-feature")
    }

    @Test("48: a session that is not known is 454, whatever the method")
    func unknownSession() throws {
        var server = Self.server()
        for method in ["OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "PLAY", "PAUSE", "RECORD", "TEARDOWN"] {
            #expect(try server.ask(method, Self.url, ["Session: 1234"]).status == .sessionNotFound, "\(method)")
        }
        #expect(try server.ask("PLAY", Self.url).status == .sessionNotFound)
    }

    @Test("every byte of a session may come alone")
    func everySplit() throws {
        let script = ByteBuffer(
            string: """
                OPTIONS \(Self.url) RTSP/1.0\r
                CSeq: 1\r
                \r
                DESCRIBE \(Self.url) RTSP/1.0\r
                CSeq: 2\r
                \r
                SETUP \(Self.url)/trackID=0 RTSP/1.0\r
                CSeq: 3\r
                Transport: RTP/AVP/TCP;interleaved=0-1\r
                \r
                PLAY \(Self.url) RTSP/1.0\r
                CSeq: 4\r
                Session: 00000000000000000000000000000001\r
                \r
                $\u{1}\u{0}\u{2}ab
                """
        )
        func run(_ parts: [ByteBuffer]) -> (String, [String]) {
            var server = Self.server()
            let sent = parts.map { server.receive($0) }.joined()
            return (sent, server.log)
        }
        let whole = run([script])
        #expect(whole.0.components(of: "RTSP/1.0 200 OK") == 4)
        #expect(whole.1 == ["describe live/camera1?", "playing", "0c: 2"])
        let isSame = run(script.singleBytes) == whole && script.splits.allSatisfy { run([$0, $1]) == whole }
        #expect(isSame)
    }
}

extension String {
    func components(of text: String) -> Int {
        ranges(of: text).count
    }
}
