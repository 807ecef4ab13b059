import Foundation
import Gateway
import Programs
import Testing

/// HLS on a disk, as lal has it, and what happens when the disk does not want to.
@Suite(.timeLimit(.minutes(3)), .enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed"))
struct HLSFilesTests {
    private static let clip = MatrixClip(video: .h264, audio: .aac)

    private func publish(_ site: Site) async throws -> Program {
        let made = try await Self.clip.made()
        let ffmpeg = try #require(Self.clip.tool)
        let program = try ffmpeg.publishing(made.path, to: "rtmp://127.0.0.1:\(site.rtmp)/live/m")
        try await wait(for: "the publisher") { try await site.api.streams() == ["m"] }
        return program
    }

    private func names(_ folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/m")) ?? []).sorted()
    }

    @Test("cleanup_mode 1: everything is kept while it is published, and the folder goes after it")
    func removesTheFolderAtTheEnd() async throws {
        let folder = try TemporaryFolder()
        try await Site.run {
            HLSPlaybackTests.configure(&$0, folder: folder.path)
            $0.hls.cleanupMode = 1
            $0.hls.fragmentNum = 2
            $0.hls.deleteThreshold = 1
            $0.hls.fragmentDurationMs = 500
        } _: { site in
            let publisher = try await publish(site)
            try await wait(for: "seven segments", limit: .seconds(20)) {
                names(folder.path).count { $0.hasSuffix(".ts") } >= 7
            }
            let files = names(folder.path)
            #expect(files.contains("playlist.m3u8") && files.contains("record.m3u8"))
            #expect(files.contains { $0.firstMatch(of: /^m-\d{13}-0\.ts$/) != nil })
            // The oldest has left the live list long ago: it is read from the disk.
            let first = try #require(files.first { $0.hasSuffix("-0.ts") })
            let live = try await Fetched.get("/hls/m.m3u8", port: site.http)
            #expect(!live.text.contains(first))
            let old = try await Fetched.get("/hls/m/\(first)", port: site.http)
            #expect(old.body == (try readFile("\(folder.path)/m/\(first)")))
            let record = try await Fetched.get("/hls/m/record.m3u8", port: site.http)
            #expect(record.text.contains(first) && record.text.hasSuffix("#EXT-X-ENDLIST\n"))
            publisher.kill(SIGKILL)
            try await wait(for: "the folder's end", limit: .seconds(20)) { names(folder.path).isEmpty }
        }
    }

    @Test("cleanup_mode 2: what left the list is deleted while the stream goes on")
    func removesSegmentsAsSoonAsPossible() async throws {
        let folder = try TemporaryFolder()
        try await Site.run {
            HLSPlaybackTests.configure(&$0, folder: folder.path)
            $0.hls.cleanupMode = 2
            $0.hls.fragmentNum = 2
            $0.hls.deleteThreshold = 1
            $0.hls.fragmentDurationMs = 500
        } _: { site in
            let publisher = try await publish(site)
            try await wait(for: "the first segment to go", limit: .seconds(30)) {
                let files = names(folder.path)
                return files.contains { $0.hasSuffix("-8.ts") } && !files.contains { $0.hasSuffix("-0.ts") }
            }
            #expect(!names(folder.path).contains("record.m3u8"))
            publisher.kill(SIGKILL)
        }
    }

    @Test(
        "A folder that cannot be made: the stream is served from memory, the fault is told once, and writing begins when it can"
    )
    func goesOnWithoutADisk() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/hls"
        try Array("in the way".utf8).write(toFile: path)
        try await Site.run {
            HLSPlaybackTests.configure(&$0, folder: path)
            $0.hls.fragmentDurationMs = 500
        } _: { site in
            let publisher = try await publish(site)
            try await wait(for: "a playlist", limit: .seconds(20)) {
                try await Fetched.get("/hls/m.m3u8", port: site.http).text.contains("-2.ts")
            }
            let faults = { site.log.lines.filter { $0.contains("hls: stream m is not written") } }
            #expect(faults().count == 1, "\(faults())")
            try FileManager.default.removeItem(atPath: path)
            try await wait(for: "files", limit: .seconds(20)) { names(path).contains { $0.hasSuffix(".ts") } }
            #expect(site.log.lines.count { $0.contains("hls: stream m is written again") } == 1)
            #expect(faults().count == 1)
            publisher.kill(SIGKILL)
        }
    }
}
