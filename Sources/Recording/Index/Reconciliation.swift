/// What was done to make the index agree with the disk.
package struct ReconcileResult: Hashable, Sendable {
    /// Files that were being written when the process ended: cut back to their last whole fragment.
    package var interrupted = 0
    package var truncatedBytes = 0
    /// Files with nothing to play in them: deleted.
    package var emptied = 0
    /// Rows whose file is gone.
    package var removed = 0
    /// Files of our naming that had no row.
    package var added = 0
    /// Folders and files that could not be read, in words, the first few.
    package var failures: [String] = []
}

/// Makes the index agree with the disk. On the pool, before the first recording.
struct Reconciliation {
    /// Files that are looked at in one folder.
    private static let maximumFiles = 4 << 20

    let index: RecordingIndex
    let files: any RecordingFileSystem
    let folders: RecordingFolders
    let playlists: HLSPlaylists
    /// Files that are being written now.
    let active: Set<RecordingFileKey>
    var result = ReconcileResult()

    init(
        index: RecordingIndex,
        files: any RecordingFileSystem,
        folders: RecordingFolders,
        playlists: HLSPlaylists,
        active: Set<RecordingFileKey>
    ) {
        self.index = index
        self.files = files
        self.folders = folders
        self.playlists = playlists
        self.active = active
    }

    mutating func run() throws {
        for format in RecordingFormat.allCases {
            do {
                let found = try list(format)
                try check(format, found)
            } catch let failure as FileFailure {
                // The disk may be away for the moment: its rows stay.
                note(failure, folders[format])
            }
        }
    }

    private mutating func note(_ failure: FileFailure, _ path: String) {
        guard result.failures.count < 8 else { return }
        let fault = RecordingFault(action: failure.call, path: path, code: failure.code, since: 0)
        result.failures.append("\(fault.action) \(fault.path): \(fault.reason)")
    }

    /// The files of our naming in the folder of a format, by relative path.
    private func list(_ format: RecordingFormat) throws(FileFailure) -> [String: RecordingFileName] {
        var found: [String: RecordingFileName] = [:]
        let folder = folders[format]
        for entry in try files.list(folder, subfolder: nil).prefix(Self.maximumFiles) {
            if entry.isFolder, format == .hls {
                for segment in try files.list(folder, subfolder: entry.name).prefix(Self.maximumFiles)
                where !segment.isFolder {
                    guard let name = RecordingFileName(segment.name, format: format), name.stream == entry.name else {
                        continue
                    }
                    found["\(entry.name)/\(segment.name)"] = name
                }
            } else if !entry.isFolder, format != .hls, let name = RecordingFileName(entry.name, format: format) {
                found[entry.name] = name
            }
        }
        return found
    }

    private mutating func check(_ format: RecordingFormat, _ found: [String: RecordingFileName]) throws {
        var unknown = found
        var streams: Set<String> = []
        var last: Int64 = 0
        while true {
            let rows = try index.page(after: last, limit: 1000)
            guard let end = rows.last else { break }
            last = end.id
            for row in rows where row.format == format && !active.contains(row.key) {
                let name = unknown.removeValue(forKey: row.path)
                if name == nil {
                    index.remove(format, row.path)
                    result.removed += 1
                    if format == .hls, let stream = RecordingPath(folder: "", relative: row.path)?.subfolder {
                        streams.insert(stream)
                    }
                } else if row.state == .writing {
                    if format == .hls, let name { streams.insert(name.stream) }
                    settle(row)
                }
            }
            report()
        }
        for (path, name) in unknown where !active.contains(RecordingFileKey(format: format, path: path)) {
            add(path, name, format)
            if format == .hls { streams.insert(name.stream) }
        }
        report()
        for stream in streams { agree(stream, found) }
    }

    private func report() { _ = index.flush() }

    /// A file that was being written.
    private mutating func settle(_ row: RecordingFile) {
        guard let found = examine(row.path, row.format, known: (row.bytes, row.durationMilliseconds)) else { return }
        var row = row
        guard let duration = found.durationMilliseconds else { return discard(row.path, row.format) }
        result.interrupted += 1
        row.state = .interrupted
        row.bytes = found.wholeBytes
        row.durationMilliseconds = duration
        row.endMilliseconds = row.startMilliseconds &+ duration
        index.save(row)
    }

    private mutating func add(_ path: String, _ name: RecordingFileName, _ format: RecordingFormat) {
        // Somebody else may have made it: it is not touched, and left out when it is no recording.
        guard let found = examine(path, format, known: nil, mends: false), let duration = found.durationMilliseconds
        else { return }
        result.added += 1
        index.save(
            RecordingFile(
                stream: name.stream,
                app: "",
                format: format,
                path: path,
                startMilliseconds: name.milliseconds,
                endMilliseconds: name.milliseconds &+ duration,
                durationMilliseconds: duration,
                bytes: found.size,
                state: .interrupted
            )
        )
    }

    /// Looks at a file. Nil when it cannot be read.
    /// - Parameter mends: what is not whole is cut off.
    private mutating func examine(
        _ relative: String,
        _ format: RecordingFormat,
        known: (bytes: Int, milliseconds: Int64)?,
        mends: Bool = true
    ) -> FileExamination? {
        guard let path = RecordingPath(folder: folders[format], relative: relative) else { return nil }
        do throws(FileFailure) {
            let descriptor = try files.open(path, forWriting: mends)
            defer { try? files.close(descriptor) }
            let examiner = try FileExaminer(files, descriptor)
            var found = try examiner.examine(format, known: known)
            found.size = examiner.size
            if mends, found.durationMilliseconds != nil, found.wholeBytes < examiner.size {
                try files.truncate(descriptor, to: found.wholeBytes)
                result.truncatedBytes += examiner.size - found.wholeBytes
            }
            return found
        } catch {
            note(error, path.full)
            return nil
        }
    }

    private mutating func discard(_ relative: String, _ format: RecordingFormat) {
        guard let path = RecordingPath(folder: folders[format], relative: relative) else { return }
        do throws(FileFailure) {
            try files.remove(path)
            index.remove(format, relative)
            result.emptied += 1
        } catch {
            note(error, path.full)
        }
    }

    /// The segment that a crash cut short goes into the playlist, those that are gone leave it.
    private mutating func agree(_ stream: String, _ found: [String: RecordingFileName]) {
        let folder = folders[.hls]
        var segments: [(RecordingFileName, HLSEntry)] = []
        for (path, name) in found where name.stream == stream {
            guard let row = try? index.file(RecordingFileKey(format: .hls, path: path)), row.state != .writing,
                let file = RecordingPath(folder: folder, relative: path)?.file
            else { continue }
            let entry = HLSEntry(
                file: file,
                milliseconds: row.durationMilliseconds,
                isDiscontinuous: name.number == 0 || row.state == .interrupted
            )
            segments.append((name, entry))
        }
        segments.sort { ($0.0.milliseconds, $0.0.number ?? 0) < ($1.0.milliseconds, $1.0.number ?? 0) }
        do throws(FileFailure) {
            try playlists.agree(with: segments.map(\.1), stream: stream, folder: folder)
        } catch {
            note(error, "\(folder)/\(stream)")
        }
    }
}
