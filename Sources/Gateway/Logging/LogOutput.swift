internal import Dispatch
internal import Glibc
package import Logging
internal import Synchronization

/// Where all log lines of the process go: stdout and the file, written by one queue of its own.
///
/// A logger hands its line over and goes on: an event loop never waits for a disk. Lines wait in at most
/// ``maximumPending`` bytes; when the disk is slower than that they are dropped, and their number is logged.
package final class LogOutput: Sendable {
    package static let maximumPending = 4 << 20

    private struct Pending {
        var bytes: [UInt8] = []
        var dropped = 0
        var isScheduled = false
    }

    let line: LogLine
    let now: @Sendable () -> WallTime
    package let level: LogLevel
    private let toStdout: Bool
    private let pending = Mutex(Pending())
    private let file: Mutex<LogFile>
    private let queue = DispatchQueue(label: "gbgate.log")

    /// - Parameter now: the wall clock; tests give their own.
    package init(section: LogSection, now: @escaping @Sendable () -> WallTime = { .now() }) {
        line = LogLine(section: section)
        level = LogLevel(section.loggerLevel)
        toStdout = section.isToStdout
        file = Mutex(LogFile(section: section))
        self.now = now
    }

    deinit {
        file.withLock { $0.close() }
    }

    /// A logger that writes here, from ``level`` on.
    package func logger(label: String) -> Logger {
        Logger(label: label) { GatewayLogHandler(label: $0, output: self) }
    }

    func write(_ text: String) {
        let schedule = pending.withLock { pending in
            guard pending.bytes.count + text.utf8.count <= Self.maximumPending else {
                pending.dropped += 1
                return false
            }
            pending.bytes += text.utf8
            defer { pending.isScheduled = true }
            return !pending.isScheduled
        }
        if schedule { queue.async { self.drain() } }
    }

    /// Waits until everything logged so far is written. For the end of the process; never on an event loop.
    package func flush() {
        queue.sync { drain() }
    }

    private func drain() {
        let (bytes, dropped) = pending.withLock { pending in
            defer { pending = Pending() }
            return (pending.bytes, pending.dropped)
        }
        var lines = bytes
        if dropped > 0 {
            let text = line.text(
                time: now(),
                level: .warning,
                label: "log",
                message: "log lines dropped: the output is slower than the log",
                metadata: [("dropped", "\(dropped)")],
                place: "LogOutput"
            )
            lines += text.utf8
        }
        guard !lines.isEmpty else { return }
        if toStdout { _ = writeAll(lines, to: STDOUT_FILENO) }
        if let problem = file.withLock({ $0.write(lines, at: now()) }) {
            _ = writeAll(Array("\(problem)\n".utf8), to: STDERR_FILENO)
        }
    }
}
