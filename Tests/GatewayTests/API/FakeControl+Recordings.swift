import Gateway

extension FakeControl {
    func hlsStreams() async -> [HLSStat] {
        [
            HLSStat(
                streamName: "test110",
                container: "ts",
                memoryBytes: 3_197_082,
                waiting: 0,
                droppedSegments: 0,
                droppedFrames: 0,
                fault: ""
            )
        ]
    }

    func recordHLS(streamName: String, file: String, query: String) async throws -> ControlDownload {
        guard streamName == "test110" else {
            throw ControlError(.recordNotFound, "record \(streamName)/\(file) not found")
        }
        return ControlDownload(
            body: .bytes(Array("#EXTM3U\n".utf8)),
            contentType: "application/vnd.apple.mpegurl",
            name: file
        )
    }

    func startRecord(_ request: StartRecordRequest) async throws -> RecordTask {
        guard ["flv", "ts", "fmp4", "hls"].contains(request.format) else {
            throw ControlError(.paramMissing, "format is \"\(request.format)\"")
        }
        return RecordTask(streamName: request.streamName, recordID: 1)
    }

    func stopRecord(streamName: String, recordID: Int?) async throws -> RecordTask {
        guard recordID == nil || recordID == 1 else { throw ControlError.sessionNotFound }
        return RecordTask(streamName: streamName, recordID: 1)
    }

    func records() async -> [RecordStat] {
        [
            RecordStat(
                recordID: 1,
                streamName: "test110",
                format: "fmp4",
                state: "recording",
                automatic: false,
                startTime: Self.start,
                file: "./lal_record/mp4/test110-1795228433.mp4",
                files: 1,
                wroteBytes: 868_079,
                queuedBytes: 0,
                droppedFrames: 0,
                droppedBytes: 0,
                omitted: [],
                fault: ""
            )
        ]
    }

    func recordFiles(_ request: RecordFilesRequest) async throws -> RecordFiles {
        let file = RecordFileStat(
            id: 1,
            streamName: "test110",
            format: "fmp4",
            path: "test110-1795228433.mp4",
            startMs: 1_795_228_433_288,
            endMs: 1_795_228_493_288,
            durationMs: 60_000,
            bytes: 3_197_082,
            state: "complete",
            codecs: "H264,AAC",
            url: "/api/record/file?id=1"
        )
        return RecordFiles(files: request.limit > 0 ? [file] : [], total: 1)
    }

    func recordFile(_ id: Int64) async throws -> ControlDownload {
        guard id == 1 else { throw ControlError.recordNotFound(id) }
        return ControlDownload(body: .bytes([0, 1, 2, 3]), contentType: "video/mp4", name: "test110-1795228433.mp4")
    }

    func deleteRecord(_ id: Int64) async throws {
        guard id == 1 else { throw ControlError.recordNotFound(id) }
    }

    func snapshot(streamName: String, isRaw: Bool) async throws -> ControlDownload {
        guard streamName == "test110" else { throw ControlError.groupNotFound }
        let name = isRaw ? "test110.h264" : "test110.jpg"
        return ControlDownload(
            body: .bytes([0xFF, 0xD8]),
            contentType: isRaw ? "video/h264" : "image/jpeg",
            name: name
        )
    }
}
