import Synchronization

/// What the windows of all streams may hold together. Whoever grows when it is spent gives up segments of his own.
package final class HLSBudget: Sendable {
    package let limit: Int
    private let held = Atomic<Int>(0)

    /// - Parameter limit: in bytes.
    package init(limit: Int) {
        self.limit = limit
    }

    package var bytes: Int { held.load(ordering: .relaxed) }
    /// No further stream is cut.
    var isSpent: Bool { bytes >= limit }

    /// - Returns: by how much more is held now than may be.
    func change(by bytes: Int) -> Int {
        max(held.wrappingAdd(bytes, ordering: .relaxed).newValue - limit, 0)
    }
}
