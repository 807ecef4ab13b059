import NIOCore

/// The viewers of one stream in one format on one loop, with the log as this loop knows it.
final class LoopReaders {
    let stream: String
    let format: WireFormat
    /// Tells the writer what is still read.
    let progress = ReadProgress()
    /// nil before the publisher's loop has answered.
    var view: LogView?
    var viewers: [Viewer] = []
    /// The newest publisher that this loop has heard of: what comes of an earlier one is late.
    var publication = 0
    /// Viewers were there before the log and have not seen its first key frame.
    var isExpecting = false
    /// Where the round of sending stands.
    var next = 0
    var isQueued = false

    init(stream: String, format: WireFormat) {
        self.stream = stream
        self.format = format
    }

    func remove(_ viewer: Viewer) {
        guard let index = viewers.firstIndex(where: { $0 === viewer }) else { return }
        viewers.swapAt(index, viewers.count - 1)
        viewers.removeLast()
        // The one that was moved here must not be left out of the round.
        next = min(next, index)
    }

    func tellProgress() {
        guard let view else { return }
        var oldest = Int.max
        for viewer in viewers {
            if let position = viewer.cursor.position { oldest = min(oldest, position.slab) }
        }
        progress.set(log: view.log, oldest: oldest)
    }
}
