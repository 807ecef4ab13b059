internal import Glibc
package import NIOCore

/// The machine's own files.
package struct POSIXFileSystem: RecordingFileSystem {
    package init() {}

    package func create(_ path: RecordingPath) throws(FileFailure) -> CInt {
        // A folder that is removed between its making and its use is made once more.
        var isLastTry = false
        while true {
            try makeFolders(path)
            do throws(FileFailure) {
                return try withFolder(path) { folder throws(FileFailure) in
                    let flags = O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW
                    return try call("create") { openat(folder, path.file, flags, 0o640) }
                }
            } catch {
                guard error.code == ENOENT, !isLastTry else { throw error }
                isLastTry = true
            }
        }
    }

    package func open(_ path: RecordingPath, forWriting: Bool) throws(FileFailure) -> CInt {
        try withFolder(path) { folder throws(FileFailure) in
            let flags = (forWriting ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
            let descriptor = try call("open") { openat(folder, path.file, flags) }
            var status = stat()
            guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
                _ = Glibc.close(descriptor)
                throw FileFailure("open", code: EINVAL)
            }
            return descriptor
        }
    }

    package func write(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) throws(FileFailure) -> Int {
        let count = try call("write") { Glibc.write(descriptor, bytes.baseAddress, bytes.count) }
        guard count > 0 || bytes.isEmpty else { throw FileFailure("write", code: EIO) }
        return count
    }

    package func read(_ descriptor: CInt, at offset: Int, count: Int) throws(FileFailure) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        while buffer.readableBytes < count {
            let at = off_t(offset &+ buffer.readableBytes)
            let wanted = count &- buffer.readableBytes
            var result = 0
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted) { room in
                repeat { result = pread(descriptor, room.baseAddress, wanted, at) } while result < 0 && errno == EINTR
                return max(result, 0)
            }
            if result < 0 { throw FileFailure("read", code: errno) }
            if result == 0 { break }
        }
        return buffer
    }

    package func truncate(_ descriptor: CInt, to length: Int) throws(FileFailure) {
        try call("truncate") { ftruncate(descriptor, off_t(length)) }
    }

    package func size(_ descriptor: CInt) throws(FileFailure) -> Int {
        var status = stat()
        try call("stat") { fstat(descriptor, &status) }
        return Int(status.st_size)
    }

    package func isLinked(_ descriptor: CInt) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) != 0 || status.st_nlink > 0
    }

    package func close(_ descriptor: CInt) throws(FileFailure) {
        // Linux has closed it even when it says EINTR.
        guard Glibc.close(descriptor) != 0, errno != EINTR else { return }
        throw FileFailure("close", code: errno)
    }

    package func replace(_ path: RecordingPath, with bytes: ByteBuffer) throws(FileFailure) {
        try makeFolders(path)
        try withFolder(path) { folder throws(FileFailure) in
            // lal's name for it.
            let temporary = "\(path.file).bak"
            let flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW
            let descriptor = try call("create") { openat(folder, temporary, flags, 0o640) }
            do throws(FileFailure) {
                defer { _ = Glibc.close(descriptor) }
                try writeAll(descriptor, bytes)
                try call("rename") { renameat(folder, temporary, folder, path.file) }
            } catch {
                unlinkat(folder, temporary, 0)
                throw error
            }
        }
    }

    private func writeAll(_ descriptor: CInt, _ bytes: ByteBuffer) throws(FileFailure) {
        var bytes = bytes
        while bytes.readableBytes > 0 {
            let failure: FileFailure? = bytes.readWithUnsafeReadableBytes { room in
                do throws(FileFailure) {
                    return (try write(descriptor, room), nil)
                } catch {
                    return (0, error)
                }
            }
            if let failure { throw failure }
        }
    }

    package func rename(_ path: RecordingPath, to name: String) throws(FileFailure) {
        guard let target = path.sibling(name) else { throw FileFailure("rename", code: EINVAL) }
        try withFolder(path) { folder throws(FileFailure) in
            // Only this process makes such names.
            guard faccessat(folder, target.file, F_OK, AT_SYMLINK_NOFOLLOW) != 0 else {
                throw FileFailure("rename", code: EEXIST)
            }
            _ = try call("rename") { renameat(folder, path.file, folder, target.file) }
        }
    }

    package func remove(_ path: RecordingPath) throws(FileFailure) {
        try withFolder(path) { folder throws(FileFailure) in
            _ = try call("remove") { unlinkat(folder, path.file, 0) }
        }
    }

    package func removeFolder(_ name: String, in folder: String) throws(FileFailure) {
        guard StreamFileName.isHarmless(name) else { throw FileFailure("remove", code: EINVAL) }
        let parent = try call("open") { Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        defer { _ = Glibc.close(parent) }
        try call("remove") { unlinkat(parent, name, AT_REMOVEDIR) }
    }

    package func list(_ folder: String, subfolder: String?) throws(FileFailure) -> [FolderEntry] {
        let descriptor: CInt
        do throws(FileFailure) {
            guard let place = RecordingPath(folder: folder, subfolder: subfolder, file: "-") else {
                throw FileFailure("list", code: EINVAL)
            }
            descriptor = try withFolder(place) { folder throws(FileFailure) in
                try call("list") { openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
            }
        } catch {
            guard error.code == ENOENT else { throw error }
            return []
        }
        guard let stream = fdopendir(descriptor) else {
            let code = errno
            _ = Glibc.close(descriptor)
            throw FileFailure("list", code: code)
        }
        defer { closedir(stream) }
        var entries: [FolderEntry] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard StreamFileName.isHarmless(name) else { continue }
            var status = stat()
            guard fstatat(dirfd(stream), name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            let kind = status.st_mode & S_IFMT
            guard kind == S_IFDIR || kind == S_IFREG else { continue }
            entries.append(FolderEntry(name: name, isFolder: kind == S_IFDIR))
        }
        return entries
    }

    package func space(_ folder: String) -> DiskSpace? {
        var path = folder
        while true {
            var status = stat()
            var disk = statvfs()
            if stat(path, &status) == 0, statvfs(path, &disk) == 0 {
                let free = UInt64(disk.f_bavail).multipliedReportingOverflow(by: UInt64(disk.f_frsize))
                return DiskSpace(device: UInt64(status.st_dev), free: Int(clamping: free.partialValue))
            }
            // Not made yet: it will be where its parent is.
            while path.hasSuffix("/"), path.utf8.count > 1 { path.removeLast() }
            guard let slash = path.lastIndex(of: "/") else {
                guard path != "." else { return nil }
                path = "."
                continue
            }
            if path == "/" { return nil }
            path = slash == path.startIndex ? "/" : String(path[..<slash])
        }
    }

    // MARK: Below

    /// Makes the folder of the format with its parents, and the one below it.
    private func makeFolders(_ path: RecordingPath) throws(FileFailure) {
        var made = ""
        for part in path.folder.split(separator: "/", omittingEmptySubsequences: false) {
            made += part
            if !part.isEmpty, part != ".", part != "..", mkdir(made, 0o755) != 0, errno != EEXIST {
                // A parent that may not be written is no matter as long as the next one is there.
                let code = errno
                var status = stat()
                if stat(made, &status) != 0 { throw FileFailure("make folder", code: code) }
            }
            made += "/"
        }
        guard let subfolder = path.subfolder else { return }
        let parent = try call("open folder") { Glibc.open(path.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        defer { _ = Glibc.close(parent) }
        if mkdirat(parent, subfolder, 0o755) != 0, errno != EEXIST { throw FileFailure("make folder", code: errno) }
    }

    /// The operator's folder may be a link, what is below it may not.
    private func withFolder<Value>(
        _ path: RecordingPath,
        _ body: (CInt) throws(FileFailure) -> Value
    ) throws(FileFailure) -> Value {
        let parent = try call("open folder") { Glibc.open(path.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        defer { _ = Glibc.close(parent) }
        guard let subfolder = path.subfolder else { return try body(parent) }
        let folder = try call("open folder") {
            openat(parent, subfolder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        }
        defer { _ = Glibc.close(folder) }
        return try body(folder)
    }

    @discardableResult
    private func call<Result: SignedInteger>(_ name: String, _ body: () -> Result) throws(FileFailure) -> Result {
        while true {
            let result = body()
            if result >= 0 { return result }
            let code = errno
            if code != EINTR { throw FileFailure(name, code: code) }
        }
    }
}
