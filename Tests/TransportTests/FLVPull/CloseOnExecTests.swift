import Glibc
import Hub
import NIOCore
import Testing

@testable import Transport

/// Programs that this process starts get none of its sockets: listening, accepted, or made by a relay.
@Suite(.timeLimit(.minutes(1)))
struct CloseOnExecTests {
    @Test func noSocketIsInherited() async throws {
        try await MediaHTTPFixture.with { fixture in
            let events = Collected<RelayEvent>()
            let pull = try FLVPullClient.start(
                "http://127.0.0.1:\(fixture.server.port)/live/a.flv",
                stream: "copy",
                app: "live",
                session: fixture.hub.makeSession(.flvPull, .pull),
                hub: fixture.hub,
                group: fixture.group,
                onEvent: { events.add($0) }
            )
            try await fixture.wait { hub in await hub.snapshot(of: "a")?.viewers.count == 1 }
            let sockets = (3..<4096).filter { Self.isOf(port: fixture.server.port, CInt($0)) }
            #expect(sockets.count >= 3)
            #expect(sockets.allSatisfy { fcntl(CInt($0), F_GETFD) & FD_CLOEXEC != 0 })
            pull.stop()
            try await events.wait { $0 == [.ended(nil)] }
        }
    }

    /// Either end of it.
    private static func isOf(port: Int, _ descriptor: CInt) -> Bool {
        [getsockname, getpeername].contains { name in
            var address = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let result = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name(descriptor, $0, &length) }
            }
            return result == 0 && address.sin_family == AF_INET && UInt16(bigEndian: address.sin_port) == UInt16(port)
        }
    }
}
