import Foundation
import Media
import Testing

@testable import Recording

/// What ffmpeg encoded comes out of every container as it went in.
@Suite("Recorded files play", .enabled(if: Tool.isThere, "ffmpeg is not installed"))
struct FormatTests {
    @Test(arguments: [RecordingFormat.flv, .ts, .fmp4])
    func pictureAndSoundAreThoseOfTheSource(_ format: RecordingFormat) async throws {
        let clip = try TestClip.make()
        let studio = try Studio()
        let recorder = try studio.recorder(format)
        studio.play(clip.events, into: recorder)
        recorder.finish()

        let path = try #require(studio.paths(format).first)
        #expect(studio.paths(format).count == 1)
        #expect(studio.faults.isEmpty)
        #expect(try Tool.formats(path).contains("h264"))
        #expect(try Tool.pictures(path) == Tool.pictures(clip.path))
        let all = try Tool.sounds(clip.path)
        // MP4 begins with silence, up to the first sound.
        let sounds = try Tool.sounds(path).filter { format != .fmp4 || all.contains($0) }
        // Sound from before the first key frame is left out.
        #expect(sounds == Array(all.suffix(sounds.count)))
        #expect(sounds.count > 200)

        let row = try #require(try await studio.rows().first)
        #expect(row.state == .complete)
        #expect(row.bytes == size(path))
        #expect(row.codecs == "H264,AAC")
        #expect(abs(row.durationMilliseconds - 6000) < 100)
        #expect(row.firstKeyMilliseconds == 0)
        #expect(row.lastKeyMilliseconds == 5000)
    }

    /// Milliseconds: FLV rounds to them.
    @Test(arguments: [RecordingFormat.flv, .ts, .fmp4])
    func soundKeepsItsPlaceBesideThePicture(_ format: RecordingFormat) throws {
        let clip = try TestClip.make()
        let studio = try Studio()
        let recorder = try studio.recorder(format, RecordingOptions(segmentSeconds: 2))
        studio.play(clip.events, into: recorder)
        recorder.finish()
        let paths = studio.paths(format)
        #expect(paths.count == 3)

        var pictures = 0
        var sounds = 0
        let sourcePictures = try Tool.times(clip.path, "v")
        let sourceSounds = try Tool.times(clip.path, "a")
        // Where the source's sound begins when what came before the first picture is left out.
        let sourceSums = Set(try Tool.sounds(clip.path))
        // MP4 begins with silence, up to the first sound.
        let silence = try paths.map { path in try Tool.sounds(path).prefix { !sourceSums.contains($0) }.count }
        let recorded = try zip(paths, silence).reduce(0) { try $0 + Tool.times($1.0, "a").count - $1.1 }
        let skipped = max(0, sourceSounds.count - recorded)
        for (path, silence) in zip(paths, silence) {
            let video = try Tool.times(path, "v")
            let audio = try Tool.times(path, "a").dropFirst(silence)
            let picture = try #require(sourcePictures.dropFirst(pictures).first)
            let shift = try #require(video.first) - picture
            let sound = try #require(sourceSounds.dropFirst(skipped + sounds).first)
            let soundShift = try #require(audio.first) - sound
            // The MP4 muxer takes a gap of less than a frame at the beginning for jitter.
            #expect(abs(shift - soundShift) < (format == .fmp4 ? 0.024 : 0.0015), "\(path)")
            let decoding = try Tool.times(path, "v", entry: "dts_time")
            #expect(try #require(decoding.first) < 2, "\(path) begins at its beginning")
            pictures += video.count
            sounds += audio.count
        }
        #expect(pictures == sourcePictures.count)
    }

    @Test func segmentsOfHLSPlayAsOne() async throws {
        let clip = try TestClip.make()
        let studio = try Studio()
        let recorder = try studio.recorder(.hls, RecordingOptions(segmentSeconds: 2))
        studio.play(clip.events, into: recorder)
        recorder.finish()

        let folder = "\(studio.folder.path)/hls/cam"
        let list = "\(folder)/record.m3u8"
        let text = try String(contentsOfFile: list, encoding: .utf8)
        #expect(text.hasPrefix("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n\n"))
        #expect(text.contains("#EXT-X-DISCONTINUITY\n#EXTINF:2.000,\ncam-1795228433"))
        #expect(text.hasSuffix("-2.ts\n#EXT-X-ENDLIST\n"))
        #expect(text.split(separator: "\n").count { $0 == "#EXT-X-DISCONTINUITY" } == 1)
        #expect(try Tool.pictures(list) == Tool.pictures(clip.path))
        let sounds = try Tool.sounds(list)
        #expect(sounds == Array(try Tool.sounds(clip.path).suffix(sounds.count)))
        // Times run on over the segments.
        let starts = try studio.paths(.hls).map { try #require(try Tool.times($0, "v", entry: "dts_time").first) }
        #expect(starts.count == 3)
        #expect(abs(starts[1] - starts[0] - 2) < 0.001 && abs(starts[2] - starts[1] - 2) < 0.001)
        #expect(try await studio.rows().map(\.durationMilliseconds).prefix(2) == [2000, 2000])
    }

    @Test func nextPublicationGoesOnInThePlaylist() throws {
        let clip = try TestClip.make(seconds: 2)
        let studio = try Studio()
        let id = try studio.library.start(stream: "cam", format: .hls)
        for _ in 0..<2 {
            let recorder = try #require(studio.library.recorder(id))
            studio.play(clip.events, into: recorder)
            recorder.finish()
            studio.clock.advance(10_000)
        }
        let list = "\(studio.folder.path)/hls/cam/record.m3u8"
        let text = try String(contentsOfFile: list, encoding: .utf8)
        #expect(text.split(separator: "\n").count { $0 == "#EXT-X-DISCONTINUITY" } == 2)
        #expect(text.split(separator: "\n").count { $0 == "#EXT-X-ENDLIST" } == 1)
        #expect(try Tool.pictures(list).count == 100)
    }

    /// lal's `record.enable_flv`.
    @Test func plainFLVKeepsTheTimesOfTheStream() throws {
        let clip = try TestClip.make(seconds: 2)
        let studio = try Studio()
        let recorder = try studio.recorder(.flv, RecordingOptions(keepsTimes: true))
        let hour: Int64 = 3600 * 90_000
        let later = clip.events.map { event -> MediaEvent in
            guard case .frame(var frame) = event else { return event }
            frame.dts += hour
            frame.pts += hour
            return .frame(frame)
        }
        studio.play(later, into: recorder)
        recorder.finish()
        let path = try #require(studio.paths(.flv).first)
        #expect(path.hasSuffix("/cam-1795228433.flv"))
        #expect(try #require(try Tool.times(path, "v", entry: "dts_time").first) >= 3600)
        #expect(try Tool.pictures(path) == Tool.pictures(clip.path))
        #expect(try Tool.sounds(path) == Tool.sounds(clip.path))
    }

    @Test func telephoneSoundIsLosslessInMP4() throws {
        let clip = try TestClip.make(seconds: 3, audio: ["-c:a", "pcm_alaw", "-ar", "8000", "-ac", "1"])
        let studio = try Studio()
        let recorder = try studio.recorder(.fmp4)
        studio.play(clip.parameters, into: recorder)
        studio.play(clip.frames.map(MediaEvent.frame), into: recorder)
        recorder.finish()
        let path = try #require(studio.paths(.fmp4).first)
        #expect(try Tool.formats(path) == "h264,flac")
        #expect(try Tool.pictures(path) == Tool.pictures(clip.path))
    }

    @Test func whatAContainerCannotCarryIsSaid() throws {
        let studio = try Studio()
        let recorder = try studio.recorder(.ts)
        recorder.receive(
            .video(VideoParameters(codec: .av1, sps: [], pps: [], record: [0x81, 0, 0x0C, 0])),
            startsGOP: false
        )
        recorder.receive(.audio(Synthetic.aac), startsGOP: false)
        for index in 0..<50 { recorder.receive(.frame(Synthetic.sound(index)), startsGOP: false) }
        #expect(studio.library.list().first?.omitted == ["AV1"])
        #expect(studio.reports == [.omitted(stream: "cam", format: .ts, codecs: ["AV1"])])
        recorder.finish()
        let path = try #require(studio.paths(.ts).first)
        #expect(try Tool.times(path, "a").count == 50)
    }
}
