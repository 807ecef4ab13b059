import CSockets
import Media
import NIOCore
import Streaming

/// What is still to be sent to one viewer: a few pieces first, then the log from a position on. No bytes of the log are
/// copied: a viewer that is moved inside of a message keeps the slabs with the rest of that message.
struct ViewerCursor {
    private struct Piece {
        let owner: AnyObject
        var start: UnsafeRawPointer
        var count: Int
        var isControl = false
    }

    /// Of a second or two; what is cached beyond follows message by message.
    private static let joinedMessages = 1024

    private var pieces: [Piece] = []
    /// nil while the viewer waits for a key frame.
    private(set) var position: LogPosition?
    /// Where the viewer has to wait for the next key frame, in bytes of the log: what follows is not for new viewers.
    private var stop: Int?
    /// A viewer that has been in a log, or that may have nothing old of it, starts at the newest key frame, and at none before
    /// so many bytes.
    private var after: (log: Int, bytes: Int)?
    /// It was there before this log, and starts at its first key frame.
    private var expected: Int?
    var isExpecting: Bool { expected != nil }
    /// Of the headers that were sent last.
    private var headersVersion: Int?
    private var hasFileHeader = false
    /// Nothing old for this one.
    var startsLive = false
    /// The log's packets do not go out as they lie there: they are made pieces first, whole packets at a time.
    private(set) var isMapped = false
    var hasPieces: Bool { !pieces.isEmpty }

    /// Memory of inserted bytes that are not sent yet.
    var controlBytes: Int { pieces.reduce(0) { $1.isControl ? $0 + Self.memory(of: $1.count) : $0 } }

    /// A flood of one byte each takes memory too.
    static func memory(of controlBytes: Int) -> Int { controlBytes &+ 64 }

    /// Starts at a key frame, behind the headers where they are new.
    /// - Returns: that key frame; nil when there is none to start at.
    mutating func start(in view: LogView) -> KeyFrame? {
        guard position == nil, !view.isEnded else { return nil }
        if after?.log != view.log {
            after = nil
            // Nothing old for new viewers.
            if view.start == nil || startsLive { after = (view.log, view.bytes(before: view.end) ?? 0) }
        }
        let begins = expected == view.log
        guard let key = begins ? view.oldest : after == nil ? view.start : view.key,
            let bytes = view.bytes(before: key.position),
            bytes >= after?.bytes ?? 0
        else { return nil }
        expected = nil
        if after == nil, let cap = view.cap { stop = view.bytes(before: cap) }
        if !hasFileHeader {
            hasFileHeader = true
            append(key.preamble.fileHeader)
        }
        position = key.position
        if headersVersion != key.preamble.version {
            headersVersion = key.preamble.version
            if let announcement = key.preamble.announcement {
                join(key.preamble.headers, behind: announcement, from: key.position, in: view)
            } else {
                append(key.preamble.headers)
            }
        }
        return key
    }

    /// Puts the headers and all messages that are cached into one WebSocket message: a browser that is given them one by one begins
    /// at the first picture and has to catch up.
    private mutating func join(
        _ headers: ByteBlock,
        behind announcement: ByteBlock,
        from start: LogPosition,
        in view: LogView
    ) {
        var payloads: [(from: LogPosition, to: LogPosition)] = []
        var length = headers.count
        var at = start
        while at != view.end, payloads.count < Self.joinedMessages {
            let end = view.normalised(view.messageEnd(after: at))
            var head: [UInt8] = []
            view.forEachPiece(from: at, to: end) { _, bytes in head += bytes.prefix(10 &- head.count) }
            // Not an announcement, which stands before other headers.
            guard let header = WebSocketFrame.binaryHeaderLength(head), let total = view.distance(from: at, to: end),
                total > header
            else { break }
            payloads.append((Self.advanced(at, by: header, in: view), end))
            length &+= total &- header
            at = end
        }
        var frame = ByteBuffer()
        WebSocketFrame.writeHeader(opcode: .binary, length: length, into: &frame)
        append(announcement)
        append(ByteBlock(frame))
        append(headers)
        for payload in payloads { append(view, from: payload.from, to: payload.to) }
        position = at
    }

    /// Leaves the log at a message boundary: the rest of a begun message stays to be sent. The viewer goes on at the newest
    /// key frame.
    /// - Returns: where the viewer left the log.
    @discardableResult
    mutating func leave(_ view: LogView) -> LogPosition? {
        guard let left = settle(in: view) else { return nil }
        position = nil
        stop = nil
        expected = nil
        after = (view.log, 0)
        return left
    }

    /// The viewer was there before the log: it starts at its first key frame.
    mutating func expect(log: Int) {
        after = (log, 0)
        expected = log
    }

    /// Goes on where the next slabs begin; all known ones have been read and are dropped.
    mutating func move(to slab: Int) {
        position = LogPosition(slab: slab, offset: 0)
    }

    /// What is sent last: the rest of a begun message or of the whole log, then a farewell.
    mutating func finish(_ view: LogView?, drains: Bool, farewell: ByteBuffer?) {
        if let view, let position {
            if drains { append(view, from: position, to: view.end) } else { leave(view) }
        }
        position = nil
        if let farewell { append(ByteBlock(farewell)) }
    }

    /// Sends bytes of the session's own (a pong, an RTMP control message) between two messages.
    mutating func insert(_ bytes: ByteBlock, in view: LogView?) {
        if let view, let boundary = settle(in: view) { position = boundary }
        append(bytes, isControl: true)
    }

    /// Turns the rest of a begun message into pieces and returns the boundary behind it.
    private mutating func settle(in view: LogView) -> LogPosition? {
        guard let position else { return nil }
        if isMapped { return position }
        let boundary = view.boundary(atOrAfter: position)
        append(view, from: position, to: boundary)
        return boundary
    }

    private mutating func append(_ view: LogView, from start: LogPosition, to end: LogPosition) {
        view.forEachPiece(from: start, to: end) { slab, bytes in
            guard let start = bytes.baseAddress else { return }
            pieces.append(Piece(owner: slab, start: start, count: bytes.count))
        }
    }

    /// The place so many bytes further on.
    private static func advanced(_ position: LogPosition, by count: Int, in view: LogView) -> LogPosition {
        var at = position
        var left = count
        while left > 0, let slab = view.slab(at.slab) {
            let taken = min(left, slab.length &- at.offset)
            at.offset &+= taken
            left &-= taken
            if left > 0 { at = LogPosition(slab: at.slab &+ 1, offset: 0) }
        }
        return view.normalised(at)
    }

    private mutating func append(_ block: ByteBlock, isControl: Bool = false) {
        guard block.count > 0 else { return }
        pieces.append(Piece(owner: block, start: block.base, count: block.count, isControl: isControl))
    }

    /// Fills `vectors` with what is next, up to about `limit` bytes.
    func gather(
        from view: LogView?,
        into vectors: UnsafeMutableBufferPointer<iovec>,
        limit: Int
    ) -> (count: Int, bytes: Int) {
        var count = 0
        var bytes = 0
        for piece in pieces {
            if count == vectors.count || bytes >= limit { return (count, bytes) }
            vectors[count] = iovec(iov_base: UnsafeMutableRawPointer(mutating: piece.start), iov_len: piece.count)
            count &+= 1
            bytes &+= piece.count
        }
        guard let view, var at = position else { return (count, bytes) }
        var rest = stop.map { $0 &- (view.bytes(before: at) ?? $0) } ?? .max
        while count < vectors.count, bytes < limit, rest > 0, let slab = view.slab(at.slab) {
            let available = min(slab.length &- at.offset, rest)
            rest &-= max(0, available)
            if available > 0 {
                vectors[count] = iovec(iov_base: slab.slab.base + at.offset, iov_len: available)
                count &+= 1
                bytes &+= available
            }
            at = LogPosition(slab: at.slab &+ 1, offset: 0)
        }
        return (count, bytes)
    }

    /// Moves on by bytes that were sent; `gather` has named them before.
    mutating func advance(by sent: Int, in view: LogView?) {
        var left = sent
        if !pieces.isEmpty {
            var done = 0
            while done < pieces.count, left >= pieces[done].count {
                left &-= pieces[done].count
                done &+= 1
            }
            pieces.removeFirst(done)
            if left > 0, !pieces.isEmpty {
                pieces[0].start += left
                pieces[0].count &-= left
                left = 0
            }
            if pieces.isEmpty { pieces = [] }
        }
        guard let view, let start = position else { return }
        let at = Self.advanced(start, by: left, in: view)
        position = at
        guard let stop, let bytes = view.bytes(before: at), bytes >= stop else { return }
        position = nil
        self.stop = nil
        after = (view.log, stop)
    }
}

// Readers whose packets do not go out as they lie in the log: on other channels, without some medias, as datagrams.
extension ViewerCursor {
    /// From now on packets are taken out one by one. The rest of a begun message goes out as it is.
    mutating func beginMapping(in view: LogView) {
        if position != nil { position = settle(in: view) }
        isMapped = true
    }

    mutating func endMapping() {
        isMapped = false
    }

    /// Copies the whole packets that are next, about `limit` bytes of them, and moves on behind them.
    /// - Returns: false when there are none.
    mutating func takePackets(from view: LogView, limit: Int, into buffer: inout ByteBuffer) -> Bool {
        guard let start = position else { return false }
        buffer.clear()
        var at = start
        while buffer.readableBytes < limit, let slab = view.slab(at.slab) {
            let count = min(slab.length &- at.offset, limit &- buffer.readableBytes)
            if count > 0 {
                buffer.writeBytes(UnsafeRawBufferPointer(start: slab.slab.base + at.offset, count: count))
                at.offset &+= count
            }
            guard at.offset >= slab.length, view.slab(at.slab &+ 1) != nil else { break }
            at = LogPosition(slab: at.slab &+ 1, offset: 0)
        }
        let whole = buffer.withUnsafeReadableBytes { bytes in
            var end = 0
            while InterleavedFrame.next(in: bytes.bytes, at: &end) != nil {}
            return end
        }
        guard whole > 0 else { return false }
        buffer.moveWriterIndex(to: buffer.readerIndex &+ whole)
        position = Self.advanced(start, by: whole, in: view)
        return true
    }

    /// Sends bytes that were made of the log's, before what follows in it.
    mutating func insert(packets: ByteBuffer) {
        append(ByteBlock(packets))
    }
}
