import Testing

@testable import Transport

@Suite struct FLVURLTests {
    @Test func partsOfAURL() throws {
        let url = try FLVURL("WSS://user:p%40ss@cam.example:8443/live/a%20b.flv?token=1#x")
        #expect(url.isSecure && url.isWebSocket)
        #expect(url.host == "cam.example" && url.port == 8443 && url.target == "/live/a%20b.flv?token=1")
        #expect(url.credentials == "user:p@ss" && url.authority == "cam.example:8443")
        #expect(url.redacted == "wss://cam.example:8443/live/a%20b.flv")
    }

    @Test(arguments: [
        ("http://h/x.flv", "h", 80, "/x.flv", "h"), ("https://h", "h", 443, "/", "h"),
        ("ws://h?a=b", "h", 80, "/?a=b", "h"), ("http://[::1]:8080/x", "::1", 8080, "/x", "[::1]:8080"),
        ("http://[fe80::1]/x", "fe80::1", 80, "/x", "[fe80::1]"), ("http://h:/x", "h", 80, "/x", "h"),
    ])
    func hostAndPort(text: String, host: String, port: Int, target: String, authority: String) throws {
        let url = try FLVURL(text)
        #expect(url.host == host && url.port == port && url.target == target && url.authority == authority)
        #expect(url.credentials == nil)
    }

    @Test(arguments: [
        "", "h/x.flv", "rtmp://h/x", "http://", "http:///x", "http://h:0/x", "http://h:70000/x", "http://h:a/x",
        "http://[::1/x", "http://[::1]x/x", "http://h/a b", "http://h/x\r\nHost: y", "http://a%zz@h/x",
        "http://h ost/x",
    ])
    func whatCannotBePulledFrom(text: String) {
        #expect(throws: RelayFault.self) { try FLVURL(text) }
    }
}
