internal import Glibc
internal import NIOCore
internal import Synchronization

/// Writes the files of one recording on the pool. The loop only leaves commands here and never waits.
///
/// A file that cannot be made or written is given up, cut back to its last whole chunk; the recorder sees that by `isBroken`
/// and begins another at a key frame, not before `retryAt`.
final class RecordingWriter: Sendable {
    static let firstPause: Int64 = 1_000
    static let longestPause: Int64 = 30_000
    /// A fault that comes back sooner goes on with the pause that it had.
    private static let healthyAfter: Int64 = 60_000
    /// Then the thread is given to others.
    private static let commandsPerTurn = 16

    struct Status: Sendable {
        var fault: RecordingFault?
        /// The file that is being written.
        var path: RecordingPath?
    }

    private struct State {
        var commands: [WriterCommand] = []
        var isScheduled = false
        var status = Status()
        /// Of HLS: media are written, `record.m3u8` cannot be.
        var playlistFault: RecordingFault?
        var retryAt: Int64 = 0
        var pause = RecordingWriter.firstPause
        var recoveredAt: Int64?
        /// Frames dropped when the fault began, to say how many it cost.
        var droppedBefore = 0
    }

    /// Everything that the writers of a library share.
    struct Surroundings: Sendable {
        var files: any RecordingFileSystem
        var pool: any RecordingPool
        var index: RecordingIndex
        var playlists: HLSPlaylists
        var budget: RecordingBudget
        var clock: @Sendable () -> Int64
        var indexMilliseconds: Int64
        var report: @Sendable (RecordingReport) -> Void
        /// A disk is full: retention is to look at once.
        var onNoSpace: @Sendable () -> Void
    }

    let stream: String
    let app: String
    let format: RecordingFormat
    let folder: String
    let counters = RecordingCounters()
    private let around: Surroundings
    private let state = Mutex(State())
    /// Used by the one turn that runs.
    private let current = Mutex<WrittenFile?>(nil)
    /// HLS: segments that could not be put into the playlist yet. Used by that turn only, too.
    private let unlisted = Mutex<[HLSEntry]>([])
    private static let maximumUnlisted = 1_000
    private let pending = Atomic<Int>(0)
    private let broken = Atomic<Int>(-1)

    init(stream: String, app: String, format: RecordingFormat, folder: String, around: Surroundings) {
        self.stream = stream
        self.app = app
        self.format = format
        self.folder = folder
        self.around = around
    }

    // MARK: On the loop

    /// Bytes that wait for the disk.
    var queuedBytes: Int { pending.load(ordering: .relaxed) }

    /// Whether a file was given up; nothing more is to be left for it.
    func isBroken(_ file: Int) -> Bool { broken.load(ordering: .acquiring) >= file }

    /// Whether it is time to try a new file.
    func mayOpen(now: Int64) -> Bool {
        guard broken.load(ordering: .acquiring) >= 0 else { return true }
        return state.withLock { state in
            // A clock that was set back must not hold it up.
            state.status.fault == nil || now >= state.retryAt || state.retryAt - now > Self.longestPause
        }
    }

    func submit(_ command: WriterCommand) {
        if case .append(let chunk) = command {
            pending.wrappingAdd(chunk.bytes.readableBytes, ordering: .relaxed)
            around.budget.add(chunk.bytes.readableBytes)
        }
        let starts = state.withLock { state in
            state.commands.append(command)
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if starts { around.pool.run { self.turn() } }
    }

    var status: Status {
        state.withLock { state in
            var status = state.status
            status.fault = status.fault ?? state.playlistFault
            return status
        }
    }

    // MARK: On the pool

    private func turn() {
        let commands = state.withLock { state in
            let commands = Array(state.commands.prefix(Self.commandsPerTurn))
            state.commands.removeFirst(commands.count)
            return commands
        }
        current.withLock { file in
            for command in commands { perform(command, on: &file) }
        }
        let goesOn = state.withLock { state in
            state.isScheduled = !state.commands.isEmpty
            return state.isScheduled
        }
        if goesOn { around.pool.run { self.turn() } }
    }

    private func perform(_ command: WriterCommand, on file: inout WrittenFile?) {
        switch command {
        case .open(let opening):
            // The one before was not closed: its recorder is gone.
            if let left = file { end(left, progress: left.progress, state: .interrupted) }
            file = open(opening)
        case .append(let chunk):
            append(chunk, to: &file)
            pending.wrappingSubtract(chunk.bytes.readableBytes, ordering: .relaxed)
            around.budget.remove(chunk.bytes.readableBytes)
        case .close(let ending):
            guard let written = file, written.number == ending.file else { return }
            end(written, progress: ending.progress, state: .complete)
            file = nil
        case .closeAny:
            guard let written = file else { return }
            end(written, progress: written.progress, state: .complete)
            file = nil
        case .barrier(let done):
            done()
        }
    }

    private func open(_ opening: FileOpening) -> WrittenFile? {
        guard around.budget.takeFile() else {
            fail(FileFailure("create", code: EMFILE), path: folder, file: opening.file)
            return nil
        }
        do throws(FileFailure) {
            let (path, descriptor) = try create(opening.name)
            let file = WrittenFile(opening, path: path, descriptor: descriptor)
            state.withLock { $0.status.path = path }
            counters.files.wrappingAdd(1, ordering: .relaxed)
            note(file, .writing)
            return file
        } catch {
            around.budget.giveFile()
            let place = path(opening.name, copy: 1)?.full ?? folder
            fail(error, path: place, file: opening.file)
            return nil
        }
    }

    private func path(_ name: RecordingFileName, copy: Int) -> RecordingPath? {
        let subfolder = format == .hls ? name.stream : nil
        return RecordingPath(folder: folder, subfolder: subfolder, file: name.text(format, copy: copy))
    }

    /// Under the first name that nobody has.
    private func create(_ name: RecordingFileName) throws(FileFailure) -> (RecordingPath, CInt) {
        for copy in 1...99 {
            guard let path = path(name, copy: copy) else { throw FileFailure("create", code: EINVAL) }
            do throws(FileFailure) {
                return (path, try around.files.create(path))
            } catch {
                // ELOOP: a link has the name.
                guard error.code == EEXIST || error.code == ELOOP else { throw error }
            }
        }
        throw FileFailure("create", code: EEXIST)
    }

    private func append(_ chunk: FileChunk, to file: inout WrittenFile?) {
        guard var written = file, written.number == chunk.file else {
            counters.drop(frames: chunk.frames, bytes: chunk.bytes.readableBytes)
            return
        }
        do throws(FileFailure) {
            try write(chunk.bytes, to: written.descriptor)
            guard around.files.isLinked(written.descriptor) else { throw FileFailure("removed", code: 0) }
        } catch {
            counters.drop(frames: chunk.frames, bytes: chunk.bytes.readableBytes)
            let before = written.progress
            // What was written of the chunk goes: the file ends with a whole fragment.
            try? around.files.truncate(written.descriptor, to: written.bytes)
            file = nil
            fail(error, path: written.path.full, file: chunk.file)
            end(written, progress: before, state: .interrupted)
            return
        }
        written.bytes += chunk.bytes.readableBytes
        written.progress = chunk.progress
        counters.writtenBytes.wrappingAdd(chunk.bytes.readableBytes, ordering: .relaxed)
        recover(written.path)
        let now = around.clock()
        if now - written.notedAt >= around.indexMilliseconds || now < written.notedAt {
            written.notedAt = now
            note(written, .writing)
        }
        file = written
    }

    private func write(_ bytes: ByteBuffer, to descriptor: CInt) throws(FileFailure) {
        var bytes = bytes
        while bytes.readableBytes > 0 {
            let failure: FileFailure? = bytes.readWithUnsafeReadableBytes { room in
                do throws(FileFailure) {
                    return (try around.files.write(descriptor, room), nil)
                } catch {
                    return (0, error)
                }
            }
            if let failure { throw failure }
        }
    }

    private func end(_ file: WrittenFile, progress: FileProgress, state ending: RecordingFile.State) {
        var file = file
        file.progress = progress
        let isThere = around.files.isLinked(file.descriptor)
        do throws(FileFailure) {
            try around.files.close(file.descriptor)
        } catch {
            fail(error, path: file.path.full, file: file.number)
        }
        around.budget.giveFile()
        state.withLock { $0.status.path = nil }
        guard isThere, file.bytes > 0 else {
            if isThere { try? around.files.remove(file.path) }
            around.index.remove(format, file.path.relative)
            return
        }
        note(file, ending)
        if format == .hls { list(file) }
    }

    /// Puts a segment into the stream's playlist, and those that could not be put there before.
    private func list(_ file: WrittenFile) {
        let entry = HLSEntry(
            file: file.path.file,
            milliseconds: file.progress.durationMilliseconds,
            isDiscontinuous: file.isDiscontinuous
        )
        let now = around.clock()
        let report: RecordingReport? = unlisted.withLock { unlisted in
            unlisted.append(entry)
            let fault: RecordingFault?
            do throws(FileFailure) {
                try around.playlists.append(unlisted, stream: file.name.stream, folder: folder, now: now)
                unlisted = []
                fault = nil
            } catch {
                // Those are listed again when the library reconciles.
                if unlisted.count > Self.maximumUnlisted { unlisted.removeFirst() }
                let path = "\(folder)/\(file.name.stream)/\(HLSPlaylists.name)"
                fault = RecordingFault(action: "playlist: \(error.call)", path: path, code: error.code, since: now)
            }
            return state.withLock { state in
                defer { state.playlistFault = fault.map { state.playlistFault ?? $0 } }
                switch (state.playlistFault, fault) {
                case (nil, let fault?):
                    return .fault(stream: stream, format: format, fault)
                case (let known?, nil):
                    let lasted = now - known.since
                    return .recovered(
                        stream: stream,
                        format: format,
                        known,
                        droppedFrames: 0,
                        milliseconds: lasted
                    )
                default: return nil
                }
            }
        }
        if let report { around.report(report) }
    }

    private func note(_ file: WrittenFile, _ fileState: RecordingFile.State) {
        around.index.save(
            RecordingFile(
                stream: stream,
                app: app,
                format: format,
                path: file.path.relative,
                startMilliseconds: file.startMilliseconds,
                endMilliseconds: max(file.progress.endMilliseconds, file.startMilliseconds),
                durationMilliseconds: file.progress.durationMilliseconds,
                bytes: file.bytes,
                state: fileState,
                firstKeyMilliseconds: file.progress.firstKeyMilliseconds,
                lastKeyMilliseconds: file.progress.lastKeyMilliseconds,
                codecs: file.progress.codecs
            )
        )
    }

    // MARK: Faults

    private func fail(_ failure: FileFailure, path: String, file: Int) {
        let now = around.clock()
        let news: RecordingFault? = state.withLock { state in
            if let recovered = state.recoveredAt, now - recovered > Self.healthyAfter { state.pause = Self.firstPause }
            state.retryAt = now + state.pause
            state.pause = min(state.pause * 2, Self.longestPause)
            if var known = state.status.fault {
                known.attempts += 1
                known.action = failure.call
                known.path = path
                known.code = failure.code
                state.status.fault = known
                return nil
            }
            let fault = RecordingFault(action: failure.call, path: path, code: failure.code, since: now)
            state.status.fault = fault
            state.droppedBefore = counters.droppedFrames.load(ordering: .relaxed)
            return fault
        }
        if broken.load(ordering: .relaxed) < file { broken.store(file, ordering: .releasing) }
        if let news { around.report(.fault(stream: stream, format: format, news)) }
        if failure.code == ENOSPC || failure.code == EDQUOT { around.onNoSpace() }
    }

    /// Something was written.
    private func recover(_ path: RecordingPath) {
        guard broken.load(ordering: .relaxed) >= 0 else { return }
        let now = around.clock()
        let report: RecordingReport? = state.withLock { state in
            guard let fault = state.status.fault else { return nil }
            state.status.fault = nil
            state.recoveredAt = now
            return .recovered(
                stream: stream,
                format: format,
                fault,
                droppedFrames: counters.droppedFrames.load(ordering: .relaxed) - state.droppedBefore,
                milliseconds: now - fault.since
            )
        }
        if let report { around.report(report) }
    }
}

/// A file that is open.
private struct WrittenFile {
    let number: Int
    let name: RecordingFileName
    let path: RecordingPath
    let descriptor: CInt
    let startMilliseconds: Int64
    let isDiscontinuous: Bool
    /// Whole fragments, as they are on disk.
    var bytes = 0
    var progress: FileProgress
    var notedAt: Int64

    init(_ opening: FileOpening, path: RecordingPath, descriptor: CInt) {
        number = opening.file
        name = opening.name
        self.path = path
        self.descriptor = descriptor
        startMilliseconds = opening.startMilliseconds
        isDiscontinuous = opening.isDiscontinuous
        progress = FileProgress(codecs: opening.codecs)
        notedAt = opening.startMilliseconds
    }
}
