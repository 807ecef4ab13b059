internal import FoundationEssentials
internal import NIOCore

/// What a simulation did and how fast the platform answered. Printed as JSON.
package struct SimulationReport: Hashable, Sendable, Codable {
    /// Answers to one kind of request, from the first copy sent to the answer received.
    package struct Latency: Hashable, Sendable, Codable {
        package var count: UInt64
        package var p50Milliseconds: Double
        package var p99Milliseconds: Double
        package var maximumMilliseconds: Double
        /// Requests that no answer came to.
        package var unanswered: Int
        /// Answers of 300 and above, challenges not counted.
        package var refused: Int

        enum CodingKeys: String, CodingKey {
            case count, unanswered, refused
            case p50Milliseconds = "p50_ms"
            case p99Milliseconds = "p99_ms"
            case maximumMilliseconds = "max_ms"
        }
    }

    package var cameras: Int
    package var registered: Int
    package var elapsedSeconds: Double
    package var register: Latency
    package var keepalive: Latency
    package var sessions: Int
    package var invites: Int
    package var mediaPackets: UInt64
    package var mediaBytes: UInt64

    enum CodingKeys: String, CodingKey {
        case cameras, registered, register, keepalive, sessions, invites
        case elapsedSeconds = "elapsed_s"
        case mediaPackets = "media_packets"
        case mediaBytes = "media_bytes"
    }

    /// One line of JSON.
    package var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        guard let data = try? encoder.encode(self) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }
}

/// The counters of one loop.
struct SimulationStatistics: Sendable {
    struct Exchange: Sendable {
        var latency = LatencyHistogram()
        var unanswered = 0
        var refused = 0

        mutating func merge(_ other: Exchange) {
            latency.merge(other.latency)
            unanswered += other.unanswered
            refused += other.refused
        }

        var report: SimulationReport.Latency {
            .init(
                count: latency.count,
                p50Milliseconds: Self.milliseconds(latency.percentile(50)),
                p99Milliseconds: Self.milliseconds(latency.percentile(99)),
                maximumMilliseconds: Self.milliseconds(latency.maximum),
                unanswered: unanswered,
                refused: refused
            )
        }

        private static func milliseconds(_ time: TimeAmount) -> Double {
            Double(time.nanoseconds / 1000) / 1000
        }
    }

    var register = Exchange()
    var keepalive = Exchange()
    var registered = 0
    var sessions = 0
    var invites = 0
    var mediaPackets: UInt64 = 0
    var mediaBytes: UInt64 = 0

    mutating func merge(_ other: SimulationStatistics) {
        register.merge(other.register)
        keepalive.merge(other.keepalive)
        registered += other.registered
        sessions += other.sessions
        invites += other.invites
        mediaPackets += other.mediaPackets
        mediaBytes += other.mediaBytes
    }

    mutating func answered(_ exchange: SimulatedCamera.Exchange, status: Int, after latency: TimeAmount) {
        let isRefused = status >= 300 && status != 401 && status != 407
        switch exchange {
        case .register:
            register.latency.record(latency)
            if isRefused { register.refused += 1 }
        case .keepalive:
            keepalive.latency.record(latency)
            if isRefused { keepalive.refused += 1 }
        case .report, .bye: break
        }
    }

    mutating func unanswered(_ exchange: SimulatedCamera.Exchange) {
        switch exchange {
        case .register: register.unanswered += 1
        case .keepalive: keepalive.unanswered += 1
        case .report, .bye: break
        }
    }
}
