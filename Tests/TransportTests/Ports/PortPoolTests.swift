import Glibc
import NIOCore
import Synchronization
import Testing

@testable import Transport

@Suite struct PortPoolTests {
    private final class Time: Sendable {
        private let value = Mutex(NIODeadline.uptimeNanoseconds(0))
        var now: NIODeadline { value.withLock { $0 } }
        func pass(_ amount: TimeAmount) { value.withLock { $0 = $0 + amount } }
    }

    private let time = Time()

    private func pool(_ count: Int) -> PortPool {
        PortPool(range: TestPorts.range(count), clock: { [time] in time.now })
    }

    @Test func aLeasedPortIsEvenBoundAndOursAlone() throws {
        let pool = pool(4)
        let ports = try pool.openUDP(host: "127.0.0.1")
        let number = ports.number
        #expect(number % 2 == 0)
        #expect((pool.first...pool.last).contains(number))
        #expect(throws: TestSocket.Failure.self) { try TestSocket.udp(port: number) }
        let hasRTCP = ports.rtcp != nil
        #expect(hasRTCP)
        #expect(throws: TestSocket.Failure.self) { try TestSocket.udp(port: number + 1) }
        #expect(pool.statistics.leased == 1)
        _ = consume ports
    }

    @Test("R-14: a released port rests ten seconds") func aReleasedPortRests() throws {
        let pool = pool(1)
        func use() throws -> Int { try pool.openUDP(host: "127.0.0.1").number }
        let number = try use()
        #expect(pool.statistics == PortPool.Statistics(free: 0, leased: 0, quarantined: 1))
        #expect(throws: PortError.exhausted(first: number, last: number, leased: 0, quarantined: 1)) { try use() }
        time.pass(.milliseconds(9_999))
        #expect(throws: PortError.self) { try use() }
        time.pass(.milliseconds(1))
        #expect(try use() == number)
    }

    @Test func theSocketsCloseWithTheLease() throws {
        let pool = pool(1)
        let number = try pool.openUDP(host: "127.0.0.1").number
        _ = try TestSocket.udp(port: number)
        _ = try TestSocket.udp(port: number + 1)
    }

    @Test func portsGoRoundInTurn() throws {
        let pool = pool(3)
        let first = try pool.openTCP(host: "127.0.0.1", listening: true).number
        let second = try pool.openTCP(host: "127.0.0.1", listening: true).number
        #expect(first != second)
    }

    @Test func anExplicitPortInUseIsRefusedByName() throws {
        let pool = pool(2)
        let ports = try pool.openUDP(host: "127.0.0.1")
        let number = ports.number
        #expect(throws: PortError.taken(port: number)) { _ = try pool.openUDP(host: "127.0.0.1", port: number) }
        #expect(throws: PortError.taken(port: number)) {
            _ = try pool.openTCP(host: "127.0.0.1", port: number, listening: true)
        }
        #expect(PortError.taken(port: number).description.contains("\(number)"))
        _ = consume ports
        // The operator knows better than the quarantine.
        #expect(try pool.openUDP(host: "127.0.0.1", port: number).number == number)
    }

    @Test func anExplicitPortOfAnotherProcessIsRefusedWithTheSystemsReason() throws {
        let pool = pool(1)
        let other = try TestSocket.udp()
        let number = other.port
        #expect(throws: PortError.bindFailed(host: "127.0.0.1", port: number, SystemError(errno: EADDRINUSE))) {
            _ = try pool.openUDP(host: "127.0.0.1", port: number)
        }
        #expect(pool.statistics.leased == 0)
        #expect(throws: PortError.self) { _ = try pool.openUDP(host: "127.0.0.1", port: 65_536) }
        #expect(throws: PortError.self) { _ = try pool.openUDP(host: "127.0.0.1", port: -1) }
        #expect(throws: PortError.notAnAddress("nowhere")) { _ = try pool.openUDP(host: "nowhere") }
    }

    @Test func portsThatOthersHoldAreSkipped() throws {
        let pool = pool(3)
        let other = try TestSocket.udp(port: pool.first)
        let ports = try pool.openUDP(host: "127.0.0.1")
        #expect(ports.number != other.port)
        #expect(pool.statistics.bindFailures >= 1)
        _ = consume ports
    }

    @Test func aTCPPortListensAtOnce() throws {
        let pool = pool(2)
        let port = try pool.openTCP(host: "127.0.0.1", listening: true)
        _ = try TestSocket.connected(to: port.number)
        let silent = try pool.openTCP(host: "127.0.0.1", listening: false)
        #expect(throws: TestSocket.Failure.self) { try TestSocket.connected(to: silent.number) }
        _ = (consume port).number
        _ = (consume silent).number
    }

    @Test func manyThreadsNeverShareAPort() async throws {
        let pool = pool(64)
        let numbers = try await withThrowingTaskGroup(of: [Int].self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let a = try pool.openUDP(host: "127.0.0.1")
                    let b = try pool.openTCP(host: "127.0.0.1", listening: true)
                    let c = try pool.openUDP(host: "127.0.0.1")
                    await Task.yield()
                    return [a.number, b.number, c.number]
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(Set(numbers).count == 12)
        #expect(pool.statistics.leased == 0)
        #expect(pool.statistics.quarantined >= 12)
    }
}
