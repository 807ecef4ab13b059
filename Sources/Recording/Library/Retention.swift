internal import Synchronization

/// What the retention deleted in one go.
package struct RetentionResult: Hashable, Sendable {
    package var files = 0
    package var bytes = 0
    /// Files that could not be deleted, in words, the first few.
    package var failures: [String] = []
}

/// Deletes the oldest files: by age, by size of all, and by what is free on each disk. Never one that is being written.
final class Retention: Sendable {
    private static let page = 256

    private let policy: RetentionPolicy
    private let index: RecordingIndex
    private let files: any RecordingFileSystem
    private let folders: RecordingFolders
    private let playlists: HLSPlaylists
    private let running = Mutex(())

    init(
        policy: RetentionPolicy,
        index: RecordingIndex,
        files: any RecordingFileSystem,
        folders: RecordingFolders,
        playlists: HLSPlaylists
    ) {
        self.policy = policy
        self.index = index
        self.files = files
        self.folders = folders
        self.playlists = playlists
    }

    /// Blocks: on the pool.
    /// - Parameter active: files that are being written.
    func run(now: Int64, active: () -> Set<RecordingFileKey>) -> RetentionResult {
        var pass = RetentionPass(files: files, index: index, folders: folders)
        guard policy.isActive else { return pass.result }
        running.withLock { _ in
            _ = index.flush()
            let active = active()
            do {
                try deleteOld(now: now, active, &pass)
                try deleteExcess(active, &pass)
                try deleteForSpace(active, &pass)
            } catch {
                pass.note("index: \(error)")
            }
            for (stream, segments) in pass.segments { forget(segments, of: stream, &pass) }
            _ = index.flush()
        }
        return pass.result
    }

    /// Deletes one file because somebody asked.
    func delete(_ file: RecordingFile) -> RetentionResult {
        running.withLock { _ in
            var pass = RetentionPass(files: files, index: index, folders: folders)
            _ = pass.delete(file)
            for (stream, segments) in pass.segments { forget(segments, of: stream, &pass) }
            _ = index.flush()
            return pass.result
        }
    }

    private func deleteOld(now: Int64, _ active: Set<RecordingFileKey>, _ pass: inout RetentionPass) throws {
        guard policy.maximumAgeSeconds > 0 else { return }
        let limit = now - Int64(min(policy.maximumAgeSeconds, 1 << 40)) * 1000
        try eachOldest(Set(RecordingFormat.allCases), active, &pass) { file, pass in
            // In the order of their beginnings; a long one that began before may still be young enough.
            guard file.startMilliseconds < limit else { return false }
            if file.endMilliseconds < limit { _ = pass.delete(file) }
            return true
        }
    }

    private func deleteExcess(_ active: Set<RecordingFileKey>, _ pass: inout RetentionPass) throws {
        guard policy.maximumTotalMegabytes > 0 else { return }
        let limit = min(policy.maximumTotalMegabytes, 1 << 40) << 20
        _ = index.flush()
        var total = try index.totalBytes()
        guard total > limit else { return }
        try eachOldest(Set(RecordingFormat.allCases), active, &pass) { file, pass in
            guard total > limit else { return false }
            if pass.delete(file) { total -= file.bytes }
            return true
        }
    }

    private func deleteForSpace(_ active: Set<RecordingFileKey>, _ pass: inout RetentionPass) throws {
        guard policy.minimumFreeMegabytes > 0 else { return }
        let limit = min(policy.minimumFreeMegabytes, 1 << 40) << 20
        var disks: [UInt64: Set<RecordingFormat>] = [:]
        for format in RecordingFormat.allCases {
            guard let space = files.space(folders[format]) else { continue }
            disks[space.device, default: []].insert(format)
        }
        for formats in disks.values {
            guard let folder = formats.first.map({ folders[$0] }) else { continue }
            func isShort() -> Bool { files.space(folder).map { $0.free < limit } ?? false }
            guard isShort() else { continue }
            try eachOldest(formats, active, &pass) { file, pass in
                guard isShort() else { return false }
                _ = pass.delete(file)
                return true
            }
        }
    }

    /// Calls `body` with file after file, the oldest first, until it says that it is enough.
    private func eachOldest(
        _ formats: Set<RecordingFormat>,
        _ active: Set<RecordingFileKey>,
        _ pass: inout RetentionPass,
        _ body: (RecordingFile, inout RetentionPass) -> Bool
    ) throws {
        var offset = 0
        while true {
            let rows = try index.oldest(formats: formats, limit: Self.page, offset: offset)
            for file in rows where !active.contains(file.key) && !pass.deleted.contains(file.key) {
                guard body(file, &pass) else { return }
            }
            guard rows.count == Self.page else { return }
            offset += Self.page
        }
    }

    /// Segments that are gone leave their playlist; a folder that is empty then goes, too.
    private func forget(_ segments: Set<String>, of stream: String, _ pass: inout RetentionPass) {
        let folder = folders[.hls]
        do throws(FileFailure) {
            try playlists.remove(segments, stream: stream, folder: folder)
            if try files.list(folder, subfolder: stream).isEmpty { try files.removeFolder(stream, in: folder) }
        } catch {
            // Filled again in the meantime.
            guard !error.isNotEmpty else { return }
            pass.note("\(error.call) \(folder)/\(stream): \(error.code)")
        }
    }
}

/// One go.
private struct RetentionPass {
    let files: any RecordingFileSystem
    let index: RecordingIndex
    let folders: RecordingFolders
    var result = RetentionResult()
    var deleted: Set<RecordingFileKey> = []
    /// HLS: by stream.
    var segments: [String: Set<String>] = [:]

    init(files: any RecordingFileSystem, index: RecordingIndex, folders: RecordingFolders) {
        self.files = files
        self.index = index
        self.folders = folders
    }

    /// The file first, which frees the space that the index may need for its own change.
    mutating func delete(_ file: RecordingFile) -> Bool {
        guard let path = RecordingPath(folder: folders[file.format], relative: file.path) else {
            index.remove(file.format, file.path)
            return false
        }
        do throws(FileFailure) {
            try files.remove(path)
        } catch {
            guard error.isAbsent else {
                let fault = RecordingFault(action: "delete", path: path.full, code: error.code, since: 0)
                note("\(fault.action) \(fault.path): \(fault.reason)")
                return false
            }
        }
        index.remove(file.format, file.path)
        deleted.insert(file.key)
        result.files += 1
        result.bytes += file.bytes
        if file.format == .hls, let stream = path.subfolder { segments[stream, default: []].insert(path.file) }
        return true
    }

    mutating func note(_ failure: String) {
        if result.failures.count < 8 { result.failures.append(failure) }
    }
}
