import NIOCore
import Synchronization

/// How long messages wait for each other, by the load of the whole Hub: (viewers x messages) a second over all streams.
///
/// A send costs about 4.5 us however small it is. Up to `sendsBeforeMerging` nothing waits; the window then grows in
/// proportion and is at its maximum at ten times as many.
package final class LoadMeter: Sendable {
    private let sendsOfLoops: Mutex<[Int]>
    private let windowNanoseconds = Atomic<Int64>(0)
    private let threshold: Int
    let maximum: TimeAmount

    init(loops: Int, threshold: Int, maximum: TimeAmount) {
        sendsOfLoops = Mutex(Array(repeating: 0, count: loops))
        self.threshold = max(1, threshold)
        self.maximum = min(max(maximum, .nanoseconds(0)), .seconds(1))
    }

    /// The present window.
    var window: TimeAmount { .nanoseconds(windowNanoseconds.load(ordering: .relaxed)) }

    /// Takes one loop's sends of the last second, as they would be without any merging.
    func report(sends: Int, ofLoop index: Int) {
        let total = sendsOfLoops.withLock { all in
            if all.indices.contains(index) { all[index] = sends }
            return all.reduce(0, &+)
        }
        windowNanoseconds.store(window(at: total).nanoseconds, ordering: .relaxed)
    }

    func window(at sendsPerSecond: Int) -> TimeAmount {
        guard sendsPerSecond > threshold else { return .nanoseconds(0) }
        let excess = Double(sendsPerSecond &- threshold) / Double(threshold * 9)
        return .nanoseconds(Int64(Double(maximum.nanoseconds) * min(1, excess)))
    }
}
