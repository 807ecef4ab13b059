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

    /// - Parameter warmBytes: how much unused memory is kept for the next slab.
    package init(warmBytes: Int) {
        warmLimit = max(0, warmBytes / Slab.size)
    }

    /// Slabs that are taken and not given back.
    package var slabsInUse: Int { free.withLock { $0.inUse } }
    /// Slabs whose pages are kept although nobody uses them.
    package var warmSlabs: Int { free.withLock { $0.warm.count } }

    /// Memory of `Slab.size` bytes with arbitrary content.
    func take() -> UnsafeMutableRawPointer {
        let address = free.withLock { free in
            free.inUse += 1
            if free.warm.isEmpty && free.cold.isEmpty { free.cold = Self.mapRun() }
            return free.warm.popLast() ?? free.cold.popLast() ?? 0
        }
        guard let memory = UnsafeMutableRawPointer(bitPattern: address) else {
            fatalError("no memory for a slab of \(Slab.size) bytes: mmap failed with errno \(errno)")
        }
        return memory
    }

    func give(back memory: UnsafeMutableRawPointer) {
        let address = UInt(bitPattern: memory)
        let isWarm = free.withLock { free in
            free.inUse -= 1
            guard free.warm.count < warmLimit else { return false }
            free.warm.append(address)
            return true
        }
        if isWarm { return }
        madvise(memory, Slab.size, MADV_DONTNEED)
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
