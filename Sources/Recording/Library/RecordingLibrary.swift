internal import Synchronization

/// What is recorded and what was: the one object that the gateway and its API use.
///
/// ```
/// let library = RecordingLibrary(configuration, index: index, clock: clock, report: log)
/// await library.reconcile()                                     // before the first publisher
/// let recorders = library.recorders(stream: "cam", app: "live") // on the loop of a new publisher
/// for recorder in recorders { recorder.receive(event, startsGOP: isKey) }    // each event, on that loop
/// for recorder in recorders { recorder.tick() }                 // there, twice a second
/// for recorder in recorders { recorder.finish() }               // there, when the publication ends
/// library.tick()                                                // anywhere, once a second
/// await library.shutDown()
/// ```
package final class RecordingLibrary: Sendable {
    private struct State {
        var sessions: [RecordingID: RecordingSession] = [:]
        var nextID = 1
        var retentionAt: Int64 = 0
        var isFlushing = false
        var isCleaning = false
        var isShuttingDown = false
    }

    package let configuration: RecordingConfiguration
    package let index: RecordingIndex
    let files: any RecordingFileSystem
    let pool: any RecordingPool
    let clock: @Sendable () -> Int64
    let playlists: HLSPlaylists
    let retention: Retention
    private let threads: RecordingThreads?
    private let report: @Sendable (RecordingReport) -> Void
    private let budget: RecordingBudget
    private let state = Mutex(State())

    /// - Parameters:
    ///   - pool: nil: threads of its own, `configuration.threads` of them.
    ///   - clock: unix milliseconds.
    ///   - report: called on any thread; it must not wait.
    package init(
        _ configuration: RecordingConfiguration,
        index: RecordingIndex,
        files: any RecordingFileSystem = POSIXFileSystem(),
        pool: (any RecordingPool)? = nil,
        clock: @escaping @Sendable () -> Int64,
        report: @escaping @Sendable (RecordingReport) -> Void
    ) {
        self.configuration = configuration
        self.index = index
        self.files = files
        threads = pool == nil ? RecordingThreads(configuration.threads) : nil
        self.pool = pool ?? threads ?? RecordingThreads(1)
        self.clock = clock
        self.report = report
        budget = RecordingBudget(
            queueLimit: configuration.totalQueueBytes,
            fileLimit: configuration.maximumOpenFiles
        )
        playlists = HLSPlaylists(files: files, entryLimit: configuration.playlistEntries)
        retention = Retention(
            policy: configuration.retention,
            index: index,
            files: files,
            folders: configuration.folders,
            playlists: playlists
        )
    }

    // MARK: Recordings

    /// Records a stream until `stop`, over its publications. It need not be published now; when it is, the caller gets the
    /// recorder for its loop by `recorder(_:)`.
    package func start(
        stream: String,
        app: String = "",
        format: RecordingFormat,
        options: RecordingOptions = RecordingOptions()
    ) throws(RecordingRefusal) -> RecordingID {
        try add(stream: stream, app: app, format: format, options: options, isAutomatic: false).id
    }

    /// Ends a recording. Its file is closed with the next frame or tick of its recorder.
    /// - Returns: whether there was one.
    @discardableResult
    package func stop(_ id: RecordingID) -> Bool {
        guard let session = state.withLock({ $0.sessions[id] }), !session.isStopped else { return false }
        session.stop()
        return true
    }

    /// The active recordings, waiting ones included, in the order of their starts.
    package func list() -> [RecordingStatus] {
        state.withLock { Array($0.sessions.values) }.sorted { $0.id.rawValue < $1.id.rawValue }.map(\.status)
    }

    package func status(_ id: RecordingID) -> RecordingStatus? {
        state.withLock { $0.sessions[id] }?.status
    }

    /// The recorders of a publication that begins: those of the rules, and of recordings that were asked for. To be called and
    /// used on the publisher's loop.
    package func recorders(stream: String, app: String) -> [Recorder] {
        var recorders: [RecordingID: Recorder] = [:]
        for rule in configuration.rules where rule.applies(to: stream) {
            do throws(RecordingRefusal) {
                // The one of the publication before may end just now: then there is to be another.
                for _ in 0..<2 {
                    let session = try automatic(rule, stream: stream, app: app)
                    guard recorders[session.id] == nil, let recorder = recorder(session) else { continue }
                    recorders[session.id] = recorder
                    break
                }
            } catch {
                report(.refused(stream: stream, format: rule.format, error))
            }
        }
        let wanted = state.withLock { state in state.sessions.values.filter { $0.stream == stream } }
        for session in wanted where recorders[session.id] == nil { recorders[session.id] = recorder(session) }
        return recorders.values.sorted { $0.id.rawValue < $1.id.rawValue }
    }

    /// The recorder of a recording that was started while its stream is published. To be called and used on the publisher's
    /// loop; a recorder that it has already is at its end then.
    package func recorder(_ id: RecordingID) -> Recorder? {
        state.withLock { $0.sessions[id] }.flatMap(recorder)
    }

    private func recorder(_ session: RecordingSession) -> Recorder? {
        session.newGeneration().map {
            Recorder(session: session, generation: $0, configuration: configuration, budget: budget, clock: clock)
        }
    }

    private func automatic(
        _ rule: RecordingRule,
        stream: String,
        app: String
    ) throws(RecordingRefusal)
        -> RecordingSession
    {
        do throws(RecordingRefusal) {
            return try add(stream: stream, app: app, format: rule.format, options: rule.options, isAutomatic: true)
        } catch {
            // It goes on with the new publication.
            if case .alreadyRecording(let id) = error, let session = state.withLock({ $0.sessions[id] }) {
                return session
            }
            throw error
        }
    }

    private func add(
        stream: String,
        app: String,
        format: RecordingFormat,
        options: RecordingOptions,
        isAutomatic: Bool
    ) throws(RecordingRefusal) -> RecordingSession {
        guard StreamFileName(stream) != nil else { throw .badName(stream) }
        return try state.withLock { state throws(RecordingRefusal) in
            guard !state.isShuttingDown else { throw .shuttingDown }
            let other = state.sessions.values.first {
                $0.stream == stream && $0.format == format && !$0.isOver
            }
            if let other { throw .alreadyRecording(other.id) }
            guard state.sessions.count < configuration.maximumRecordings else {
                throw .tooMany(limit: configuration.maximumRecordings)
            }
            let id = RecordingID(rawValue: state.nextID)
            state.nextID += 1
            let session = RecordingSession(
                id: id,
                stream: stream,
                app: app,
                format: format,
                options: options,
                isAutomatic: isAutomatic,
                startMilliseconds: clock(),
                writer: writer(stream: stream, app: app, format: format),
                report: report,
                onEnd: { [weak self] id in self?.forget(id) }
            )
            state.sessions[id] = session
            return session
        }
    }

    private func writer(stream: String, app: String, format: RecordingFormat) -> RecordingWriter {
        RecordingWriter(
            stream: stream,
            app: app,
            format: format,
            folder: configuration.folders[format],
            around: RecordingWriter.Surroundings(
                files: files,
                pool: pool,
                index: index,
                playlists: playlists,
                budget: budget,
                clock: clock,
                indexMilliseconds: Int64(clamping: configuration.indexMilliseconds),
                report: report,
                onNoSpace: { [weak self] in self?.clean() }
            )
        )
    }

    private func forget(_ id: RecordingID) {
        state.withLock { $0.sessions[id] = nil }
    }

    // MARK: Upkeep

    /// Bytes of all recordings that wait for disks.
    package var queuedBytes: Int { budget.queuedBytes }
    package var openFiles: Int { budget.openFiles }

    /// Writes the index and looks after retention, on the pool. To be called about once a second, anywhere.
    package func tick() {
        let now = clock()
        let (flushes, cleans) = state.withLock { state in
            let flushes = !state.isFlushing
            state.isFlushing = true
            let interval = Int64(clamping: max(1, configuration.retention.intervalSeconds)) * 1000
            let cleans = now >= state.retentionAt || state.retentionAt - now > interval
            if cleans { state.retentionAt = now + interval }
            return (flushes, cleans)
        }
        if flushes {
            pool.run {
                self.flushIndex()
                self.state.withLock { $0.isFlushing = false }
            }
        }
        if cleans { clean() }
    }

    func flushIndex() {
        if let news = index.flush() { report(news.report) }
    }

    /// One look of the retention at a time.
    private func clean() {
        guard configuration.retention.isActive else { return }
        let starts = state.withLock { state in
            defer { state.isCleaning = true }
            return !state.isCleaning
        }
        guard starts else { return }
        pool.run {
            let result = self.retention.run(now: self.clock(), active: { self.activeFiles })
            self.state.withLock { $0.isCleaning = false }
            if result.files > 0 || !result.failures.isEmpty { self.report(.retention(result)) }
        }
    }

    var activeFiles: Set<RecordingFileKey> {
        let sessions = state.withLock { Array($0.sessions.values) }
        return Set(
            sessions.compactMap { session in
                session.writer.status.path.map { RecordingFileKey(format: session.format, path: $0.relative) }
            }
        )
    }

    /// Makes the index agree with the disk. Before the first recording; it may take its time on a large disk.
    @discardableResult
    package func reconcile() async -> ReconcileResult {
        await onPool {
            var reconciliation = Reconciliation(
                index: self.index,
                files: self.files,
                folders: self.configuration.folders,
                playlists: self.playlists,
                active: self.activeFiles
            )
            do {
                try reconciliation.run()
            } catch {
                reconciliation.result.failures.append("index: \(error)")
            }
            self.flushIndex()
            return reconciliation.result
        }
    }

    /// Ends all recordings and waits until their files are closed and the index is written. Recorders are to be finished
    /// before; of those that are not, what they hold (half a second) is lost.
    package func shutDown() async {
        let sessions = state.withLock { state in
            state.isShuttingDown = true
            return Array(state.sessions.values)
        }
        for session in sessions {
            session.stop()
            session.writer.submit(.closeAny)
            await withCheckedContinuation { continuation in
                session.writer.submit(.barrier { continuation.resume() })
            }
        }
        await onPool { self.flushIndex() }
        await threads?.shutDown()
    }

    func onPool<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            pool.run { continuation.resume(returning: work()) }
        }
    }
}
