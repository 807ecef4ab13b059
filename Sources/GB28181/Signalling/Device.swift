internal import NIOCore
package import SIP

/// What is known of one registering device. Times ending in `At` of type `Int64` are milliseconds since 1970.
package struct Device: Sendable {
    package let id: String
    /// As the operator named it, else as it names itself.
    package internal(set) var name = ""
    package internal(set) var manufacturer = "" {
        didSet { if manufacturer != oldValue { streamSelection = StreamSelection(self) } }
    }
    package internal(set) var model = ""
    package internal(set) var firmware = ""
    package internal(set) var userAgent = "" {
        didSet { if userAgent != oldValue { streamSelection = StreamSelection(self) } }
    }
    /// `X-GB-Ver`: 2.0 is GB/T 28181-2016, 3.0 is 2022. Devices that say nothing count as 2.0.
    package internal(set) var protocolVersion = "2.0" {
        didSet { if protocolVersion != oldValue { streamSelection = StreamSelection(self) } }
    }
    /// How it is asked for a sub stream, as far as the three above tell.
    package private(set) var streamSelection: StreamSelection?
    package internal(set) var charset = Charset.gb2312
    /// Where it is reached: the source of its last message. Nil before its first registration.
    package internal(set) var flow: SIPFlow?
    package internal(set) var isOnline = false
    package internal(set) var registeredAt: Int64?
    package internal(set) var keepaliveAt: Int64?
    /// Granted lifetime in seconds.
    package internal(set) var expires = 3600
    package internal(set) var channels: [CatalogItem] = []
    package internal(set) var catalog = CatalogState.unknown
    package internal(set) var catalogQuery = CatalogQueryReport()
    package internal(set) var statistics = DeviceStatistics()

    var liveness = Liveness()
    var queries = QueryPlan()
    var hasUnregistered = false
    /// Registered anew with another Call-ID: the device restarted.
    var registrationCallID = 0
    var registrationWindow: (start: NIODeadline, count: Int) = (.uptimeNanoseconds(0), 0)
    var lastAlarm = 0
    var isRemoved = false
    /// Media waits for a reconnect until then.
    var graceEndsAt: NIODeadline?

    init(id: String) {
        self.id = id
    }

    /// Measured distance of keepalives in seconds; nil before three came.
    package var keepaliveInterval: Int? { liveness.interval }
}

package enum CatalogState: String, Equatable, Sendable {
    case unknown
    case querying
    case complete
    /// Parts were lost; what came is listed.
    case incomplete
}

/// How the last catalog query went, or goes.
package struct CatalogQueryReport: Equatable, Sendable {
    /// Items that came, and as many as the device announced.
    package var received = 0
    package var total = 0
    /// When it was sent, when something came, when it ended: the latest of these, in milliseconds since 1970.
    package var at: Int64?
    /// Why it brought nothing, or not all; empty while nothing is wrong.
    package var fault = ""
    /// It brought nothing.
    package var isFailed = false
}

package struct DeviceStatistics: Equatable, Sendable {
    package var registrations = 0
    package var keepalives = 0
    package var messages = 0
    /// How often its address changed without a registration: a NAT that forgets.
    package var flowChanges = 0
    package var wentOffline = 0
    /// Bodies that could only be read after repair, and those that could not be read.
    package var repairedBodies = 0
    package var unreadableBodies = 0
    package var failedQueries = 0
}

/// A device as it was stored, to be known again after a restart.
package struct RestoredDevice: Sendable {
    package var id: String
    package var name = ""
    package var manufacturer = ""
    package var model = ""
    package var firmware = ""
    package var userAgent = ""
    package var protocolVersion = "2.0"
    package var charset = Charset.gb2312
    package var flow: SIPFlow?
    package var registeredAt: Int64?
    package var keepaliveAt: Int64?
    package var expires = 3600
    package var channels: [CatalogItem] = []

    package init(id: String) {
        self.id = id
    }
}

/// When a device counts as gone (3.2): three of its own intervals, and never less than the configured silence.
struct Liveness: Sendable {
    private(set) var lastSeen = NIODeadline.uptimeNanoseconds(0)
    private var lastKeepalive: NIODeadline?
    private var gaps: (UInt32, UInt32, UInt32) = (0, 0, 0)
    /// Whether a timer for this device is in the queue.
    var isScheduled = false

    mutating func seen(_ now: NIODeadline) {
        lastSeen = now
    }

    mutating func keepalive(_ now: NIODeadline) {
        if let lastKeepalive {
            let seconds = UInt32(clamping: (now - lastKeepalive).nanoseconds / 1_000_000_000)
            gaps = (gaps.1, gaps.2, max(seconds, 1))
        }
        lastKeepalive = now
    }

    /// The pause while it was away is no interval.
    mutating func reset() {
        lastKeepalive = nil
        gaps = (0, 0, 0)
    }

    /// Median of the last three gaps in seconds.
    var interval: Int? {
        guard gaps.0 > 0 else { return nil }
        let (a, b, c) = gaps
        return Int(max(min(a, b), min(max(a, b), c)))
    }

    func deadline(timeout: TimeAmount, expires: Int) -> NIODeadline {
        let learned = TimeAmount.seconds(Int64(min(interval ?? 0, 3600)) * 3)
        let silence = max(timeout, learned)
        // A device that registers more often than it keeps alive is judged by that.
        let registration = TimeAmount.milliseconds(Int64(expires) * 1100)
        return lastSeen + min(silence, max(registration, .seconds(60)))
    }
}
