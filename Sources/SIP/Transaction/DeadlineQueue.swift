package import NIOCore

/// A binary heap of (time, identity). Entries are never searched for: who owns the identity ignores those that no longer apply.
package struct DeadlineQueue: Sendable {
    private struct Entry {
        var time: NIODeadline
        var id: UInt64
    }

    private var heap: [Entry] = []

    package init() {}

    package var count: Int { heap.count }

    /// The earliest time; nil when empty.
    package var earliest: NIODeadline? { heap.first?.time }

    package mutating func push(_ id: UInt64, at time: NIODeadline) {
        heap.append(Entry(time: time, id: id))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].time < heap[parent].time else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Removes and returns the earliest entry that is due; nil when none is.
    package mutating func popDue(_ now: NIODeadline) -> UInt64? {
        guard let first = heap.first, first.time <= now else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first.id }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            let left = parent * 2 + 1
            if left < heap.count, heap[left].time < heap[least].time { least = left }
            if left + 1 < heap.count, heap[left + 1].time < heap[least].time { least = left + 1 }
            if least == parent { return first.id }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
