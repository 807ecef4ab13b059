import Foundation
import Hub
import NIOCore
import NIOPosix
import Programs
import Streaming
import Testing
import Wire

@testable import Transport

@Suite("RTMP with other servers", .timeLimit(.minutes(2)))
struct RTMPInteropTests {
    private static let ffmpeg = "/usr/bin/ffmpeg"
    private static let nginx = "/usr/sbin/nginx"
    private static let module = "/usr/lib/nginx/modules/ngx_rtmp_module.so"
    private static let source = ["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=s=160x120:r=25:d=20"]
    private static let encoding = [
        "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p", "-f", "flv",
    ]

    static var hasFFmpeg: Bool { Program.exists(ffmpeg) }
    static var hasNginx: Bool {
        hasFFmpeg && Program.exists(nginx) && FileManager.default.fileExists(atPath: module)
    }

    /// A port that was free a moment ago, for programs that cannot be asked which they took.
    private static func freePort() async throws -> Int {
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port ?? 0
        try await channel.close()
        return port
    }

    private static func isOpen(_ port: Int) async -> Bool {
        let group = MultiThreadedEventLoopGroup.singleton
        guard let channel = try? await ClientBootstrap(group: group).connect(host: "127.0.0.1", port: port).get() else {
            return false
        }
        try? await channel.close()
        return true
    }

    private static func withHub<Result: Sendable>(
        _ options: RTMPServerOptions = RTMPServerOptions(),
        _ body: (Hub, Int, any EventLoopGroup) async throws -> Result
    ) async throws -> Result {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let hub = Hub(group: group)
        let server = try await RTMPServer.start(hub: hub, group: group, host: "127.0.0.1", port: 0, options: options)
        let result: Result
        do {
            result = try await body(hub, server.port, group)
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
        return result
    }

    private static func withNginx<Result>(_ body: (Int) async throws -> Result) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let port = try await freePort()
        let text = """
            load_module \(module);
            daemon off; master_process off; pid \(folder.path)/pid; error_log \(folder.path)/log info;
            events {}
            rtmp { server { listen 127.0.0.1:\(port); application live { live on; } } }
            """
        let file = folder.appendingPathComponent("nginx.conf")
        try Data(text.utf8).write(to: file)
        let program = try Program(nginx, ["-p", folder.path, "-c", file.path])
        defer { program.kill(SIGKILL) }
        while await !isOpen(port) { try await Task.sleep(for: .milliseconds(20)) }
        return try await body(port)
    }

    /// Tries until the other side has the stream.
    private static func pull(_ url: RTMPURL, _ hub: Hub, _ group: any EventLoopGroup) async -> any RelayClient {
        while true {
            let events = RelayEvents()
            var options = RelayOptions()
            options.silenceTimeout = .seconds(3)
            let session = hub.makeSession(.rtmpPull, .pull, url: url.redacted)
            let relay = RTMPPullClient.start(
                url,
                stream: "pulled",
                app: "live",
                session: session,
                hub: hub,
                group: group,
                options: options,
                onEvent: events.onEvent
            )
            if await events.started() { return relay }
            relay.stop()
        }
    }

    /// Waits until a stream has so many frames a second.
    private static func flows(_ stream: String, _ hub: Hub) async -> Bool {
        while !Task.isCancelled {
            let seconds = await hub.snapshot(of: stream)?.framesPerSecond ?? []
            if seconds.contains(where: { $0.count > 10 }) { return true }
            // Another program's doing: there is nothing to wait on, and spinning would take its core.
            try? await Task.sleep(for: .milliseconds(20))
        }
        return false
    }

    @Test("from and to nginx-rtmp: what is pushed there comes back by pull", .enabled(if: hasNginx))
    func relaysWithNginx() async throws {
        try await Self.withNginx { nginx in
            try await Self.withHub { hub, port, group in
                let camera = try Program(
                    Self.ffmpeg,
                    Self.source + Self.encoding + ["rtmp://127.0.0.1:\(port)/live/camera"]
                )
                defer { camera.kill(SIGKILL) }
                #expect(await Self.flows("camera", hub))
                let url = RTMPURL(host: "127.0.0.1", port: nginx, app: "live", stream: "there?token=1")
                let events = RelayEvents()
                let push = RTMPPushClient.start(
                    url,
                    stream: "camera",
                    app: "live",
                    session: hub.makeSession(.rtmpPush, .push, url: url.redacted),
                    hub: hub,
                    group: group,
                    onEvent: events.onEvent
                )
                #expect(await events.started())
                let pull = await Self.pull(url, hub, group)
                #expect(await Self.flows("pulled", hub))
                let snapshot = await hub.snapshot(of: "pulled")
                #expect(snapshot?.video?.width == 160)
                pull.stop()
                push.stop()
                #expect(await events.fault() == nil)
            }
        }
    }

    @Test("FFmpeg as a server takes our push", .enabled(if: hasFFmpeg))
    func pushesToFFmpeg() async throws {
        let port = try await Self.freePort()
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString + ".flv")
        defer { try? FileManager.default.removeItem(at: file) }
        try await Self.withHub { hub, ours, group in
            let camera = try Program(
                Self.ffmpeg,
                Self.source + Self.encoding + ["rtmp://127.0.0.1:\(ours)/live/camera"]
            )
            defer { camera.kill(SIGKILL) }
            #expect(await Self.flows("camera", hub))
            let url = RTMPURL(host: "127.0.0.1", port: port, app: "live", stream: "x")
            let listener = try Program(
                Self.ffmpeg,
                ["-nostdin", "-v", "error", "-y", "-listen", "1", "-i", "rtmp://127.0.0.1:\(port)/live/x"]
                    + ["-t", "2", "-c", "copy", file.path]
            )
            defer { listener.kill(SIGKILL) }
            var fault: RelayFault?
            repeat {
                let events = RelayEvents()
                _ = RTMPPushClient.start(
                    url,
                    stream: "camera",
                    app: "live",
                    session: hub.makeSession(.rtmpPush, .push, url: url.redacted),
                    hub: hub,
                    group: group,
                    onEvent: events.onEvent
                )
                // FFmpeg closes when it has its two seconds.
                fault = await events.fault()
            } while fault?.kind == .connect
            #expect(fault?.kind == .lost)
            #expect(try await listener.exit(limit: .seconds(60)) == 0)
        }
        let size = try FileManager.default.attributesOfItem(atPath: file.path)[.size] as? Int
        #expect((size ?? 0) > 10_000)
    }

    /// The server's side of Adobe's authentication, from the published formula.
    private static func adobe(_ request: RTMPConnectRequest) -> RTMPAdmission {
        var facts: [String: String] = [:]
        for item in request.query.split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { facts[String(parts[0])] = String(parts[1]) }
        }
        guard facts["authmod"] == "adobe" else {
            return .reject(reason: "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ")
        }
        guard let response = facts["response"], let challenge = facts["challenge"] else {
            let question = "?reason=needauth&user=cam&salt=c2FsdA==&challenge=Y2hhbA==&opaque=b3BhcQ=="
            return .reject(reason: "[ AccessManager.Reject ] : [ authmod=adobe ] : \(question)")
        }
        func base64(_ text: String) -> String {
            let hex = Array(MD5.hexadecimal(text))
            let bytes = stride(from: 0, to: 32, by: 2).compactMap { UInt8(String(hex[$0...($0 + 1)]), radix: 16) }
            return Data(bytes).base64EncodedString()
        }
        guard response == base64(base64("camc2FsdA==s3cret") + "b3BhcQ==" + challenge) else {
            return .reject(reason: "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed&opaque=b3BhcQ==")
        }
        return .allow
    }

    @Test("Adobe's authentication: our push passes the check that FFmpeg passes, with a wrong password neither does")
    func authenticates() async throws {
        var options = RTMPServerOptions()
        options.admit = Self.adobe
        try await Self.withHub(options) { target, port, group in
            if Self.hasFFmpeg {
                let url = "rtmp://cam:s3cret@127.0.0.1:\(port)/live/ffmpeg"
                let camera = try Program(Self.ffmpeg, Self.source + Self.encoding + [url])
                #expect(await Self.flows("ffmpeg", target))
                camera.kill(SIGKILL)
            }
            let hub = Hub(group: group)
            func push(_ password: String) -> (any RelayClient, RelayEvents) {
                let url = RTMPURL(
                    host: "127.0.0.1",
                    port: port,
                    app: "live",
                    stream: "y",
                    user: "cam",
                    password: password
                )
                let events = RelayEvents()
                let relay = RTMPPushClient.start(
                    url,
                    stream: "x",
                    app: "live",
                    session: hub.makeSession(.rtmpPush, .push, url: url.redacted),
                    hub: hub,
                    group: group,
                    onEvent: events.onEvent
                )
                return (relay, events)
            }
            let (relay, events) = push("s3cret")
            #expect(await events.started())
            #expect(target.publisher(of: "y") != nil)
            relay.stop()
            #expect(await events.fault() == nil)
            let fault = await push("wrong").1.fault()
            #expect(fault?.kind == .unauthorized)
        }
    }

    @Test("a connect that is not admitted is told Connect.Rejected and why")
    func rejects() async throws {
        var options = RTMPServerOptions()
        options.admit = { $0.app == "live" ? .allow : .reject(reason: "no app \($0.app)") }
        try await Self.withHub(options) { hub, port, group in
            let events = RelayEvents()
            _ = RTMPPullClient.start(
                RTMPURL(host: "127.0.0.1", port: port, app: "other", stream: "x"),
                stream: "x",
                app: "live",
                session: hub.makeSession(.rtmpPull, .pull),
                hub: hub,
                group: group,
                onEvent: events.onEvent
            )
            let fault = await events.fault()
            #expect(fault?.kind == .refused)
            #expect(fault?.description.hasSuffix("NetConnection.Connect.Rejected (no app other)") == true)
        }
    }
}
