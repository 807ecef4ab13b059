internal import FoundationEssentials
internal import Glibc

/// The log file: rotated by day or hour as `<file>.YYYYMMDD` or `<file>.YYYYMMDDHH`, old ones deleted.
struct LogFile {
    private enum Rotation {
        case never
        case daily
        case hourly
    }

    private let path: String
    private let rotation: Rotation
    private let maximumDays: Int
    private var descriptor: Int32 = -1
    /// The day or hour whose records are in the file.
    private var period = ""
    /// A file that cannot be opened is tried again at the next second.
    private var failedAt: Int64?

    init(section: LogSection) {
        path = section.filename
        maximumDays = section.maxRotateDays
        rotation = section.isRotateHourly ? .hourly : section.isRotateDaily ? .daily : .never
    }

    /// Writes whole lines. Returns what went wrong, for stderr; nil when all is well or it was said before.
    mutating func write(_ bytes: [UInt8], at now: WallTime) -> String? {
        guard !path.isEmpty else { return nil }
        if descriptor >= 0, rotation != .never, period != name(of: now) { rotate(at: now) }
        if descriptor < 0 {
            let second = now.unixMilliseconds / 1000
            if failedAt == second { return nil }
            let isFirst = failedAt == nil
            guard open(at: now) else {
                failedAt = second
                return isFirst ? "log file \(path): cannot be opened: \(String(cString: strerror(errno)))" : nil
            }
            failedAt = nil
        }
        return writeAll(bytes, to: descriptor) ? nil : failed(now)
    }

    private mutating func failed(_ now: WallTime) -> String? {
        let reason = String(cString: strerror(errno))
        close()
        failedAt = now.unixMilliseconds / 1000
        return "log file \(path): cannot be written: \(reason)"
    }

    mutating func close() {
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
        descriptor = -1
    }

    private func name(of time: WallTime) -> String {
        let local = time.local
        return rotation == .hourly ? local.day + local.hour : local.day
    }

    private mutating func open(at now: WallTime) -> Bool {
        if let slash = path.lastIndex(of: "/"), slash > path.startIndex {
            try? FileManager.default.createDirectory(
                atPath: String(path[..<slash]),
                withIntermediateDirectories: true
            )
        }
        // A file left by an earlier run belongs to the day of its last record.
        var status = stat()
        if rotation != .never, stat(path, &status) == 0, status.st_size > 0 {
            period = name(of: WallTime(unixMilliseconds: Int64(status.st_mtim.tv_sec) * 1000))
            if period != name(of: now) { rotate(at: now) }
        }
        descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        period = name(of: now)
        return descriptor >= 0
    }

    private mutating func rotate(at now: WallTime) {
        close()
        let target = "\(path).\(period)"
        // Never over an older file: then the records go on in the same one.
        if !FileManager.default.fileExists(atPath: target) { rename(path, target) }
        period = name(of: now)
        purge(at: now)
    }

    private func purge(at now: WallTime) {
        guard maximumDays > 0 else { return }
        let oldest = WallTime(unixMilliseconds: now.unixMilliseconds - Int64(maximumDays) * 86_400_000).local.day
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let folder = parts.count > 1 ? parts.dropLast().joined(separator: "/") + "/" : ""
        let prefix = (parts.last.map(String.init) ?? path) + "."
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder)) ?? []
        for name in names where name.hasPrefix(prefix) {
            let stamp = name.dropFirst(prefix.count)
            guard stamp.count == 8 || stamp.count == 10, stamp.allSatisfy(\.isNumber) else { continue }
            if stamp.prefix(8) < oldest { unlink(folder + name) }
        }
    }
}

/// Writes all bytes; false when the system refuses (`errno` says why).
func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    bytes.withUnsafeBytes { buffer in
        var written = 0
        while written < buffer.count {
            guard let base = buffer.baseAddress else { return true }
            let count = Glibc.write(descriptor, base + written, buffer.count - written)
            if count < 0 {
                if errno == EINTR { continue }
                return false
            }
            written += count
        }
        return true
    }
}
