internal import Glibc
internal import NIOCore

/// What a disk would not do.
struct DiskFault: Error, Hashable, Sendable, CustomStringConvertible {
    let what: String
    let code: CInt

    var description: String { "\(what): \(String(cString: strerror(code)))" }
}

/// A folder of files with plain names: nothing outside of it is read or written, whatever they are called.
struct DiskFolder: Sendable {
    let path: String

    init(_ path: String) {
        self.path = path
    }

    func make() throws(DiskFault) {
        var at = path.hasPrefix("/") ? "" : "."
        for item in path.split(separator: "/") {
            at += "/\(item)"
            guard mkdir(at, 0o755) != 0, errno != EEXIST else { continue }
            throw fault("make folder \(at)")
        }
    }

    /// The whole file, new or over an old one of its name; nothing of it stays when it cannot be whole.
    func write(_ bytes: ByteBuffer, to name: String) throws(DiskFault) {
        let file = try place(name)
        try write(bytes, file, flags: O_WRONLY | O_CREAT | O_TRUNC, at: 0) { unlink(file) }
    }

    /// Over the end of a file, from a byte on.
    func write(_ bytes: ByteBuffer, to name: String, at position: Int) throws(DiskFault) {
        let file = try place(name)
        try write(bytes, file, flags: O_WRONLY | O_CREAT, at: position) {}
    }

    /// Readers see the old file or the new one, nothing between.
    func replace(_ name: String, with bytes: ByteBuffer) throws(DiskFault) {
        let file = try place(name)
        try write(bytes, to: name + ".bak")
        guard rename(file + ".bak", file) != 0 else { return }
        throw fault("rename \(file).bak")
    }

    private func write(
        _ bytes: ByteBuffer,
        _ file: String,
        flags: CInt,
        at position: Int,
        _ undo: () -> Void
    ) throws(DiskFault) {
        let descriptor = open(file, flags | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { throw fault("open \(file)") }
        var at = 0
        var code: CInt = 0
        bytes.withUnsafeReadableBytes { source in
            while at < source.count {
                let count = pwrite(descriptor, source.baseAddress?.advanced(by: at), source.count - at, position + at)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else {
                    code = errno
                    return
                }
                at += count
            }
        }
        close(descriptor)
        guard code != 0 else { return }
        undo()
        throw DiskFault(what: "write \(file)", code: code)
    }

    /// nil when there is no such file, or one longer than `limit`.
    func read(_ name: String, limit: Int) -> ByteBuffer? {
        guard let file = try? place(name) else { return nil }
        let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG,
            information.st_size <= limit
        else { return nil }
        var bytes = ByteBuffer()
        let length = Int(information.st_size)
        bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { target in
            var at = 0
            while at < length {
                let count = Glibc.read(descriptor, target.baseAddress?.advanced(by: at), length - at)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                at += count
            }
            return at
        }
        return bytes
    }

    /// Of a regular file; nil when there is none.
    func size(of name: String) -> Int? {
        guard let file = try? place(name) else { return nil }
        var information = stat()
        guard lstat(file, &information) == 0, information.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int(information.st_size)
    }

    func remove(_ name: String) {
        if let file = try? place(name) { unlink(file) }
    }

    /// Removes the files that `isOwn` says are ours, and the folder when nothing else is in it.
    func removeAll(where isOwn: (String) -> Bool) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        // It closes the descriptor, too.
        guard let folder = fdopendir(descriptor) else {
            close(descriptor)
            return
        }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if isOwn(name) { unlinkat(descriptor, name, 0) }
        }
        rmdir(path)
    }

    private func place(_ name: String) throws(DiskFault) -> String {
        guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(UInt8(ascii: "/")),
            !name.utf8.contains(0), name.utf8.count <= 255
        else { throw DiskFault(what: "file name \"\(name)\"", code: EINVAL) }
        return "\(path)/\(name)"
    }

    private func fault(_ what: String) -> DiskFault { DiskFault(what: what, code: errno) }
}
