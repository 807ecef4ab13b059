import Foundation
import Glibc

/// A program in a process group of its own, which ends with all that it has started.
struct ProcessGroup: Sendable {
    /// Of its first process, and of the group.
    let id: pid_t

    /// Foundation's `Process` passes neither a group nor further descriptors.
    /// - Parameters:
    ///   - log: the file for what it prints.
    ///   - socket: becomes its descriptors 3 and 4.
    init(_ arguments: [String], environment: [String: String] = [:], log: String, socket: Int32? = nil) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        if let socket {
            posix_spawn_file_actions_adddup2(&actions, socket, 3)
            posix_spawn_file_actions_adddup2(&actions, socket, 4)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setpgroup(&attributes, 0)
        // What this process ignores the program would ignore too.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF))
        let variables = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        let words = arguments.map { strdup($0) } + [nil]
        let settings = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in words + settings { free(pointer) } }
        var id = pid_t()
        let fault = posix_spawn(&id, arguments[0], &actions, &attributes, words, settings)
        guard fault == 0 else { throw NeverHappened(what: "\(arguments[0]): \(String(cString: strerror(fault)))") }
        self.id = id
    }

    /// Kills all of it. Only before `reap()` is the number its own.
    func kill() {
        _ = Glibc.kill(-id, SIGKILL)
    }

    /// Waits for the end of its first process; blocks.
    func reap() {
        var status: Int32 = 0
        while waitpid(id, &status, 0) < 0, errno == EINTR {}
    }

    /// What of it runs: processes, without those that have ended and are not yet reaped.
    var members: [pid_t] {
        let numbers = ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { pid_t($0) }
        return numbers.filter { number in
            let status = (try? String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8)) ?? ""
            // After the name, which may hold anything: state, parent, group.
            let fields = status.split(separator: ")").last?.split(separator: " ") ?? []
            return fields.count > 2 && fields[0] != "Z" && fields[2] == "\(id)"
        }
    }
}
