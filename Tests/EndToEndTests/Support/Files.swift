import Foundation
import NIOCore
import NIOPosix
import Synchronization

extension [UInt8] {
    func write(toFile path: String) throws {
        try Data(self).write(to: URL(filePath: path))
    }
}

func readFile(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: path)))
}

/// Bytes in a file; 0 while there is none.
func size(ofFile path: String) -> Int {
    ((try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? NSNumber)?.intValue ?? 0
}

private let nextPort = Atomic<Int>(Int.random(in: 0..<1000))

/// A port that is free for both transports, and stays so while its server is away: below those that the system gives to others'
/// connections, which may also connect to themselves there.
func freePort() async throws -> Int {
    for _ in 0..<100 {
        let port = 18_000 + nextPort.add(1, ordering: .relaxed).oldValue % 2000
        let tcp = try? await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "0.0.0.0", port: port).get()
        let udp = try? await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "0.0.0.0", port: port).get()
        try await tcp?.close()
        try await udp?.close()
        if tcp != nil, udp != nil { return port }
    }
    throw NeverHappened(what: "a free port")
}

extension [UInt8] {
    /// The bytes for a parser.
    func withSpan<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        try body(span.bytes)
    }
}
