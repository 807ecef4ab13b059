import CSpawn
import Foundation
import Glibc

/// A program in a process group of its own, which ends with all that it has started.
///
/// It inherits nothing but what it is given. NIO's sockets are not closed on exec: a browser that got those of the tests beside it kept
/// their connections open for the other side, and what waited for their end waited in vain.
public struct ProcessGroup: Sendable {
    /// Of its first process, and of the group.
    public let id: Int32

    /// Foundation's `Process` passes neither a group nor further descriptors, and a socket that is opened while it starts is inherited.
    /// - Parameters:
    ///   - arguments: the first is the path of the program.
    ///   - output: the file for what it prints.
    ///   - errors: the file for what it complains of; nil: the same.
    ///   - folder: it is run in; nil: this process's.
    ///   - socket: becomes its descriptors 3 and 4.
    public init(
        _ arguments: [String],
        environment: [String: String] = [:],
        output: String,
        errors: String? = nil,
        folder: String? = nil,
        socket: Int32? = nil
    ) throws(SpawnError) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let appending = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, appending, 0o644)
        if let errors {
            posix_spawn_file_actions_addopen(&actions, 2, errors, appending, 0o644)
        } else {
            posix_spawn_file_actions_adddup2(&actions, 1, 2)
        }
        if let socket {
            posix_spawn_file_actions_adddup2(&actions, socket, 3)
            posix_spawn_file_actions_adddup2(&actions, socket, 4)
        }
        spawn_close_from(&actions, socket == nil ? 3 : 5)
        if let folder { spawn_in_folder(&actions, folder) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setpgroup(&attributes, 0)
        // What this process ignores or blocks the program would too.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGPIPE, SIGINT, SIGQUIT, SIGTERM] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
        posix_spawnattr_setflags(&attributes, Int16(flags))
        let variables = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        let words = arguments.map { strdup($0) } + [nil]
        let settings = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in words + settings { free(pointer) } }
        let path = arguments.first ?? ""
        var id = pid_t()
        let fault = posix_spawn(&id, path, &actions, &attributes, words, settings)
        guard fault == 0 else { throw SpawnError(path: path, reason: String(cString: strerror(fault))) }
        self.id = id
    }

    /// Kills all of it. Only before `reap()` is the number its own.
    public func kill() {
        _ = Glibc.kill(-id, SIGKILL)
    }

    /// Waits for the end of its first process; blocks.
    /// - Returns: its status, or the signal that ended it.
    @discardableResult
    public func reap() -> Int32 {
        var status: Int32 = 0
        while waitpid(id, &status, 0) < 0, errno == EINTR {}
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : status & 0x7F
    }

    /// Waits for that end and leaves the number taken; blocks.
    public func awaitEnd() {
        var information = siginfo_t()
        while waitid(P_PID, id_t(id), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
    }

    /// What of it runs: processes, without those that have ended and are not yet reaped.
    public var members: [Int32] {
        let numbers = ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { Int32($0) }
        return numbers.filter { number in
            let status = (try? String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8)) ?? ""
            // After the name, which may hold anything: state, parent, group.
            let fields = status.split(separator: ")").last?.split(separator: " ") ?? []
            return fields.count > 2 && fields[0] != "Z" && fields[2] == "\(id)"
        }
    }
}

/// A program that could not be started.
public struct SpawnError: Error, CustomStringConvertible {
    public let path: String
    public let reason: String

    public var description: String { "start of \(path): \(reason)" }
}
