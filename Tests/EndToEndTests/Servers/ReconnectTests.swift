import Foundation
import Gateway
import Testing

/// What viewers see when the publisher goes and another one comes.
@Suite(
    .timeLimit(.minutes(2)),
    .enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed")
)
struct ReconnectTests {
    private static let clip = MatrixClip(video: .h264B, audio: .aac)

    @Test(
        "A publisher that reconnects: its viewer sees one stream, whose times go on and whose headers are not repeated"
    )
    func bridgesAReconnection() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        try await Site.run { site in
            let url = "rtmp://127.0.0.1:\(site.rtmp)/live/m"
            let watcher = Watcher("m", port: site.http)
            let player = try ffmpeg.reading(url, hasVideo: true)
            try await wait(for: "two viewers") { try await site.viewers(of: "m").count == 2 }
            for _ in 0..<3 {
                let publisher = try ffmpeg.publishing(made.path, to: url)
                try await watcher.pictures(30)
                publisher.kill(SIGKILL)
                try await wait(for: "the end of the input") { try await site.input(of: "m") == nil }
            }
            #expect(watcher.seen.faults == [])
            #expect(!watcher.seen.isOver)
            #expect(watcher.seen.videoHeaders == 1)
            try await site.endViewers(of: "m")
            let recording = try await player.recording()
            #expect(player.complaints == [])
            #expect(recording.pictures.count >= 90)
            #expect(zip(recording.pictures, recording.pictures.dropFirst()).allSatisfy { $0.pts < $1.pts })
        }
    }

    @Test("take_over: the second publisher's pictures follow the first one's, which is ended and told why")
    func takesOver() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        try await Site.run {
            $0.publish.onConflict = .takeOver
        } _: { site in
            let url = "rtmp://127.0.0.1:\(site.rtmp)/live/m"
            let watcher = Watcher("m", port: site.http)
            let first = try ffmpeg.publishing(made.path, to: url)
            try await watcher.pictures(30)
            let one = try await site.input(of: "m")
            let second = try ffmpeg.publishing(made.path, to: url)
            #expect(try await first.exit(limit: .seconds(10)) != 0)
            try await watcher.pictures(40)
            #expect(try await site.input(of: "m") != one)
            #expect(second.isRunning)
            #expect(watcher.seen.faults == [])
            #expect(!watcher.seen.isOver)
            watcher.leave()
            second.kill(SIGKILL)
        }
    }

    @Test("Without grace a viewer ends with its publisher: ffmpeg comes to a clean end, over RTMP and HTTP")
    func endsWithThePublisher() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        try await Site.run {
            $0.publish.graceMs = 0
        } _: { site in
            let url = "rtmp://127.0.0.1:\(site.rtmp)/live/m"
            let overRTMP = try ffmpeg.reading(url, hasVideo: true)
            let overHTTP = try ffmpeg.reading("http://127.0.0.1:\(site.http)/live/m.flv", hasVideo: true)
            try await wait(for: "two viewers") { try await site.viewers(of: "m").count == 2 }
            let publisher = try ffmpeg.publishing(made.path, to: url, loops: false)
            #expect(try await publisher.exit(limit: .seconds(20)) == 0)
            for player in [overRTMP, overHTTP] {
                let recording = try await player.recording()
                #expect(recording.faults(against: made.recording, tolerance: 20) == [])
            }
            #expect(overRTMP.program.errors == "", "NetStream.Play.UnpublishNotify is an end, not an error")
            try await wait(for: "the end of the stream") { try await site.api.streams().isEmpty }
        }
    }
}
