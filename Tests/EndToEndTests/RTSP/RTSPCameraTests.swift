import CameraSimulator
import Foundation
import Gateway
import Testing

/// GB/T 28181 cameras, which send PS, watched over RTSP: the clips as they are in the repository.
@Suite(
    .timeLimit(.minutes(2)),
    .enabled(if: FFmpeg.installed != nil, "ffmpeg is not installed")
)
struct RTSPCameraTests {
    private static func camera(_ transport: CameraConfiguration.Transport) throws -> CameraConfiguration {
        let cameras = try CameraConfiguration.load(folder: Project.cameras)
        return try #require(cameras.first { $0.transport == transport })
    }

    /// Whether `part` is a piece of `whole`, which goes round and round.
    private static func isCycle<Element: Equatable>(_ part: [Element], of whole: [Element]) -> Bool {
        whole.indices.contains { start in
            part.indices.allSatisfy { part[$0] == whole[(start + $0) % whole.count] }
        }
    }

    /// GStreamer waits two seconds by itself, and may have written nothing when it is ended.
    private static func judge(_ reader: String, _ body: () -> Void) async {
        guard reader.contains("GStreamer") || reader.contains("rtspsrc") else {
            body()
            return
        }
        await unsettled("\(reader)") { body() }
    }

    @Test("H.264 and G.711A: pictures and samples are the clip's", arguments: [0, 1])
    func showsTheGate(flag: Int) async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let clip = try await ffmpeg.pictures(["-i", Project.gateClip]).pictures
        let sound = try readFile("\(Project.cameras)/clips/gate.alaw")
        let camera = try Self.camera(.udp)
        try await Turnstile.realTime.pass {
            try await Site.run(password: Site.password) { site in
                try await site.withCameras([camera]) { _ in
                    let answer = try await site.api.invite(camera.id, camera.channels[0].id, stream: "gate", tcp: flag)
                    #expect(answer.code == 0, "\(answer.text)")
                    for (reader, recording) in try await Self.watch("gate", site: site, pcm: "alaw") {
                        await Self.judge(reader) {
                            RTSPCommandTests.expectCycle(recording.pictures.map(\.hash), of: clip, atLeast: 60, reader)
                            let middle = Array(recording.samples.dropFirst(500).prefix(12_000))
                            #expect(middle.count == 12_000, "\(reader)")
                            let doubled = sound + sound
                            #expect(
                                Data(doubled).range(of: Data(middle)) != nil,
                                "\(reader): the sound is not the clip's"
                            )
                        }
                    }
                }
            }
        }
    }

    @Test("H.265 and AAC: pictures and frames of sound are the clip's", arguments: [0, 2])
    func showsTheYard(flag: Int) async throws {
        let ffmpeg = try #require(FFmpeg.installed)
        let clip = try await ffmpeg.pictures(["-f", "hevc", "-i", Project.yardClip]).pictures
        let listing = try await ffmpeg.run([
            "-i", "\(Project.cameras)/clips/yard.aac", "-c", "copy", "-bsf:a", "aac_adtstoasc", "-f", "framemd5", "-",
        ])
        let sound = FrameListing(listing.text).audio.map(\.hash)
        #expect(sound.count > 20, "\(listing.errors)")
        let camera = try Self.camera(.tcp)
        try await Turnstile.realTime.pass {
            try await Site.run(password: Site.password) { site in
                try await site.withCameras([camera]) { _ in
                    let answer = try await site.api.invite(camera.id, camera.channels[0].id, stream: "yard", tcp: flag)
                    #expect(answer.code == 0, "\(answer.text)")
                    for (reader, recording) in try await Self.watch("yard", site: site) {
                        await Self.judge(reader) {
                            RTSPCommandTests.expectCycle(recording.pictures.map(\.hash), of: clip, atLeast: 60, reader)
                            let hashes = recording.packets.audio.map(\.hash)
                            #expect(hashes.count > 50, "\(reader)")
                            #expect(Self.isCycle(hashes, of: sound), "\(reader): the sound is not the clip's")
                        }
                    }
                }
            }
        }
    }

    /// Four seconds of every reader; nothing may be complained of.
    private static func watch(_ stream: String, site: Site, pcm: String? = nil) async throws -> [(String, Recording)] {
        let ffmpeg = try #require(FFmpeg.installed)
        let url = "rtsp://127.0.0.1:\(site.rtsp)/live/\(stream)"
        try await wait(for: "the stream") { try await site.input(of: stream) != nil }
        let clip = MatrixClip(video: pcm == nil ? .h265 : .h264, audio: pcm == nil ? .aac : .g711a)
        let readers: [MatrixReader] =
            [.ffmpegRTSP, .ffmpegRTSPUDP]
            + (GStreamer.installed == nil ? [] : [.gstreamerRTSP, .gstreamerRTSPUDP])
            + (pcm == nil ? [] : [.ffmpegHTTP])
        let running = try readers.map {
            try $0.start(clip, rtmp: site.rtmp, http: site.http, rtsp: site.rtsp, stream: stream)
        }
        try await wait(for: "the viewers of \(url)", limit: .seconds(20)) {
            try await site.viewers(of: stream).count == readers.count
        }
        try await Task.sleep(for: .seconds(4))
        for viewer in try await site.viewers(of: stream) { _ = try await site.api.kick(stream, viewer) }
        var seen: [(String, Recording)] = []
        for (reader, running) in zip(readers, running) {
            switch running {
            case .ffmpeg(let reading):
                seen.append((reader.rawValue, try await reading.recording()))
                #expect(reading.complaints == [], "\(reader.rawValue)")
            case .gstreamer(let program, let file, _):
                _ = try await program.exit(limit: .seconds(20))
                seen.append((reader.rawValue, try await ffmpeg.recording(of: file, hasVideo: true, pcm: pcm)))
            case .webSocket: break
            }
        }
        return seen
    }
}
