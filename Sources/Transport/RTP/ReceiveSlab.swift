internal import CSockets
internal import Glibc

/// What one loop reads into, again and again.
final class ReceiveSlab {
    static let readyCount = 256
    /// Datagrams per system call.
    static let batchSize = 32
    /// Each slot holds the largest datagram there is; only the pages that are written take memory. The distance of two
    /// slots is no power of two, which would put all packets' headers into the same cache lines.
    private static let slotSize = 65_536 + 192
    private static let streamSize = 65_536

    let batch: OpaquePointer
    let stream: UnsafeMutableRawBufferPointer
    let ready: UnsafeMutablePointer<cs_ready>

    init() throws(SystemError) {
        guard let batch = cs_batch_create(Int32(Self.batchSize), Int32(Self.slotSize)) else {
            throw SystemError(errno: ENOMEM)
        }
        self.batch = batch
        stream = .allocate(byteCount: Self.streamSize, alignment: 16)
        ready = .allocate(capacity: Self.readyCount)
        ready.initialize(repeating: cs_ready(), count: Self.readyCount)
    }

    deinit {
        cs_batch_destroy(batch)
        stream.deallocate()
        ready.deallocate()
    }
}
