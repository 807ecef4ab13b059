import Foundation
import Gateway
import NIOCore
import Testing

/// Peers that connect and do nothing, or next to nothing.
@Suite(.timeLimit(.minutes(2)))
struct IdleConnectionTests {
    enum Idler: CaseIterable, Sendable {
        case silentRTMP, slowRTMP, rtmpAfterTheHandshake, silentHTTP, slowHTTP
    }

    @Test("A connection that never says what it wants is closed, however slowly it talks", arguments: Idler.allCases)
    func closesIdlers(idler: Idler) async throws {
        try await Site.run { site in
            let isHTTP = idler == .silentHTTP || idler == .slowHTTP
            let connection = try await Connection.open(port: isHTTP ? site.http : site.rtmp)
            let talk: [UInt8]
            switch idler {
            case .silentRTMP, .silentHTTP: talk = []
            case .slowRTMP: talk = [3] + [UInt8](repeating: 0, count: 100)
            case .slowHTTP:
                talk = Array("GET /live/x.flv HTTP/1.1\r\nX-Slow: \(String(repeating: "a", count: 100))".utf8)
            case .rtmpAfterTheHandshake:
                talk = []
                try await connection.send([3] + [UInt8](repeating: 0, count: 2 * 1536))
            }
            let talking = Task {
                for byte in talk {
                    try await connection.send([byte])
                    try await Task.sleep(for: .milliseconds(500))
                }
            }
            _ = try await limited(.seconds(40), "the end of the connection") { await connection.readToEnd() }
            talking.cancel()
            #expect(try await site.api.streams() == [])
        }
    }

    @Test(
        "2,000 idle connections cost little memory",
        .enabled(if: Product.path != nil, "the gbgate binary is not built")
    )
    func costsLittle() async throws {
        let folder = try TemporaryFolder()
        let isRelease = Product.release != nil
        let product = try await Product.serve(folder: folder.path, binary: Product.release)
        // Many at a time: the first are not to be timed out before the last are there.
        func open(_ count: Int) async throws -> [Connection] {
            var all: [Connection] = []
            while all.count < count {
                all += try await withThrowingTaskGroup(of: Connection.self) { tasks in
                    for index in 0..<min(100, count - all.count) {
                        let port = index.isMultiple(of: 2) ? product.rtmp : product.http
                        tasks.addTask { try await Connection.open(port: port) }
                    }
                    return try await tasks.reduce(into: []) { $0.append($1) }
                }
            }
            return all
        }
        // The first ones warm what is there once.
        let warm = try await open(100)
        let before = (product.residentKilobytes, product.descriptors)
        let idle = try await open(2000)
        // Accepted a little later than connected; on a busy machine the first are timed out before the last are there.
        try await wait(for: "most of 2,000 connections") { product.descriptors - before.1 > 500 }
        let each = Double(product.residentKilobytes - before.0) / Double(product.descriptors - before.1)
        print("an idle connection costs \(each) KB (release: \(isRelease))")
        #expect(each < (isRelease ? 20 : 40))
        for connection in warm + idle { await connection.close() }
        try await wait(for: "their end") { product.descriptors < 100 }
        product.program.kill(SIGTERM)
        #expect(try await product.program.exit(limit: .seconds(10)) == 0)
    }

    @Test(
        "2,000 viewers that wait for a publisher cost little memory",
        .enabled(if: Product.path != nil, "the gbgate binary is not built")
    )
    func waitsCheaply() async throws {
        let folder = try TemporaryFolder()
        let isRelease = Product.release != nil
        let product = try await Product.serve(folder: folder.path, binary: Product.release)
        func view(_ count: Int) async throws -> [Connection] {
            var all: [Connection] = []
            for index in 0..<count {
                let headers = index.isMultiple(of: 2) ? WebSocketStream.upgrade : ""
                all.append(
                    try await HTTPStream.get("/live/w.flv", port: product.http, headers: headers).connection
                )
            }
            return all
        }
        let warm = try await view(20)
        let before = product.residentKilobytes
        let waiting = try await view(2000)
        let each = Double(product.residentKilobytes - before) / 2000
        print("a waiting viewer costs \(each) KB (release: \(isRelease))")
        #expect(each < (isRelease ? 20 : 40))
        for connection in warm + waiting { await connection.close() }
        try await wait(for: "their end") { product.descriptors < 100 }
        product.program.kill(SIGTERM)
        #expect(try await product.program.exit(limit: .seconds(10)) == 0)
    }
}
