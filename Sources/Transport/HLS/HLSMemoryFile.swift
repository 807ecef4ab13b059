import CSockets
import Glibc
import NIOCore

/// A segment that many fetch, in memory that the kernel sends from without a copy (memfd_create(2), sendfile(2)).
final class HLSMemoryFile: Sendable {
    let length: Int
    private let handle: NIOFileHandle

    /// nil when the system has no descriptor or no memory left.
    init?(_ bytes: ByteBuffer) {
        let descriptor = cs_memory_file()
        guard descriptor >= 0 else { return nil }
        var isWhole = true
        bytes.withUnsafeReadableBytes { source in
            var at = 0
            while at < source.count, isWhole {
                let count = write(descriptor, source.baseAddress?.advanced(by: at), source.count - at)
                if count < 0, errno == EINTR { continue }
                isWhole = count > 0
                at += max(0, count)
            }
        }
        guard isWhole else {
            close(descriptor)
            return nil
        }
        length = bytes.readableBytes
        handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: descriptor)
    }

    deinit {
        try? handle.close()
    }

    /// To be written to a channel while this file is kept.
    func region(_ part: Range<Int>) -> FileRegion {
        FileRegion(fileHandle: handle, readerIndex: part.lowerBound, endIndex: part.upperBound)
    }
}

/// The files of the segments that are asked for again and again.
struct HLSMemoryFiles {
    /// Whoever asks first gets the bytes; from this request on there is a file.
    private static let requests = 4
    /// Smaller ones are copied as fast.
    private static let shortest = 64 << 10
    private static let maximumNames = 24

    private var names: [(name: String, requests: Int, file: HLSMemoryFile?)] = []

    /// Counts a request.
    mutating func file(_ name: String, _ bytes: ByteBuffer) -> HLSMemoryFile? {
        guard bytes.readableBytes >= Self.shortest else { return nil }
        guard let index = names.lastIndex(where: { $0.name == name }) else {
            if names.count == Self.maximumNames { names.removeFirst() }
            names.append((name, 1, nil))
            return nil
        }
        names[index].requests += 1
        if names[index].file == nil, names[index].requests == Self.requests { names[index].file = HLSMemoryFile(bytes) }
        return names[index].file
    }
}
