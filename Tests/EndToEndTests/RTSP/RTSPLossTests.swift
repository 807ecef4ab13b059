import Foundation
import Gateway
import Testing

/// 2 % of the packets of a publisher over UDP are lost.
@Suite(
    .timeLimit(.minutes(2)),
    .enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed")
)
struct RTSPLossTests {
    private static let group = 10

    private static let codecs = [
        ["-c:v", "libx264", "-preset", "veryfast", "-threads", "1", "-bf", "0", "-sc_threshold", "0"],
        [
            "-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
            "log-level=error:keyint=10:min-keyint=10:scenecut=0:bframes=0:pools=none:frame-threads=1:open-gop=0",
        ],
    ]

    /// Pictures that cannot be right: from the lost packet on up to the next key frame.
    private static func damaged(_ lost: LossyPublisher.Loss) -> Set<Int> {
        guard let first = lost.first[0] else { return [] }
        return lost.lost[0].reduce(into: []) { damaged, time in
            let index = Int((time &- first + 1800) / 3600)
            damaged.formUnion(index..<(index / group + 1) * group)
        }
    }

    @Test("No damaged picture reaches a player of FLV or RTMP, and every whole one does", arguments: codecs.indices)
    func passesWholePicturesOnly(codec: Int) async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let folder = try TemporaryFolder()
        let file = "\(folder.path)/loss.mkv"
        // Debian's ffmpeg reads no H.265 as FLV.
        let player = codec == 0 ? ffmpeg : FFmpeg.recent
        let made = try await ffmpeg.run(
            [
                "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=12", "-f", "lavfi", "-i",
                "aevalsrc=0.4*sin(2*PI*t*(200+300*t)):s=44100:d=12", "-pix_fmt", "yuv420p", "-b:v", "1500k", "-g", "10",
            ] + Self.codecs[codec] + ["-c:a", "aac", file]
        )
        #expect(made.status == 0, "\(made.errors)")
        let clip = try await ffmpeg.pictures(["-i", file]).pictures
        #expect(Set(clip).count == 300)
        try await Turnstile.realTime.pass {
            try await Site.run {
                $0.rtsp.unknownStream = .wait
            } _: { site in
                let http = try player?.reading("http://127.0.0.1:\(site.http)/live/m.flv?hevc=enhanced", hasVideo: true)
                let enhanced = codec == 0 ? [] : ["-rtmp_enhanced_codecs", "hvc1,av01,vp09,Opus"]
                let rtmp = try player?.reading(
                    "rtmp://127.0.0.1:\(site.rtmp)/live/m",
                    hasVideo: true,
                    options: enhanced
                )
                let rtsp = try ffmpeg.reading(
                    "rtsp://127.0.0.1:\(site.rtsp)/live/m",
                    hasVideo: true,
                    options: ["-rtsp_transport", "tcp"]
                )
                if player != nil {
                    try await wait(for: "two viewers") { try await site.viewers(of: "m").count == 2 }
                }
                try await Task.sleep(for: .seconds(1.5))
                let publisher = try await LossyPublisher(file, to: "live/m", port: site.rtsp, perMille: 20, seed: 1)
                try await publisher.publish()
                try await site.api.kickPublisher(of: "m")
                let stat = try await site.api.group("m").text
                try await site.endViewers(of: "m")
                let lost = publisher.lost
                let damaged = Self.damaged(lost)
                let count = lost.lost[0].count
                print(
                    "\(count) packets of \(lost.packets[0]) lost, \(damaged.count) pictures of 300 with them: \(stat)"
                )
                #expect(count > lost.packets[0] / 100 && damaged.count < 250)
                // The last pictures may be waiting for what follows them.
                let whole = (0..<297).filter { !damaged.contains($0) }

                for (name, reading) in [("HTTP", http), ("RTMP", rtmp)] {
                    guard let reading else { continue }
                    let seen = try await reading.recording().pictures.map(\.hash)
                    let places = seen.map { clip.firstIndex(of: $0) ?? -1 }
                    #expect(
                        !places.contains(-1),
                        "\(name): \(places.count { $0 == -1 }) damaged pictures of \(seen.count)"
                    )
                    #expect(zip(places, places.dropFirst()).allSatisfy { $0 < $1 }, "\(name)")
                    let missed = whole.filter { !places.contains($0) }
                    #expect(missed == [], "\(name): whole pictures that did not come")
                    #expect(reading.complaints == [], "\(name)")
                }
                // Packets are passed on as they came: a player sees what was lost and conceals it, up to the next key frame.
                let seen = try await rtsp.recording().pictures
                let places = seen.map { clip.firstIndex(of: $0.hash) ?? -1 }
                let missed = whole.filter { !places.contains($0) }
                #expect(missed == [], "RTSP: whole pictures that did not come")
                let wrong = places.count { $0 == -1 }
                #expect(wrong <= damaged.count, "RTSP: more damaged pictures than were lost something of")
            }
        }
    }
}

extension API {
    /// Ends who publishes a stream, if anybody does.
    func kickPublisher(of stream: String) async throws {
        let publisher = try await group(stream).data["pub"] as? [String: Any]
        guard let session = publisher?["session_id"] as? String, !session.isEmpty else { return }
        _ = try await kick(stream, session)
    }
}
