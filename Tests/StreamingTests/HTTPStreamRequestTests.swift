import Testing

@testable import Streaming

@Suite("Paths of media requests")
struct HTTPStreamRequestTests {
    @Test(
        "application, stream, extension and query",
        arguments: [
            ("/live/camera1.flv", "live", "camera1", "flv", ""),
            ("/live/camera1.FLV?lal_secret=x&a=b?c", "live", "camera1", "flv", "lal_secret=x&a=b?c"),
            ("/camera1.flv", "", "camera1", "flv", ""),
            ("/a/b/c/x.flv", "a/b/c", "x", "flv", ""),
            ("//live//x.y.flv#t=1", "live", "x.y", "flv", ""),
            ("http://host:8080/live/x.flv", "live", "x", "flv", ""),
            ("/live/%E7%9B%B8.ts", "live", "相", "ts", ""),
        ]
    )
    func reads(target: String, app: String, stream: String, fileExtension: String, query: String) throws {
        let request = try HTTPStreamRequest(target: target)
        #expect(request.address == StreamAddress(app: app, stream: stream, query: query))
        #expect(request.fileExtension == fileExtension)
    }

    @Test(
        "what names no stream, or one that is forbidden",
        arguments: [
            ("/", HTTPStreamRequest.Fault.noExtension), ("", .noExtension), ("/live/x", .noExtension),
            ("/live/.flv", .noExtension), ("/live/x.", .noExtension),
            ("/live/%2.flv", .badEncoding), ("/live/%FF.flv", .badEncoding), ("/live/%", .badEncoding),
            ("/live/a%2Fb.flv", .name(.forbidden)), ("/live/a%3Fb.flv", .name(.forbidden)),
            ("/live/..x.flv", .name(.forbidden)), ("/../x.flv", .name(.forbidden)),
            ("/live/a%00b.flv", .name(.forbidden)), ("/live/a%5Cb.flv", .name(.forbidden)),
            ("/%0D%0Alive/x.flv", .name(.forbidden)),
        ]
    )
    func refuses(target: String, fault: HTTPStreamRequest.Fault) {
        #expect(throws: fault) { try HTTPStreamRequest(target: target) }
    }
}
