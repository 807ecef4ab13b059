import Foundation
import Gateway
import Testing

/// Recordings as a program asks for them: begun, listed, fetched in ranges, deleted; and pictures of a stream.
@Suite(.timeLimit(.minutes(3)), .enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed"))
struct RecordingAPITests {
    private static let clip = MatrixClip(video: .h264B, audio: .aac)

    private static func run(
        _ body: @escaping @Sendable (Site, FFmpeg, MatrixClip.Made) async throws -> Void
    ) async throws {
        let made = try await clip.made()
        let ffmpeg = try #require(clip.tool)
        let folder = try TemporaryFolder()
        try await Site.run {
            $0.record.flvOutPath = "\(folder.path)/flv/"
            $0.record.mpegtsOutPath = "\(folder.path)/ts/"
            $0.record.fmp4OutPath = "\(folder.path)/mp4/"
            $0.record.hlsOutPath = "\(folder.path)/vod/"
        } _: { site in
            try await body(site, ffmpeg, made)
        }
    }

    private static func files(_ site: Site) async throws -> [[String: Any]] {
        try await site.api.get("/api/stat/record_files?stream_name=m").data["files"] as? [[String: Any]] ?? []
    }

    @Test("Begun before the publisher, a recording has the whole of it", arguments: ["flv", "ts", "fmp4"])
    func recordsTheWholeStream(format: String) async throws {
        try await Turnstile.realTime.pass {
            try await Self.run { site, ffmpeg, made in
                let order = #"{"stream_name":"m","format":"\#(format)"}"#
                let started = try await site.api.post("/api/ctrl/start_record", order)
                #expect(started.code == 0, "\(started.text)")
                #expect(try await site.api.post("/api/ctrl/start_record", order).code == 2101)
                try await MatrixPublisher.ffmpeg.publish(
                    Self.clip,
                    made,
                    to: "rtmp://127.0.0.1:\(site.rtmp)/live/m",
                    port: site.rtmp,
                    stream: "m"
                )
                try await site.settle("m")
                #expect(try await site.api.post("/api/ctrl/stop_record", #"{"stream_name":"m"}"#).code == 0)
                try await wait(for: "the file") {
                    let files = try await Self.files(site)
                    return files.count == 1 && files[0]["state"] as? String == "complete"
                }
                let file = try #require(try await Self.files(site).first)
                let id = try #require((file["id"] as? NSNumber)?.intValue)
                let whole = try await Fetched.get("/api/record/file?id=\(id)", port: site.api.port)
                #expect(whole.status == 200 && whole.body.count == (file["bytes"] as? NSNumber)?.intValue)
                let range = "Range: bytes=100-299\r\n"
                let part = try await Fetched.get("/api/record/file?id=\(id)", port: site.api.port, headers: range)
                #expect(part.status == 206 && part.body == Array(whole.body[100..<300]))
                let scratch = try TemporaryFolder()
                let path = "\(scratch.path)/file.\(format == "fmp4" ? "mp4" : format)"
                try whole.body.write(toFile: path)
                let copying = format == "ts" ? ["-bsf:a", "aac_adtstoasc"] : []
                let recording = try await ffmpeg.recording(of: path, hasVideo: true, copying: copying)
                let found = format == "fmp4" ? recording.withoutFirstSilence(before: made.recording) : recording
                // The first sound of MP4 may stand less than a frame of AAC early.
                #expect(found.faults(against: made.recording, tolerance: 24) == [])
                #expect(try await site.api.post("/api/ctrl/delete_record", "{\"id\":\(id)}").code == 0)
                #expect(try await Fetched.get("/api/record/file?id=\(id)", port: site.api.port).status == 404)
            }
        }
    }

    @Test("A recording of a stream that is published begins with what is cached; HLS is a folder with record.m3u8")
    func recordsWhatIsPublished() async throws {
        try await Self.run { site, ffmpeg, made in
            let publisher = try ffmpeg.publishing(made.path, to: "rtmp://127.0.0.1:\(site.rtmp)/live/m")
            try await wait(for: "the publisher") { try await site.api.streams() == ["m"] }
            let order = #"{"stream_name":"m","format":"hls","segment_duration_sec":1}"#
            #expect(try await site.api.post("/api/ctrl/start_record", order).code == 0)
            try await wait(for: "two segments", limit: .seconds(20)) { try await Self.files(site).count >= 2 }
            let stat = try await site.api.get("/api/stat/records").data["records"] as? [[String: Any]] ?? []
            #expect(stat.first?["state"] as? String == "recording" && stat.first?["fault"] as? String == "")
            publisher.kill(SIGKILL)
        }
    }

    @Test("Wrong calls say what is wrong")
    func refuses() async throws {
        try await Self.run { site, _, _ in
            let bad = [
                (#"{"stream_name":"m","format":"avi"}"#, 1002), (#"{"format":"flv"}"#, 1002),
                (#"{"stream_name":"../m"}"#, 1002), (#"{"stream_name":"a/b"}"#, 2101),
                (#"{"stream_name":"m","segment_size_mb":-1}"#, 1002),
            ]
            for (order, code) in bad {
                let answer = try await site.api.post("/api/ctrl/start_record", order)
                #expect(answer.code == code, "\(order): \(answer.text)")
            }
            #expect(try await site.api.post("/api/ctrl/stop_record", #"{"stream_name":"m"}"#).code == 1003)
            #expect(try await Fetched.get("/api/record/file?id=7", port: site.api.port).status == 404)
            #expect(try await Fetched.get("/api/snapshot?stream_name=m", port: site.api.port).status == 404)
        }
    }

    @Test("The newest key frame, as JPEG and as it is")
    func takesSnapshots() async throws {
        try await Self.run { site, ffmpeg, made in
            let publisher = try ffmpeg.publishing(made.path, to: "rtmp://127.0.0.1:\(site.rtmp)/live/m")
            try await wait(for: "the publisher") { try await site.api.streams() == ["m"] }
            let folder = try TemporaryFolder()
            let raw = try await Fetched.get("/api/snapshot?stream_name=m&format=raw", port: site.api.port)
            #expect(raw.header("content-type") == "video/h264")
            try raw.body.write(toFile: "\(folder.path)/s.h264")
            let decoded = try await ffmpeg.pictures(["-i", "\(folder.path)/s.h264"])
            #expect(decoded.pictures.count == 1 && decoded.errors == "")
            // One of the source's own key frames.
            #expect(made.recording.pictures.contains { $0.hash == decoded.pictures.first })
            let picture = try await Fetched.get("/api/snapshot?stream_name=m", port: site.api.port)
            #expect(picture.header("content-type") == "image/jpeg" && picture.body.starts(with: [0xFF, 0xD8]))
            try picture.body.write(toFile: "\(folder.path)/s.jpg")
            let seen = try await ffmpeg.run(["-i", "\(folder.path)/s.jpg", "-f", "framemd5", "-"])
            #expect(seen.text.contains("320x240"), "\(seen.text) \(seen.errors)")
            publisher.kill(SIGKILL)
        }
    }
}
