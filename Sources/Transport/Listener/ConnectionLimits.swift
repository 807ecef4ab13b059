import NIOCore
import Synchronization

/// How many connections one address may have, over all listeners that share this, and which may have none.
package final class ConnectionLimits: Sendable {
    package struct Statistics: Hashable, Sendable {
        /// Open now.
        package var connections = 0
        /// Addresses that have one.
        package var addresses = 0
        /// Closed at once, since the start.
        package var refused = 0
    }

    /// 0: no limit.
    package let maximumPerAddress: Int
    private let isBanned: @Sendable (_ address: String) -> Bool
    private let onRefusal: @Sendable (_ address: String, _ limit: Int) -> Void

    private struct State {
        var connections: [String: Int] = [:]
        var statistics = Statistics()
    }

    private let state = Mutex(State())

    /// - Parameters:
    ///   - isBanned: asked for every connection, on its event loop: be quick.
    ///   - onRefusal: called for every connection that is refused, on its event loop: be quick, and limit the log's rate. The
    ///     limit is 0 for a banned address.
    package init(
        maximumPerAddress: Int = 0,
        onRefusal: @escaping @Sendable (_ address: String, _ limit: Int) -> Void = { _, _ in },
        isBanned: @escaping @Sendable (_ address: String) -> Bool = { _ in false }
    ) {
        self.maximumPerAddress = maximumPerAddress
        self.isBanned = isBanned
        self.onRefusal = onRefusal
    }

    package var statistics: Statistics {
        state.withLock { state in
            var statistics = state.statistics
            statistics.addresses = state.connections.count
            return statistics
        }
    }

    /// Counts a connection until it closes.
    /// - Returns: false when its address has too many.
    func admit(_ channel: any Channel) -> Bool {
        // Connections of Unix sockets and those that are gone already have no address.
        guard var address = channel.remoteAddress?.ipAddress else { return true }
        if address.hasPrefix("::ffff:") { address.removeFirst(7) }
        guard !isBanned(address) else {
            state.withLock { $0.statistics.refused &+= 1 }
            onRefusal(address, 0)
            return false
        }
        let isAdmitted = state.withLock { state in
            let count = state.connections[address] ?? 0
            guard maximumPerAddress == 0 || count < maximumPerAddress else {
                state.statistics.refused &+= 1
                return false
            }
            state.connections[address] = count &+ 1
            state.statistics.connections &+= 1
            return true
        }
        guard isAdmitted else {
            onRefusal(address, maximumPerAddress)
            return false
        }
        channel.closeFuture.whenComplete { [address] _ in self.release(address) }
        return true
    }

    private func release(_ address: String) {
        state.withLock { state in
            state.statistics.connections &-= 1
            guard let count = state.connections[address] else { return }
            state.connections[address] = count > 1 ? count &- 1 : nil
        }
    }
}
