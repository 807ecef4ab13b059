internal import Glibc

/// A moment on the wall clock, for the eyes of users: the API, the logs, file names. Protocols use `NIODeadline`.
package struct WallTime: Hashable, Comparable, Sendable {
    package var unixMilliseconds: Int64

    package init(unixMilliseconds: Int64) {
        self.unixMilliseconds = unixMilliseconds
    }

    package static func now() -> WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(unixMilliseconds: Int64(time.tv_sec) &* 1000 &+ Int64(time.tv_nsec / 1_000_000))
    }

    package static func < (left: WallTime, right: WallTime) -> Bool {
        left.unixMilliseconds < right.unixMilliseconds
    }

    /// lal's form of session and server times: `2026-11-21 02:33:04.279 Z UTC`, `… 10:33:04.28 +0800 CST`.
    /// The fraction loses its trailing zeros, as Go's `.999` does; in UTC the offset is `Z`.
    package var lal: String {
        let local = local
        var text = "\(local.date) \(local.clock)"
        if local.millisecond > 0 {
            var fraction = padded(local.millisecond, 3)
            while fraction.last == "0" { fraction.removeLast() }
            text += ".\(fraction)"
        }
        return "\(text) \(local.offset) \(local.zone)"
    }

    /// The form of the GB28181 calls: `2026-11-21 02:33:04`, local time.
    package var seconds: String {
        let local = local
        return "\(local.date) \(local.clock)"
    }
}

extension WallTime {
    /// The pieces of a local time, as texts.
    struct Local {
        /// 2026-11-21
        let date: String
        /// 02:33:04
        let clock: String
        let millisecond: Int
        /// 20261121
        let day: String
        /// 02
        let hour: String
        /// Z, +0800
        let offset: String
        /// UTC, CST
        let zone: String
    }

    var local: Local {
        let quotient = unixMilliseconds.quotientAndRemainder(dividingBy: 1000)
        let borrow = quotient.remainder < 0
        var time = time_t(quotient.quotient - (borrow ? 1 : 0))
        var parts = tm()
        localtime_r(&time, &parts)
        let year = padded(Int(parts.tm_year) + 1900, 4)
        let month = padded(Int(parts.tm_mon) + 1, 2)
        let day = padded(Int(parts.tm_mday), 2)
        let hour = padded(Int(parts.tm_hour), 2)
        let minutes = Int(parts.tm_gmtoff) / 60
        let sign = minutes < 0 ? "-" : "+"
        let offset = "\(sign)\(padded(abs(minutes) / 60, 2))\(padded(abs(minutes) % 60, 2))"
        return Local(
            date: "\(year)-\(month)-\(day)",
            clock: "\(hour):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))",
            millisecond: Int(quotient.remainder) + (borrow ? 1000 : 0),
            day: year + month + day,
            hour: hour,
            offset: minutes == 0 ? "Z" : offset,
            zone: parts.tm_zone.map { String(cString: $0) } ?? "UTC"
        )
    }
}

private func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
