import NIOCore

/// Lines of a playlist that know where their URIs end: each viewer has a token of its own, and its query goes there.
struct HLSText: Hashable, Sendable {
    private(set) var bytes = ByteBuffer()
    private var uriEnds: [Int] = []

    var count: Int { bytes.readableBytes }

    mutating func append(_ text: String) {
        bytes.writeString(text)
    }

    /// Text that ends with a URI.
    mutating func append(uri text: String) {
        bytes.writeString(text)
        uriEnds.append(bytes.writerIndex)
    }

    mutating func append(_ other: HLSText) {
        let base = bytes.writerIndex
        bytes.writeImmutableBuffer(other.bytes)
        for end in other.uriEnds { uriEnds.append(base &+ end) }
    }

    /// - Parameter query: without `?`; escaped already. Empty: none.
    func with(query: String) -> ByteBuffer {
        guard !query.isEmpty, !uriEnds.isEmpty else { return bytes }
        let suffix = ByteBuffer(string: "?" + query)
        var whole = ByteBuffer()
        whole.reserveCapacity(bytes.readableBytes &+ uriEnds.count &* suffix.readableBytes)
        var at = 0
        for end in uriEnds {
            if let slice = bytes.getSlice(at: at, length: end - at) { whole.writeImmutableBuffer(slice) }
            whole.writeImmutableBuffer(suffix)
            at = end
        }
        if let rest = bytes.getSlice(at: at, length: bytes.writerIndex - at) { whole.writeImmutableBuffer(rest) }
        return whole
    }
}

/// Numbers of a playlist. No exponent: iOS does not read it.
enum HLSDecimal {
    /// 1/90000 s in seconds, rounded.
    static func seconds(_ time: Int64, digits: Int) -> String {
        fixed((max(time, 0) &* scale(digits) &+ 45_000) / 90_000, digits: digits)
    }

    /// Rounded up: what a limit is written with.
    static func secondsRoundedUp(_ time: Int64, digits: Int) -> String {
        fixed((max(time, 0) &* scale(digits) &+ 89_999) / 90_000, digits: digits)
    }

    /// - Parameter units: of 10 to the power of -`digits`.
    static func fixed(_ units: Int64, digits: Int) -> String {
        let fraction = String(units % scale(digits))
        return "\(units / scale(digits)).\(String(repeating: "0", count: digits - fraction.utf8.count))\(fraction)"
    }

    private static func scale(_ digits: Int) -> Int64 {
        (0..<digits).reduce(1) { power, _ in power * 10 }
    }
}

/// ISO 8601 as EXT-X-PROGRAM-DATE-TIME has it.
enum HLSDate {
    /// - Parameter milliseconds: since 1970, UTC.
    static func text(_ milliseconds: Int64) -> String {
        // Up to the year 9999.
        let time = min(max(milliseconds, 0), 253_402_300_799_999)
        let (year, month, day) = date(time / 86_400_000)
        let rest = time % 86_400_000
        let clock = [rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60].map(twoDigits).joined(separator: ":")
        let fraction = String(rest % 1000 + 1000).dropFirst()
        return "\(year)-\(twoDigits(month))-\(twoDigits(day))T\(clock).\(fraction)Z"
    }

    private static func twoDigits(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }

    /// The proleptic Gregorian calendar, with years that begin in March so that the leap day is the last one.
    private static func date(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
