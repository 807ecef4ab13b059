internal import NIOCore

/// When one relay connects, waits and gives up. It knows neither network nor clock nor chance.
struct RelayMachine: Sendable {
    enum State: String, Hashable, Sendable {
        /// Nobody needs it now.
        case idle
        /// Its turn is to come: after a failure, or when another publisher has left the stream.
        case waiting
        case connecting
        case running
        /// Its connection was told to end.
        case stopping
        /// For good.
        case ended
    }

    enum Action: Hashable, Sendable {
        case connect
        case disconnect
        /// For good; the text says why when it was not wished for.
        case end(String?)
    }

    struct Policy: Hashable, Sendable {
        /// Attempts after the first that failed; -1: without end.
        var retries = -1
        var firstDelay = TimeAmount.seconds(1)
        var longestDelay = TimeAmount.seconds(30)
        /// Whoever ran for so long begins anew when it fails.
        var resetAfter = TimeAmount.seconds(30)
        /// How long it goes on when nobody needs it; nil: always.
        var linger: TimeAmount?
        /// What it is then: over, or idle until it is needed again.
        var endsUnneeded = false
    }

    let policy: Policy
    private(set) var state = State.idle
    /// Connections that were begun.
    private(set) var attempts = 0
    /// In a row.
    private(set) var failures = 0
    private(set) var lastError: String?
    /// When the pause after a failure is over.
    private(set) var nextAttempt: NIODeadline?
    /// Another publisher holds the stream that a pull would feed.
    private(set) var isBlocked = false
    private var isNeeded: Bool
    private var unneededSince: NIODeadline?
    private var runningSince: NIODeadline?
    /// Nil: it goes on after `stopping`.
    private var finalEnd: Action?

    init(policy: Policy, isNeeded: Bool, isBlocked: Bool = false, now: NIODeadline) {
        self.policy = policy
        self.isNeeded = isNeeded
        self.isBlocked = isBlocked
        unneededSince = isNeeded ? nil : now
    }

    /// When to call ``advance(to:)``.
    var deadline: NIODeadline? {
        switch state {
        case .ended, .stopping: nil
        case .waiting where isBlocked: lingerEnd
        case .waiting: [nextAttempt, lingerEnd].compactMap(\.self).min()
        case .idle: nil
        case .connecting, .running: lingerEnd
        }
    }

    private var lingerEnd: NIODeadline? {
        guard let linger = policy.linger, let unneededSince else { return nil }
        return unneededSince + linger
    }

    private func isWanted(_ now: NIODeadline) -> Bool {
        lingerEnd.map { now < $0 } ?? true
    }

    /// What is known of the stream: whether anybody needs the relay, and whether another publisher is in its way.
    mutating func update(isNeeded: Bool, isBlocked: Bool, now: NIODeadline) -> [Action] {
        if isNeeded {
            unneededSince = nil
        } else if self.isNeeded {
            unneededSince = now
        }
        self.isNeeded = isNeeded
        self.isBlocked = isBlocked
        return advance(to: now)
    }

    mutating func advance(to now: NIODeadline) -> [Action] {
        switch state {
        case .idle, .waiting: proceed(now)
        case .connecting, .running: leave(now)
        case .stopping, .ended: []
        }
    }

    private mutating func proceed(_ now: NIODeadline) -> [Action] {
        guard isWanted(now) else {
            if policy.endsUnneeded { return end(with: "nobody needed it any more") }
            state = .idle
            nextAttempt = nil
            failures = 0
            return []
        }
        if let nextAttempt, now < nextAttempt {
            state = .waiting
            return []
        }
        nextAttempt = nil
        guard !isBlocked else {
            state = .waiting
            return []
        }
        state = .connecting
        attempts += 1
        return [.connect]
    }

    private mutating func leave(_ now: NIODeadline) -> [Action] {
        if !isWanted(now), policy.endsUnneeded { finalEnd = .end("nobody needed it any more") }
        guard isBlocked || !isWanted(now) else { return [] }
        state = .stopping
        return [.disconnect]
    }

    mutating func started(now: NIODeadline) {
        guard state == .connecting else { return }
        state = .running
        runningSince = now
    }

    /// The connection is over.
    /// - Parameters:
    ///   - fault: why; nil when we ended it.
    ///   - chance: 0 to 1: spreads the pauses of many relays by a fifth to either side.
    mutating func ended(_ fault: String?, chance: Double, now: NIODeadline) -> [Action] {
        switch state {
        case .idle, .waiting, .ended:
            return []
        case .stopping:
            runningSince = nil
            if let finalEnd { return end(with: finalEnd) }
            state = .idle
            return proceed(now)
        case .connecting, .running:
            break
        }
        let ran = runningSince.map { now - $0 >= policy.resetAfter } ?? false
        runningSince = nil
        lastError = fault ?? "the connection ended"
        if ran { failures = 0 }
        // Not its own failure: another publisher was faster.
        if isBlocked {
            state = .waiting
            return proceed(now)
        }
        failures += 1
        if policy.retries >= 0, failures > policy.retries { return end(with: lastError) }
        nextAttempt = now + pause(chance)
        state = .waiting
        return proceed(now)
    }

    private func pause(_ chance: Double) -> TimeAmount {
        var pause = min(policy.firstDelay, policy.longestDelay)
        for _ in 1..<max(failures, 1) where pause < policy.longestDelay {
            pause = min(pause + pause, policy.longestDelay)
        }
        let factor = 0.8 + 0.4 * min(max(chance, 0), 1)
        return .nanoseconds(Int64(Double(pause.nanoseconds) * factor))
    }

    /// Ends it for good, at any stage.
    mutating func stop(_ reason: String? = nil) -> [Action] {
        switch state {
        case .idle, .waiting:
            return end(with: reason)
        case .connecting, .running:
            finalEnd = .end(reason)
            state = .stopping
            return [.disconnect]
        case .stopping:
            finalEnd = .end(reason)
            return []
        case .ended:
            return []
        }
    }

    private mutating func end(with reason: String?) -> [Action] {
        end(with: .end(reason))
    }

    private mutating func end(with action: Action) -> [Action] {
        state = .ended
        nextAttempt = nil
        return [action]
    }
}
