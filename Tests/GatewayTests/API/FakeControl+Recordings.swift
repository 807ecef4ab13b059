import Gateway
import Logging

extension FakeControl {
    func serverStat() async -> ServerStat {
        var usage = ProcessUsage()
        usage.pid = 812
        usage.cpuPercent = 12.5
        usage.cpuCount = 4
        usage.load = [0.5, 0.25, 0.125]
        usage.memoryBytes = 48_234_496
        usage.memoryTotalBytes = 8_589_934_592
        return ServerStat(
            version: "0.1.0",
            startTime: "2026-11-21 02:33:04.279 Z UTC",
            uptimeSec: 3600,
            usage: usage,
            groups: [],
            devices: [],
            limits: [LimitStat(name: "limits.max_streams", used: 3, limit: 5000)],
            logLevel: "info",
            urls: [.init("RTSP", "rtsp://{host}:5544/live/{stream}")],
            gb28181: .init(
                enabled: true,
                sipID: "34020000002000000001",
                sipDomain: "3402000000",
                sipIP: "192.0.2.1",
                sipPort: 5060,
                transports: ["udp", "tcp"],
                passwordRequired: true
            )
        )
    }

    func setLogLevel(_ level: Logger.Level) async -> LogLevelStat {
        LogLevelStat(logLevel: level.rawValue)
    }

    func gb28181Catalog(deviceID: String) async throws {
        guard deviceID == "34020000001320000001" else { throw ControlError.deviceNotFound(deviceID) }
    }

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
