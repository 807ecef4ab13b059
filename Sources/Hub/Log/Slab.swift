/// A piece of a byte log: bytes from the front, and from the back the offsets at which messages start (2 bytes each).
///
/// Unchecked Sendable: one loop writes, and what it has written once is never written again. Readers on other loops learn
/// the lengths that they may read from a `LogUpdate`, which a loop's task queue hands over.
final class Slab: @unchecked Sendable {
    static let size = 32 * 1024

    let base: UnsafeMutableRawPointer
    /// Bytes of the log before this slab.
    let position: Int
    /// The time in milliseconds of the message that was being written when the slab was begun.
    let timestamp: UInt32
    private let pool: SlabPool

    /// - Parameter memory: taken from the pool, which gets it back in the end.
    init(_ memory: UnsafeMutableRawPointer, of pool: SlabPool, position: Int, timestamp: UInt32) {
        self.pool = pool
        self.position = position
        self.timestamp = timestamp
        base = memory
    }

    deinit {
        pool.give(back: base)
    }

    func start(_ index: Int) -> Int {
        Int(base.load(fromByteOffset: Slab.size &- 2 &* (index &+ 1), as: UInt16.self))
    }

    func setStart(_ index: Int, to offset: Int) {
        base.storeBytes(
            of: UInt16(truncatingIfNeeded: offset),
            toByteOffset: Slab.size &- 2 &* (index &+ 1),
            as: UInt16.self
        )
    }
}

/// A slab as far as it is known to its holder.
struct LogSlab: Sendable {
    let slab: Slab
    var length = 0
    /// How many messages start in it.
    var starts = 0

    var room: Int { Slab.size &- length &- 2 &* starts }

    /// The first message that starts at `offset` or behind it.
    func start(atOrAfter offset: Int) -> Int? {
        var low = 0
        var high = starts
        while low < high {
            let middle = (low &+ high) / 2
            if slab.start(middle) < offset { low = middle &+ 1 } else { high = middle }
        }
        return low < starts ? slab.start(low) : nil
    }
}

/// A place in a log: the number of a slab and an offset in it.
struct LogPosition: Hashable, Sendable {
    var slab: Int
    var offset: Int
}
