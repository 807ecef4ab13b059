import CSockets
import NIOCore

/// What is still to be sent to one viewer: a few pieces first, then the log from a position on. No bytes of the log are
/// copied: a viewer that is moved inside of a message keeps the slabs with the rest of that message.
struct ViewerCursor {
    private struct Piece {
        let owner: AnyObject
        var start: UnsafeRawPointer
        var count: Int
        var isControl = false
    }

    private var pieces: [Piece] = []
    /// nil while the viewer waits for a key frame.
    private(set) var position: LogPosition?
    /// Of the headers that were sent last.
    private var headersVersion: Int?
    private var hasFileHeader = false

    /// Memory of inserted bytes that are not sent yet.
    var controlBytes: Int { pieces.reduce(0) { $1.isControl ? $0 + Self.memory(of: $1.count) : $0 } }

    /// A flood of one byte each takes memory too.
    static func memory(of controlBytes: Int) -> Int { controlBytes &+ 64 }

    /// Starts at the newest key frame, behind the headers where they are new. False when there is none.
    mutating func start(in view: LogView) -> Bool {
        guard position == nil, !view.isEnded, let key = view.key else { return false }
        if !hasFileHeader {
            hasFileHeader = true
            append(key.preamble.fileHeader)
        }
        if headersVersion != key.preamble.version {
            headersVersion = key.preamble.version
            append(key.preamble.headers)
        }
        position = key.position
        return true
    }

    /// Leaves the log at a message boundary: the rest of a begun message stays to be sent.
    /// - Returns: where the viewer left the log.
    @discardableResult
    mutating func leave(_ view: LogView) -> LogPosition? {
        guard let left = settle(in: view) else { return nil }
        position = nil
        return left
    }

    /// Sends bytes of the session's own (a pong, an RTMP control message) between two messages.
    mutating func insert(_ bytes: ByteBlock, in view: LogView?) {
        if let view, let boundary = settle(in: view) { position = boundary }
        append(bytes, isControl: true)
    }

    /// Turns the rest of a begun message into pieces and returns the boundary behind it.
    private mutating func settle(in view: LogView) -> LogPosition? {
        guard let position else { return nil }
        let boundary = view.boundary(atOrAfter: position)
        view.forEachPiece(from: position, to: boundary) { slab, bytes in
            guard let start = bytes.baseAddress else { return }
            pieces.append(Piece(owner: slab, start: start, count: bytes.count))
        }
        return boundary
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
        while count < vectors.count, bytes < limit, let slab = view.slab(at.slab) {
            let available = slab.length &- at.offset
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
        guard let view, var at = position else { return }
        while left > 0, let slab = view.slab(at.slab) {
            let taken = min(left, slab.length &- at.offset)
            at.offset &+= taken
            left &-= taken
            if left > 0 { at = LogPosition(slab: at.slab &+ 1, offset: 0) }
        }
        position = view.normalised(at)
    }
}
