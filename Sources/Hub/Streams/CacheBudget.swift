import Synchronization

/// Which caches of streams that nobody watches are given up when memory is short: the largest of all loops first.
final class CacheBudget: Sendable {
    private let sizesOfLoops: Mutex<[[Int]]>

    init(loops: Int) {
        sizesOfLoops = Mutex(Array(repeating: [], count: loops))
    }

    /// Takes one loop's sizes.
    /// - Parameter excess: what is to be saved.
    /// - Returns: caches of this size and larger ones are to go.
    func report(_ sizes: [Int], ofLoop index: Int, excess: Int) -> Int {
        let all = sizesOfLoops.withLock { loops in
            if loops.indices.contains(index) { loops[index] = sizes }
            return loops.flatMap { $0 }.sorted(by: >)
        }
        var saved = 0
        for size in all {
            saved &+= size
            if saved >= excess { return max(1, size) }
        }
        return 1
    }
}
