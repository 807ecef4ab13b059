import Foundation
import NIOCore
import NIOPosix
import Programs
import Synchronization

/// A Chromium without a window, which opens one page and lets it report.
struct Browser {
    /// The program itself: what Debian has in /usr/bin is a script, and a signal to that leaves the browser running.
    static let installed = ["/usr/lib/chromium/chromium-headless-shell", "/usr/lib/chromium/chromium"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    /// Opens a page of the test's own and returns what its script says by `report(text)`.
    static func run(_ page: String, limit: Duration = .seconds(40)) async throws -> String {
        guard let path = installed else { throw NeverHappened(what: "a browser") }
        let site = try await PageServer.start(page)
        let folder = try TemporaryFolder()
        let program = try Program(
            path,
            [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio",
                "--no-first-run",
                "--autoplay-policy=no-user-gesture-required", "--user-data-dir=\(folder.path)",
                "--remote-debugging-port=0", "http://127.0.0.1:\(site.port)/",
            ]
        )
        defer {
            program.kill(SIGKILL)
            site.close()
        }
        return try await limited(limit, "the report of the page: \(program.errors)") { await site.report() }
    }
}

/// Serves one page, and takes what it posts.
private final class PageServer: Sendable {
    let port: Int
    private let channel: any Channel
    private let reports: AsyncStream<String>

    static func start(_ page: String) async throws -> PageServer {
        let (reports, continuation) = AsyncStream<String>.makeStream()
        let script = "<script>function report(t){fetch('/report',{method:'POST',body:String(t)})}</script>"
        let body = "<!doctype html><meta charset=utf-8>\(script)\(page)"
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(body, continuation))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return PageServer(channel, reports)
    }

    private init(_ channel: any Channel, _ reports: AsyncStream<String>) {
        self.channel = channel
        self.reports = reports
        port = channel.localAddress?.port ?? 0
    }

    func report() async -> String {
        for await report in reports { return report }
        return ""
    }

    func close() {
        channel.close(promise: nil)
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let page: String
        private let reports: AsyncStream<String>.Continuation
        private var request = ""

        init(_ page: String, _ reports: AsyncStream<String>.Continuation) {
            self.page = page
            self.reports = reports
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            request += String(buffer: unwrapInboundIn(data))
            guard let head = request.firstRange(of: "\r\n\r\n") else { return }
            var body = ""
            if request.hasPrefix("POST") {
                let length = request.firstMatch(of: /Content-Length: (\d+)/).flatMap { Int($0.1) } ?? 0
                let text = request[head.upperBound...]
                guard text.utf8.count >= length else { return }
                reports.yield(String(text))
            } else if request.hasPrefix("GET / ") {
                body = page
            }
            let answer =
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
            context.close(promise: nil)
        }
    }
}
