import Synchronization
import Testing

/// What callbacks told, from any thread.
final class Collected<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])

    var all: [Value] { values.withLock { $0 } }

    func add(_ value: Value) {
        values.withLock { $0.append(value) }
    }

    /// Waits until what was told fits.
    func wait(until condition: ([Value]) -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(20)
        while !condition(all) {
            try #require(ContinuousClock.now < end, "what the test waits for did not come: \(all)")
            await Task.yield()
        }
    }
}
