internal import FoundationEssentials
internal import GRDB

/// The database's tables, step by step. A step that was shipped never changes: add the next one.
enum StoreSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 devices, channels, dialogs") { database in
            try database.create(table: "device") { table in
                table.primaryKey("id", .text)
                for name in [
                    "name", "manufacturer", "model", "firmware", "userAgent", "gbVersion", "charset", "transport",
                    "remoteAddress", "contact",
                ] {
                    table.column(name, .text).notNull()
                }
                for name in ["registeredAt", "expiresAt", "keepaliveAt", "catalogAt"] {
                    table.column(name, .integer).notNull()
                }
                table.column("isOnline", .boolean).notNull()
                table.column("isCatalogComplete", .boolean).notNull()
            }
            try database.create(table: "channel") { table in
                table.column("deviceID", .text).notNull()
                table.column("id", .text).notNull()
                for name in ["name", "manufacturer", "model", "parentID", "civilCode", "address"] {
                    table.column(name, .text).notNull()
                }
                table.column("isOnline", .boolean).notNull()
                table.column("isParental", .boolean).notNull()
                table.column("ptzType", .integer).notNull()
                table.column("longitude", .double)
                table.column("latitude", .double)
                table.primaryKey(["deviceID", "id"])
            }
            try database.create(table: "dialog") { table in
                table.column("callID", .text).notNull()
                table.column("localTag", .text).notNull()
                for name in [
                    "remoteTag", "localURI", "remoteURI", "remoteTarget", "routes", "transport", "remoteAddress",
                    "deviceID", "channelID", "streamName", "ssrc",
                ] {
                    table.column(name, .text).notNull()
                }
                table.column("localCSeq", .integer).notNull()
                table.column("startedAt", .integer).notNull()
                table.primaryKey(["callID"])
            }
        }
        migrator.registerMigration("2 stream numbers of channels") { database in
            try database.alter(table: "channel") { table in
                table.add(column: "streamNumberList", .text).notNull().defaults(to: "")
            }
        }
        return migrator
    }

    /// Opens the database, creating folder, file and tables. A file that is no database is put aside and named.
    static func open(path: String) throws -> (pool: DatabasePool, setAside: String?) {
        if let slash = path.lastIndex(of: "/"), slash > path.startIndex {
            try FileManager.default.createDirectory(
                atPath: String(path[..<slash]),
                withIntermediateDirectories: true
            )
        }
        do {
            return (try openPool(path), nil)
        } catch let error as DatabaseError
            where error.resultCode == .SQLITE_NOTADB || error.resultCode == .SQLITE_CORRUPT
        {
            let aside = "\(path).broken-\(WallTime.now().unixMilliseconds)"
            try FileManager.default.moveItem(atPath: path, toPath: aside)
            for suffix in ["-wal", "-shm"] {
                try? FileManager.default.removeItem(atPath: path + suffix)
            }
            return (try openPool(path), aside)
        }
    }

    private static func openPool(_ path: String) throws -> DatabasePool {
        var configuration = GRDB.Configuration()
        configuration.label = "gbgate.store"
        configuration.maximumReaderCount = 2
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { database in
            // With WAL a crash of the process loses nothing; only a power cut may lose the last transactions.
            try database.execute(sql: "PRAGMA synchronous = NORMAL")
        }
        let pool = try DatabasePool(path: path, configuration: configuration)
        try migrator.migrate(pool)
        return pool
    }
}
