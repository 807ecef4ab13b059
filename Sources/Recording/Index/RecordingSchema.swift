internal import GRDB
internal import Glibc

/// The table of the index, step by step. A step that was shipped never changes: add the next one. The names tell them from
/// those of another part that uses the same database.
enum RecordingSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("recording 1: files") { database in
            try database.create(table: "recording_file") { table in
                table.autoIncrementedPrimaryKey("id")
                for name in ["stream", "app", "format", "path"] { table.column(name, .text).notNull() }
                for name in ["startMilliseconds", "endMilliseconds", "durationMilliseconds", "bytes"] {
                    table.column(name, .integer).notNull()
                }
                table.column("state", .text).notNull()
                table.column("firstKeyMilliseconds", .integer)
                table.column("lastKeyMilliseconds", .integer)
                table.column("codecs", .text).notNull()
                table.uniqueKey(["format", "path"])
            }
            try database.create(
                index: "recording_file_by_stream",
                on: "recording_file",
                columns: ["stream", "startMilliseconds"]
            )
            try database.create(index: "recording_file_by_start", on: "recording_file", columns: ["startMilliseconds"])
        }
        return migrator
    }

    /// An index of its own, its folder made where it is missing. A file that is no database is put aside: what it said is
    /// found again on the disk.
    static func open(path: String) throws -> DatabasePool {
        if let slash = path.lastIndex(of: "/"), slash > path.startIndex { makeFolders(String(path[..<slash])) }
        do {
            return try openPool(path)
        } catch let error as DatabaseError
            where error.resultCode == .SQLITE_NOTADB || error.resultCode == .SQLITE_CORRUPT
        {
            _ = rename(path, path + ".broken")
            for suffix in ["-wal", "-shm"] { _ = unlink(path + suffix) }
            return try openPool(path)
        }
    }

    private static func makeFolders(_ folder: String) {
        var made = ""
        for part in folder.split(separator: "/", omittingEmptySubsequences: false) {
            made += part
            if !part.isEmpty { _ = mkdir(made, 0o755) }
            made += "/"
        }
    }

    private static func openPool(_ path: String) throws -> DatabasePool {
        var configuration = GRDB.Configuration()
        configuration.label = "gbgate.recordings"
        configuration.maximumReaderCount = 2
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { database in
            // What a power cut takes is found again on the disk.
            try database.execute(sql: "PRAGMA synchronous = NORMAL")
        }
        return try DatabasePool(path: path, configuration: configuration)
    }
}
