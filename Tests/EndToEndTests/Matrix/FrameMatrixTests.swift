import Foundation
import Gateway
import Testing

/// MPEG-TS and fMP4 over HTTP and WebSocket: what any publisher sends, frame by frame as it was, for other people's demuxers.
@Suite(.timeLimit(.minutes(5)))
struct FrameMatrixTests {
    typealias Row = FormatMatrixTests.Row

    static let classic = [
        Row(.h264, nil), Row(.h264, .aac), Row(.h264B, .aac), Row(.h264, .g711a), Row(.h264, .g711u), Row(.h264, .mp3),
        Row(nil, .aac), Row(nil, .mp3), Row(.h264B, .aac, .gstreamer),
    ]
    static let enhanced = [
        Row(.h265, .aac), Row(.h265, .g711a, .legacy), Row(.h264, .opus), Row(nil, .opus), Row(.av1, .opus),
        Row(.vp9, .aac),
    ]

    @Test(.enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed"), arguments: classic)
    func carriesWhatIsPublished(row: Row) async throws {
        guard row.publisher != .gstreamer || GStreamer.installed != nil else { return }
        try await Self.run(row)
    }

    @Test(
        .enabled(if: FFmpeg.recent != nil, "there is no ffmpeg from 6.1 on: scripts/setup.sh test"),
        arguments: enhanced
    )
    func carriesWhatIsNewInEnhancedRTMP(row: Row) async throws {
        try await Self.run(row)
    }

    private static func run(_ row: Row) async throws {
        let made = try await row.clip.made()
        try await Turnstile.realTime.pass {
            try await Site.run { site in
                let readers = MatrixReader.ofFrames(for: row.clip)
                let running = try readers.map {
                    try $0.start(row.clip, rtmp: site.rtmp, http: site.http, stream: "m")
                }
                try await wait(for: "\(readers.count) viewers", limit: .seconds(20)) {
                    try await site.viewers(of: "m").count == readers.count
                }
                try await row.publisher.publish(
                    row.clip,
                    made,
                    to: "rtmp://127.0.0.1:\(site.rtmp)/live/m",
                    port: site.rtmp,
                    stream: "m"
                )
                try await site.endViewers(of: "m")
                for (reader, running) in zip(readers, running) {
                    let faults = try await reader.judge(
                        running,
                        row.clip,
                        made.recording,
                        strict: row.clip.video != .h264B || row.publisher == .ffmpeg
                    )
                    #expect(faults == [], "\(reader.rawValue)")
                }
            }
        }
    }
}
