import Foundation
import Gateway
import Testing

/// GStreamer's and VLC's demuxers over HTTP, live and by HLS, in one publication: nothing is missing but at the end, where they leave
/// out what they have not finished.
@Suite(.timeLimit(.minutes(5)), .enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed"))
struct HTTPPlayerTests {
    enum Form: String, CaseIterable, Sendable {
        case transportStream = "/live/m.ts"
        case fragments = "/live/m.mp4"
        case segmentedTransportStream = "/hls/m.m3u8"
        case segmentedFragments = "/hls/m/index.m3u8"

        var isFragments: Bool { self == .fragments || self == .segmentedFragments }
        var isSegmented: Bool { self == .segmentedTransportStream || self == .segmentedFragments }
    }

    static let clips = [
        MatrixClip(video: .h264B, audio: .aac), MatrixClip(video: .h264, audio: .mp3),
        MatrixClip(video: .h264, audio: .g711a), MatrixClip(video: .h264, audio: nil),
    ]

    @Test(.enabled(if: GStreamer.installed != nil, "GStreamer is not installed"), arguments: clips)
    func gstreamerReadsWhatFFmpegPublishes(clip: MatrixClip) async throws {
        try await Self.run(clip, .gstreamer)
    }

    @Test(.enabled(if: VLC.installed != nil, "VLC is not installed"), arguments: clips)
    func vlcReadsWhatFFmpegPublishes(clip: MatrixClip) async throws {
        try await Self.run(clip, .vlc)
    }

    @Test(.enabled(if: FFmpeg.recent != nil, "there is no ffmpeg from 6.1 on: scripts/setup.sh test"))
    func theyReadH265AndOpus() async throws {
        let clip = MatrixClip(video: .h265, audio: .opus)
        if GStreamer.installed != nil { try await Self.run(clip, .gstreamer) }
        if VLC.installed != nil { try await Self.run(clip, .vlc) }
    }

    private static func run(_ clip: MatrixClip, _ player: HTTPPlayer) async throws {
        let made = try await clip.made()
        let ffmpeg = try #require(clip.tool)
        try await Turnstile.realTime.pass {
            try await Site.run {
                $0.hls.fragmentDurationMs = 1000
                $0.publish.graceMs = 0
            } _: { site in
                var copies: [(form: Form, copy: PlayedCopy)] = []
                for form in player.forms where !form.isSegmented {
                    copies.append((form, try player.play(form, clip, port: site.http)))
                }
                try await wait(for: "the viewers", limit: .seconds(20)) {
                    try await site.viewers(of: "m").count == copies.count
                }
                async let published: Void = MatrixPublisher.ffmpeg.publish(
                    clip,
                    made,
                    to: "rtmp://127.0.0.1:\(site.rtmp)/live/m",
                    port: site.rtmp,
                    stream: "m"
                )
                try await wait(for: "the publisher") { try await site.input(of: "m") != nil }
                for form in player.forms where form.isSegmented {
                    copies.append((form, try player.play(form, clip, port: site.http)))
                }
                try await published
                for (form, copy) in copies {
                    let recoded = form.isFragments && clip.pcm != nil
                    var found = try await copy.recording(clip, by: ffmpeg, recoded: recoded)
                    if form.isFragments, !recoded { found.dropFirstSilence(before: made.recording) }
                    var source = made.recording
                    // They pass over G.711 in TS.
                    if clip.pcm != nil, !form.isFragments { (source.packets.audio, source.samples) = ([], []) }
                    let faults = found.faultsOfRun(
                        of: source,
                        isLate: form.isSegmented,
                        recoded: recoded,
                        hearsAtOnce: player == .gstreamer
                    )
                    #expect(faults == [], "\(player.rawValue), \(form.rawValue)")
                }
            }
        }
    }
}
