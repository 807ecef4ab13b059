package import GRDB
internal import Synchronization

/// What was recorded, in SQLite. The disk is the truth: the index is made to agree with it at each start.
///
/// `save` and `remove` only note the newest state of a file, anywhere; `flush` writes it, on the pool. A database that fails
/// is reported once and tried again; recording goes on.
package final class RecordingIndex: Sendable {
    /// Files with unwritten changes. What comes on top is left out, and found when the index is next reconciled.
    static let maximumPending = 20_000

    private enum Change: Sendable {
        case save(RecordingFile)
        case remove
    }

    private struct State {
        var pending: [RecordingFileKey: Change] = [:]
        var isFailing = false
        var lost = 0
    }

    private let open: @Sendable () throws -> any DatabaseWriter
    private let database = Mutex<(any DatabaseWriter)?>(nil)
    private let state = Mutex(State())
    /// One flush at a time keeps the order of what they write.
    private let flushing = Mutex(())

    /// In a database that is there, the gateway's or a test's.
    package init(database: any DatabaseWriter) {
        open = { database }
    }

    /// In a file of its own, which is opened at the first use.
    package init(path: String) {
        open = { try RecordingSchema.open(path: path) }
    }

    /// Changes that were left out.
    package var lost: Int { state.withLock { $0.lost } }
    package var pending: Int { state.withLock { $0.pending.count } }

    func save(_ file: RecordingFile) { note(.save(file), for: file.key) }

    func remove(_ format: RecordingFormat, _ path: String) {
        note(.remove, for: RecordingFileKey(format: format, path: path))
    }

    private func note(_ change: Change, for key: RecordingFileKey) {
        state.withLock { state in
            guard state.pending.count < Self.maximumPending || state.pending[key] != nil else {
                state.lost += 1
                return
            }
            state.pending[key] = change
        }
    }

    /// Writes what is noted. Blocks: on the pool.
    /// - Returns: whether the database began or ceased to fail, in words.
    func flush() -> IndexNews? {
        flushing.withLock { _ in
            let changes = state.withLock { state in
                defer { state.pending = [:] }
                return state.pending
            }
            guard !changes.isEmpty else { return nil }
            do {
                try connection().write { database in
                    for (key, change) in changes {
                        switch change {
                        case .save(let file): try Self.upsert(file, database)
                        case .remove: try Self.delete(key, database)
                        }
                    }
                }
                return note(failure: nil)
            } catch {
                // What came in the meantime is newer and stays.
                state.withLock { $0.pending.merge(changes) { newer, _ in newer } }
                return note(failure: error)
            }
        }
    }

    private func note(failure: (any Error)?) -> IndexNews? {
        // The connection may be one that cannot recover: file deleted, disk replaced.
        if failure != nil { database.withLock { $0 = nil } }
        return state.withLock { state in
            defer { state.isFailing = failure != nil }
            switch (state.isFailing, failure) {
            case (false, let failure?): return .failed("\(failure)")
            case (true, nil): return .recovered
            default: return nil
            }
        }
    }

    private func connection() throws -> any DatabaseWriter {
        try database.withLock { database in
            if let database { return database }
            let opened = try open()
            try RecordingSchema.migrator.migrate(opened)
            database = opened
            return opened
        }
    }

    private static func upsert(_ file: RecordingFile, _ database: Database) throws {
        try database.cachedStatement(
            sql: """
                INSERT INTO recording_file (stream, app, format, path, startMilliseconds, endMilliseconds,
                    durationMilliseconds, bytes, state, firstKeyMilliseconds, lastKeyMilliseconds, codecs)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (format, path) DO UPDATE SET
                    endMilliseconds = excluded.endMilliseconds,
                    durationMilliseconds = excluded.durationMilliseconds,
                    bytes = excluded.bytes,
                    state = excluded.state,
                    firstKeyMilliseconds = excluded.firstKeyMilliseconds,
                    lastKeyMilliseconds = excluded.lastKeyMilliseconds,
                    codecs = excluded.codecs
                """
        ).execute(arguments: [
            file.stream, file.app, file.format.rawValue, file.path, file.startMilliseconds, file.endMilliseconds,
            file.durationMilliseconds, file.bytes, file.state.rawValue, file.firstKeyMilliseconds,
            file.lastKeyMilliseconds, file.codecs,
        ])
    }

    private static func delete(_ key: RecordingFileKey, _ database: Database) throws {
        try database.cachedStatement(sql: "DELETE FROM recording_file WHERE format = ? AND path = ?")
            .execute(arguments: [key.format.rawValue, key.path])
    }

    // MARK: Reading, on the pool

    /// The files of a stream (nil: of all) that overlap a time, the oldest first, and how many there are.
    func files(
        stream: String?,
        from: Int64?,
        to: Int64?,
        limit: Int,
        offset: Int
    ) throws -> (files: [RecordingFile], total: Int) {
        try connection().read { database in
            var query = RecordingFile.all()
            if let stream { query = query.filter(Column("stream") == stream) }
            if let from { query = query.filter(Column("endMilliseconds") >= from) }
            if let to { query = query.filter(Column("startMilliseconds") <= to) }
            let total = try query.fetchCount(database)
            let files = try query.order(Column("startMilliseconds"), Column("id"))
                .limit(max(0, limit), offset: max(0, offset)).fetchAll(database)
            return (files, total)
        }
    }

    func file(_ id: Int64) throws -> RecordingFile? {
        try connection().read { try RecordingFile.filter(Column("id") == id).fetchOne($0) }
    }

    func file(_ key: RecordingFileKey) throws -> RecordingFile? {
        try connection().read { database in
            try RecordingFile.filter(Column("format") == key.format.rawValue)
                .filter(Column("path") == key.path).fetchOne(database)
        }
    }

    /// The next files behind `id`, in the order of ids.
    func page(after id: Int64, limit: Int) throws -> [RecordingFile] {
        try connection().read { database in
            try RecordingFile.filter(Column("id") > id).order(Column("id")).limit(limit).fetchAll(database)
        }
    }

    /// Files that may be deleted, the oldest first.
    func oldest(formats: Set<RecordingFormat>, limit: Int, offset: Int) throws -> [RecordingFile] {
        try connection().read { database in
            try RecordingFile.filter(Column("state") != RecordingFile.State.writing.rawValue)
                .filter(formats.map(\.rawValue).contains(Column("format")))
                .order(Column("startMilliseconds"), Column("id")).limit(limit, offset: offset).fetchAll(database)
        }
    }

    /// Bytes of all files together.
    func totalBytes() throws -> Int {
        try connection().read { try Int.fetchOne($0, sql: "SELECT TOTAL(bytes) FROM recording_file") ?? 0 }
    }
}

enum IndexNews: Hashable, Sendable {
    case failed(String)
    case recovered

    var report: RecordingReport {
        switch self {
        case .failed(let reason): .indexFault(reason)
        case .recovered: .indexRecovered
        }
    }
}
