package import NIOCore

/// Latencies in buckets of 1/16 of an octave: percentiles within 6 %, in 4 KB whatever the count.
package struct LatencyHistogram: Hashable, Sendable {
    private static let steps = 16
    private var buckets = [UInt64](repeating: 0, count: 32 * steps)
    package private(set) var count: UInt64 = 0
    package private(set) var maximum = TimeAmount.zero

    package init() {}

    package mutating func record(_ latency: TimeAmount) {
        count += 1
        maximum = max(maximum, latency)
        buckets[Self.bucket(latency)] += 1
    }

    package mutating func merge(_ other: LatencyHistogram) {
        count += other.count
        maximum = max(maximum, other.maximum)
        for index in buckets.indices { buckets[index] += other.buckets[index] }
    }

    /// The latency that `percent` of all were not above; zero when there is none.
    package func percentile(_ percent: Double) -> TimeAmount {
        guard count > 0 else { return .zero }
        let rank = max(UInt64((Double(count) * percent / 100).rounded(.up)), 1)
        var seen: UInt64 = 0
        for (index, bucket) in buckets.enumerated() {
            seen += bucket
            if seen >= rank { return min(Self.upperBound(index), maximum) }
        }
        return maximum
    }

    private static func bucket(_ latency: TimeAmount) -> Int {
        let microseconds = UInt64(max(latency.nanoseconds, 0)) / 1000 + UInt64(steps)
        let octave = 63 - microseconds.leadingZeroBitCount
        let step = Int(microseconds >> UInt64(octave - 4)) & (steps - 1)
        return min((octave - 4) * steps + step, 32 * steps - 1)
    }

    private static func upperBound(_ bucket: Int) -> TimeAmount {
        let value = UInt64(steps + bucket % steps + 1) << UInt64(bucket / steps)
        return .microseconds(Int64(value) - Int64(steps))
    }
}
