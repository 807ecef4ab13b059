import NIOCore

/// Immutable bytes at a fixed address, so that one send can take them together with slabs.
///
/// Unchecked Sendable: nothing changes after init.
final class ByteBlock: @unchecked Sendable {
    let base: UnsafeRawPointer
    let count: Int

    init(_ bytes: ByteBuffer) {
        count = bytes.readableBytes
        let memory = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1), alignment: 1)
        bytes.withUnsafeReadableBytes { source in
            guard let start = source.baseAddress else { return }
            memory.copyMemory(from: start, byteCount: source.count)
        }
        base = UnsafeRawPointer(memory)
    }

    deinit {
        base.deallocate()
    }
}
