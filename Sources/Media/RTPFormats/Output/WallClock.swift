/// A time of day, for RTCP: nanoseconds since 1970, UTC. The layers have no clock; who calls passes it in beside `now`.
package struct WallClock: Hashable, Comparable, Sendable {
    package var nanoseconds: Int64

    /// Seconds from 1900, where NTP begins, to 1970.
    private static let epoch: Int64 = 2_208_988_800

    package init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// From the 64 bits of NTP: seconds since 1900 and their fraction (RFC 3550 4). Times before 1968 are taken for those
    /// after 2036, when the seconds wrap.
    package init(ntp: UInt64) {
        var seconds = Int64(ntp >> 32)
        if seconds < 0x8000_0000 { seconds &+= 1 << 32 }
        let fraction = (ntp & 0xFFFF_FFFF) &* 1_000_000_000
        nanoseconds = (seconds &- Self.epoch) &* 1_000_000_000 &+ Int64(fraction >> 32)
    }

    /// The 64 bits of NTP.
    package var ntp: UInt64 {
        var seconds = nanoseconds / 1_000_000_000
        var rest = nanoseconds % 1_000_000_000
        if rest < 0 {
            seconds &-= 1
            rest &+= 1_000_000_000
        }
        // Rounded up, so that whole nanoseconds survive the way there and back.
        let fraction = (UInt64(rest) << 32 &+ 999_999_999) / 1_000_000_000
        return UInt64(truncatingIfNeeded: seconds &+ Self.epoch) << 32 | fraction
    }

    package static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }
}
