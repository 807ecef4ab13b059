import Foundation
import Gateway
import Testing

/// HLS as GStreamer and VLC play it, while it is published: from the beginning of a segment to the end, and nothing is missing.
@Suite(.timeLimit(.minutes(3)), .enabled(if: !Copier.installed.isEmpty, "neither GStreamer nor VLC is installed"))
struct HLSPlayersTests {
    private static let forms: [(path: String, form: Copier.Form)] = [
        ("m.m3u8", .segmentedTransportStream), ("m/index.m3u8", .segmentedFragments),
    ]

    @Test(arguments: [MatrixClip(video: .h264B, audio: .aac), MatrixClip(video: .h264, audio: .mp3)])
    func playsWhatFFmpegPublishes(clip: MatrixClip) async throws {
        try await Self.run(clip)
    }

    @Test(.enabled(if: FFmpeg.recent != nil, "there is no ffmpeg from 6.1 on: scripts/setup.sh test"))
    func playsH265AndOpus() async throws {
        try await Self.run(MatrixClip(video: .h265, audio: .opus))
    }

    private static func run(_ clip: MatrixClip) async throws {
        let made = try await clip.made()
        let ffmpeg = try #require(clip.tool)
        try await Turnstile.realTime.pass {
            try await Site.run {
                $0.hls.fragmentDurationMs = 1000
                $0.publish.graceMs = 0
            } _: { site in
                async let published: Void = MatrixPublisher.ffmpeg.publish(
                    clip,
                    made,
                    to: "rtmp://127.0.0.1:\(site.rtmp)/live/m",
                    port: site.rtmp,
                    stream: "m"
                )
                try await wait(for: "the publisher") { try await site.api.streams() == ["m"] }
                var copies: [(name: String, copy: Copy)] = []
                for (path, form) in forms {
                    for copier in Copier.installed {
                        let url = "http://127.0.0.1:\(site.http)/hls/\(path)"
                        copies.append(("\(copier.rawValue), \(path)", try copier.start(clip, url, form)))
                    }
                }
                try await published
                for (name, copy) in copies {
                    let found = try await copy.recording(clip, by: ffmpeg)
                    #expect(found.faultsOfTail(of: made.recording) == [], "\(name)")
                }
            }
        }
    }
}

extension Recording {
    /// Why this is not the end of `source` from one of its key frames on; empty when it is.
    fileprivate func faultsOfTail(of source: Recording) -> [String] {
        guard let picture = pictures.first, let sound = packets.audio.first,
            let begin = source.pictures.firstIndex(where: { $0.hash == picture.hash }),
            let heard = source.packets.audio.firstIndex(where: { $0.hash == sound.hash })
        else { return ["\(pictures.count) pictures and \(packets.audio.count) sounds do not begin as the source does"] }
        var faults: [String] = []
        if begin % 25 != 0 { faults.append("begins with picture \(begin), which is no key frame") }
        var tail = source
        tail.pictures.removeFirst(begin)
        tail.packets.audio.removeFirst(heard)
        // The sound of the clip begins later than the picture.
        let late = tail.packets.audio[0].pts - max(tail.pictures[0].pts, source.packets.audio[0].pts)
        if late > 50 { faults.append("sound begins \(late) ms late") }
        return faults + self.faults(against: tail, tolerance: 24)
    }
}
