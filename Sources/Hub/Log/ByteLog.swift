/// What a viewer is sent before the message it starts at.
final class Preamble: Sendable {
    /// Differs whenever the headers differ in more than their time, over all streams.
    let version: Int
    /// Sent once in a connection.
    let fileHeader: ByteBlock
    /// Metadata and sequence headers; sent again when they have changed.
    let headers: ByteBlock

    init(version: Int, fileHeader: ByteBlock, headers: ByteBlock) {
        self.version = version
        self.fileHeader = fileHeader
        self.headers = headers
    }
}

/// A message at which viewers can start.
struct KeyFrame: Sendable {
    var position: LogPosition
    /// Milliseconds.
    var timestamp: UInt32
    var preamble: Preamble
}

/// What one loop learns of a log: the slabs that changed since it was last told, or all of them at first.
struct LogUpdate: Sendable {
    let log: Int
    /// Number of the oldest slab that is kept.
    let first: Int
    /// Number of the first of `slabs`; those before it are as they were.
    let from: Int
    let slabs: [LogSlab]
    let key: KeyFrame?
    /// Messages appended since the last update, for the load figures.
    let messages: Int
    /// Time of the last message in milliseconds.
    let timestamp: UInt32

    /// Tells all that is kept.
    var isSnapshot: Bool { from == first }
}

/// The append-only bytes of one stream in one format, written on the loop of its publisher.
final class ByteLog {
    /// Unlike that of any other log of the Hub.
    let id: Int
    let framer: MessageFramer
    private(set) var slabs: [LogSlab] = []
    private(set) var first = 0
    private(set) var key: KeyFrame?
    private var previousKey: LogPosition?
    private(set) var timestamp: UInt32 = 0
    private var changedFrom = 0
    private var messages = 0
    /// Bytes before the first slab of an empty log.
    private var start = 0
    private let pool: SlabPool

    init(id: Int, format: WireFormat, pool: SlabPool) {
        self.id = id
        self.pool = pool
        framer = MessageFramer(format)
    }

    var format: WireFormat { framer.format }
    var memory: Int { slabs.count * Slab.size }
    var hasChanges: Bool { messages > 0 }
    private var last: Int { first &+ slabs.count &- 1 }

    /// Bytes written so far, evicted ones too.
    var position: Int { slabs.last.map { $0.slab.position &+ $0.length } ?? start }

    /// What `memory` would be with one more message.
    func memory(with length: Int) -> Int {
        memory &+ (max(0, length &- (slabs.last?.room ?? 0)) &+ Slab.size &- 1) / Slab.size * Slab.size
    }

    /// Appends one whole message.
    /// - Parameter preamble: given when viewers can start at this message.
    func append(_ message: UnsafeRawBufferPointer, timestamp: UInt32, preamble: Preamble? = nil) {
        guard let source = message.baseAddress, !message.isEmpty else { return }
        self.timestamp = timestamp
        // The index entry takes room too.
        if (slabs.last?.room ?? 0) < 64 { addSlab() }
        let index = slabs.count &- 1
        slabs[index].slab.setStart(slabs[index].starts, to: slabs[index].length)
        slabs[index].starts &+= 1
        if let preamble {
            previousKey = key?.position
            key = KeyFrame(
                position: LogPosition(slab: last, offset: slabs[index].length),
                timestamp: timestamp,
                preamble: preamble
            )
        }
        messages &+= 1
        var done = 0
        while done < message.count {
            if slabs[slabs.count &- 1].room == 0 { addSlab() }
            let index = slabs.count &- 1
            let count = min(slabs[index].room, message.count &- done)
            (slabs[index].slab.base + slabs[index].length).copyMemory(from: source + done, byteCount: count)
            slabs[index].length &+= count
            done &+= count
        }
    }

    /// Begins anew with the next message: for a log without readers.
    func removeAll() {
        start = position
        first &+= slabs.count
        slabs.removeAll(keepingCapacity: true)
        key = nil
        previousKey = nil
        changedFrom = first
    }

    private func addSlab() {
        slabs.append(LogSlab(slab: Slab(pool: pool, position: position, timestamp: timestamp)))
    }

    /// Lets go of what no viewer needs: all before the previous key frame, so that a viewer may lag a whole GOP, and the
    /// oldest beyond the limit.
    func trim(to limit: Int) {
        var keep = previousKey?.slab ?? key?.position.slab ?? first
        let most = max(1, limit / Slab.size)
        keep = max(keep, last &- most &+ 1)
        let count = min(keep &- first, slabs.count &- 1)
        guard count > 0 else { return }
        slabs.removeFirst(count)
        first &+= count
        changedFrom = max(changedFrom, first)
        if let position = previousKey, position.slab < first { previousKey = nil }
        if let position = key?.position, position.slab < first { key = nil }
    }

    /// All that is kept, for a loop that begins to read.
    func snapshot() -> LogUpdate {
        LogUpdate(log: id, first: first, from: first, slabs: slabs, key: key, messages: 0, timestamp: timestamp)
    }

    /// What has been appended until now goes out with the next snapshot.
    func forgetChanges() {
        changedFrom = max(first, last)
        messages = 0
    }

    /// What has changed since the last call.
    func takeChanges() -> LogUpdate {
        let from = max(changedFrom, first)
        defer {
            forgetChanges()
        }
        return LogUpdate(
            log: id,
            first: first,
            from: from,
            slabs: Array(slabs[(from &- first)...]),
            key: key,
            messages: messages,
            timestamp: timestamp
        )
    }

    /// Calls `body` with the bytes since the newest key frame, in pieces that end anywhere: what a new log of another
    /// format is made of.
    func forEachPieceSinceKey(_ body: (UnsafeRawBufferPointer) -> Void) {
        guard let key else { return }
        let view = LogView(snapshot())
        view.forEachPiece(from: key.position, to: view.end) { _, bytes in body(bytes) }
    }
}
