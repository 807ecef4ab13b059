internal import NIOCore

/// Slows down who guesses passwords: a device at an address is banned after five failures, an address after fifty, for a
/// minute at first and up to ten.
struct RegistrationGuard: Sendable {
    static let capacity = 4096
    static let failuresPerDevice = 5
    static let failuresPerAddress = 50
    private static let memory = TimeAmount.minutes(15)

    private struct Key: Hashable {
        var host: String
        /// Empty for the address as a whole.
        var deviceID: String
    }

    private struct Entry {
        var failures = 0
        var bans = 0
        var bannedUntil: NIODeadline?
        var last: NIODeadline
    }

    enum Verdict: Equatable {
        case failed(Int)
        case banned(TimeAmount)
    }

    private var entries: [Key: Entry] = [:]

    var count: Int { entries.count }

    func isBanned(host: String, deviceID: String, now: NIODeadline) -> Bool {
        guard !entries.isEmpty else { return false }
        return [Key(host: host, deviceID: deviceID), Key(host: host, deviceID: "")].contains { key in
            entries[key]?.bannedUntil.map { $0 > now } ?? false
        }
    }

    /// A wrong password.
    mutating func fail(host: String, deviceID: String, now: NIODeadline) -> Verdict {
        let address = count(Key(host: host, deviceID: ""), limit: Self.failuresPerAddress, now: now)
        let device = count(Key(host: host, deviceID: deviceID), limit: Self.failuresPerDevice, now: now)
        if case .banned = device { return device }
        if case .banned = address { return address }
        return device
    }

    mutating func succeed(host: String, deviceID: String) {
        guard !entries.isEmpty else { return }
        entries[Key(host: host, deviceID: deviceID)] = nil
        entries[Key(host: host, deviceID: "")] = nil
    }

    private mutating func count(_ key: Key, limit: Int, now: NIODeadline) -> Verdict {
        if entries[key] == nil, entries.count >= Self.capacity { makeRoom(now) }
        var entry = entries[key] ?? Entry(last: now)
        if now - entry.last > Self.memory { entry = Entry(last: now) }
        entry.last = now
        entry.failures += 1
        defer { entries[key] = entry }
        guard entry.failures >= limit else { return .failed(entry.failures) }
        entry.failures = 0
        entry.bans = min(entry.bans + 1, 5)
        // 60, 120, 240, 480, 600 s.
        let ban = TimeAmount.seconds(min(60 << Int64(entry.bans - 1), 600))
        entry.bannedUntil = now + ban
        return .banned(ban)
    }

    private mutating func makeRoom(_ now: NIODeadline) {
        entries = entries.filter { now - $0.value.last <= Self.memory }
        if entries.count >= Self.capacity {
            entries = entries.filter { $0.value.bannedUntil.map { $0 > now } ?? false }
        }
        if entries.count >= Self.capacity { entries.removeAll() }
    }
}
