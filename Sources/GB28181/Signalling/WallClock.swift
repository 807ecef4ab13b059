package import NIOCore

/// Turns the core's monotonic time into the time of day. The driver sets it now and then, so that NTP's corrections arrive.
package struct WallClock: Equatable, Sendable {
    private let base: Int64
    private let at: NIODeadline

    package init(unixMilliseconds: Int64, at now: NIODeadline) {
        base = unixMilliseconds
        at = now
    }

    /// Milliseconds since 1970.
    package func milliseconds(_ now: NIODeadline) -> Int64 {
        base &+ (now - at).nanoseconds / 1_000_000
    }

    /// `YYYY-MM-DDThh:mm:ss.SSS` in Beijing time without a zone: how the standard tells devices the time (9.10).
    package static func beijing(_ unixMilliseconds: Int64) -> String {
        let local = unixMilliseconds &+ 8 * 3_600_000
        let days = Int((Double(local) / 86_400_000).rounded(.down))
        let rest = Int(local) - days * 86_400_000
        let (year, month, day) = civil(days: days)
        let time = [rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60].map { padded($0, 2) }
        return
            "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(time.joined(separator: ":")).\(padded(rest % 1000, 3))"
    }

    /// Days since 1970 in the Gregorian calendar: years are counted from March, so that the leap day is their last.
    private static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
}
