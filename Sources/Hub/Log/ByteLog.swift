import Media
import NIOCore

/// How much a log keeps, and what of it new viewers get.
struct LogSettings: Hashable, Sendable {
    /// Groups of pictures for a new viewer of this log; negative: none.
    var gops = 1
    /// Groups that are kept: other formats may want more of them.
    var retainedGOPs = 1
    /// `HubConfiguration.singleGOPMessages`.
    var singleGOPMessages = 0
}

/// The append-only bytes of one stream in one format, written on the loop of its publisher.
final class ByteLog {
    /// Of a burst of short groups.
    private static let maximumKeys = 64

    /// Unlike that of any other log of the Hub.
    let id: Int
    let publication: Int
    let framer: MessageFramer
    /// The loops that read it.
    var readers: [StreamRegistry.Reader] = []
    /// RTSP: what the packets are of.
    var description: StreamDescription?
    private(set) var slabs: [LogSlab] = []
    private(set) var first = 0
    /// Where viewers can start, the newest last.
    private(set) var keys: [KeyFrame] = []
    private(set) var timestamp: UInt32 = 0
    private let settings: LogSettings
    private let pool: SlabPool
    private var changedFrom = 0
    private var messages = 0
    /// Bytes written until the last changes were taken.
    private var told = 0
    /// Audio and video messages of the newest group.
    private var messagesOfGOP = 0
    private var cap: LogPosition?
    /// Bytes before the first slab of an empty log.
    private var start = 0
    /// Something has come that may make an older slab needless.
    private var mayTrim = false

    init(id: Int, publication: Int = 0, format: WireFormat, settings: LogSettings = LogSettings(), pool: SlabPool) {
        self.id = id
        self.publication = publication
        self.settings = settings
        self.pool = pool
        framer = MessageFramer(format)
    }

    var format: WireFormat { framer.format }
    var key: KeyFrame? { keys.last }
    var memory: Int { slabs.count * Slab.size }
    var hasChanges: Bool { untold > 0 }
    private var last: Int { first &+ slabs.count &- 1 }

    /// Bytes written so far, evicted ones too.
    var position: Int { slabs.last.map { $0.slab.position &+ $0.length } ?? start }

    /// Bytes that no reader has been told of.
    var untold: Int { position &- told }

    /// What `memory` would be with one more message.
    func memory(with length: Int) -> Int {
        memory &+ (max(0, length &- (slabs.last?.room ?? 0)) &+ Slab.size &- 1) / Slab.size * Slab.size
    }

    /// Appends one whole message.
    /// - Parameters:
    ///   - preamble: given when viewers can start at this message.
    ///   - isMedia: neither metadata nor a sequence header.
    ///   - frames: how many the load figures count: none for a part of an access unit that is counted with its last part.
    /// - Returns: false when there is no memory for it: the log is as it was.
    @discardableResult
    func append(
        _ message: UnsafeRawBufferPointer,
        timestamp: UInt32,
        preamble: Preamble? = nil,
        isMedia: Bool = true,
        frames: Int = 1
    ) -> Bool {
        guard let source = message.baseAddress, !message.isEmpty else { return true }
        // The index entry takes room too.
        let room = slabs.last.map { $0.room < 64 ? 0 : $0.room &- 2 } ?? 0
        var fresh: [UnsafeMutableRawPointer] = []
        if message.count > room {
            guard takeMemory(message.count &- room &+ (room == 0 ? 2 : 0), into: &fresh) else { return false }
        }
        self.timestamp = timestamp
        if room == 0 { addSlab(&fresh) }
        var index = slabs.count &- 1
        let here = LogPosition(slab: last, offset: slabs[index].length)
        slabs[index].slab.setStart(slabs[index].starts, to: slabs[index].length)
        slabs[index].starts &+= 1
        if let preamble { begin(KeyFrame(position: here, timestamp: timestamp, preamble: preamble)) }
        if isMedia { countMessage(at: here) }
        messages &+= frames
        var done = 0
        while true {
            let count = min(slabs[index].room, message.count &- done)
            (slabs[index].slab.base + slabs[index].length).copyMemory(from: source + done, byteCount: count)
            slabs[index].length &+= count
            done &+= count
            if done == message.count { return true }
            addSlab(&fresh)
            index &+= 1
        }
    }

    private func begin(_ key: KeyFrame) {
        keys.append(key)
        // Those that no reader has heard of may be where one starts.
        if readers.isEmpty || keys.count > Self.maximumKeys { pruneKeys() }
        messagesOfGOP = 0
        cap = nil
        mayTrim = true
    }

    private func pruneKeys() {
        // The one before the newest bounds how far a viewer may lag.
        keys.removeFirst(max(0, keys.count &- max(settings.retainedGOPs, 2)))
    }

    private func countMessage(at position: LogPosition) {
        messagesOfGOP &+= 1
        if settings.singleGOPMessages > 0, messagesOfGOP == settings.singleGOPMessages &+ 1 { cap = position }
    }

    private func takeMemory(_ bytes: Int, into fresh: inout [UnsafeMutableRawPointer]) -> Bool {
        for _ in 0..<((bytes &+ Slab.size &- 1) / Slab.size) {
            guard let memory = pool.take() else {
                for memory in fresh { pool.give(back: memory) }
                return false
            }
            fresh.append(memory)
        }
        return true
    }

    private func addSlab(_ fresh: inout [UnsafeMutableRawPointer]) {
        guard let memory = fresh.popLast() else { return }
        slabs.append(LogSlab(slab: Slab(memory, of: pool, position: position, timestamp: timestamp)))
        mayTrim = true
    }

    /// Begins anew with the next message.
    func removeAll() {
        start = position
        first &+= slabs.count
        slabs.removeAll(keepingCapacity: true)
        keys.removeAll(keepingCapacity: true)
        cap = nil
        changedFrom = first
    }

    /// Lets go of what nobody needs: new viewers need the groups that are kept for them, present ones where they stand, but
    /// they may not lag behind the previous key frame; and the oldest goes beyond the limit.
    /// - Parameter newestOnly: memory is short: nothing is kept before the newest key frame.
    func trim(to limit: Int, newestOnly: Bool = false) {
        guard mayTrim else { return }
        mayTrim = false
        var keep = first
        if let key {
            let cached = keys[max(0, keys.count &- max(1, settings.retainedGOPs))].position.slab
            keep = settings.retainedGOPs < 0 ? last : cached
            if newestOnly {
                keep = key.position.slab
            } else if keep > first {
                let previous = keys.count > 1 ? keys[keys.count &- 2].position.slab : first
                let oldest = readers.reduce(Int.max) { min($0, $1.progress.oldest(inLog: id)) }
                keep = min(keep, max(previous, oldest))
                // A burst is longer than a group: its readers have had no chance yet.
                if !readers.isEmpty { keep = min(keep, changedFrom) }
                // To be looked at again when that viewer has moved on.
                mayTrim = oldest < cached
            }
        }
        let most = max(1, limit / Slab.size)
        keep = max(keep, last &- most &+ 1)
        let count = min(keep &- first, slabs.count &- 1)
        guard count > 0 else { return }
        slabs.removeFirst(count)
        first &+= count
        changedFrom = max(changedFrom, first)
        keys.removeAll { $0.position.slab < first }
        if let position = cap, position.slab < first { cap = nil }
    }

    /// All that is kept, for a loop that begins to read.
    func snapshot(isBeginning: Bool = false) -> LogUpdate {
        update(from: first, slabs: slabs, messages: 0, isBeginning: isBeginning)
    }

    /// What has been appended until now goes out with the next snapshot.
    func forgetChanges() {
        pruneKeys()
        changedFrom = max(first, last)
        messages = 0
        told = position
    }

    /// What has changed since the last call.
    func takeChanges() -> LogUpdate {
        let from = max(changedFrom, first)
        defer {
            forgetChanges()
        }
        return update(from: from, slabs: Array(slabs[(from &- first)...]), messages: messages, isBeginning: false)
    }

    private func update(from: Int, slabs: [LogSlab], messages: Int, isBeginning: Bool) -> LogUpdate {
        LogUpdate(
            log: id,
            publication: publication,
            first: first,
            from: from,
            slabs: slabs,
            key: key,
            oldest: keys.first,
            start: settings.gops < 0 || keys.isEmpty ? nil : keys[max(0, keys.count &- max(1, settings.gops))],
            cap: cap,
            messages: messages,
            timestamp: timestamp,
            description: description,
            isBeginning: isBeginning
        )
    }

    /// Calls `body` with each whole message from the oldest key frame on, and with the key frame's preamble where viewers can
    /// start.
    func forEachMessage(_ body: (FLVMessage, Preamble?) -> Void) {
        guard var at = keys.first?.position else { return }
        let view = LogView(snapshot())
        var bytes = ByteBuffer()
        while at != view.end {
            let end = view.messageEnd(after: at)
            bytes.clear()
            view.forEachPiece(from: at, to: end) { _, piece in bytes.writeBytes(piece) }
            if let message = framer.read(bytes) { body(message, keys.first { $0.position == at }?.preamble) }
            at = view.normalised(end)
        }
    }
}
