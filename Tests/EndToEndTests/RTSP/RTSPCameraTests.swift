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
                    let seen = try await Self.watch("gate", site: site, pcm: "alaw")
                    for (reader, recording) in seen {
                        RTSPCommandTests.expectCycle(recording.pictures.map(\.hash), of: clip, atLeast: 60, reader)
                        let middle = Array(recording.samples.dropFirst(500).prefix(12_000))
                        #expect(middle.count == 12_000, "\(reader)")
                        let doubled = sound + sound
                        #expect(
                            Data(doubled).range(of: Data(middle)) != nil,
                            "\(reader): the sound is not the clip's"
                        )
                    }
                    Self.expectOneShift(seen)
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
                        RTSPCommandTests.expectCycle(recording.pictures.map(\.hash), of: clip, atLeast: 60, reader)
                        let hashes = recording.packets.audio.map(\.hash)
                        #expect(hashes.count > 50, "\(reader)")
                        #expect(Self.isCycle(hashes, of: sound), "\(reader): the sound is not the clip's")
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

    /// Sound is as far from the picture for every reader as it is over HTTP: the last second of each is looked at, in which every
    /// reader has had sender reports. The gateway packs both tracks itself and knows of both to the millisecond.
    private static func expectOneShift(_ seen: [(String, Recording)]) {
        /// What of the sound is heard when a picture of the last second is shown: bytes, and milliseconds off.
        func heard(_ recording: Recording) -> [String: Int] {
            var played = 0
            var begin: [Int: (Int, Int)] = [:]
            for (index, packet) in recording.packets.audio.enumerated() {
                begin[index] = (packet.pts, played)
                played += packet.size
            }
            guard let last = begin[recording.packets.audio.count - 1] else { return [:] }
            var result: [String: Int] = [:]
            for picture in recording.pictures.suffix(20) {
                // The sample that is heard with it, counted from the last packet on.
                let sample = last.1 + 8 * (picture.pts - last.0)
                result[picture.hash] = sample
            }
            return result
        }
        guard let reference = seen.first(where: { $0.0 == MatrixReader.ffmpegHTTP.rawValue }) else { return }
        for (name, recording) in seen where name != reference.0 {
            let here = heard(recording)
            let there = heard(reference.1)
            // Samples are told apart by what is around them.
            var distances: [Int] = []
            for (hash, sample) in here {
                guard let other = there[hash], sample >= 0, sample + 400 <= recording.samples.count else { continue }
                let piece = Data(recording.samples[sample..<sample + 400])
                let around = max(0, other - 2000)
                guard around + 400 <= reference.1.samples.count else { continue }
                let range = Data(reference.1.samples[around..<min(reference.1.samples.count, other + 2400)])
                guard let found = range.range(of: piece) else {
                    distances.append(.max)
                    continue
                }
                distances.append(abs(around + found.lowerBound - other) / 8)
            }
            #expect(!distances.isEmpty, "\(name): nothing to compare")
            #expect(distances.allSatisfy { $0 <= 10 }, "\(name): sound is off by \(distances) ms")
        }
    }
}
