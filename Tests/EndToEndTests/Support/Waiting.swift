import Testing

/// What was waited for did not come.
struct NeverHappened: Error, CustomStringConvertible {
    let what: String
    var description: String { "waited in vain for: \(what)" }
}

/// Looks that are taken however late they are: on a busy machine one answer can be older than the limit when it is seen.
private let fewestLooks = 20

/// Asks again and again until the answer is yes; throws after `limit`.
func wait(
    for what: String,
    limit: Duration = .seconds(10),
    until condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    var looks = 0
    while try await !condition() {
        looks += 1
        guard ContinuousClock.now < end || looks < fewestLooks else { throw NeverHappened(what: what) }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// Gives a slow operation up. The operation must end when its task is cancelled.
func limited<Value: Sendable>(
    _ limit: Duration,
    _ what: String,
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { tasks in
        tasks.addTask { try await body() }
        tasks.addTask {
            try await Task.sleep(for: limit)
            throw NeverHappened(what: what)
        }
        defer { tasks.cancelAll() }
        guard let value = try await tasks.next() else { throw NeverHappened(what: what) }
        return value
    }
}
