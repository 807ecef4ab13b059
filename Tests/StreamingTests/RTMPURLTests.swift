import Testing

@testable import Streaming

@Suite("RTMP URLs")
struct RTMPURLTests {
    @Test("app is all but the last item, the query belongs to the stream")
    func splits() throws {
        let url = try RTMPURL("rtmp://10.0.0.1/live/room/camera1?token=a/b&user=x")
        #expect(url == RTMPURL(host: "10.0.0.1", app: "live/room", stream: "camera1?token=a/b&user=x"))
        #expect(url.port == 1935)
        #expect(url.tcURL == "rtmp://10.0.0.1:1935/live/room")
        #expect(url.query == "token=a/b&user=x")
    }

    @Test("TLS has its own default port, IPv6 hosts their brackets")
    func hosts() throws {
        #expect(try RTMPURL("RTMPS://cdn.example/live/x").port == 443)
        #expect(try RTMPURL("RTMPS://cdn.example/live/x").isTLS)
        let url = try RTMPURL("rtmp://[fe80::1]:1936/live/x")
        #expect(url.host == "fe80::1")
        #expect(url.port == 1936)
        #expect(url.tcURL == "rtmp://[fe80::1]:1936/live")
        #expect(try RTMPURL("rtmp://[::1]/a/b").port == 1935)
    }

    @Test("user and password are decoded, and never shown")
    func credentials() throws {
        let url = try RTMPURL("rtmp://joe%40x:p%3Ass@w@host/live/x?secret=1")
        #expect(url.user == "joe@x")
        #expect(url.password == "p:ss@w")
        #expect(url.host == "host")
        #expect(url.redacted == "rtmp://host:1935/live/x")
        #expect("\(url)" == url.redacted)
        #expect(!url.tcURL.contains("joe"))
    }

    @Test("a query behind the app, as SRS names virtual hosts")
    func queryInApp() throws {
        let url = try RTMPURL("rtmp://host/live?vhost=a.b/x?k=v")
        #expect(url.app == "live?vhost=a.b")
        #expect(url.stream == "x?k=v" || url.stream == "x")
        #expect(url.redacted == "rtmp://host:1935/live/x")
    }

    @Test(
        "what is no address of a stream is refused with the reason",
        arguments: [
            ("http://h/a/b", RTMPURL.Fault.scheme), ("h/a/b", .scheme), ("rtmp:///a/b", .host),
            ("rtmp://[::1/a/b", .host),
            ("rtmp://[::1]x/a/b", .host), ("rtmp://h:0/a/b", .port), ("rtmp://h:65536/a/b", .port),
            ("rtmp://h:+5/a/b", .port), ("rtmp://h", .noStream), ("rtmp://h/", .noStream), ("rtmp://h/name", .noStream),
            ("rtmp://h/name/", .noStream), ("rtmp://h/name?k=v", .noStream), ("rtmp://h/a/b c", .forbidden),
            ("rtmp://h/a/b\r\nc", .forbidden),
        ]
    )
    func refuses(text: String, fault: RTMPURL.Fault) {
        #expect(throws: fault) { try RTMPURL(text) }
        #expect(!fault.explanation.isEmpty)
    }

    @Test("longer than 4096 bytes it is refused")
    func refusesLong() {
        #expect(throws: RTMPURL.Fault.tooLong) { try RTMPURL("rtmp://h/a/" + String(repeating: "x", count: 4096)) }
    }
}
