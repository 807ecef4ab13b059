internal import GRDB
package import Logging
internal import NIOCore
internal import ServiceLifecycle
internal import Synchronization

/// Keeps devices, channels and open dialogs in an SQLite database, behind the gateway's back.
///
/// Every `save` and `remove` only notes the newest state and returns: it may be called on an event loop. Devices and
/// channels are written together once a second at most, which is also once a second and device; dialogs at once.
/// A disk that fails is reported once and tried again; the gateway goes on without it.
package final class DeviceStore: Service {
    /// What was done, for the API and tests.
    package struct Statistics: Hashable, Sendable {
        /// Transactions that were written.
        package var transactions = 0
        /// Rows saved in them.
        package var savedDevices = 0
        package var failures = 0
    }

    private struct State {
        var pending = PendingWrites()
        var statistics = Statistics()
        var isFailing = false
    }

    private let path: String
    private let logger: Logger
    private let interval: Duration
    private let state = Mutex(State())
    private let pool = Mutex<DatabasePool?>(nil)
    private let urgent: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    /// - Parameter interval: between writes of devices and channels.
    package init(path: String, logger: Logger, interval: Duration = .seconds(1)) {
        self.path = path
        self.logger = logger
        self.interval = interval
        (urgent, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    package var statistics: Statistics { state.withLock { $0.statistics } }

    /// Everything stored by the last run. Empty, with the reason in the log, when the database cannot be read.
    package func load() async -> StoredState {
        do {
            return try await open().read { database in
                var found = StoredState()
                found.devices = try StoredDevice.fetchAll(database)
                found.channels = try StoredChannel.fetchAll(database)
                found.dialogs = try StoredDialog.fetchAll(database)
                return found
            }
        } catch {
            failed(error, attempt: "read")
            return StoredState()
        }
    }

    package func save(_ device: StoredDevice) {
        state.withLock { $0.pending.save(device) }
    }

    /// Forgets a device and its channels.
    package func removeDevice(_ id: String) {
        state.withLock { $0.pending.removeDevice(id) }
    }

    /// A catalog as it is now: channels that are not in it are forgotten.
    package func replaceChannels(of deviceID: String, by channels: [StoredChannel]) {
        state.withLock { $0.pending.replaceChannels(of: deviceID, by: channels) }
    }

    package func save(_ dialog: StoredDialog) {
        state.withLock { $0.pending.save(dialog) }
        wake.yield()
    }

    package func removeDialog(callID: String) {
        state.withLock { $0.pending.removeDialog(callID: callID) }
        wake.yield()
    }

    /// Writes what is pending until graceful shutdown or cancellation, then once more.
    package func run() async throws {
        await withTaskCancellationOrGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.writeDialogsWhenWoken() }
                while !Task.isCancelled, !Task.isShuttingDownGracefully {
                    try? await cancelWhenGracefulShutdown { try await Task.sleep(for: self.interval) }
                    await self.flush()
                }
                self.wake.finish()
            }
        } onCancelOrGracefulShutdown: {
            self.wake.finish()
        }
        await flush()
        try? pool.withLock { pool in
            defer { pool = nil }
            try pool?.close()
        }
    }

    private func writeDialogsWhenWoken() async {
        for await _ in urgent {
            await write { $0.takeDialogs() }
        }
    }

    /// Writes everything pending now. What cannot be written stays pending.
    package func flush() async {
        await write { $0.takeAll() }
    }

    private func write(_ take: @escaping @Sendable (inout PendingWrites) -> PendingWrites) async {
        guard state.withLock({ !$0.pending.isEmpty }) else { return }
        do {
            let saved = try await shielded(try open()) { [self] database in
                // Taken on the database's own queue: two writes keep the order of what they hold.
                let writes = state.withLock { take(&$0.pending) }
                do {
                    try database.inTransaction {
                        try writes.apply(to: database)
                        return .commit
                    }
                } catch {
                    state.withLock { $0.pending.putBack(writes) }
                    throw error
                }
                return writes.devices.count
            }
            let recovered = state.withLock { state in
                state.statistics.transactions += 1
                state.statistics.savedDevices += saved
                defer { state.isFailing = false }
                return state.isFailing
            }
            if recovered { logger.notice("store: the database is written again", metadata: ["path": "\(path)"]) }
        } catch {
            failed(error, attempt: "write")
        }
    }

    /// A write that the end of the service does not interrupt: GRDB's `async` forms roll back when their task is cancelled.
    private func shielded(
        _ pool: DatabasePool,
        _ write: @escaping @Sendable (Database) throws -> Int
    ) async throws -> Int {
        try await withCheckedThrowingContinuation { continuation in
            pool.asyncWriteWithoutTransaction { database in
                continuation.resume(with: Result { try write(database) })
            }
        }
    }

    /// Opens the database at the first use, and again after a failure. Blocks for the length of a file open: it is
    /// called from the store's own tasks only.
    private func open() throws -> DatabasePool {
        try pool.withLock { pool in
            if let pool { return pool }
            let (opened, setAside) = try StoreSchema.open(path: path)
            if let setAside {
                logger.error(
                    "store: the database was broken and is begun anew; devices come back as they register",
                    metadata: ["path": "\(path)", "set_aside": "\(setAside)"]
                )
            }
            pool = opened
            return opened
        }
    }

    private func failed(_ error: any Error, attempt: String) {
        let isFirst = state.withLock { state in
            state.statistics.failures += 1
            defer { state.isFailing = true }
            return !state.isFailing
        }
        // The pool may hold a connection that cannot recover (disk replaced, file deleted): the next try opens anew.
        pool.withLock { $0 = nil }
        guard isFirst else { return }
        logger.error(
            "store: \(attempt) failed, the gateway goes on and tries again; check space and permissions",
            metadata: ["path": "\(path)", "error": "\(error)"]
        )
    }
}

extension PendingWrites {
    fileprivate func apply(to database: Database) throws {
        for (id, write) in devices {
            switch write {
            case .save(let device): try device.upsert(database)
            case .remove: try StoredDevice.deleteOne(database, key: id)
            }
        }
        for (deviceID, list) in channels {
            try database.execute(sql: "DELETE FROM channel WHERE deviceID = ?", arguments: [deviceID])
            for channel in list { try channel.upsert(database) }
        }
        for (key, write) in dialogs {
            switch write {
            case .save(let dialog): try dialog.upsert(database)
            case .remove:
                try StoredDialog.deleteOne(database, key: key)
            }
        }
    }
}
