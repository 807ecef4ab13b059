import Foundation
import Gateway
import Testing

/// HLS as FFmpeg plays it: every picture and every sound of the source, in either container.
@Suite(.timeLimit(.minutes(4)), .enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed"))
struct HLSPlaybackTests {
    enum Form: String, CaseIterable, Sendable {
        case transportStream = "m.m3u8"
        case lowLatency = "m/ll.m3u8"
        case multivariant = "m/index.m3u8"
        case record = "m/record.m3u8"
    }

    static func configure(_ configuration: inout GatewayConfiguration, folder: String) {
        configuration.hls.fragmentDurationMs = 1000
        configuration.hls.start = .always
        configuration.hls.useMemoryAsDiskFlag = false
        configuration.hls.cleanupMode = 0
        configuration.hls.outPath = folder
        configuration.publish.graceMs = 0
    }

    @Test(arguments: Form.allCases, [MatrixClip(video: .h264B, audio: .aac), MatrixClip(video: .h264, audio: .mp3)])
    func playsTheWholeStream(form: Form, clip: MatrixClip) async throws {
        let made = try await clip.made()
        let folder = try TemporaryFolder()
        let ffmpeg = try #require(clip.tool)
        try await Turnstile.realTime.pass {
            try await Site.run {
                Self.configure(&$0, folder: folder.path)
            } _: { site in
                let url = "http://127.0.0.1:\(site.http)/hls/\(form.rawValue)"
                async let published: Void = MatrixPublisher.ffmpeg.publish(
                    clip,
                    made,
                    to: "rtmp://127.0.0.1:\(site.rtmp)/live/m",
                    port: site.rtmp,
                    stream: "m"
                )
                try await wait(for: "the publisher") { try await site.api.streams() == ["m"] }
                if form == .record {
                    try await published
                    try await wait(for: "the end of the list") {
                        try await Fetched.get("/hls/m.m3u8", port: site.http).text.hasSuffix("#EXT-X-ENDLIST\n")
                    }
                }
                let isTS = form == .transportStream || form == .record
                let reading = try ffmpeg.reading(
                    url,
                    hasVideo: true,
                    options: ["-live_start_index", "0"],
                    copying: isTS && clip.audio == .aac ? ["-bsf:a", "aac_adtstoasc"] : []
                )
                let recording = try await reading.recording(limit: .seconds(40))
                if form != .record { try await published }
                let found = isTS ? recording : recording.withoutFirstSilence(before: made.recording)
                #expect(found.faults(against: made.recording, tolerance: 20) == [])
                // FFmpeg reads the init segment again with each playlist, and tells of it.
                #expect(reading.complaints.filter { !$0.contains("duplicated MOOV") } == [])
            }
        }
    }

    @Test("A stream that is cut on demand begins with its first viewer, and is counted as one")
    func beginsOnDemand() async throws {
        let clip = MatrixClip(video: .h264, audio: .g711a)
        let made = try await clip.made()
        let ffmpeg = try #require(clip.tool)
        try await Site.run {
            $0.hls.fragmentDurationMs = 1000
        } _: { site in
            let publisher = try ffmpeg.publishing(made.path, to: "rtmp://127.0.0.1:\(site.rtmp)/live/m")
            try await wait(for: "the publisher") { try await site.api.streams() == ["m"] }
            let playlist = try await Fetched.get("/hls/m/playlist.m3u8", port: site.http)
            #expect(
                playlist.status == 200 && playlist.text.hasPrefix("#EXTM3U\n#EXT-X-VERSION:3\n"),
                "\(playlist.head)"
            )
            #expect(playlist.header("access-control-allow-origin") == "*")
            let name = try #require(playlist.text.split(separator: "\n").last { $0.hasSuffix(".ts") })
            let segment = try await Fetched.get("/hls/m/\(name)", port: site.http)
            #expect(segment.body.count % 188 == 0 && segment.body.first == 0x47)
            #expect(segment.header("content-type") == "video/mp2t")
            // lal's other form.
            #expect(try await Fetched.get("/hls/\(name)", port: site.http).body == segment.body)
            let part = try await Fetched.get("/hls/m/\(name)", port: site.http, headers: "Range: bytes=188-375\r\n")
            #expect(part.status == 206 && part.body == Array(segment.body[188..<376]))
            #expect(part.header("content-range") == "bytes 188-375/\(segment.body.count)")
            let beyond = try await Fetched.get("/hls/m/\(name)", port: site.http, headers: "Range: bytes=99999999-\r\n")
            #expect(beyond.status == 416)
            #expect(try await site.viewers(of: "m") == ["HLSSUB1"])
            #expect(try await site.api.kick("m", "HLSSUB1").code == 0)
            publisher.kill(SIGKILL)
        }
    }

    @Test(
        "Nothing outside of a stream's own files is served, whatever the path",
        arguments: [
            "/hls/../../etc/passwd.ts", "/hls/..%2f..%2fetc%2fpasswd.ts", "/hls/m/..%2fplaylist.m3u8",
            "/hls/%2e%2e/x.ts",
            "/hls/m/m-1-0.ts", "/hls/m/%00.ts", "/hls/m/.m3u8", "/hls/nobody.m3u8", "/hls/nobody/ll.m3u8?_HLS_msn=x",
        ]
    )
    func refusesOtherPaths(path: String) async throws {
        let folder = try TemporaryFolder()
        try await Site.run {
            Self.configure(&$0, folder: folder.path)
        } _: { site in
            let answer = try await Fetched.get(path, port: site.http)
            #expect([400, 404].contains(answer.status), "\(answer.head) \(answer.text)")
            #expect(answer.text.hasPrefix("{\"error_code\":"))
        }
    }
}
