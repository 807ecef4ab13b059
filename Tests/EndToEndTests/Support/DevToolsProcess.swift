import Foundation
import Glibc
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
    private let id: pid_t
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
            id = try Self.spawn(arguments, theirs, log)
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
            if isRunning { kill(-id, SIGKILL) } else { continuation.resume() }
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
        kill(-id, SIGKILL)
        var status: Int32 = 0
        while waitpid(id, &status, 0) < 0, errno == EINTR {}
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

    // Starting it

    /// In a process group of its own: Foundation's `Process` passes neither that nor further descriptors.
    private static func spawn(_ arguments: [String], _ socket: Int32, _ log: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        posix_spawn_file_actions_adddup2(&actions, socket, 3)
        posix_spawn_file_actions_adddup2(&actions, socket, 4)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setpgroup(&attributes, 0)
        // What this process ignores the browser would ignore too.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF))
        let pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var id = pid_t()
        let fault = posix_spawn(&id, arguments[0], &actions, &attributes, pointers, environ)
        guard fault == 0 else { throw NeverHappened(what: "\(arguments[0]): \(String(cString: strerror(fault)))") }
        return id
    }
}
