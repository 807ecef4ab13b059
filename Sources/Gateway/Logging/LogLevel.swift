package import Logging
internal import Synchronization

/// From which level on the process logs. It can be changed while it runs, for every logger at once.
package final class LogLevel: Sendable {
    private static let off = Logger.Level.allCases.count
    private let rank: Atomic<Int>

    /// - Parameter level: nil is off.
    package init(_ level: Logger.Level?) {
        rank = Atomic(Self.rank(level))
    }

    /// Nil is off.
    package var current: Logger.Level? {
        let rank = rank.load(ordering: .relaxed)
        return rank < Self.off ? Logger.Level.allCases[rank] : nil
    }

    package func set(_ level: Logger.Level?) {
        rank.store(Self.rank(level), ordering: .relaxed)
    }

    /// As the API names it.
    package var name: String { current?.rawValue ?? "off" }

    /// `allCases` has them in their order.
    private static func rank(_ level: Logger.Level?) -> Int {
        level.flatMap { Logger.Level.allCases.firstIndex(of: $0) } ?? off
    }
}
