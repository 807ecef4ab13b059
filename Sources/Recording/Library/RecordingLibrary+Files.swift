/// A page of files.
package struct RecordingPage: Hashable, Sendable {
    package var files: [RecordingFile]
    /// Of all pages.
    package var total: Int
}

/// A file that may be served over HTTP.
package struct RecordingDownload: Hashable, Sendable {
    /// To open it with; a regular file inside the folder of its format.
    package var path: String
    /// Now: it grows while it is written.
    package var size: Int
    package var contentType: String
    package var file: RecordingFile
}

extension RecordingLibrary {
    /// Most files of one page.
    package static let maximumPage = 1_000

    /// The files of a stream, or of all, that overlap a time, the oldest first.
    /// - Parameters:
    ///   - from: unix milliseconds; nil = from the first.
    ///   - to: unix milliseconds; nil = to the last.
    ///   - limit: at most `maximumPage`.
    /// - Throws: what the database says.
    package func files(
        stream: String? = nil,
        from: Int64? = nil,
        to: Int64? = nil,
        limit: Int = 100,
        offset: Int = 0
    ) async throws -> RecordingPage {
        let limit = min(max(0, limit), Self.maximumPage)
        let result = await onPool {
            Result {
                self.flushIndex()
                return try self.index.files(stream: stream, from: from, to: to, limit: limit, offset: offset)
            }
        }
        let (files, total) = try result.get()
        return RecordingPage(files: files, total: total)
    }

    /// A file of the index; nil when there is none, or none any more on the disk.
    package func file(_ id: Int64) async throws -> RecordingDownload? {
        try await onPool { Result { try self.download(id) } }.get()
    }

    /// The playlist of everything that was recorded of a stream as HLS.
    package func playlist(stream: String) async -> (path: String, size: Int, contentType: String)? {
        await onPool {
            RecordingPath(folder: self.configuration.folders.hls, subfolder: stream, file: HLSPlaylists.name)
                .flatMap { path in
                    self.size(path).map { (path.full, $0, HLSPlaylists.contentType) }
                }
        }
    }

    /// Deletes a file and its row. One that is being written is not deleted: stop the recording first.
    /// - Returns: whether it is gone.
    package func delete(_ id: Int64) async throws -> Bool {
        try await onPool {
            Result {
                self.flushIndex()
                guard let file = try self.index.file(id), !self.activeFiles.contains(file.key) else { return false }
                return self.retention.delete(file).files > 0
            }
        }.get()
    }

    private func download(_ id: Int64) throws -> RecordingDownload? {
        guard let file = try index.file(id),
            let path = RecordingPath(folder: configuration.folders[file.format], relative: file.path),
            let size = size(path)
        else { return nil }
        return RecordingDownload(path: path.full, size: size, contentType: file.format.contentType, file: file)
    }

    /// Nil for what is no regular file, or behind a link.
    private func size(_ path: RecordingPath) -> Int? {
        guard let descriptor = try? files.open(path, forWriting: false) else { return nil }
        defer { try? files.close(descriptor) }
        return try? files.size(descriptor)
    }
}
