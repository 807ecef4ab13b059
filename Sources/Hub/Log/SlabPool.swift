import Glibc
import Synchronization

/// The memory of slabs. Address space is taken in runs of 1 MB and kept; a slab given back stays warm up to a limit, and
/// beyond it its pages go back to the system. (malloc of blocks this big would map and fault anew each time.)
package final class SlabPool: Sendable {
    private static let slabsInRun = 32

    private struct Free {
        var warm: [UInt] = []
        var cold: [UInt] = []
        var inUse = 0
    }

    private let free = Mutex(Free())
    private let warmLimit: Int
    /// In slabs; all in use together shall not be more, but may for a while.
    private let limit: Int
    private let maximum: Int
    private let pressure = Atomic<Bool>(false)
    private let refusals = Atomic<Int>(0)

    /// - Parameters:
    ///   - warmBytes: how much unused memory is kept for the next slab; half of what is in use where that is more, as many
    ///     streams that begin a new group together give back much that they want again at once.
    ///   - limitBytes: from so much in use on there is pressure; 0: never.
    ///   - maximumBytes: what is refused beyond, as if the system had no memory; 0: nothing. For tests.
    package init(warmBytes: Int, limitBytes: Int = 0, maximumBytes: Int = 0) {
        warmLimit = max(0, warmBytes / Slab.size)
        limit = limitBytes > 0 ? max(1, limitBytes / Slab.size) : .max
        maximum = maximumBytes > 0 ? maximumBytes / Slab.size : .max
    }

    /// Slabs that are taken and not given back.
    package var slabsInUse: Int { free.withLock { $0.inUse } }
    /// Slabs whose pages are kept although nobody uses them.
    package var warmSlabs: Int { free.withLock { $0.warm.count } }
    /// Slabs in use beyond the limit.
    package var excess: Int { max(0, slabsInUse &- limit) }
    /// More is in use than shall be. It ends when it is a tenth below the limit, so that caches do not come and go.
    package var isUnderPressure: Bool { pressure.load(ordering: .relaxed) }
    /// How often the system had no memory.
    package var refusedSlabs: Int { refusals.load(ordering: .relaxed) }

    /// Memory of `Slab.size` bytes with arbitrary content; nil when the system has none.
    func take() -> UnsafeMutableRawPointer? {
        let address: UInt? = free.withLock { free in
            guard free.inUse < maximum else { return nil }
            if free.warm.isEmpty && free.cold.isEmpty { free.cold = Self.mapRun() }
            guard let address = free.warm.popLast() ?? free.cold.popLast() else { return nil }
            free.inUse += 1
            if free.inUse > limit { pressure.store(true, ordering: .relaxed) }
            return address
        }
        guard let memory = address.flatMap({ UnsafeMutableRawPointer(bitPattern: $0) }) else {
            refusals.wrappingAdd(1, ordering: .relaxed)
            return nil
        }
        return memory
    }

    func give(back memory: UnsafeMutableRawPointer) {
        let address = UInt(bitPattern: memory)
        let isPressed = isUnderPressure
        // Two at a time, so that the pool follows when ever less is in use.
        let cooling: (UInt?, UInt?) = free.withLock { free in
            free.inUse -= 1
            if free.inUse < limit / 10 * 9 { pressure.store(false, ordering: .relaxed) }
            free.warm.append(address)
            let most = isPressed ? warmLimit : max(warmLimit, free.inUse / 2)
            let excess = free.warm.count &- most
            return (excess > 0 ? free.warm.popLast() : nil, excess > 1 ? free.warm.popLast() : nil)
        }
        if let address = cooling.0 { cool(address) }
        if let address = cooling.1 { cool(address) }
    }

    private func cool(_ address: UInt) {
        madvise(UnsafeMutableRawPointer(bitPattern: address), Slab.size, MADV_DONTNEED)
        free.withLock { $0.cold.append(address) }
    }

    private static func mapRun() -> [UInt] {
        let length = slabsInRun * Slab.size
        guard
            let run = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            run != MAP_FAILED
        else { return [] }
        // A huge page would make every slab of the run resident at the first touch.
        madvise(run, length, MADV_NOHUGEPAGE)
        return (0..<slabsInRun).reversed().map { UInt(bitPattern: run + $0 * Slab.size) }
    }
}
