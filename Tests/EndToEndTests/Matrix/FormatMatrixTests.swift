import Foundation
import Gateway
import Testing

/// Every codec from every publisher to every player, all of them programs that others wrote: pictures and sound as in the source,
/// times that never go back, sound as far from the picture as it was.
@Suite(.timeLimit(.minutes(5)))
struct FormatMatrixTests {
    struct Row: Hashable, Sendable, CustomTestStringConvertible {
        var clip: MatrixClip
        var publisher: MatrixPublisher

        init(_ video: MatrixClip.Video?, _ audio: MatrixClip.Audio?, _ publisher: MatrixPublisher = .ffmpeg) {
            clip = MatrixClip(video: video, audio: audio)
            self.publisher = publisher
        }

        var testDescription: String { "\(clip), published by \(publisher.rawValue)" }
    }

    /// What FLV has always carried.
    static let classic = [
        Row(.h264, nil), Row(.h264, .aac), Row(.h264B, .aac), Row(.h264, .g711a), Row(.h264, .g711u), Row(.h264, .mp3),
        Row(nil, .aac), Row(nil, .g711a), Row(nil, .mp3),
    ]
    static let byGStreamer =
        classic.map { Row($0.clip.video, $0.clip.audio, .gstreamer) } + [Row(.h264B, .aac, .librtmp)]
    /// What only Enhanced RTMP can say; and H.265 as it was said before.
    static let enhanced = [
        Row(.h265, .aac), Row(.h265, nil), Row(.h265, .g711a), Row(.h265, .aac, .legacy), Row(.h264, .opus),
        Row(nil, .opus),
        Row(.av1, .opus), Row(.vp9, .aac),
    ]

    @Test(.enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed"), arguments: classic)
    func carriesWhatFFmpegPublishes(row: Row) async throws {
        try await Self.run(row)
    }

    @Test(
        .enabled(if: FFmpeg.installed != nil && GStreamer.installed != nil, "ffmpeg or GStreamer is not installed"),
        arguments: byGStreamer
    )
    func carriesWhatGStreamerPublishes(row: Row) async throws {
        try await Self.run(row)
    }

    @Test(
        .enabled(if: FFmpeg.recent != nil, "there is no ffmpeg from 6.1 on: scripts/setup.sh test"),
        arguments: enhanced
    )
    func carriesWhatIsNewInEnhancedRTMP(row: Row) async throws {
        try await Self.run(row)
    }

    /// - Parameter readers: all who play FLV messages, or others.
    static func run(
        _ row: Row,
        readers: @escaping @Sendable (MatrixClip) -> [MatrixReader] = MatrixReader.all
    ) async throws {
        let made = try await row.clip.made()
        try await Turnstile.realTime.pass {
            try await Site.run { site in
                let readers = readers(row.clip)
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
                        // GStreamer's muxer cuts negative decoding times to 0: its first B-frames share one.
                        strict: row.clip.video != .h264B || row.publisher == .ffmpeg
                    )
                    #expect(faults == [], "\(reader.rawValue)")
                }
            }
        }
    }
}
