import NIOPosix
import Testing

@testable import Gateway

/// lal's own configuration, as it is shipped.
@Suite(.serialized, .timeLimit(.minutes(1))) struct LalConfigurationTests {
    private func start(_ environment: [String: String], _ test: (Gateway, LogMemory) async throws -> Void) async throws
    {
        let folder = try TemporaryFolder()
        let file = try folder.write(lalsFile, to: "lalserver.conf.json")
        var all = [
            "GBGATE_RTMP_ADDR": "127.0.0.1:0", "GBGATE_RTMP_RTMPS_ADDR": "127.0.0.1:0",
            "GBGATE_DEFAULT_HTTP_HTTP_LISTEN_ADDR": "127.0.0.1:0",
            "GBGATE_RTSP_ADDR": "127.0.0.1:0", "GBGATE_RTSP_RTSPS_ADDR": "127.0.0.1:0",
            "GBGATE_RTSP_WS_RTSP_ADDR": "127.0.0.1:0", "GBGATE_DEFAULT_HTTP_HTTPS_LISTEN_ADDR": "127.0.0.1:0",
            "GBGATE_GB28181_LOCAL_SIP_PORT": "0",
            "GBGATE_GB28181_SIP_RTP_PORT_MIN": "41000", "GBGATE_GB28181_SIP_RTP_PORT_MAX": "49999",
            "GBGATE_STORE_ENABLE": "false",
        ]
        all.merge(environment) { _, new in new }
        let loaded = try GatewayConfiguration.load(file: file, environment: all)
        #expect(loaded.problems.filter { $0.severity != .notice } == [])
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let memory = LogMemory()
        do {
            let gateway = try await Gateway.start(loaded.configuration, group: group, logger: memory.logger)
            do { try await test(gateway, memory) } catch {
                await gateway.stop()
                throw error
            }
            await gateway.stop()
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
    }

    @Test("a certificate that is missing is an error in the log, and the rest is served, as in lal")
    func itStartsWithoutItsCertificates() async throws {
        let missing = [
            "GBGATE_RTMP_RTMPS_CERT_FILE": "/nowhere/cert.pem", "GBGATE_DEFAULT_HTTP_HTTPS_CERT_FILE": "/nowhere",
            "GBGATE_RTSP_RTSPS_CERT_FILE": "/nowhere",
        ]
        try await start(missing) { gateway, memory in
            #expect((gateway.ports.rtmp ?? 0) > 0 && (gateway.ports.http ?? 0) > 0)
            #expect((gateway.ports.rtsp ?? 0) > 0 && (gateway.ports.rtspOverWebSocket ?? 0) > 0)
            #expect(gateway.ports.rtmps == nil && gateway.ports.https == nil && gateway.ports.rtsps == nil)
            #expect(memory.count(.error) == 3)
            let problems = SecureListeners.problems(gateway.configuration)
            #expect(problems.map(\.path) == ["rtmp.rtmps_enable", "rtsp.rtsps_enable", "httpflv.enable_https"])
            #expect(problems.allSatisfy { $0.severity == .warning && $0.message.contains("/nowhere") })
        }
    }
}
