import CameraSimulator
import Media
import NIOCore
import Programs
import SIP
import Testing

@testable import Gateway

/// Requirements of the field that need camera, gateway and API together (spec, section 10): what comes as media.
@Suite(.timeLimit(.minutes(1)))
struct MediaTests {
    private let id = ScriptedCamera.id
    private let channel = ScriptedCamera.channel

    private func withCamera(
        _ change: (inout GatewayConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (Site, ScriptedCamera) async throws -> Void
    ) async throws {
        try await Site.run {
            $0.gb28181.mediaTimeoutMs = 1000
            change(&$0)
        } _: { site in
            let camera = try await ScriptedCamera.start(sip: site.sip)
            try await camera.register()
            try await wait(for: "the registration") {
                try await site.api.devices().contains { $0["status"] as? String == "online" }
            }
            try await body(site, camera)
            await camera.stop()
        }
    }

    @Test("R-2: media_timeout says where media was expected and that none came; the camera gets BYE")
    func explainsSilence() async throws {
        try await withCamera { site, camera in
            let answer = try await site.api.invite(id, channel)
            let port = try #require(answer.integer("port"))
            try await wait(for: "the timeout") {
                site.log.contains("media_timeout", "127.0.0.1:\(port)", "0 packets received from any source")
            }
            try await wait(for: "BYE") { !camera.requests(.bye).isEmpty }
            try await wait(for: "the end of the stream") { try await site.api.streams().isEmpty }
        }
    }

    @Test("R-2: what arrived but is no program stream is counted in the reason")
    func explainsRubbish() async throws {
        try await withCamera { site, camera in
            let port = try #require(try await site.api.invite(id, channel).integer("port"))
            for _ in 0..<3 { try await camera.sendMedia("this is no RTP at all".utf8, to: port) }
            try await wait(for: "the timeout") {
                site.log.contains("media_timeout", "3 datagrams came that are not RTP")
            }
        }
    }

    @Test("R-14: RTP that belongs to no session makes no stream", arguments: [false, true])
    func ignoresStrangers(isShared: Bool) async throws {
        let clip = try Clip.load(path: Project.gateClip)
        let shared = isShared ? try await freePort() : 0
        try await withCamera {
            $0.gb28181.rtpSinglePort = shared
        } _: { site, camera in
            let port = try #require(try await site.api.invite(id, channel).integer("port"))
            let ssrc = try #require(camera.offeredSSRC)
            try await camera.stream(clip, ssrc: ssrc, seconds: 1, to: port)
            try await wait(for: "the picture") {
                try await site.api.group("\(id)_\(channel)").string("video_codec") == "H264"
            }
            #expect(try await site.api.bye(id, channel).code == 0)
            try await wait(for: "the end of the stream") { try await site.api.streams().isEmpty }
            try await camera.stream(clip, ssrc: ssrc, seconds: 1, to: port, from: 5000)
            if isShared {
                try await wait(for: "late packets") { await site.gateway.media.counts().unmatchedPackets > 50 }
            }
            #expect(try await site.api.streams().isEmpty)
            #expect(await site.gateway.media.counts().sessions == 0)
        }
    }

    @Test(
        "R-15, R-16: the SSRC that a camera answers, or just sends, plays on the same port",
        arguments: [false, true]
    )
    func adoptsTheCamerasSSRC(isShared: Bool) async throws {
        let clip = try Clip.load(path: Project.gateClip)
        let shared = isShared ? try await freePort() : 0
        try await withCamera {
            $0.gb28181.rtpSinglePort = shared
        } _: { site, camera in
            for (answered, sent) in [("0100009999", UInt32(100_009_999)), ("0000000000", 0)] {
                camera.behave(.accepts(ssrc: answered))
                let answer = try await site.api.invite(id, channel)
                let port = try #require(answer.integer("port"))
                try await camera.stream(clip, ssrc: sent, seconds: 1, to: port)
                try await wait(for: "the picture with SSRC \(sent)") {
                    try await site.api.group("\(id)_\(channel)").string("video_codec") == "H264"
                }
                #expect(camera.offeredPort == port)
                #expect(try await site.api.bye(id, channel).code == 0)
                try await wait(for: "the end of the stream") { try await site.api.streams().isEmpty }
            }
            #expect(camera.requests(.invite).count == 2)
        }
    }

    @Test("A camera that is silent on the shared port times out, however busy the others are")
    func noticesSilenceAmongTheBusy() async throws {
        let shared = try await freePort()
        try await withCamera {
            $0.gb28181.rtpSinglePort = shared
        } _: { site, camera in
            let busy = try await ScriptedCamera.start(sip: site.sip, id: "34020000001320000098")
            try await busy.register()
            try await wait(for: "the other registration") { try await site.api.devices().count == 2 }
            #expect(try await site.api.invite(busy.id, channel).code == 0)
            let ssrc = try #require(busy.offeredSSRC)
            let flood = Task {
                var number: UInt16 = 0
                while !Task.isCancelled {
                    number &+= 1
                    var packet = ByteBuffer()
                    packet.writeMultipleIntegers(UInt8(0x80), UInt8(96), number, UInt32(number), ssrc, UInt32(0x1BA))
                    try await busy.sendMedia(packet.readableBytesView, to: shared)
                }
            }
            defer { flood.cancel() }
            #expect(try await site.api.invite(id, channel).code == 0)
            try await wait(for: "the timeout") { site.log.contains("media_timeout", "0 packets received") }
            try await wait(for: "BYE") { !camera.requests(.bye).isEmpty }
            await busy.stop()
        }
    }

    @Test("R-25: SIP on the media port is named as such, over UDP and TCP", arguments: [0, 1])
    func namesSIPOnTheMediaPort(flag: Int) async throws {
        try await withCamera { site, camera in
            let port = try #require(try await site.api.invite(id, channel, tcp: flag).integer("port"))
            let text = "REGISTER sip:34020000002000000001@3402000000 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1\r\n\r\n"
            if flag == 0 {
                try await camera.sendMedia(text.utf8, to: port)
            } else {
                let connection = try await Connection.open(port: port)
                try await connection.send(text)
                _ = try await limited(.seconds(5), "the end of the connection") { await connection.readToEnd() }
            }
            try await wait(for: "the reason") {
                site.log.contains("media_timeout", "SIP arrived on the media port", "REGISTER sip:34020000002000000001")
            }
        }
    }

    @Test("R-54: a dump that the API switched on and off is RFC 4571 with the pictures in it")
    func dumpsASession() async throws {
        let folder = try TemporaryFolder()
        try await Site.run {
            $0.dump.outPath = folder.path
        } _: { site in
            let device = CameraConfiguration.numbered(1, clip: Project.gateClip)
            try await site.withCameras([device]) { _ in
                let started = try await site.api.invite(device.id, device.channels[0].id, stream: "dumped")
                let on = try await site.api.post("/api/ctrl/dump_session", #"{"stream_name":"dumped","enable":true}"#)
                #expect(on.code == 0, "\(on.text)")
                #expect(on.string("session_id") == started.string("session_id"))
                let file = try #require(on.string("file"))
                // The clip has a key frame every second.
                try await wait(for: "two seconds of dump") { size(ofFile: file) > 100_000 }
                let off = try await site.api.post("/api/ctrl/dump_session", #"{"stream_name":"dumped","enable":false}"#)
                #expect(off.string("file") == file)

                var framer = RTPStreamFramer()
                var ingest = RTPIngest(configuration: .init(transport: .tcp))
                var events: [MediaEvent] = []
                let failure = try readFile(file).withSpan { bytes in
                    framer.receive(bytes) { ingest.receive($0, now: .uptimeNanoseconds(1), into: &events) }
                }
                #expect(failure == nil)
                #expect(framer.framing == .rfc4571)
                #expect(framer.statistics.skippedBytes == 0)
                let pictures = events.count { if case .frame(let frame) = $0 { frame.track == .video } else { false } }
                #expect(pictures > 20)
                let nobody = try await site.api.post("/api/ctrl/dump_session", #"{"stream_name":"x","enable":true}"#)
                #expect(nobody.code == 1001)
            }
        }
    }

    @Test(
        "A stream that ffmpeg publishes over RTMP plays over HTTP-FLV without an error",
        .enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed")
    )
    func relaysAnRTMPPublisher() async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        try await Site.run { site in
            let publisher = try Program(
                ffmpeg.path,
                [
                    "-v", "error", "-nostdin", "-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=25", "-f",
                    "lavfi",
                    "-i", "sine=frequency=440", "-t", "20", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25",
                    "-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "flv", "rtmp://127.0.0.1:\(site.rtmp)/live/pub",
                ]
            )
            try await wait(for: "the publication", limit: .seconds(20)) {
                let stat = try await site.api.group("pub")
                return stat.string("video_codec") == "H264" && stat.string("audio_codec") == "AAC"
            }
            let output = try await ffmpeg.pictures(["-i", "http://127.0.0.1:\(site.http)/live/pub.flv"], seconds: 2)
            #expect(output.errors == "")
            #expect(output.pictures.count >= 45)
            publisher.kill(9)
            try await wait(for: "the end of the stream") { try await site.api.streams().isEmpty }
        }
    }
}
