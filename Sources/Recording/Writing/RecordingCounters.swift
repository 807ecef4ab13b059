internal import Synchronization

/// Counted on the loop and on the pool, read by anybody.
final class RecordingCounters: Sendable {
    let droppedFrames = Atomic<Int>(0)
    let droppedBytes = Atomic<Int>(0)
    let writtenBytes = Atomic<Int>(0)
    let files = Atomic<Int>(0)

    func drop(frames: Int, bytes: Int) {
        droppedFrames.wrappingAdd(frames, ordering: .relaxed)
        droppedBytes.wrappingAdd(bytes, ordering: .relaxed)
    }
}

/// What all recordings share.
final class RecordingBudget: Sendable {
    let queueLimit: Int
    let fileLimit: Int
    private let queued = Atomic<Int>(0)
    private let open = Atomic<Int>(0)

    init(queueLimit: Int, fileLimit: Int) {
        self.queueLimit = queueLimit
        self.fileLimit = fileLimit
    }

    var queuedBytes: Int { queued.load(ordering: .relaxed) }
    var openFiles: Int { open.load(ordering: .relaxed) }

    func hasRoom(for bytes: Int) -> Bool { queuedBytes &+ bytes <= queueLimit }
    func add(_ bytes: Int) { queued.wrappingAdd(bytes, ordering: .relaxed) }
    func remove(_ bytes: Int) { queued.wrappingSubtract(bytes, ordering: .relaxed) }

    func takeFile() -> Bool {
        guard open.wrappingAdd(1, ordering: .relaxed).newValue > fileLimit else { return true }
        giveFile()
        return false
    }

    func giveFile() { open.wrappingSubtract(1, ordering: .relaxed) }
}
