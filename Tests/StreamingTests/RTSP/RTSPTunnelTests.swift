import NIOCore
import Testing
import Wire

@testable import Streaming

@Suite("RTSP over HTTP and WebSocket")
struct RTSPTunnelTests {
    private static func detect(_ parts: [ByteBuffer]) throws(RTSPDetectionFault) -> (RTSPConnectionKind?, String) {
        var detector = RTSPProtocolDetector()
        var kind: RTSPConnectionKind?
        var rest = ByteBuffer()
        for part in parts {
            var part = part
            if kind == nil { kind = try detector.receive(&part) }
            rest.writeImmutableBuffer(part)
        }
        return (kind, String(buffer: rest))
    }

    private static func text(_ lines: [String], rest: String = "") -> ByteBuffer {
        ByteBuffer(string: lines.map { $0 + "\r\n" }.joined() + "\r\n" + rest)
    }

    private static let get = text(
        ["GET /live/x HTTP/1.0", "X-SessionCookie: abc", "Accept: application/x-rtsp-tunnelled", "Pragma: no-cache"]
    )
    private static let post = text(
        [
            "POST /live/x HTTP/1.0", "x-sessioncookie: abc", "Content-Type: application/x-rtsp-tunnelled",
            "Content-Length: 32767",
        ],
        rest: "T1BU"
    )

    @Test("90: the halves of a tunnel, RTSP itself, wherever the bytes are cut; what is behind the head is left")
    func detects() throws {
        for (bytes, kind, rest) in [
            (Self.get, RTSPConnectionKind.tunnelGET(cookie: "abc"), ""),
            (Self.post, .tunnelPOST(cookie: "abc"), "T1BU"),
            (ByteBuffer(string: "GET_PARAMETER * RTSP/1.0\r\n"), .rtsp, "GET_PARAMETER * RTSP/1.0\r\n"),
            (ByteBuffer(string: "PLAY rtsp://h/ RTSP/1.0\r\n"), .rtsp, "PLAY rtsp://h/ RTSP/1.0\r\n"),
            (ByteBuffer(string: "OPTIONS * RTSP/1.0\r\n"), .rtsp, "OPTIONS * RTSP/1.0\r\n"),
            (ByteBuffer(string: "\u{16}\u{3}"), .rtsp, "\u{16}\u{3}"),
        ] {
            for parts in [[bytes], bytes.singleBytes] + bytes.splits.map({ [$0, $1] }) {
                let found = try Self.detect(parts)
                #expect(found.0 == kind)
                #expect(found.1 == rest)
            }
        }
    }

    @Test("HTTP that opens no tunnel is answered and refused")
    func refuses() {
        for lines in [
            ["GET / HTTP/1.1", "Host: h"], ["POST / HTTP/1.1", "x-sessioncookie: abc"],
            ["GET / HTTP/1.1", "x-sessioncookie: \(String(repeating: "x", count: 300))"],
            ["GET / HTTP/1.1", "Upgrade: websocket", "Connection: upgrade"],
        ] {
            let fault = #expect(throws: RTSPDetectionFault.self) { try Self.detect([Self.text(lines)]) }
            #expect(fault.map { String(buffer: $0.response).hasPrefix("HTTP/1.1 400") } == true)
        }
        let endless = ByteBuffer(string: "GET / HTTP/1.1\r\nA: " + String(repeating: "x", count: 17_000))
        #expect(throws: RTSPDetectionFault.self) { try Self.detect([endless]) }
    }

    @Test("90: base64 is decoded as it comes, with padding within it")
    func base64() {
        let texts = ["OPTIONS * RTSP/1.0\r\n", "CSeq: 1\r\n\r\n", "$", "ab"]
        let encoded = ByteBuffer(string: texts.map { Base64.encode(Array($0.utf8)) }.joined(separator: "\r\n"))
        func decode(_ parts: [ByteBuffer]) -> String? {
            var decoder = Base64StreamDecoder()
            var all = ByteBuffer()
            for part in parts {
                guard let bytes = decoder.decode(part) else { return nil }
                all.writeImmutableBuffer(bytes)
            }
            return String(buffer: all)
        }
        #expect(decode([encoded]) == texts.joined())
        #expect(decode(encoded.singleBytes) == texts.joined())
        for (first, second) in encoded.splits { #expect(decode([first, second]) == texts.joined()) }
        #expect(decode([ByteBuffer(string: "T1BU*")]) == nil)
    }

    @Test("90: GET and POST belong together by cookie and address, within 5 s")
    func pairs() {
        let start = RTSPTestServer.start
        var pairing = RTSPTunnelPairing(limit: 3)
        func waits(_ cookie: String, _ address: String, _ connection: UInt64, _ seconds: Int64) -> Bool {
            pairing.wait(cookie: cookie, address: address, connection: connection, now: start + .seconds(seconds))
        }
        func pair(_ cookie: String, _ address: String, _ seconds: Int64) -> UInt64? {
            pairing.pair(cookie: cookie, address: address, now: start + .seconds(seconds))
        }
        #expect(waits("a", "x", 1, 0))
        #expect(!waits("a", "x", 2, 0))
        #expect(waits("a", "y", 3, 1))
        #expect(waits("b", "x", 4, 2))
        #expect(!waits("c", "x", 5, 2))
        #expect(pair("a", "z", 0) == nil)
        #expect(pair("a", "y", 4) == 3)
        #expect(pair("a", "y", 4) == nil)
        #expect(pair("a", "x", 5) == nil)
        #expect(pairing.deadline == start + .seconds(5))
        let late = pairing.advance(to: start + .seconds(5))
        #expect(late == [1])
        pairing.remove(connection: 4)
        #expect(pairing.deadline == nil)
    }

    @Test("90: the responses of both halves")
    func responses() {
        #expect(String(buffer: RTSPTunnel.getResponse()).hasPrefix("HTTP/1.0 200 OK\r\n"))
        #expect(String(buffer: RTSPTunnel.getResponse()).contains("Content-Type: application/x-rtsp-tunnelled\r\n"))
        #expect(String(buffer: RTSPTunnel.postResponse()).hasSuffix("Content-Length: 0\r\n\r\n"))
    }

    @Test(
        "91: ONVIF's subprotocol and lal's come back, another one is refused",
        arguments: [
            ("rtsp.onvif.org", "rtsp.onvif.org"), ("rtsp", "rtsp"), ("chat, RTSP.onvif.org", "rtsp.onvif.org"),
            (nil, nil),
        ] as [(String?, String?)]
    )
    func webSocket(offered: String?, chosen: String?) throws {
        var lines = [
            "GET /any/path?x HTTP/1.1", "Host: h", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
        ]
        if let offered { lines.append("Sec-WebSocket-Protocol: \(offered)") }
        let bytes = Self.text(lines, rest: "frames")
        guard case (.webSocket(let response)?, let rest) = try Self.detect(bytes.singleBytes) else {
            return #expect(Bool(false))
        }
        #expect(rest == "frames")
        let text = String(buffer: response)
        #expect(text.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
        #expect(text.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
        #expect(text.hasSuffix("\r\n\r\n"))
        #expect(text.contains("Protocol: ") == (chosen != nil))
        if let chosen { #expect(text.contains("Sec-WebSocket-Protocol: \(chosen)\r\n")) }
        #expect(throws: RTSPDetectionFault.self) {
            try Self.detect([Self.text(lines.filter { !$0.contains("Protocol") } + ["Sec-WebSocket-Protocol: chat"])])
        }
    }

    @Test("91: requests in frames, over a socket that also carries pings")
    func requestsInFrames() throws {
        var bytes = ByteBuffer()
        let request = ByteBuffer(string: "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        WebSocketFrame.write(opcode: .ping, payload: ByteBuffer(string: "x"), mask: 7, into: &bytes)
        WebSocketFrame.write(opcode: .binary, payload: request, mask: 9, into: &bytes)
        var parser = WebSocketParser()
        var events: [WebSocketEvent] = []
        try parser.receive(bytes, into: &events)
        var server = RTSPTestServer()
        server.connect()
        for case .binary(let payload) in events {
            #expect(server.receive(payload).hasPrefix("RTSP/1.0 200 OK"))
        }
        #expect(events.count == 2)
    }
}
