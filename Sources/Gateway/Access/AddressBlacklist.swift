internal import NIOCore
internal import Synchronization

/// IP addresses that may not connect for a time (`add_ip_blacklist`).
final class AddressBlacklist: Sendable {
    /// More are refused: the oldest makes room.
    static let maximum = 65_536

    private let until = Mutex<[String: NIODeadline]>([:])

    func add(_ ip: String, for time: TimeAmount, now: NIODeadline) {
        until.withLock { until in
            if until.count >= Self.maximum { until = until.filter { now < $0.value } }
            if until.count >= Self.maximum, let first = until.min(by: { $0.value < $1.value }) {
                until[first.key] = nil
            }
            until[ip] = now + time
        }
    }

    /// - Parameter ip: as the system writes it.
    func contains(_ ip: String, now: @autoclosure () -> NIODeadline) -> Bool {
        until.withLock { until in
            guard !until.isEmpty, let end = until[ip] else { return false }
            if now() < end { return true }
            until[ip] = nil
            return false
        }
    }
}
