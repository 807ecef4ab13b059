import Foundation
import Testing

/// `kill -9` while it records: what was written plays, and the index agrees with the disk after the next start.
@Suite(
    .timeLimit(.minutes(3)),
    .enabled(if: FFmpeg.installed != nil && Product.path != nil, "ffmpeg or gbgate is missing")
)
struct KilledRecordingTests {
    @Test func everyFilePlaysAndTheIndexAgrees() async throws {
        let clip = MatrixClip(video: .h264, audio: .aac)
        let made = try await clip.made()
        let ffmpeg = try #require(clip.tool)
        let folder = try TemporaryFolder()
        let environment = [
            "GBGATE_RECORD_ENABLE_FLV": "true", "GBGATE_RECORD_ENABLE_MPEGTS": "true",
            "GBGATE_RECORD_ENABLE_FMP4": "true", "GBGATE_RECORD_ENABLE_HLS": "true",
            "GBGATE_RECORD_SEGMENT_DURATION_SEC": "2",
        ]
        func files() -> [String] {
            let all = FileManager.default.enumerator(atPath: "\(folder.path)/lal_record")?.allObjects ?? []
            return all.compactMap { $0 as? String }.filter {
                [".flv", ".ts", ".mp4"].contains($0.suffix(4)) || $0.hasSuffix(".ts")
            }
            .map { "\(folder.path)/lal_record/\($0)" }.sorted()
        }
        let first = try await Product.serve(folder: folder.path, environment)
        let publisher = try ffmpeg.publishing(made.path, to: "rtmp://127.0.0.1:\(first.rtmp)/live/m")
        try await wait(for: "three files of each form", limit: .seconds(40)) {
            let files = files()
            return [".flv", ".mp4"].allSatisfy { suffix in files.count { $0.hasSuffix(suffix) } >= 3 }
                && files.count { $0.hasSuffix(".ts") } >= 5
        }
        // The newest has a second of its own at least.
        try await Task.sleep(for: .milliseconds(1200))
        first.program.kill(SIGKILL)
        _ = try await first.program.exit(limit: .seconds(10))
        publisher.kill(SIGKILL)

        for file in files() where size(ofFile: file) > 0 {
            let played = try await ffmpeg.pictures(["-i", file])
            #expect(played.pictures.count > 0, "\(file): \(played.errors)")
            // TS may end in the middle of a picture, which is told once.
            if !file.hasSuffix(".ts") { #expect(played.errors == "", "\(file)") }
        }

        let second = try await Product.serve(folder: folder.path, environment)
        let rows = try await second.api.get("/api/stat/record_files?limit=1000").data["files"] as? [[String: Any]] ?? []
        let listed = rows.compactMap { row -> (String, Int)? in
            guard let path = row["path"] as? String, let bytes = (row["bytes"] as? NSNumber)?.intValue else {
                return nil
            }
            return (path, bytes)
        }
        #expect(rows.allSatisfy { ["complete", "interrupted"].contains($0["state"] as? String) })
        #expect(rows.contains { $0["state"] as? String == "interrupted" })
        let onDisk = files()
        #expect(listed.count == onDisk.count, "\(listed) \(onDisk)")
        for (path, bytes) in listed {
            let file = try #require(onDisk.first { $0.hasSuffix("/\(path)") }, "\(path)")
            #expect(size(ofFile: file) == bytes, "\(path)")
        }
        for file in onDisk {
            let played = try await ffmpeg.pictures(["-i", file])
            #expect(played.pictures.count > 0, "\(file)")
        }
        second.program.kill(SIGTERM)
        _ = try await second.program.exit(limit: .seconds(10))
    }
}
