import Media
import Testing

@testable import Streaming

@Suite("HLS: request targets")
struct HLSRequestTests {
    struct Form: Sendable, CustomTestStringConvertible {
        var target: String
        var stream: String
        var resource: HLSRequest.Resource
        var testDescription: String { target }
    }

    static let forms: [Form] = [
        Form(target: "/hls/test110.m3u8", stream: "test110", resource: .livePlaylist),
        Form(target: "/hls/test110/playlist.m3u8", stream: "test110", resource: .livePlaylist),
        Form(target: "/hls/test110/record.m3u8", stream: "test110", resource: .recordPlaylist),
        Form(target: "/hls/any/test110.m3u8", stream: "test110", resource: .livePlaylist),
        Form(target: "/hls/test110/index.m3u8", stream: "test110", resource: .multivariantPlaylist),
        Form(target: "/hls/test110/ll.m3u8", stream: "test110", resource: .mediaPlaylist),
        Form(target: "/hls/test110.M3U8", stream: "test110", resource: .livePlaylist),
        Form(
            target: "/hls/test110/test110-1795228433288-0.ts",
            stream: "test110",
            resource: .media("test110-1795228433288-0.ts")
        ),
        Form(
            target: "/hls/test110-1795228433288-12.ts",
            stream: "test110",
            resource: .media("test110-1795228433288-12.ts")
        ),
        Form(target: "/hls/a-1-2-3-4.ts", stream: "a-1-2", resource: .media("a-1-2-3-4.ts")),
        Form(
            target: "/hls/34020000001320000001-1-1.ts",
            stream: "34020000001320000001",
            resource: .media("34020000001320000001-1-1.ts")
        ),
        Form(target: "/hls/test110/x7f3-init-0.mp4", stream: "test110", resource: .media("x7f3-init-0.mp4")),
        Form(target: "/hls/test110/x7f3-12-3.m4s", stream: "test110", resource: .media("x7f3-12-3.m4s")),
        Form(target: "/hls/a.b.m3u8", stream: "a.b", resource: .livePlaylist),
        Form(target: "/hls/%E6%91%84%E5%83%8F%E5%A4%B4.m3u8", stream: "摄像头", resource: .livePlaylist),
        Form(target: "/hls/a%20b/playlist.m3u8", stream: "a b", resource: .livePlaylist),
        Form(target: "http://h:8080/hls/test110.m3u8?a=1#x", stream: "test110", resource: .livePlaylist),
        Form(target: "/hls//test110.m3u8", stream: "test110", resource: .livePlaylist),
    ]

    @Test(arguments: forms)
    func reads(form: Form) throws {
        let request = try HLSRequest(target: form.target)
        #expect(request.stream == form.stream)
        #expect(request.resource == form.resource)
    }

    @Test("The prefix is configurable")
    func prefix() throws {
        #expect(try HLSRequest(target: "/a/b/x.m3u8", prefix: "/a/b/").stream == "x")
        #expect(try HLSRequest(target: "/x.m3u8", prefix: "/").stream == "x")
        #expect(throws: HLSRequest.Fault.elsewhere) { try HLSRequest(target: "/hls/x.m3u8", prefix: "/other/") }
    }

    @Test(
        arguments: [
            ("/live/test110.flv", HLSRequest.Fault.elsewhere), ("", .elsewhere), ("/hls", .elsewhere),
            ("/hls/", .unknown), ("/hls/a", .unknown), ("/hls/.m3u8", .unknown), ("/hls/a/b/c.m3u8", .unknown),
            ("/hls/a.ts", .unknown), ("/hls/a-1.ts", .unknown), ("/hls/-1-2.ts", .unknown), ("/hls/a--2.ts", .unknown),
            ("/hls/a-x-2.ts", .unknown), ("/hls/x-1-2.m4s", .unknown), ("/hls/a/b.flv", .unknown),
            ("/hls/%zz.m3u8", .badEncoding), ("/hls/%ff.m3u8", .badEncoding),
            ("/hls/../playlist.m3u8", .name(.forbidden)), ("/hls/..%2fetc/playlist.m3u8", .name(.forbidden)),
            ("/hls/a%2fb.m3u8", .name(.forbidden)), ("/hls/a%3fb.m3u8", .name(.forbidden)),
            ("/hls/%2e%2e/record.m3u8", .name(.forbidden)), ("/hls/a/..%2f..%2fpasswd.ts", .name(.forbidden)),
            ("/hls/a%0ab.m3u8", .name(.forbidden)), ("/hls/a%5cb.m3u8", .name(.forbidden)),
            ("/hls/a.m3u8?_HLS_msn=-1", .directive("_HLS_msn")), ("/hls/a.m3u8?_HLS_msn=", .directive("_HLS_msn")),
            ("/hls/a.m3u8?_HLS_part=x", .directive("_HLS_part")), ("/hls/a.m3u8?_HLS_msn=1e3", .directive("_HLS_msn")),
            ("/hls/a.m3u8?_HLS_msn=000000000000000000001", .directive("_HLS_msn")),
        ] as [(String, HLSRequest.Fault)]
    )
    func refuses(target: String, fault: HLSRequest.Fault) {
        #expect(throws: fault) { try HLSRequest(target: target) }
        #expect(!fault.explanation.isEmpty && (400...404).contains(fault.status))
    }

    @Test("A name is as long as a stream's, at most")
    func length() {
        let name = String(repeating: "a", count: 300)
        #expect(throws: HLSRequest.Fault.name(.tooLong)) { try HLSRequest(target: "/hls/\(name).m3u8") }
    }

    @Test("Directives")
    func directives() throws {
        let all = try HLSRequest(target: "/hls/a/ll.m3u8?t=1&_HLS_msn=12&_HLS_part=3&_HLS_skip=YES&_HLS_new=x")
        #expect(all.directives == HLSDirectives(segment: 12, part: 3, skips: true))
        #expect(try HLSRequest(target: "/hls/a/ll.m3u8?_HLS_skip=v2").directives.skips)
        #expect(try HLSRequest(target: "/hls/a/ll.m3u8?_HLS_skip=NO").directives == HLSDirectives())
        #expect(try HLSRequest(target: "/hls/a/ll.m3u8?%5FHLS_msn=12").directives.segment == 12)
        let far = try HLSRequest(target: "/hls/a/ll.m3u8?_HLS_msn=99999999999999999999")
        #expect(far.directives.segment == .max)
        #expect(try HLSRequest(target: "/hls/a/ll.m3u8").directives == HLSDirectives())
    }

    @Test(
        "Tokens go on to children, directives do not, and nothing breaks a line",
        arguments: [
            ("", ""), ("lal_secret=7009&_HLS_msn=1&x=%20y", "lal_secret=7009&x=%20y"), ("_HLS_msn=1", ""),
            ("%5FHLS_part=1&a=1", "a=1"), ("a=\"b\"", "a=%22b%22"), ("a=b c", "a=b%20c"),
            ("a=\n#EXTINF:1,\nhttp:", "a=%0A%23EXTINF:1,%0Ahttp:"),
            ("a=é", "a=%C3%A9"), ("a=%0a", "a=%0a"), ("a=%zz&b=1", "b=1"), ("a&b=&c", "a&b=&c"),
            ("a=<b>\\", "a=%3Cb%3E%5C"),
            ("&&a=1&&", "a=1"),
            ("session_id=0f7608512f020d79624a3d2c1984f449", "session_id=0f7608512f020d79624a3d2c1984f449"),
        ]
    )
    func children(query: String, child: String) {
        #expect(HLSQuery.forChildren(query) == child)
    }

    @Test("What the segmenter names, the request finds, whatever the stream is called")
    func roundTrip() throws {
        for stream in ["test110", "a b", "x:y", "摄像头", "100%", "a-1-2", "#1"] {
            let names = HLSNames(stream: stream, prefix: "x7f3")
            let file = names.transportStream(12, wallClock: 1_795_228_433_288)
            let request = try HLSRequest(target: "/hls/" + HLSNames.reference(file))
            #expect(request.stream == stream && request.resource == .media(file))
        }
    }
}
