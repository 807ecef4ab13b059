import Testing

@testable import Streaming

@Suite("RTSP URLs")
struct RTSPURLTests {
    @Test("user, host, port, path and query; IPv6 in brackets")
    func parts() throws {
        let url = try RTSPURL("rtsps://joe%40x:p:ss@w@[fe80::1]:8555/live/a%20b/c?token=x/y&z=1")
        #expect(url.isTLS)
        #expect(url.user == "joe@x")
        #expect(url.password == "p:ss@w")
        #expect(url.host == "fe80::1")
        #expect(url.port == 8555)
        #expect(url.path == "/live/a%20b/c")
        #expect(url.query == "token=x/y&z=1")
        #expect(url.text == "rtsps://[fe80::1]:8555/live/a%20b/c?token=x/y&z=1")
        #expect("\(url)" == "rtsps://[fe80::1]:8555/live/a%20b/c")
        #expect(try url.address() == StreamAddress(app: "live/a b", stream: "c", query: "token=x/y&z=1"))
        #expect(try RTSPURL("rtsp://h/a").port == 554)
        #expect(try RTSPURL("RTSPS://h/a").port == 322)
    }

    @Test("22: paths may be empty, with a slash or without, and hold slashes")
    func paths() throws {
        #expect(try RTSPURL("rtsp://host").path == "")
        #expect(try RTSPURL("rtsp://host/").path == "/")
        #expect(try RTSPURL("rtsp://host?a=b").query == "a=b")
        #expect(throws: StreamAddress.Fault.empty) { try RTSPURL("rtsp://host/").address() }
        #expect(try RTSPURL("rtsp://host/a/b/c/d").address().app == "a/b/c")
        #expect(try RTSPURL("rtsp://host/a/b/").address() == RTSPURL("rtsp://host/a/b").address())
    }

    @Test(
        "what is no URL is refused",
        arguments: [
            ("", RTSPURL.Fault.scheme), ("/live/x", .scheme), ("http://h/x", .scheme), ("rtsp:///x", .host),
            ("rtsp://[::1/x", .host), ("rtsp://h:0/x", .port), ("rtsp://h:65536/", .port),
            ("rtsp://h/\u{7}", .forbidden),
        ]
    )
    func refuses(text: String, fault: RTSPURL.Fault) {
        #expect(throws: fault) { try RTSPURL(text) }
        #expect(!fault.explanation.isEmpty)
    }

    @Test(
        "names that are no stream's are refused",
        arguments: [
            "/a/..%2Fb", "/a/../b", "/a%2Fb", "/a/b%00", "/a/%zz", "/a/b%5C", "/a/b%3Fc", "/a/%C3", "/a/b%2F%CC%81",
        ]
    )
    func names(path: String) throws {
        let url = try RTSPURL("rtsp://h\(path)")
        #expect(throws: StreamAddress.Fault.forbidden) { try url.address() }
    }

    @Test(
        "18-22: the forms in which clients name a track",
        arguments: [
            ("rtsp://h/live/x/trackID=1", "live/x?", 1), ("rtsp://h/live/x?k=v/trackID=1", "live/x?k=v", 1),
            ("rtsp://h/live/x/trackID=1?k=v", "live/x?k=v", 1), ("rtsp://h/live/x/trackID=1?k=v/", "live/x?k=v/", 1),
            ("rtsp://h/live/x/", "live/x?", 0), ("rtsp://h/live/x?k=v/", "live/x?k=v", 0),
            ("rtsp://h/live/x/?k=v", "live/x?k=v", 0), ("rtsp://h/live/x//trackID=0", "live/x?", 0),
            ("rtsp://h/a/b/c/trackID=12", "a/b/c?", 12), ("rtsp://h/live/x/streamid=1", "live/x?", 1),
            ("rtsp://h/live/x?k=a/b/trackID=1", "live/x?k=a/b", 1), ("rtsp://h/live/x/TrackID=1", "live/x?", 1),
        ]
    )
    func tracks(text: String, address: String, track: Int) throws {
        let found = try RTSPTrackURL(try RTSPURL(text))
        #expect("\(found.address.app)/\(found.address.stream)?\(found.address.query)" == address)
        #expect(found.track == track)
    }

    @Test(
        "24: no track, or none that is a number",
        arguments: [
            "rtsp://h/live/x", "rtsp://h/live/x?k=v", "rtsp://h/live/x/trackID=", "rtsp://h/live/x/trackID=a",
            "rtsp://h/live/x/trackID=-1", "rtsp://h/live/x/trackID=99999999999999999999", "rtsp://h",
            "rtsp://h/live/x?k=v/trackID=x", "rtsp://h/live/x/track1",
        ]
    )
    func noTrack(text: String) throws {
        let url = try RTSPURL(text)
        #expect(throws: RTSPTrackURL.Fault.noTrack) { try RTSPTrackURL(url) }
    }

    @Test("22, 24: the track of nothing")
    func trackOfNothing() throws {
        let url = try RTSPURL("rtsp://host/trackID=0")
        #expect(throws: RTSPTrackURL.Fault.address(.empty)) { try RTSPTrackURL(url) }
    }

    struct Announced: Sendable {
        var base: String
        var controls: [String?]
        var url: String
        var expected: Int?
    }

    @Test(
        "25, 26: a publisher's SETUP, with relative, absolute or no controls",
        arguments: [
            Announced(
                base: "rtsp://h/a",
                controls: ["trackID=0", "trackID=1"],
                url: "rtsp://h/a/trackID=1",
                expected: 1
            ),
            Announced(
                base: "rtsp://h/a/",
                controls: ["streamid=0", "streamid=1"],
                url: "rtsp://h/a/streamid=1",
                expected: 1
            ),
            Announced(base: "rtsp://h/a?k=v", controls: ["s=0", "s=1"], url: "rtsp://h/a?k=v/s=1", expected: 1),
            Announced(base: "rtsp://h/a?k=v", controls: ["s=0", "s=1"], url: "rtsp://h/a/s=1?k=v", expected: 1),
            Announced(base: "rtsp://h/a?k=v", controls: ["s=0", "s=1"], url: "rtsp://h/a/s=1", expected: 1),
            Announced(
                base: "rtsp://h/a",
                controls: ["rtsp://10.0.0.1/a/s=0", "rtsp://10.0.0.1/a/s=1"],
                url: "rtsp://h/a/s=1",
                expected: 1
            ),
            Announced(base: "rtsp://h/a?k=v", controls: ["rtsp://h/a?k=v/s=0"], url: "rtsp://h/a?k=v/s=0", expected: 0),
            Announced(base: "rtsp://h/a", controls: [nil], url: "rtsp://h/a", expected: 0),
            Announced(base: "rtsp://h/a", controls: [nil], url: "rtsp://h/a/", expected: 0),
            Announced(base: "rtsp://h/a", controls: ["*"], url: "rtsp://h/a/", expected: 0),
            Announced(base: "rtsp://h/a%20b", controls: ["s=0"], url: "rtsp://h/a b/s=0", expected: 0),
            Announced(base: "rtsp://h/a", controls: ["s=0", "s=1"], url: "rtsp://h/a", expected: nil),
            Announced(base: "rtsp://h/a", controls: ["s=0", "s=1"], url: "rtsp://h/a/s=2", expected: nil),
            Announced(base: "rtsp://h/a", controls: ["s=0"], url: "rtsp://h/b/s=0", expected: nil),
            Announced(base: "rtsp://h/a?k=v", controls: ["s=0"], url: "rtsp://h/a/s=0?k=w", expected: nil),
        ]
    )
    func announced(_ sample: Announced) throws {
        let media = RTSPAnnouncedMedia(base: try RTSPURL(sample.base), controls: sample.controls)
        #expect(media.index(of: try RTSPURL(sample.url)) { _ in false } == sample.expected)
    }

    @Test("26: several medias without a control have their turns")
    func turns() throws {
        let media = RTSPAnnouncedMedia(base: try RTSPURL("rtsp://h/a"), controls: [nil, nil])
        #expect(media.index(of: try RTSPURL("rtsp://h/a/")) { $0 == 0 } == 1)
        #expect(media.index(of: try RTSPURL("rtsp://h/a/")) { _ in true } == 0)
    }
}
