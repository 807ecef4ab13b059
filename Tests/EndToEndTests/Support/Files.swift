import Foundation
import NIOCore
import NIOPosix

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

/// A port that was free for both transports just now.
func freePort() async throws -> Int {
    for _ in 0..<20 {
        let tcp = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "0.0.0.0", port: 0).get()
        let port = tcp.localAddress?.port ?? 0
        let udp = try? await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "0.0.0.0", port: port).get()
        try await tcp.close()
        try await udp?.close()
        if udp != nil { return port }
    }
    throw NeverHappened(what: "a free port")
}

extension [UInt8] {
    /// The bytes for a parser.
    func withSpan<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        try body(span.bytes)
    }
}
