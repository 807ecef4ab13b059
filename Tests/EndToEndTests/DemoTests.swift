import Foundation
import Programs
import Testing

/// The first command of the README.
@Suite(.timeLimit(.minutes(2)), .enabled(if: Product.path != nil, "the product is not built"))
struct DemoTests {
    private static func start(
        _ arguments: [String] = [],
        in folder: TemporaryFolder,
        binary: String? = nil
    ) async throws -> Program {
        var environment = [
            "GBGATE_RTMP_ADDR": "127.0.0.1:0", "GBGATE_RTSP_ADDR": "127.0.0.1:0",
            "GBGATE_DEFAULT_HTTP_HTTP_LISTEN_ADDR": "127.0.0.1:0", "GBGATE_GB28181_LOCAL_SIP_PORT": "0",
            "GBGATE_GB28181_SIP_RTP_PORT_MIN": "15000", "GBGATE_GB28181_SIP_RTP_PORT_MAX": "15099",
            "GBGATE_RECORD_INDEX_PATH": "\(folder.path)/recordings.sqlite",
            "GBGATE_DUMP_OUT_PATH": "\(folder.path)/",
        ]
        environment["GBGATE_HTTP_API_ADDR"] = "127.0.0.1:\(try await freePort())"
        return try Program(
            binary ?? Product.path ?? "",
            ["demo"] + arguments,
            environment: environment,
            folder: folder.path
        )
    }

    @Test("From any folder it finds its cameras, and prints URLs that play and the console's")
    func printsWhatToWatch() async throws {
        let folder = try TemporaryFolder()
        let demo = try await Self.start(in: folder)
        try await wait(for: "the URLs", limit: .seconds(30)) {
            try #require(demo.isRunning, "\(demo.output)\(demo.errors)")
            return demo.output.contains("Ctrl-C")
        }
        let urls = demo.output.matches(of: #/    (rtsp|rtmp|http)://127\.0\.0\.1:\d+(/(live|hls)/.*)/#)
        let expected = ["gate", "yard"].flatMap { name in
            [
                "rtsp /live/\(name)", "rtmp /live/\(name)", "http /live/\(name).flv", "http /live/\(name).ts",
                "http /live/\(name).mp4", "http /hls/\(name).m3u8", "http /hls/\(name)/index.m3u8",
            ]
        }
        #expect(urls.map { "\($0.1) \($0.2)" }.sorted() == expected.sorted())
        let console = try #require(demo.output.firstMatch(of: /browser: http:\/\/127\.0\.0\.1:(\d+)\/\n/))
        let page = try await Fetched.get("/", port: try #require(Int(console.1)))
        #expect(page.status == 200 && page.text.contains("<html"))
        let port = try #require(demo.output.firstMatch(of: /127\.0\.0\.1:(\d+)\/live\/gate\.mp4/))
        let stream = try await HTTPStream.get("/live/gate.mp4", port: try #require(Int(port.1)))
        #expect(stream.head.contains("codecs=\"avc1."), "\(stream.head)")
        await stream.connection.close()
        demo.kill(SIGINT)
        #expect(try await demo.exit(limit: .seconds(10)) == 0)
    }

    @Test("Without the project's cameras it says what it looked for")
    func saysWhatItLooksFor() async throws {
        let folder = try TemporaryFolder()
        let binary = "\(folder.path)/gbgate"
        // Not by this process: one that it starts meanwhile would hold the file open for writing, and it could not be run.
        let copying = try Program("/bin/cp", [try #require(Product.path), binary])
        #expect(try await copying.exit(limit: .seconds(20)) == 0)
        let demo = try await Self.start(in: folder, binary: binary)
        #expect(try await demo.exit(limit: .seconds(10)) != 0)
        #expect(demo.errors.contains("there is no devices/simulated here, nor above this program"), "\(demo.errors)")
    }

    @Test("A folder that is not there is named, in words")
    func saysWhatIsMissing() async throws {
        let folder = try TemporaryFolder()
        let demo = try await Self.start(["--cameras", "\(folder.path)/nope"], in: folder)
        #expect(try await demo.exit(limit: .seconds(10)) != 0)
        #expect(demo.errors.contains("simulated camera \(folder.path)/nope: there is no such folder"), "\(demo.errors)")
        #expect(!demo.errors.contains("NSCocoa") && !demo.errors.contains("Domain="))
    }
}
