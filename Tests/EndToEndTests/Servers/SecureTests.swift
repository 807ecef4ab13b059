import Foundation
import Gateway
import Programs
import Testing

#if TLS
/// RTMPS, HTTPS and WSS, and relays over them, with a certificate that the test makes.
@Suite(
    .timeLimit(.minutes(2)),
    .enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed"),
    .enabled(if: Certificate.openssl != nil, "openssl is not installed")
)
struct SecureTests {
    private static let clip = MatrixClip(video: .h264B, audio: .aac)

    private static func secure(_ certificate: Certificate) -> @Sendable (inout GatewayConfiguration) -> Void {
        {
            $0.rtmp.rtmpsEnable = true
            $0.rtmp.rtmpsAddr = "127.0.0.1:0"
            $0.rtmp.rtmpsCertFile = certificate.file
            $0.rtmp.rtmpsKeyFile = certificate.key
            $0.httpflv.enableHttps = true
            $0.defaultHttp.httpsListenAddr = "127.0.0.1:0"
            $0.defaultHttp.httpsCertFile = certificate.file
            $0.defaultHttp.httpsKeyFile = certificate.key
        }
    }

    @Test("Published over RTMPS, played over RTMPS, HTTPS and WSS: not a frame is different")
    func carriesEveryFrame() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        let certificate = try await Certificate()
        try await Site.run(Self.secure(certificate)) { site in
            let rtmps = try #require(site.gateway.ports.rtmps)
            let https = try #require(site.gateway.ports.https)
            let url = "rtmps://127.0.0.1:\(rtmps)/live/m"
            let players = [
                try ffmpeg.reading(url, hasVideo: true),
                try ffmpeg.reading("https://127.0.0.1:\(https)/live/m.flv", hasVideo: true),
            ]
            let watcher = Watcher("m", port: https, secure: true)
            try await wait(for: "three viewers") { try await site.viewers(of: "m").count == 3 }
            let publisher = try ffmpeg.publishing(made.path, to: url, loops: false)
            #expect(try await publisher.exit(limit: .seconds(30)) == 0, "\(publisher.errors)")
            try await site.endViewers(of: "m")
            for player in players {
                let recording = try await player.recording()
                #expect(recording.faults(against: made.recording, tolerance: 20) == [], "\(player.program.errors)")
            }
            try await wait(for: "the end of the WebSocket") { watcher.seen.isOver }
            #expect(watcher.seen.pictures == 75)
            #expect(watcher.seen.faults == [])
        }
    }

    @Test("Relays over RTMPS and HTTPS; a certificate that nobody vouches for is refused unless configured otherwise")
    func relays() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let made = try await Self.clip.made()
        let certificate = try await Certificate()
        try await Site.run(Self.secure(certificate)) { origin in
            let rtmps = try #require(origin.gateway.ports.rtmps)
            let https = try #require(origin.gateway.ports.https)
            let publisher = try ffmpeg.publishing(made.path, to: "rtmp://127.0.0.1:\(origin.rtmp)/live/m")
            try await wait(for: "the publisher") { try await origin.input(of: "m") != nil }
            try await Site.run {
                $0.relay.verifyCertificates = false
            } _: { edge in
                for (name, url) in [
                    ("a", "rtmps://127.0.0.1:\(rtmps)/live/m"), ("b", "https://127.0.0.1:\(https)/live/m.flv"),
                    ("c", "wss://127.0.0.1:\(https)/live/m.flv"),
                ] {
                    let watcher = Watcher(name, port: edge.http)
                    let body = #"{"url":"\#(url)","stream_name":"\#(name)"}"#
                    #expect(try await edge.api.post("/api/ctrl/start_relay_pull", body).code == 0)
                    try await watcher.pictures(30)
                    #expect(watcher.seen.faults == [], "\(url)")
                    watcher.leave()
                }
                let push = #"{"stream_name":"a","push_url":"rtmps://127.0.0.1:\#(rtmps)/live/back"}"#
                let answer = try await edge.api.post("/api/ctrl/start_relay_from_stream", push)
                #expect(answer.code == 0, "\(answer.text)")
                let watcher = Watcher("back", port: https, secure: true)
                try await watcher.pictures(30)
                watcher.leave()
            }
            try await Site.run { edge in
                let body = #"{"url":"rtmps://127.0.0.1:\#(rtmps)/live/m","stream_name":"m"}"#
                #expect(try await edge.api.post("/api/ctrl/start_relay_pull", body).code == 0)
                try await wait(for: "the refusal in the log") {
                    edge.log.lines.contains { $0.lowercased().contains("certificate") }
                }
            }
            publisher.kill(SIGKILL)
        }
    }
}
#endif

/// A certificate for 127.0.0.1 that vouches for itself.
struct Certificate: Sendable {
    static let openssl = ["/usr/bin/openssl", "/usr/local/bin/openssl"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    let folder: TemporaryFolder
    var file: String { "\(folder.path)/cert.pem" }
    var key: String { "\(folder.path)/key.pem" }

    init() async throws {
        folder = try TemporaryFolder()
        let program = try Program(
            Self.openssl ?? "openssl",
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem",
            ],
            folder: folder.path
        )
        guard try await program.exit(limit: .seconds(30)) == 0 else {
            throw NeverHappened(what: "a certificate: \(program.errors)")
        }
    }
}
