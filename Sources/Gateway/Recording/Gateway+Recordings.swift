internal import Hub
internal import Media
internal import NIOCore
internal import Recording

// Recordings, as the API asks for them.
extension Gateway {
    package func startRecord(_ request: StartRecordRequest) async throws -> RecordTask {
        guard let format = RecordingFormat(rawValue: request.format) else {
            let known = RecordingFormat.allCases.map(\.rawValue).joined(separator: ", ")
            throw ControlError.paramMissing("format is \"\(request.format)\", expected \(known)")
        }
        let options = RecordingOptions(
            segmentSeconds: request.segmentDurationSec,
            segmentMegabytes: request.segmentSizeMb
        )
        do throws(RecordingRefusal) {
            let id = try recording.start(request.streamName, format: format, options: options, hub: hub)
            return RecordTask(streamName: request.streamName, recordID: id.rawValue)
        } catch {
            throw ControlError(
                .recordFailed,
                "record \(request.streamName) as \(format.rawValue): \(error.description)"
            )
        }
    }

    package func stopRecord(streamName: String, recordID: Int?) async throws -> RecordTask {
        let wanted = recording.library.list().filter { status in
            status.stream == streamName && recordID.map { $0 == status.id.rawValue } ?? true
        }
        guard let first = wanted.first else { throw ControlError.sessionNotFound }
        for status in wanted { _ = recording.stop(status.id, of: streamName, hub: hub) }
        return RecordTask(streamName: streamName, recordID: first.id.rawValue)
    }

    package func records() async -> [RecordStat] {
        recording.library.list().map { status in
            RecordStat(
                recordID: status.id.rawValue,
                streamName: status.stream,
                format: status.format.rawValue,
                state: status.phase.rawValue,
                automatic: status.isAutomatic,
                startTime: WallTime(unixMilliseconds: status.startMilliseconds).lal,
                file: status.path ?? "",
                files: status.files,
                wroteBytes: status.writtenBytes,
                queuedBytes: status.queuedBytes,
                droppedFrames: status.droppedFrames,
                droppedBytes: status.droppedBytes,
                omitted: status.omitted,
                fault: status.fault?.description ?? ""
            )
        }
    }

    package func recordFiles(_ request: RecordFilesRequest) async throws -> RecordFiles {
        let page = try await recording.library.files(
            stream: request.streamName.isEmpty ? nil : request.streamName,
            from: request.from,
            to: request.to,
            limit: request.limit,
            offset: request.offset
        )
        return RecordFiles(files: page.files.map { RecordFileStat($0) }, total: page.total)
    }

    package func recordFile(_ id: Int64) async throws -> ControlDownload {
        guard let download = try await recording.library.file(id) else { throw ControlError.recordNotFound(id) }
        let name = download.path.split(separator: "/").last.map(String.init) ?? "record"
        return ControlDownload(
            body: .file(path: download.path, size: download.size),
            contentType: download.contentType,
            name: name
        )
    }

    package func recordHLS(streamName: String, file: String, query: String) async throws -> ControlDownload {
        let missing = ControlError(.recordNotFound, "record \(streamName)/\(file) not found")
        let isPlaylist = file.hasSuffix(".m3u8")
        guard StreamFileName(streamName) != nil, isPlaylist || file.hasSuffix(".ts") else { throw missing }
        let root = recording.library.configuration.folders.hls
        let folder = DiskFolder((root.hasSuffix("/") ? root : root + "/") + streamName)
        let download: ControlDownload? = await withCheckedContinuation { continuation in
            disk.run {
                if isPlaylist, let text = folder.read(file, limit: HLSRecord.maximumBytes) {
                    let list = HLSRecord(String(buffer: text)).playlist(query: query)
                    let body = ControlDownload.Body.bytes(Array(list.readableBytesView))
                    continuation.resume(
                        returning: ControlDownload(body: body, contentType: "application/vnd.apple.mpegurl", name: file)
                    )
                } else if !isPlaylist, let size = folder.size(of: file) {
                    let body = ControlDownload.Body.file(path: "\(folder.path)/\(file)", size: size)
                    continuation.resume(returning: ControlDownload(body: body, contentType: "video/mp2t", name: file))
                } else {
                    continuation.resume(returning: nil)
                }
            }
        }
        guard let download else { throw missing }
        return download
    }

    package func deleteRecord(_ id: Int64) async throws {
        guard try await recording.library.file(id) != nil else { throw ControlError.recordNotFound(id) }
        guard try await recording.library.delete(id) else {
            throw ControlError(.recordFailed, "delete file \(id): it is being written; stop the recording first")
        }
    }
}

extension RecordFileStat {
    init(_ file: RecordingFile) {
        self.init(
            id: file.id,
            streamName: file.stream,
            format: file.format.rawValue,
            path: file.path,
            startMs: file.startMilliseconds,
            endMs: file.endMilliseconds,
            durationMs: file.durationMilliseconds,
            bytes: file.bytes,
            state: file.state.rawValue,
            codecs: file.codecs,
            url: "/api/record/file?id=\(file.id)"
        )
    }
}
