public import Foundation
import Glibc
import Synchronization

/// A program that runs beside the test, killed with the last use of this object. What it has started ends with it.
public final class Program: Sendable {
    private let process: RunningProcess
    private let files: [String]

    public var id: Int32 { process.group.id }

    /// - Parameters:
    ///   - path: not looked for in PATH.
    ///   - environment: beside what this process has.
    ///   - folder: it is run in; nil: this process's.
    public init(
        _ path: String,
        _ arguments: [String],
        environment: [String: String] = [:],
        folder: String? = nil
    ) throws(SpawnError) {
        // Files, not pipes: nobody need read while it runs.
        let base = FileManager.default.temporaryDirectory.appending(path: "gbgate-\(UUID().uuidString)").path
        files = ["\(base).out", "\(base).err"]
        process = RunningProcess(
            try ProcessGroup(
                [path] + arguments,
                environment: environment,
                output: files[0],
                errors: files[1],
                folder: folder
            )
        )
    }

    deinit {
        process.kill(SIGKILL)
        for file in files { try? FileManager.default.removeItem(atPath: file) }
    }

    public var output: String { (try? String(contentsOfFile: files[0], encoding: .utf8)) ?? "" }
    public var errors: String { (try? String(contentsOfFile: files[1], encoding: .utf8)) ?? "" }
    public var outputData: Data { FileManager.default.contents(atPath: files[0]) ?? Data() }

    public var isRunning: Bool { process.status == nil }

    /// SIGKILL goes to all of its processes, any other signal to the first.
    public func kill(_ signal: Int32) { process.kill(signal) }

    /// Waits for its end; kills it after `limit`, or when the task is cancelled.
    /// - Returns: its status, or the signal that ended it.
    public func exit(limit: Duration) async throws -> Int32 {
        let process = process
        let killer = Task {
            try await Task.sleep(for: limit)
            process.kill(SIGKILL)
        }
        defer { killer.cancel() }
        return await withTaskCancellationHandler {
            await process.ended()
        } onCancel: {
            process.kill(SIGKILL)
        }
    }

    /// Waits for its end; blocks, for what ends soon.
    public func wait() -> Int32 { process.wait() }

    public static func exists(_ path: String) -> Bool { FileManager.default.isExecutableFile(atPath: path) }
}

/// Reaps the process on a thread of its own, whoever waits for it.
private final class RunningProcess: Sendable {
    private struct State {
        var status: Int32?
        var waiting: [CheckedContinuation<Int32, Never>] = []
    }

    let group: ProcessGroup
    private let state = Mutex(State())
    private let end = DispatchGroup()

    init(_ group: ProcessGroup) {
        self.group = group
        end.enter()
        let thread = Thread { [self] in
            group.awaitEnd()
            // What it leaves behind, while the number is still its own.
            group.kill()
            // The lock keeps the number its own while a signal is sent.
            let (status, waiting) = state.withLock { state in
                let status = group.reap()
                state.status = status
                defer { state.waiting = [] }
                return (status, state.waiting)
            }
            for continuation in waiting { continuation.resume(returning: status) }
            end.leave()
        }
        thread.name = "reaper"
        thread.start()
    }

    var status: Int32? { state.withLock { $0.status } }

    func kill(_ signal: Int32) {
        state.withLock { state in
            guard state.status == nil else { return }
            if signal == SIGKILL { group.kill() } else { _ = Glibc.kill(group.id, signal) }
        }
    }

    func wait() -> Int32 {
        end.wait()
        return status ?? -1
    }

    func ended() async -> Int32 {
        await withCheckedContinuation { continuation in
            let status = state.withLock { state in
                if state.status == nil { state.waiting.append(continuation) }
                return state.status
            }
            if let status { continuation.resume(returning: status) }
        }
    }
}
