package import NIOCore

/// A system call that failed.
package struct FileFailure: Error, Hashable, Sendable {
    /// `open`, `write`, ...
    package var call: String
    /// The errno.
    package var code: CInt

    package init(_ call: String, code: CInt) {
        self.call = call
        self.code = code
    }
}

/// What is asked of a file system. Every call may wait for a disk: never on an event loop. The tests put faults in between.
package protocol RecordingFileSystem: Sendable {
    /// A new file for writing and reading, its folders made where they are missing. An existing one, or a link, is not opened.
    func create(_ path: RecordingPath) throws(FileFailure) -> CInt
    /// An existing regular file, never through a link in its last two components.
    func open(_ path: RecordingPath, forWriting: Bool) throws(FileFailure) -> CInt
    /// Appends; how many bytes were taken, at least one.
    func write(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) throws(FileFailure) -> Int
    /// Up to `count` bytes from `offset`; fewer at the end of the file.
    func read(_ descriptor: CInt, at offset: Int, count: Int) throws(FileFailure) -> ByteBuffer
    func truncate(_ descriptor: CInt, to length: Int) throws(FileFailure)
    func size(_ descriptor: CInt) throws(FileFailure) -> Int
    /// Whether the file still has a name: not when somebody deleted it.
    func isLinked(_ descriptor: CInt) -> Bool
    func close(_ descriptor: CInt) throws(FileFailure)
    /// Writes a small file whole: under a temporary name, then renamed.
    func replace(_ path: RecordingPath, with bytes: ByteBuffer) throws(FileFailure)
    func rename(_ path: RecordingPath, to name: String) throws(FileFailure)
    func remove(_ path: RecordingPath) throws(FileFailure)
    /// Removes an empty folder below that of a format.
    func removeFolder(_ name: String, in folder: String) throws(FileFailure)
    /// The names in a folder, or in one below it; empty when there is none.
    func list(_ folder: String, subfolder: String?) throws(FileFailure) -> [FolderEntry]
    /// The disk that a folder, or what will be it, is on: its number and free bytes.
    func space(_ folder: String) -> DiskSpace?
}

package struct FolderEntry: Hashable, Sendable {
    package var name: String
    package var isFolder: Bool
}

package struct DiskSpace: Hashable, Sendable {
    package var device: UInt64
    package var free: Int

    package init(device: UInt64, free: Int) {
        self.device = device
        self.free = free
    }
}
