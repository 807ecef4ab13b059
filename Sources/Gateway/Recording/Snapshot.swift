internal import Glibc
internal import Hub
internal import Media
internal import NIOCore
internal import Subprocess
internal import Synchronization
internal import SystemPackage

/// Pictures of streams: the newest key frame as it is, or as JPEG by the ffmpeg that is installed.
final class SnapshotMaker: Sendable {
    /// At the same time: each takes a processor for some ten milliseconds.
    private static let maximumRunning = 8
    private static let patience = Duration.seconds(5)
    private static let largestPicture = 32 << 20

    private let ffmpeg: String?
    private let running = Atomic<Int>(0)

    /// - Parameter path: of ffmpeg; empty: it is looked for in PATH.
    init(ffmpeg path: String = "") {
        ffmpeg = path.isEmpty ? Self.find("ffmpeg") : path
    }

    private static func find(_ name: String) -> String? {
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    func make(_ stream: String, hub: Hub, isRaw: Bool) async throws -> ControlDownload {
        guard hub.publisher(of: stream) != nil else { throw ControlError.groupNotFound }
        guard let (video, frame) = await hub.keyFrame(of: stream, within: Self.patience) else {
            throw ControlError(.snapshotFailed, "snapshot of \(stream): no key frame came within \(Self.patience)")
        }
        guard video.codec.hasNALUnits else {
            throw ControlError(
                .snapshotFailed,
                "snapshot of \(stream): its codec is \(video.codec.rawValue), expected H264 or H265"
            )
        }
        let raw = Self.annexB(video, frame)
        let suffix = video.codec == .h264 ? "h264" : "h265"
        guard !isRaw, let ffmpeg else {
            return ControlDownload(body: .bytes(raw), contentType: "video/\(suffix)", name: "\(stream).\(suffix)")
        }
        let picture = try await jpeg(raw, video.codec == .h264 ? "h264" : "hevc", ffmpeg, stream)
        return ControlDownload(body: .bytes(picture), contentType: "image/jpeg", name: "\(stream).jpg")
    }

    private static func annexB(_ video: VideoParameters, _ frame: Frame) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(frame.payload.readableBytes + 1024)
        for set in video.vps + video.sps + video.pps { bytes += [0, 0, 0, 1] + set }
        var payload = frame.payload
        while let length = payload.readInteger(as: UInt32.self), let unit = payload.readBytes(length: Int(length)) {
            bytes += [0, 0, 0, 1] + unit
        }
        return bytes
    }

    private func jpeg(_ bytes: [UInt8], _ format: String, _ ffmpeg: String, _ stream: String) async throws -> [UInt8] {
        guard running.wrappingAdd(1, ordering: .relaxed).newValue <= Self.maximumRunning else {
            running.wrappingSubtract(1, ordering: .relaxed)
            throw ControlError(
                .snapshotFailed,
                "snapshot of \(stream): \(Self.maximumRunning) are being made; ask again in a moment"
            )
        }
        defer { running.wrappingSubtract(1, ordering: .relaxed) }
        let picture: [UInt8]? = try await withThrowingTaskGroup(of: [UInt8]?.self) { tasks in
            tasks.addTask {
                let result = try await run(
                    .path(FilePath(ffmpeg)),
                    arguments: [
                        "-v", "error", "-threads", "1", "-f", format, "-i", "pipe:0", "-frames:v", "1", "-f", "mjpeg",
                        "pipe:1",
                    ],
                    input: .array(bytes),
                    output: .bytes(limit: Self.largestPicture),
                    error: .discarded
                )
                return result.standardOutput
            }
            tasks.addTask {
                try? await Task.sleep(for: Self.patience)
                return nil
            }
            let first = try await tasks.next() ?? nil
            tasks.cancelAll()
            return first
        }
        guard let picture, picture.starts(with: [0xFF, 0xD8]) else {
            throw ControlError(
                .snapshotFailed,
                "snapshot of \(stream): \(ffmpeg) made no picture of its key frame; format=raw gives it as it is"
            )
        }
        return picture
    }
}

extension Gateway {
    package func snapshot(streamName: String, isRaw: Bool) async throws -> ControlDownload {
        await signalling?.glanced(at: streamName)
        return try await snapshots.make(streamName, hub: hub, isRaw: isRaw)
    }
}
