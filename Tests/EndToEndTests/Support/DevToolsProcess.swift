import Foundation
import Glibc
import Programs
import Synchronization

/// A browser that is told what to do on its descriptor 3 and answers on 4, JSON ended by NUL (`--remote-debugging-pipe`).
final class DevToolsProcess: Sendable {
    private struct State {
        var next = 1
        var waiting: [Int: CheckedContinuation<Data, any Error>] = [:]
        var onEvent: @Sendable (String, Data) -> Void = { _, _ in }
        var isRunning = true
        var ends: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    /// Writing may block: never on a thread of Swift's pool.
    private let writer = DispatchQueue(label: "devtools")
    private let group: ProcessGroup
    private let socket: Int32
    private let log: String

    /// - Parameter folder: for its profile and what it prints.
    init(_ path: String, folder: String) throws {
        let arguments = [
            path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio",
            "--no-first-run", "--hide-scrollbars", "--autoplay-policy=no-user-gesture-required",
            "--remote-debugging-pipe", "--user-data-dir=\(folder)/profile", "about:blank",
        ]
        log = "\(folder)/browser.log"
        // A socket is both pipes, and its ends are never inherited by what other tests start meanwhile.
        var ends: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw NeverHappened(what: "a socket: errno \(errno)") }
        // Far from the descriptors that the browser expects.
        let theirs = fcntl(ends[1], F_DUPFD_CLOEXEC, 10)
        close(ends[1])
        socket = ends[0]
        defer { close(theirs) }
        do {
            group = try ProcessGroup(arguments, output: log, socket: theirs)
        } catch {
            close(ends[0])
            throw error
        }
        // It keeps this object until the browser is gone, which `end()` sees to.
        let thread = Thread { self.read() }
        thread.name = "devtools"
        thread.start()
    }

    /// What it printed.
    var errors: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    var isRunning: Bool { state.withLock { $0.isRunning } }

    /// Its events, on a thread of its own.
    func onEvent(_ body: @escaping @Sendable (String, Data) -> Void) {
        state.withLock { $0.onEvent = body }
    }

    /// One command and its answer.
    func ask<Value: Decodable>(
        _ method: String,
        _ parameters: [String: DevToolsParameter] = [:],
        session: String? = nil,
        limit: DispatchTimeInterval = .seconds(30)
    ) async throws -> Value {
        let id = state.withLock { state in
            defer { state.next += 1 }
            return state.next
        }
        let command = DevToolsCommand(id: id, method: method, params: parameters, sessionId: session)
        let bytes = [UInt8](try JSONEncoder().encode(command)) + [0]
        let answer = try await withCheckedThrowingContinuation { continuation in
            let isRunning = state.withLock { state in
                if state.isRunning { state.waiting[id] = continuation }
                return state.isRunning
            }
            guard isRunning else {
                return continuation.resume(throwing: NeverHappened(what: "\(method): the browser has ended"))
            }
            writer.async { self.write(bytes) }
            writer.asyncAfter(deadline: .now() + limit) {
                self.resume(id, .failure(NeverHappened(what: "an answer of the browser to \(method)")))
            }
        }
        let decoded = try JSONDecoder().decode(DevToolsAnswer<Value>.self, from: answer)
        guard let result = decoded.result else {
            throw NeverHappened(what: "\(method): \(decoded.error?.message ?? "no result")")
        }
        return result
    }

    /// Kills the browser with all its processes, and waits until it is gone.
    func end() async {
        await withCheckedContinuation { continuation in
            let isRunning = state.withLock { state in
                if state.isRunning { state.ends.append(continuation) }
                return state.isRunning
            }
            // Not reaped yet, so that the number is its own.
            if isRunning { group.kill() } else { continuation.resume() }
        }
    }

    private func resume(_ id: Int, _ answer: Result<Data, any Error>) {
        state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(with: answer)
    }

    private func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0, errno == EINTR { continue }
            // The browser is gone; its answers' end says so.
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    private func read() {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        var message = Data()
        while true {
            let count = Glibc.read(socket, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            for part in chunk[..<count].split(separator: 0, omittingEmptySubsequences: false).enumerated() {
                if part.offset > 0 {
                    receive(message)
                    message = Data()
                }
                message.append(contentsOf: part.element)
            }
        }
        // Whatever of it is left.
        group.kill()
        group.reap()
        let (waiting, ends) = state.withLock { state in
            defer {
                state.waiting = [:]
                state.ends = []
                state.onEvent = { _, _ in }
            }
            state.isRunning = false
            return (state.waiting.values, state.ends)
        }
        writer.async { close(self.socket) }
        for continuation in waiting { continuation.resume(throwing: NeverHappened(what: "the browser has ended")) }
        for continuation in ends { continuation.resume() }
    }

    private func receive(_ message: Data) {
        guard let head = try? JSONDecoder().decode(DevToolsHead.self, from: message) else { return }
        if let id = head.id {
            resume(id, .success(message))
        } else if let method = head.method {
            state.withLock { $0.onEvent }(method, message)
        }
    }
}
