import FoundationEssentials
import NIOPosix
import Testing

@testable import Gateway

/// `start_rtp_pub`, dumps, and ports that are taken.
@Suite(.serialized, .timeLimit(.minutes(1))) struct PublicationTests {
    private func withGateway(
        _ configure: (inout GatewayConfiguration) -> Void = { _ in },
        _ test: (Gateway) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        var configuration = GatewayConfiguration.loopback
        configure(&configuration)
        do {
            let gateway = try await Gateway.start(configuration, group: group, logger: LogMemory().logger)
            do { try await test(gateway) } catch {
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

    @Test func aStreamIsPublishedAgainRightAfterItsEnd() async throws {
        try await withGateway { gateway in
            for _ in 0..<50 {
                _ = try await gateway.startRTPPub(StartRTPPubRequest(streamName: "ps1"))
                _ = try await gateway.stopRTPPub(.stream("ps1"))
            }
            #expect(await gateway.media.counts().sessions == 0)
        }
    }

    @Test func oneOfManyGetsTheName() async throws {
        try await withGateway { gateway in
            let opened = await withTaskGroup(of: Bool.self) { tasks in
                for _ in 0..<20 {
                    tasks.addTask {
                        (try? await gateway.startRTPPub(StartRTPPubRequest(streamName: "ps1"))) != nil
                    }
                }
                return await tasks.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(opened == 1)
            _ = try await gateway.stopRTPPub(.stream("ps1"))
            #expect(await gateway.media.counts().sessions == 0)
        }
    }

    @Test func aPublicationThatIsKickedAtOnceLeavesNothing() async throws {
        try await withGateway { gateway in
            for _ in 0..<50 {
                async let started = gateway.startRTPPub(StartRTPPubRequest(streamName: "ps1"))
                try await eventually("the stream is there") {
                    guard let group = try? await gateway.group("ps1"), !group.pub.sessionID.isEmpty else {
                        return false
                    }
                    try await gateway.kick(streamName: "ps1", sessionID: group.pub.sessionID)
                    return true
                }
                _ = try? await started
                try await eventually("the publication ends") { await gateway.media.counts().sessions == 0 }
            }
        }
    }

    @Test func aDumpThatCannotBeMadeOpensNoPort() async throws {
        try await withGateway {
            $0.dump.outPath = "/proc/none/"
        } _: { gateway in
            var request = StartRTPPubRequest(streamName: "ps1")
            request.debugDumpPacket = "x"
            await #expect(throws: ControlError.self) { try await gateway.startRTPPub(request) }
            try await eventually("the port is closed") { await gateway.media.counts().sessions == 0 }
        }
    }

    @Test func aDumpStaysInItsFolderWhateverTheStreamIsCalled() async throws {
        let folder = try TemporaryFolder()
        try await withGateway {
            $0.dump.outPath = folder.path
        } _: { gateway in
            for name in ["../../etc/x", "a/b", ".", "..", "/abs"] {
                _ = try await gateway.startRTPPub(StartRTPPubRequest(streamName: name))
                let state = try await gateway.dump(DumpRequest(streamName: name, enable: true))
                let file = state.file.split(separator: "/").last.map(String.init) ?? ""
                #expect(state.file == "\(folder.path)/\(file)")
                #expect(folder.names.contains(file), "\(name): \(folder.names)")
            }
        }
    }

    @Test(arguments: ["sip", "rtp"]) func aPortThatIsTakenIsNamedAndNothingStaysOpen(_ which: String) async throws {
        try await withGateway { running in
            let taken = running.ports.sip ?? 0
            for _ in 0..<3 {
                let failure = await #expect(throws: GatewayStartError.self) {
                    try await withGateway {
                        if which == "sip" { $0.gb28181.localSipPort = taken } else { $0.gb28181.rtpSinglePort = taken }
                    } _: { _ in
                    }
                }
                #expect(failure?.description.contains("\(taken)") == true)
                #expect(failure?.description.contains("gb28181 \(which)") == true)
            }
        }
    }
}
