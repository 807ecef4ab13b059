internal import Synchronization

/// Names a recording of this process.
package struct RecordingID: RawRepresentable, Codable, Hashable, Sendable {
    package var rawValue: Int

    package init(rawValue: Int) {
        self.rawValue = rawValue
    }
}

/// Why a recording is not begun.
package enum RecordingRefusal: Error, Hashable, Sendable {
    /// The name could leave its folder: see `StreamFileName`.
    case badName(String)
    /// This format of this stream is being recorded: by which recording.
    case alreadyRecording(RecordingID)
    /// `maximumRecordings`.
    case tooMany(limit: Int)
    case shuttingDown

    /// One line for logs and the API.
    package var description: String {
        switch self {
        case .badName(let name):
            "stream name \(name.debugDescription) cannot be a file's: no '/', '\\', '..', control characters, leading dot, at most \(StreamFileName.maximumLength) bytes"
        case .alreadyRecording(let id): "already recorded in this format, by recording \(id.rawValue)"
        case .tooMany(let limit): "\(limit) recordings are active, which is the limit"
        case .shuttingDown: "shutting down"
        }
    }
}

/// How a recording is doing, for the API.
package struct RecordingStatus: Hashable, Sendable {
    package enum Phase: String, Codable, Hashable, Sendable {
        /// For its stream to be published.
        case waiting
        case recording
        /// Nothing is written; see `fault`.
        case fault
        /// Being closed.
        case ending
    }

    package var id: RecordingID
    package var stream: String
    package var app: String
    package var format: RecordingFormat
    package var phase: Phase
    /// Begun by a rule of the configuration, not by the API.
    package var isAutomatic: Bool
    package var startMilliseconds: Int64
    /// The file that is being written; nil when there is none.
    package var path: String?
    package var files: Int
    package var writtenBytes: Int
    /// What waits for the disk.
    package var queuedBytes: Int
    /// Lost to a disk that is slow or refuses.
    package var droppedFrames: Int
    package var droppedBytes: Int
    /// Codecs that the format cannot carry.
    package var omitted: [String]
    package var fault: RecordingFault?
}

/// A recording from its start to its stop, over publications of its stream. Any thread may use it.
final class RecordingSession: Sendable {
    private struct State {
        var omitted: [String] = []
        var recorder: Int?
        var isEnded = false
    }

    let id: RecordingID
    let stream: String
    let app: String
    let format: RecordingFormat
    let options: RecordingOptions
    let isAutomatic: Bool
    let startMilliseconds: Int64
    let writer: RecordingWriter
    let report: @Sendable (RecordingReport) -> Void
    private let onEnd: @Sendable (RecordingID) -> Void
    private let state = Mutex(State())
    private let generation = Atomic<Int>(0)
    private let stopped = Atomic<Bool>(false)
    private let fileNumber = Atomic<Int>(0)

    init(
        id: RecordingID,
        stream: String,
        app: String,
        format: RecordingFormat,
        options: RecordingOptions,
        isAutomatic: Bool,
        startMilliseconds: Int64,
        writer: RecordingWriter,
        report: @escaping @Sendable (RecordingReport) -> Void,
        onEnd: @escaping @Sendable (RecordingID) -> Void
    ) {
        self.id = id
        self.stream = stream
        self.app = app
        self.format = format
        self.options = options
        self.isAutomatic = isAutomatic
        self.startMilliseconds = startMilliseconds
        self.writer = writer
        self.report = report
        self.onEnd = onEnd
    }

    var counters: RecordingCounters { writer.counters }

    /// A recorder takes it over from the one before; nil when it has ended.
    func newGeneration() -> Int? {
        state.withLock { state in
            guard !state.isEnded, !isStopped else { return nil }
            let new = generation.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue
            state.recorder = new
            return new
        }
    }

    func newFileNumber() -> Int { fileNumber.wrappingAdd(1, ordering: .relaxed).newValue }

    /// Whether a recorder is to go on.
    func wants(_ recorder: Int) -> Bool {
        !stopped.load(ordering: .relaxed) && generation.load(ordering: .relaxed) == recorder
    }

    var isStopped: Bool { stopped.load(ordering: .relaxed) }

    /// Nothing new is to be recorded with it.
    var isOver: Bool { isStopped || state.withLock { $0.isEnded } }

    func stop() {
        stopped.store(true, ordering: .relaxed)
        endIf { $0.recorder == nil }
    }

    func recorderFinished(_ recorder: Int) {
        endIf { state in
            guard state.recorder == recorder else { return false }
            state.recorder = nil
            return isAutomatic || isStopped
        }
    }

    /// It leaves the list when its last file is closed.
    private func endIf(_ isOver: (inout State) -> Bool) {
        let ends = state.withLock { state in
            guard isOver(&state), !state.isEnded else { return false }
            state.isEnded = true
            return true
        }
        if ends { writer.submit(.barrier { [onEnd, id] in onEnd(id) }) }
    }

    func noteOmitted(_ codecs: [String]) {
        let isNews = state.withLock { state in
            defer { state.omitted = codecs }
            return state.omitted != codecs && !codecs.isEmpty
        }
        if isNews { report(.omitted(stream: stream, format: format, codecs: codecs)) }
    }

    var status: RecordingStatus {
        let written = writer.status
        let (omitted, recorder, isEnded) = state.withLock { ($0.omitted, $0.recorder, $0.isEnded) }
        return RecordingStatus(
            id: id,
            stream: stream,
            app: app,
            format: format,
            phase: isStopped || isEnded
                ? .ending : written.fault != nil ? .fault : recorder == nil ? .waiting : .recording,
            isAutomatic: isAutomatic,
            startMilliseconds: startMilliseconds,
            path: written.path?.full,
            files: counters.files.load(ordering: .relaxed),
            writtenBytes: counters.writtenBytes.load(ordering: .relaxed),
            queuedBytes: writer.queuedBytes,
            droppedFrames: counters.droppedFrames.load(ordering: .relaxed),
            droppedBytes: counters.droppedBytes.load(ordering: .relaxed),
            omitted: omitted,
            fault: written.fault
        )
    }
}
