internal import Glibc
internal import Synchronization

/// Writes a session's RTP packets to a file as RFC 4571 frames, off the event loop.
///
/// `gbgate inspect` and the tests read such files. What the disk cannot take in time is dropped and counted.
final class DumpWriter: Sendable {
    private static let maximumPending = 8 << 20
    private static let maximumFile = 1 << 30

    private struct State {
        var pending: [UInt8] = []
        var isWriting = false
        var isClosed = false
        /// A disk that is full: the file ends with a whole packet, or with the part of one.
        var hasFailed = false
        var written = 0
        var dropped = 0
    }

    let path: String
    private let descriptor: CInt
    private let pool: BlockingPool
    private let state = Mutex(State())

    /// - Throws: the reason in words when the file cannot be made.
    init(folder: String, name: String, pool: BlockingPool) throws(ControlError) {
        mkdir(folder, 0o755)
        let path = (folder.hasSuffix("/") ? folder : folder + "/") + name
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o640)
        guard descriptor >= 0 else {
            throw ControlError(.internalError, "dump to \(path): \(String(cString: strerror(errno)))")
        }
        self.path = path
        self.descriptor = descriptor
        self.pool = pool
    }

    func write(_ packet: RawSpan) {
        let start: Bool = state.withLock { state in
            let hasRoom = state.pending.count < Self.maximumPending && state.written < Self.maximumFile
            guard !state.isClosed, !state.hasFailed, hasRoom else {
                state.dropped += 1
                return false
            }
            state.pending.append(UInt8(packet.byteCount >> 8 & 0xFF))
            state.pending.append(UInt8(packet.byteCount & 0xFF))
            packet.withUnsafeBytes { state.pending.append(contentsOf: $0) }
            return begin(&state)
        }
        if start { pool.run { self.drain() } }
    }

    func close() {
        let start: Bool = state.withLock { state in
            guard !state.isClosed else { return false }
            state.isClosed = true
            return begin(&state)
        }
        if start { pool.run { self.drain() } }
    }

    private func begin(_ state: inout State) -> Bool {
        guard !state.isWriting else { return false }
        state.isWriting = true
        return true
    }

    private func drain() {
        while true {
            let (bytes, isLast): ([UInt8], Bool) = state.withLock { state in
                let bytes = state.pending
                state.pending = []
                if bytes.isEmpty { state.isWriting = false }
                state.written += bytes.count
                return (bytes, state.isClosed)
            }
            if bytes.isEmpty {
                if isLast { Glibc.close(descriptor) }
                return
            }
            let isWhole = bytes.withUnsafeBytes { buffer in
                var at = 0
                while at < buffer.count {
                    let count = Glibc.write(descriptor, buffer.baseAddress?.advanced(by: at), buffer.count - at)
                    if count < 0, errno == EINTR { continue }
                    guard count > 0 else { return false }
                    at += count
                }
                return true
            }
            if !isWhole { state.withLock { $0.hasFailed = true } }
        }
    }
}
