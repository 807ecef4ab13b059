internal import CSockets
internal import Glibc
internal import NIOCore

/// Connects to a camera (TCP active): three rounds over its addresses, at least a second apart (spec 4.2).
///
/// The next address of a round is tried when the one before fails or has not answered within half a second; the first that
/// connects ends all others.
final class MediaConnector {
    enum Outcome: ~Copyable {
        case connected(Descriptor, RTPSource)
        /// Every try failed; one line each.
        case failed([String])
    }

    private let targets: [RTPSource]
    private let host: String
    private let localPort: Int
    private unowned let reactor: RTPReactor
    private var finished: ((consuming Outcome, NIODeadline) -> Void)?

    private var attempts: [Attempt] = []
    private var round = 0
    private var next = 0
    private var roundBegan = NIODeadline.uptimeNanoseconds(0)
    private var lastBegan = NIODeadline.uptimeNanoseconds(0)
    private var isRunning = false
    private var reasons: [String] = []

    private static let rounds = 3
    private static let roundInterval = TimeAmount.seconds(1)
    private static let stagger = TimeAmount.milliseconds(500)
    private static let timeout = TimeAmount.seconds(3)

    init(
        targets: [RTPSource],
        host: String,
        localPort: Int,
        on reactor: RTPReactor,
        finished: @escaping (consuming Outcome, NIODeadline) -> Void
    ) {
        var unique: [RTPSource] = []
        for target in targets where !unique.contains(target) && target.port != 0 { unique.append(target) }
        self.targets = unique
        self.host = host
        self.localPort = localPort
        self.reactor = reactor
        self.finished = finished
    }

    func close() {
        stop()
        finished = nil
    }

    private func stop() {
        isRunning = false
        for attempt in attempts { attempt.close() }
        attempts = []
    }

    /// Begins anew, with the first round at once.
    func restart(now: NIODeadline) {
        stop()
        reasons = []
        round = 0
        isRunning = true
        beginRound(now)
    }

    private func beginRound(_ now: NIODeadline) {
        round += 1
        next = 0
        roundBegan = now
        tryNext(now)
    }

    private func tryNext(_ now: NIODeadline) {
        while isRunning, next < targets.count {
            let target = targets[next]
            next += 1
            lastBegan = now
            do throws(SystemError) {
                attempts.append(try begin(target, now))
                return
            } catch {
                reasons.append("\(target): \(error)")
            }
        }
    }

    private func begin(_ target: RTPSource, _ now: NIODeadline) throws(SystemError) -> Attempt {
        do throws(SystemError) {
            return try begin(target, from: localPort, now)
        } catch  where error.errno == EADDRNOTAVAIL || error.errno == EADDRINUSE {
            // An earlier connection to the same address still rests; most cameras do not look at our port.
            return try begin(target, from: 0, now)
        }
    }

    private func begin(_ target: RTPSource, from port: Int, _ now: NIODeadline) throws(SystemError) -> Attempt {
        guard let address = try? SocketAddress(ipAddress: host, port: port) else { throw SystemError(errno: EINVAL) }
        let socket = try Descriptor.tcp(address, listening: false)
        let result = cs_connect(socket.number, target.endpoint)
        guard result == 0 || result == -EINPROGRESS else { throw SystemError(errno: -result) }
        return try Attempt(socket, target: target, began: now, on: reactor) { [weak self] attempt, error, now in
            self?.completed(attempt, error, now)
        }
    }

    private func completed(_ attempt: Attempt, _ error: SystemError?, _ now: NIODeadline) {
        attempts.removeAll { $0 === attempt }
        if let error {
            attempt.close()
            reasons.append("\(attempt.target): \(error)")
            tryNext(now)
            return
        }
        guard isRunning, let socket = attempt.take() else { return attempt.close() }
        stop()
        finished?(.connected(socket, attempt.target), now)
    }

    func service(now: NIODeadline) {
        guard isRunning else { return }
        for attempt in attempts where now - attempt.began > Self.timeout {
            completed(attempt, SystemError(errno: ETIMEDOUT), now)
        }
        if next < targets.count {
            if attempts.isEmpty || now - lastBegan > Self.stagger { tryNext(now) }
        } else if attempts.isEmpty {
            if round == Self.rounds {
                isRunning = false
                finished?(.failed(reasons), now)
            } else if now - roundBegan >= Self.roundInterval {
                beginRound(now)
            }
        }
    }

    /// One connect that is under way.
    private final class Attempt: ReactorSocket {
        let target: RTPSource
        let began: NIODeadline
        private unowned let reactor: RTPReactor
        private var descriptor: Descriptor?
        private var token: UInt64 = 0
        private var completed: ((Attempt, SystemError?, NIODeadline) -> Void)?

        init(
            _ descriptor: consuming Descriptor,
            target: RTPSource,
            began: NIODeadline,
            on reactor: RTPReactor,
            completed: @escaping (Attempt, SystemError?, NIODeadline) -> Void
        ) throws(SystemError) {
            let number = descriptor.number
            self.target = target
            self.began = began
            self.reactor = reactor
            self.completed = completed
            self.descriptor = consume descriptor
            token = try reactor.add(self, number, writable: true)
        }

        func ready(now: NIODeadline) -> Bool {
            guard let number = descriptor?.number, let completed else { return false }
            let result = cs_connect_result(number)
            completed(self, result == 0 ? nil : SystemError(errno: -result), now)
            return true
        }

        func take() -> Descriptor? {
            guard let number = descriptor?.number else { return nil }
            reactor.remove(token, number)
            completed = nil
            return descriptor.take()
        }

        func close() {
            guard let number = descriptor?.number else { return }
            reactor.remove(token, number)
            descriptor = nil
            completed = nil
        }
    }
}
