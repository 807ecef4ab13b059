import Media

/// A log as one loop knows it. Its slabs are shared with the writer and with other loops.
final class LogView {
    let log: Int
    let publication: Int
    private(set) var first: Int
    private(set) var slabs: [LogSlab]
    private(set) var key: KeyFrame?
    private(set) var oldest: KeyFrame?
    private(set) var start: KeyFrame?
    private(set) var cap: LogPosition?
    private(set) var timestamp: UInt32
    private(set) var description: StreamDescription?
    /// The publisher has left: viewers may still read, but none starts here.
    var isEnded = false

    init(_ update: LogUpdate) {
        log = update.log
        publication = update.publication
        first = update.first
        slabs = update.slabs
        key = update.key
        oldest = update.oldest
        start = update.start
        cap = update.cap
        timestamp = update.timestamp
        description = update.description
    }

    private var last: Int { first &+ slabs.count &- 1 }

    /// Behind the last whole message.
    var end: LogPosition {
        LogPosition(slab: last, offset: slabs.last?.length ?? 0)
    }

    /// Takes over what the writer has told. Whoever stands before `update.first` must have been moved away.
    func apply(_ update: LogUpdate) {
        let keep = max(0, min(update.from, first &+ slabs.count) &- first)
        slabs.removeLast(slabs.count &- keep)
        // With a gap between what is known and the update, what is known has been evicted by the writer.
        if update.from != first &+ slabs.count { slabs.removeAll(keepingCapacity: true) }
        if slabs.isEmpty { first = update.from }
        slabs.append(contentsOf: update.slabs)
        let evicted = min(update.first &- first, slabs.count)
        if evicted > 0 {
            slabs.removeFirst(evicted)
            first &+= evicted
        }
        key = update.key
        oldest = update.oldest
        start = update.start
        cap = update.cap
        timestamp = update.timestamp
        description = update.description
    }

    /// Whether an update that drops all that is known begins right behind it.
    func isContinued(by update: LogUpdate) -> Bool {
        guard update.isSnapshot, let next = update.slabs.first, let end = bytes(before: end) else { return false }
        return next.slab.position == end
    }

    func slab(_ number: Int) -> LogSlab? {
        let index = number &- first
        return index >= 0 && index < slabs.count ? slabs[index] : nil
    }

    /// The same place, as the beginning of the next slab where there is one instead of the end of this.
    func normalised(_ position: LogPosition) -> LogPosition {
        guard position.slab < last, let slab = slab(position.slab), position.offset >= slab.length else {
            return position
        }
        return LogPosition(slab: position.slab &+ 1, offset: 0)
    }

    /// The end of the message that `position` is inside of; `position` itself when a message starts there.
    func boundary(atOrAfter position: LogPosition) -> LogPosition {
        var at = position
        while let slab = slab(at.slab) {
            if let start = slab.start(atOrAfter: at.offset) { return LogPosition(slab: at.slab, offset: start) }
            if at.slab == last { return LogPosition(slab: at.slab, offset: slab.length) }
            at = LogPosition(slab: at.slab &+ 1, offset: 0)
        }
        return position
    }

    /// The end of the message that starts at `position`.
    func messageEnd(after position: LogPosition) -> LogPosition {
        boundary(atOrAfter: LogPosition(slab: position.slab, offset: position.offset &+ 1))
    }

    /// Bytes of the log before a position.
    func bytes(before position: LogPosition) -> Int? {
        slab(position.slab).map { $0.slab.position &+ position.offset }
    }

    /// Bytes between two positions.
    func distance(from start: LogPosition, to end: LogPosition) -> Int? {
        guard let before = bytes(before: start), let behind = bytes(before: end) else { return nil }
        return behind &- before
    }

    /// Calls `body` with the bytes between two positions, slab by slab.
    func forEachPiece(
        from start: LogPosition,
        to end: LogPosition,
        _ body: (Slab, UnsafeRawBufferPointer) -> Void
    ) {
        var at = start
        while at.slab <= end.slab, let slab = slab(at.slab) {
            let stop = at.slab == end.slab ? end.offset : slab.length
            if stop > at.offset {
                body(slab.slab, UnsafeRawBufferPointer(start: slab.slab.base + at.offset, count: stop &- at.offset))
            }
            at = LogPosition(slab: at.slab &+ 1, offset: 0)
        }
    }
}
