internal import Glibc
internal import Hub
internal import Synchronization

/// What this process uses of the machine, for ``ServerStat``.
package struct ProcessUsage: Hashable, Sendable {
    package var pid = 0
    package var cpuPercent = 0.0
    package var cpuCount = 0
    package var load: [Double] = []
    package var memoryBytes = 0
    package var memoryTotalBytes = 0

    package init() {}
}

/// Measures ``ProcessUsage``; of several askers each sees the same second of processor time.
final class ProcessMeter: Sendable {
    private struct Sample {
        /// Nanoseconds on the clock, and of processor time.
        var at: UInt64
        var cpu: UInt64
        var percent = 0.0
    }

    /// The least time that a percentage is taken over.
    private static let span: UInt64 = 1_000_000_000

    private let last = Mutex(Sample(at: now(CLOCK_MONOTONIC), cpu: now(CLOCK_PROCESS_CPUTIME_ID)))

    func usage() -> ProcessUsage {
        var usage = ProcessUsage()
        usage.pid = Int(getpid())
        usage.cpuPercent = percent()
        usage.cpuCount = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        var load = [0.0, 0.0, 0.0]
        let count = Int(getloadavg(&load, 3))
        usage.load = Array(load.prefix(max(count, 0)))
        usage.memoryBytes = Self.resident()
        usage.memoryTotalBytes = SystemMemory.bytes
        return usage
    }

    private func percent() -> Double {
        last.withLock { last in
            let at = now(CLOCK_MONOTONIC)
            guard at >= last.at &+ Self.span else { return last.percent }
            let cpu = now(CLOCK_PROCESS_CPUTIME_ID)
            let share = Double(cpu &- last.cpu) / Double(at &- last.at) * 100
            last = Sample(at: at, cpu: cpu, percent: (share * 10).rounded() / 10)
            return last.percent
        }
    }

    /// The second number of /proc/self/statm, in pages; 0 where there is none.
    private static func resident() -> Int {
        let file = open("/proc/self/statm", O_RDONLY)
        guard file >= 0 else { return 0 }
        defer { close(file) }
        var text = [UInt8](repeating: 0, count: 128)
        let count = read(file, &text, text.count)
        guard count > 0 else { return 0 }
        let words = String(decoding: text.prefix(count), as: UTF8.self).split(separator: " ")
        return words.count > 1 ? (Int(words[1]) ?? 0) &* sysconf(Int32(_SC_PAGESIZE)) : 0
    }
}

private func now(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return UInt64(max(time.tv_sec, 0)) &* 1_000_000_000 &+ UInt64(max(time.tv_nsec, 0))
}
