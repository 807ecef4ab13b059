internal import Glibc
package import NIOCore
internal import Synchronization

/// The media ports of the gateway: even numbers of a range, one a session.
///
/// A port is bound before it is handed out, so that the one in an INVITE is really ours, and rests after its release, so
/// that late packets of the old stream meet no new one. A port leased for UDP is not leased for TCP meanwhile.
package final class PortPool: Sendable {
    package struct Statistics: Equatable, Sendable {
        package var free = 0
        package var leased = 0
        package var quarantined = 0
        /// Ports that were skipped because another process holds them, since the start.
        package var bindFailures = 0
    }

    package let first: Int
    package let last: Int
    private let quarantine: TimeAmount
    private let receiveBuffer: Int32
    private let clock: @Sendable () -> NIODeadline
    private let state: Mutex<State>

    private struct State {
        var free: CircularBuffer<Int> = CircularBuffer()
        var leased: Set<Int> = []
        /// In order of `until`.
        var quarantined: CircularBuffer<(port: Int, until: NIODeadline)> = CircularBuffer()
        var bindFailures = 0

        mutating func endQuarantines(_ now: NIODeadline) {
            while let next = quarantined.first, next.until <= now {
                quarantined.removeFirst()
                free.append(next.port)
            }
        }
    }

    /// - Parameters:
    ///   - range: `sip_rtp_port_min` to `sip_rtp_port_max`; odd ports are left to RTCP.
    ///   - quarantine: how long a port rests after its release.
    ///   - receiveBuffer: SO_RCVBUF of the UDP sockets in bytes; a key frame of 4 MB may come at once.
    package init(
        range: ClosedRange<Int> = 30_000...60_000,
        quarantine: TimeAmount = .seconds(10),
        receiveBuffer: Int = 4 << 20,
        clock: @escaping @Sendable () -> NIODeadline = { .now() }
    ) {
        first = max(range.lowerBound, 1)
        last = min(range.upperBound, 65_534)
        self.quarantine = quarantine
        self.receiveBuffer = Int32(clamping: receiveBuffer)
        self.clock = clock
        var state = State()
        if first <= last { state.free.append(contentsOf: (first...last).lazy.filter { $0 % 2 == 0 }) }
        self.state = Mutex(state)
    }

    package var statistics: Statistics {
        let now = clock()
        return state.withLock {
            $0.endQuarantines(now)
            return Statistics(
                free: $0.free.count,
                leased: $0.leased.count,
                quarantined: $0.quarantined.count,
                bindFailures: $0.bindFailures
            )
        }
    }

    /// Opens a port for RTP, and the next one for RTCP where that is possible.
    ///
    /// - Parameter port: the port that the operator asked for; it may be odd, out of the range and still resting.
    package func openUDP(host: String, port: Int? = nil) throws(PortError) -> UDPPorts {
        var bound = try open(host: host, port: port) { address throws(SystemError) in
            try Descriptor.udp(address, receiveBuffer: receiveBuffer)
        }
        let number = bound.number
        var rtcp: Descriptor?
        // RTCP is a report every few seconds, so a small buffer does.
        if number % 2 == 0, let next = try? SocketAddress(ipAddress: host, port: number + 1) {
            rtcp = try? Descriptor.udp(next, receiveBuffer: 65_536)
        }
        return UDPPorts(number: number, lease: bound.lease.take(), rtp: bound.socket.take(), rtcp: rtcp)
    }

    /// Opens a port that listens, or that only keeps its number for connecting from it.
    package func openTCP(host: String, port: Int? = nil, listening: Bool) throws(PortError) -> TCPPort {
        try open(host: host, port: port) { address throws(SystemError) in
            try Descriptor.tcp(address, listening: listening)
        }
    }

    private func open(
        host: String,
        port wanted: Int?,
        bind: (SocketAddress) throws(SystemError) -> Descriptor
    ) throws(PortError) -> TCPPort {
        if let wanted, !(1...65_535).contains(wanted) {
            throw .bindFailed(host: host, port: wanted, SystemError(errno: EINVAL))
        }
        // Every port of the range is tried once at most; those that others hold go to the end of the queue.
        for _ in 0...((last - first) / 2 + 1) {
            let lease = try lease(wanted)
            guard let address = try? SocketAddress(ipAddress: host, port: lease.port) else {
                throw .notAnAddress(host)
            }
            do throws(SystemError) {
                let socket = try bind(address)
                return TCPPort(number: lease.port, lease: consume lease, socket: consume socket)
            } catch {
                state.withLock { $0.bindFailures += 1 }
                if wanted != nil { throw .bindFailed(host: host, port: lease.port, error) }
            }
        }
        throw exhausted()
    }

    private func lease(_ wanted: Int?) throws(PortError) -> PortLease {
        let now = clock()
        let port: Int? = state.withLock { state in
            state.endQuarantines(now)
            guard let wanted else {
                guard let port = state.free.popFirst() else { return nil }
                state.leased.insert(port)
                return port
            }
            guard state.leased.insert(wanted).inserted else { return nil }
            state.free.removeAll { $0 == wanted }
            state.quarantined.removeAll { $0.port == wanted }
            return wanted
        }
        if let port { return PortLease(port: port, pool: self) }
        if let wanted { throw .taken(port: wanted) }
        throw exhausted()
    }

    private func exhausted() -> PortError {
        let now = statistics
        return .exhausted(first: first, last: last, leased: now.leased, quarantined: now.quarantined)
    }

    fileprivate func release(_ port: Int) {
        let until = clock() + quarantine
        state.withLock {
            $0.leased.remove(port)
            if (first...last).contains(port), port % 2 == 0 { $0.quarantined.append((port, until)) }
        }
    }
}

/// The right to a port number. It returns to the pool with its owner.
package struct PortLease: ~Copyable {
    package let port: Int
    private let pool: PortPool

    fileprivate init(port: Int, pool: PortPool) {
        self.port = port
        self.pool = pool
    }

    deinit {
        pool.release(port)
    }
}

/// A session's UDP sockets, bound. Each part may be taken once.
package struct UDPPorts: ~Copyable {
    package let number: Int
    package var lease: PortLease?
    package var rtp: Descriptor?
    /// The port above, unless it was taken.
    package var rtcp: Descriptor?
}

/// A session's TCP socket, bound. Each part may be taken once.
package struct TCPPort: ~Copyable {
    package let number: Int
    package var lease: PortLease?
    package var socket: Descriptor?
}
