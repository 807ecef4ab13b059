import Synchronization

/// Where the slowest viewer of one loop stands in the log that it reads; told to the writer, who keeps slabs for it.
final class ReadProgress: Sendable {
    /// Both change on the reader's loop only. The writer may see a new log with an old slab for a moment: it then keeps a
    /// little too much or a viewer skips, and no more.
    private let log = Atomic<Int>(-1)
    private let slab = Atomic<Int>(0)

    /// - Parameter oldest: the number of a slab, `.max` when no viewer stands in the log.
    func set(log: Int, oldest: Int) {
        slab.store(oldest, ordering: .relaxed)
        self.log.store(log, ordering: .relaxed)
    }

    /// The number of the oldest slab that is still read, 0 when that is not known.
    func oldest(inLog id: Int) -> Int {
        log.load(ordering: .relaxed) == id ? slab.load(ordering: .relaxed) : 0
    }
}
