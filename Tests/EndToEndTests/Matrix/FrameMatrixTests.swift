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
        try await FormatMatrixTests.run(row, readers: MatrixReader.ofFrames)
    }

    @Test(
        .enabled(if: FFmpeg.recent != nil, "there is no ffmpeg from 6.1 on: scripts/setup.sh test"),
        arguments: enhanced
    )
    func carriesWhatIsNewInEnhancedRTMP(row: Row) async throws {
        try await FormatMatrixTests.run(row, readers: MatrixReader.ofFrames)
    }
}
