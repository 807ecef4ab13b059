internal import NIOCore
internal import SIP
internal import Synchronization

/// Counters that any thread may read.
final class SIPCounters: Sendable {
    private let values = Mutex(SIPSocketStatistics())

    var current: SIPSocketStatistics { values.withLock { $0 } }

    func count(_ change: (inout SIPSocketStatistics) -> Void) {
        values.withLock { change(&$0) }
    }
}

/// What the UDP and TCP halves of a SIP socket share. Bound to its event loop.
final class SIPFlowTable {
    private static let numbers = Atomic<UInt64>(1)

    let loop: any EventLoop
    let limits: SIPSocketLimits
    let counters = SIPCounters()
    private(set) var delegate: (any SIPSocketDelegate & Sendable)?
    private(set) var isClosed = false
    private var connections: [UInt64: SIPConnection] = [:]
    /// Those on which no device registered yet, and how many each address has.
    private var unknown: [UInt64: SIPConnection] = [:]
    private var unknownByHost: [String: Int] = [:]
    private var bufferedBytes = 0
    private var sweep: Scheduled<Void>?

    init(loop: any EventLoop, limits: SIPSocketLimits) {
        self.loop = loop
        self.limits = limits
    }

    func start(_ delegate: any SIPSocketDelegate & Sendable) {
        loop.assertInEventLoop()
        guard !isClosed else { return }
        self.delegate = delegate
    }

    /// Takes in a connection within the limits, and gives its number.
    func admit(_ connection: SIPConnection, from host: String) -> UInt64? {
        guard !isClosed, connections.count < limits.connections,
            unknownByHost[host, default: 0] < limits.unknownConnectionsPerHost
        else {
            counters.count { $0.refusedConnections += 1 }
            return nil
        }
        let number = Self.numbers.wrappingAdd(1, ordering: .relaxed).oldValue
        connections[number] = connection
        unknown[number] = connection
        unknownByHost[host, default: 0] += 1
        counters.count {
            $0.acceptedConnections += 1
            $0.openConnections += 1
        }
        scheduleSweep()
        return number
    }

    func remove(_ flow: SIPFlow) {
        guard connections.removeValue(forKey: flow.connection) != nil else { return }
        forgetUnknown(flow)
        counters.count { $0.openConnections -= 1 }
        // Not at once: the end of a connection may come to light within a call of the delegate's own.
        loop.execute { [delegate] in delegate?.flowClosed(flow) }
    }

    func markKnown(_ flow: SIPFlow) {
        guard let connection = connections[flow.connection] else { return }
        forgetUnknown(flow)
        connection.allowBodies(of: limits.knownBodyBytes)
    }

    func connection(of flow: SIPFlow) -> SIPConnection? { connections[flow.connection] }

    /// Accounts for a connection's incomplete message; false where all of them together are too much.
    func hold(_ change: Int) -> Bool {
        bufferedBytes += change
        return change <= 0 || bufferedBytes <= limits.bufferedBytes
    }

    func deliver(_ message: SIPMessage, on flow: SIPFlow) {
        counters.count { $0.messages += 1 }
        delegate?.receive(message, on: flow)
    }

    func fail(_ error: SIPParseError, on flow: SIPFlow, bytes: [UInt8]) {
        counters.count { $0.unreadable += 1 }
        delegate?.parseFailed(error.description, on: flow, prefix: Array(bytes.prefix(64)))
    }

    /// Closes every connection; nothing is admitted or delivered after, but the closing of the flows.
    func close() -> [EventLoopFuture<Void>] {
        guard !isClosed else { return [] }
        isClosed = true
        sweep?.cancel()
        sweep = nil
        let futures = connections.values.map { $0.close() }
        // After the last flowClosed, which the loop has in its queue by then.
        EventLoopFuture.andAllComplete(futures, on: loop).assumeIsolated().whenComplete { _ in
            let bound = NIOLoopBound(self, eventLoop: self.loop)
            self.loop.execute { bound.value.delegate = nil }
        }
        return futures
    }

    private func forgetUnknown(_ flow: SIPFlow) {
        guard unknown.removeValue(forKey: flow.connection) != nil else { return }
        let left = unknownByHost[flow.remoteHost, default: 1] - 1
        unknownByHost[flow.remoteHost] = left > 0 ? left : nil
    }

    // One timer for all: a timer a connection would cost more than looking at those that are unknown.
    private func scheduleSweep() {
        guard sweep == nil, !unknown.isEmpty, !isClosed else { return }
        let interval = max(TimeAmount.milliseconds(10), .nanoseconds(limits.unknownIdleTimeout.nanoseconds / 4))
        sweep = loop.assumeIsolated().scheduleTask(in: interval) { self.closeIdle() }
    }

    private func closeIdle() {
        sweep = nil
        let since = NIODeadline.now() - limits.unknownIdleTimeout
        for connection in unknown.values where connection.lastMessage <= since {
            if connection.closeSoon() { counters.count { $0.idleConnections += 1 } }
        }
        scheduleSweep()
    }
}
