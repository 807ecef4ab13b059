package import Logging
package import NIOCore
internal import Synchronization

/// Lets one record of a kind through per interval and counts the others, so that a broken camera does not fill a disk.
package final class LogRateLimiter: Sendable {
    private struct Kind {
        var nextAt: NIODeadline
        var suppressed = 0
    }

    private let interval: TimeAmount
    private let maximumKinds: Int
    private let kinds = Mutex<[String: Kind]>([:])

    /// - Parameter maximumKinds: keys remembered; beyond that the ones that are due are forgotten, then new ones pass.
    package init(interval: TimeAmount = .seconds(10), maximumKinds: Int = 4096) {
        self.interval = interval
        self.maximumKinds = maximumKinds
    }

    /// Nil: stay silent. Else how many records of this kind were suppressed since the last one that passed.
    package func admit(_ key: String, now: NIODeadline) -> Int? {
        kinds.withLock { kinds in
            if let kind = kinds[key], now < kind.nextAt {
                kinds[key]?.suppressed += 1
                return nil
            }
            let suppressed = kinds[key]?.suppressed ?? 0
            if kinds[key] == nil, kinds.count >= maximumKinds {
                kinds = kinds.filter { now < $0.value.nextAt }
                if kinds.count >= maximumKinds { return 0 }
            }
            kinds[key] = Kind(nextAt: now + interval)
            return suppressed
        }
    }

    /// Kinds that went silent with records unsaid, and how many: for a line every now and then. They are forgotten.
    package func overdue(now: NIODeadline) -> [(key: String, suppressed: Int)] {
        kinds.withLock { kinds in
            let due = kinds.filter { $0.value.suppressed > 0 && now >= $0.value.nextAt }
            for key in due.keys { kinds[key] = nil }
            return due.map { ($0.key, $0.value.suppressed) }.sorted { $0.0 < $1.0 }
        }
    }
}

extension Logger {
    /// Logs unless a record with this key has just passed; `suppressed=n` tells what was left out.
    package func limited(
        _ limiter: LogRateLimiter,
        key: String,
        now: NIODeadline = .now(),
        level: Logger.Level = .warning,
        _ message: @autoclosure () -> Logger.Message,
        metadata: @autoclosure () -> Logger.Metadata = [:]
    ) {
        guard level >= logLevel, let suppressed = limiter.admit(key, now: now) else { return }
        var all = metadata()
        if suppressed > 0 { all["suppressed"] = "\(suppressed)" }
        log(level: level, message(), metadata: all)
    }
}
