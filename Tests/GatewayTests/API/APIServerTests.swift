import Gateway
import GatewayAPI
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// Speaks HTTP by hand, so that what a client sees on the wire is what is tested.
enum RawHTTP {
    static func exchange(_ request: String, port: Int) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: request))
            var answer = ""
            for try await chunk in inbound {
                answer += String(buffer: chunk)
            }
            return answer
        }
    }
}

@Suite struct APIServerTests {
    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func section(addr: ListenAddress = "127.0.0.1:0", token: String = "") -> HTTPAPISection {
        var section = HTTPAPISection()
        section.addr = addr
        section.token = Secret(token)
        return section
    }

    /// Runs a server on a free port for the length of `body`.
    func withServer(
        token: String = "",
        _ body: @Sendable @escaping (Int) async throws -> Void
    ) async throws {
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let server = try APIServer(
            configuration: Self.section(token: token),
            control: FakeControl(),
            group: MultiThreadedEventLoopGroup.singleton,
            logger: Self.silent
        ) { port.yield($0.port ?? 0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            group.addTask {
                for await bound in ports {
                    try await body(bound)
                    return
                }
            }
            _ = try await group.next()
            group.cancelAll()
        }
    }

    func get(_ target: String, method: String = "GET", headers: String = "", body: String = "") -> String {
        "\(method) \(target) HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n"
            + "\(headers)\r\n\(body)"
    }

    @Test(arguments: ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
    func everyMethodIsAnswered(_ method: String) async throws {
        let request = get("/api/stat/group?stream_name=test110&x=%20", method: method)
        try await withServer { port in
            let answer = try await RawHTTP.exchange(request, port: port)
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.contains("\r\nContent-Type: application/json\r\n"))
            #expect(answer.contains("\r\nAccess-Control-Allow-Origin: *\r\n"))
            #expect(answer.contains("\r\nAccess-Control-Allow-Credentials: true\r\n"))
            #expect(answer.contains("\r\nServer: gbgate\r\n"))
            #expect(answer.contains(#""stream_name":"test110""#))
        }
    }

    @Test func headHasTheLengthButNoBody() async throws {
        let request = get("/api/stat/lal_info", method: "HEAD")
        try await withServer { port in
            let answer = try await RawHTTP.exchange(request, port: port)
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.hasSuffix("\r\n\r\n"))
        }
    }

    @Test func aPostWithoutContentTypeIsRead() async throws {
        let body = #"{"stream_name":"test110","session_id":"FLVPUBSUB2"}"#
        let request = get("/api/ctrl/kick_session", method: "POST", body: body)
        try await withServer { port in
            let answer = try await RawHTTP.exchange(request, port: port)
            #expect(answer.hasSuffix(#"{"error_code":0,"desp":"succ"}"#))
        }
    }

    @Test func aLargeBodyIsRefused() async throws {
        let request = get("/api/ctrl/kick_session", method: "POST", body: String(repeating: "x", count: 70_000))
        try await withServer { port in
            let answer = try await RawHTTP.exchange(request, port: port)
            #expect(answer.hasPrefix("HTTP/1.1 413 "))
            #expect(answer.contains(#""error_code":1002"#))
        }
    }

    @Test func theTokenGoesOverTheWire() async throws {
        let plain = get("/api/stat/lal_info")
        let bearer = get("/api/stat/lal_info", headers: "Authorization: Bearer s3cret\r\n")
        let query = get("/api/stat/lal_info?token=s3cret")
        try await withServer(token: "s3cret") { port in
            let refused = try await RawHTTP.exchange(plain, port: port)
            #expect(refused.hasPrefix("HTTP/1.1 401 "))
            #expect(refused.contains("WWW-Authenticate: Bearer"))
            #expect(try await RawHTTP.exchange(bearer, port: port).hasPrefix("HTTP/1.1 200 "))
            #expect(try await RawHTTP.exchange(query, port: port).hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test func anOpenAddressWithoutATokenIsRefused() throws {
        for addr in ["0.0.0.0:8083", "192.0.2.1:8083", "[::]:8083"] as [ListenAddress] {
            let error = #expect(throws: ConfigurationError.self) {
                _ = try APIServer(
                    configuration: Self.section(addr: addr),
                    control: FakeControl(),
                    group: MultiThreadedEventLoopGroup.singleton,
                    logger: Self.silent
                )
            }
            #expect(error?.description.contains("http_api.token") == true)
        }
    }

    @Test func lalsAddressWithoutATokenStaysOnLoopback() throws {
        #expect(try Self.section(addr: ":8083").permittedAddress() == "127.0.0.1:8083")
        #expect(try Self.section(addr: ":8083", token: "t").permittedAddress() == ":8083")
        #expect(try Self.section(addr: "127.1.2.3:8083").permittedAddress() == "127.1.2.3:8083")
        #expect(try Self.section(addr: "[::1]:8083").permittedAddress() == "[::1]:8083")
        #expect(throws: ConfigurationError.self) { try Self.section(addr: "127.evil.example:8083").permittedAddress() }
    }

    @Test func aTakenPortIsNamed() async throws {
        try await withServer { port in
            let second = try APIServer(
                configuration: Self.section(addr: ListenAddress("127.0.0.1:\(port)") ?? .none),
                control: FakeControl(),
                group: MultiThreadedEventLoopGroup.singleton,
                logger: Self.silent
            )
            let error = await #expect(throws: APIListenError.self) { try await second.run() }
            #expect(error?.description.contains("127.0.0.1:\(port)") == true)
        }
    }
}
