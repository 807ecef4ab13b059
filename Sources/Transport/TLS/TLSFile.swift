import Glibc

/// A certificate or key file.
enum TLSFile {
    /// Changes whenever the file does.
    struct Stamp: Hashable, Sendable {
        var device: UInt
        var inode: UInt
        var size: Int
        var seconds: Int
        var nanoseconds: Int
    }

    /// Chains have some kilobytes.
    private static let maximumLength = 1 << 20

    static func stamp(_ path: String) -> Stamp? {
        var status = stat()
        return stat(path, &status) == 0 ? Stamp(status) : nil
    }

    static func read(_ path: String, _ what: String) throws(TLSFault) -> (bytes: [UInt8], stamp: Stamp) {
        guard !path.isEmpty else { throw TLSFault("no \(what) file is configured") }
        // Not to wait for the writer of a named pipe.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            throw TLSFault("cannot open the \(what) file \(path): \(String(cString: strerror(errno)))")
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw TLSFault("the \(what) file \(path) is no regular file")
        }
        guard status.st_size <= maximumLength else {
            throw TLSFault("the \(what) file \(path) has \(status.st_size) bytes: that is no PEM file")
        }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 16 * 1024)
        while bytes.count <= maximumLength {
            let count = Glibc.read(file, &part, part.count)
            guard count >= 0 else {
                throw TLSFault("cannot read the \(what) file \(path): \(String(cString: strerror(errno)))")
            }
            if count == 0 { break }
            bytes += part.prefix(count)
        }
        return (bytes, Stamp(status))
    }
}

extension TLSFile.Stamp {
    fileprivate init(_ status: stat) {
        device = UInt(truncatingIfNeeded: status.st_dev)
        inode = UInt(truncatingIfNeeded: status.st_ino)
        size = Int(status.st_size)
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
    }
}
