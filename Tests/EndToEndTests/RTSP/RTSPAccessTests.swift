import Foundation
import Gateway
import Testing

/// RTSP over TLS, and who may publish and play.
@Suite(
    .timeLimit(.minutes(2)),
    .enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed")
)
struct RTSPAccessTests {
    private static let clip = MatrixClip(video: .h264B, audio: .aac)
    /// md5("q191201771" + "test110"), as lal computes it.
    private static let secret = "700997e1595a06c9ffa60ebef79105b0"

    #if TLS
    @Test(
        "Published over RTSPS and played over it by ffmpeg and by rtspsrc tls-validation-flags=0: not a frame is different",
        .enabled(if: Certificate.openssl != nil, "openssl is not installed")
    )
    func carriesEveryFrameOverTLS() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        let certificate = try await Certificate()
        try await Turnstile.realTime.pass {
            try await Site.run {
                $0.rtsp.rtspsEnable = true
                $0.rtsp.rtspsAddr = "127.0.0.1:0"
                $0.rtsp.rtspsCertFile = certificate.file
                $0.rtsp.rtspsKeyFile = certificate.key
                $0.rtsp.unknownStream = .wait
            } _: { site in
                let rtsps = try #require(site.gateway.ports.rtsps)
                let url = "rtsps://localhost:\(rtsps)/live/m"
                let plain = "rtsp://localhost:\(site.rtsp)/live/m"
                let players = [
                    // It tries UDP first, is told 461 and takes TCP.
                    try ffmpeg.reading(url, hasVideo: true),
                    try ffmpeg.reading(url, hasVideo: true, options: ["-rtsp_transport", "tcp"]),
                    try ffmpeg.reading(plain, hasVideo: true, options: ["-rtsp_transport", "udp"]),
                ]
                let folder = try TemporaryFolder()
                let file = "\(folder.path)/gst.mkv"
                let gstreamer = try GStreamer.installed?.launch(
                    """
                    rtspsrc tls-validation-flags=0 location=\(url) buffer-mode=none name=s s. ! \
                    application/x-rtp,media=video ! rtph264depay ! h264parse ! matroskamux streamable=true ! \
                    filesink location=\(file) buffer-mode=2
                    """
                )
                try await wait(for: "the stream that is waited for") { try await site.api.streams() == ["m"] }
                try await Task.sleep(for: .seconds(1.5))
                let publisher = try ffmpeg.publishing(made.matroska, overRTSP: url, loops: false)
                #expect(try await publisher.exit(limit: .seconds(30)) == 0, "\(publisher.errors)")
                try await site.endViewers(of: "m")
                for player in players {
                    let recording = try await player.recording()
                    let leniency = RTSPLeniency(keptAtTheEnd: 1, synchronisedFrom: 1500)
                    #expect(recording.faults(against: made.recording, leniency) == [], "\(player.program.errors)")
                    #expect(player.complaintsOverUDP == [])
                }
                if let gstreamer {
                    _ = try await gstreamer.exit(limit: .seconds(20))
                    let pictures = try await ffmpeg.pictures(["-i", file]).pictures
                    #expect(pictures == made.recording.pictures.map(\.hash), "\(gstreamer.errors)")
                }
            }
        }
    }
    #endif

    @Test(
        "Basic, Digest, or both: rtsp://user:pass@ publishes and plays, a wrong password and none do not",
        arguments: 0...2
    )
    func asksForAPassword(method: Int) async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        try await Site.run {
            $0.rtsp.authEnable = true
            $0.rtsp.authMethod = method
            $0.rtsp.username = "admin"
            $0.rtsp.password = Secret("s3cret.p@ss")
        } _: { site in
            let address = "127.0.0.1:\(site.rtsp)/live/m"
            let url = "rtsp://admin:s3cret.p%40ss@\(address)"
            for other in ["rtsp://\(address)", "rtsp://admin:wrong@\(address)", "rtsp://root:s3cret.p%40ss@\(address)"]
            {
                let publisher = try ffmpeg.publishing(made.matroska, overRTSP: other, loops: false)
                #expect(try await publisher.exit(limit: .seconds(20)) != 0)
                #expect(publisher.errors.contains("401"), "\(publisher.errors)")
            }
            let publisher = try ffmpeg.publishing(made.matroska, overRTSP: url)
            try await wait(for: "the publisher") { try await site.input(of: "m") != nil }
            for other in ["rtsp://\(address)", "rtsp://admin:wrong@\(address)"] {
                let player = try await ffmpeg.run(["-rtsp_transport", "tcp", "-i", other, "-f", "null", "-"])
                #expect(player.status != 0 && player.errors.contains("401"), "\(player.errors)")
            }
            for transport in ["tcp", "udp"] {
                let output = try await ffmpeg.pictures(["-rtsp_transport", transport, "-i", url], seconds: 1)
                #expect(output.errors == "" && output.pictures.count >= 20, "\(transport): \(output.errors)")
            }
            if let gstreamer = GStreamer.installed {
                let properties = "user-id=admin user-pw=s3cret.p@ss protocols=tcp"
                #expect(try await gstreamer.playsRTSP("rtsp://\(address)", properties) == nil)
            }
            #expect(!site.log.lines.contains { $0.contains("s3cret") })
            #expect(try await !site.api.group("m").text.contains("s3cret"))
            publisher.kill(SIGKILL)
        }
    }

    @Test("simple_auth: lal_secret in the URL opens RTSP, to publish and to play; else 401")
    func checksSecrets() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        try await Site.run {
            $0.simpleAuth.key = Secret("q191201771")
            $0.simpleAuth.dangerousLalSecret = Secret("Pengrl")
            $0.simpleAuth.pubRtspEnable = true
            $0.simpleAuth.subRtspEnable = true
        } _: { site in
            let url = "rtsp://127.0.0.1:\(site.rtsp)/live/test110"
            for query in ["", "?lal_secret=wrong", "?lal_secret="] {
                let publisher = try ffmpeg.publishing(made.matroska, overRTSP: url + query, loops: false)
                #expect(try await publisher.exit(limit: .seconds(20)) != 0, "\(query)")
                #expect(publisher.errors.contains("401") || publisher.errors.contains("403"), "\(publisher.errors)")
            }
            let publisher = try ffmpeg.publishing(made.matroska, overRTSP: url + "?lal_secret=\(Self.secret)")
            try await wait(for: "the publisher") { try await site.input(of: "test110") != nil }
            for query in ["", "?lal_secret=wrong", "?lal_secret="] {
                let player = try await ffmpeg.run(["-rtsp_transport", "tcp", "-i", url + query, "-f", "null", "-"])
                #expect(player.status != 0, "\(query)")
                #expect(player.errors.contains("401") || player.errors.contains("403"), "\(player.errors)")
            }
            for query in ["?lal_secret=\(Self.secret.uppercased())", "?a=b&lal_secret=pengrl"] {
                for transport in ["tcp", "udp"] {
                    let output = try await ffmpeg.pictures(
                        ["-rtsp_transport", transport, "-i", url + query],
                        seconds: 1
                    )
                    #expect(output.pictures.count >= 20, "\(transport)\(query): \(output.errors)")
                }
                if let gstreamer = GStreamer.installed {
                    // It puts the track in front of the query.
                    #expect(try await gstreamer.playsRTSP(url + query, "protocols=tcp") == nil)
                }
            }
            let group = try await site.api.group("test110").text
            for secret in [Self.secret, "pengrl", "Pengrl"] {
                #expect(!group.contains(secret), "\(group)")
                #expect(!site.log.lines.contains { $0.contains(secret) })
            }
            publisher.kill(SIGKILL)
        }
    }

    @Test(
        "A stream that nobody publishes is 404, a second publisher is refused, UDP that is off is 461 and ffmpeg takes TCP"
    )
    func refuses() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        try await Site.run {
            $0.rtsp.udpEnable = false
        } _: { site in
            let url = "rtsp://127.0.0.1:\(site.rtsp)/live/m"
            let nobody = try await ffmpeg.run(["-i", url, "-f", "null", "-"])
            #expect(nobody.status != 0 && nobody.errors.contains("404"), "\(nobody.errors)")
            let forced = try ffmpeg.publishing(made.matroska, overRTSP: url, transport: "udp", loops: false)
            #expect(try await forced.exit(limit: .seconds(20)) != 0)
            let publisher = try ffmpeg.publishing(made.matroska, overRTSP: url)
            try await wait(for: "the publisher") { try await site.input(of: "m") != nil }
            let second = try ffmpeg.publishing(made.matroska, overRTSP: url, loops: false)
            #expect(try await second.exit(limit: .seconds(20)) != 0, "\(second.errors)")
            let output = try await ffmpeg.pictures(["-i", url], seconds: 1)
            #expect(output.pictures.count >= 20, "\(output.errors)")
            #expect(publisher.isRunning)
            publisher.kill(SIGKILL)
            try await wait(for: "nobody") { try await site.api.streams().isEmpty }
        }
    }
}
