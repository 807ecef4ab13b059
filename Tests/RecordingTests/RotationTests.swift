import Foundation
import Media
import Testing

@testable import Recording

@Suite("Files are cut at key frames") struct RotationTests {
    @Test(.enabled(if: Tool.isThere, "ffmpeg is not installed"), arguments: [RecordingFormat.flv, .ts, .fmp4])
    func noFrameIsLostOrDoubled(_ format: RecordingFormat) async throws {
        let clip = try TestClip.make(seconds: 7)
        let studio = try Studio()
        let recorder = try studio.recorder(format, RecordingOptions(segmentSeconds: 2))
        studio.play(clip.events, into: recorder)
        recorder.finish()
        let paths = studio.paths(format)
        #expect(paths.count == 4)
        let source = try Tool.sounds(clip.path)
        var pictures: [String] = []
        var sounds: [String] = []
        for path in paths {
            pictures += try Tool.pictures(path)
            sounds += try Tool.sounds(path).filter { format != .fmp4 || source.contains($0) }
        }
        #expect(pictures == (try Tool.pictures(clip.path)))
        #expect(sounds == Array(source.suffix(sounds.count)))
        #expect(sounds.count > 250)
        let rows = try await studio.rows()
        #expect(rows.map(\.durationMilliseconds).prefix(3) == [2000, 2000, 2000])
        #expect(rows.allSatisfy { $0.state == .complete && $0.firstKeyMilliseconds == 0 })
        #expect(rows.map(\.bytes) == paths.map(size))
    }

    @Test func sizeEndsAFile() throws {
        let studio = try Studio()
        let recorder = try studio.recorder(.flv, RecordingOptions(segmentMegabytes: 1))
        recorder.receive(.video(Synthetic.video), startsGOP: false)
        studio.pictures(0..<200, into: recorder, size: 20_000)
        recorder.finish()
        let sizes = studio.paths(.flv).map(size)
        // 25 pictures of 20 KB a GOP: three GOPs are the first to be more than 1 MB.
        #expect(sizes.count == 3)
        #expect(sizes.dropLast().allSatisfy { $0 > 3 * 25 * 20_000 && $0 < 3 * 25 * 20_100 + 1_000 })
    }

    @Test func soundAloneIsCutAnywhere() async throws {
        let studio = try Studio()
        let recorder = try studio.recorder(.flv, RecordingOptions(segmentSeconds: 1))
        recorder.receive(.audio(Synthetic.aac), startsGOP: false)
        for index in 0..<48 {
            studio.clock.advance(64)
            recorder.receive(.frame(Synthetic.sound(index)), startsGOP: false)
        }
        recorder.finish()
        #expect(try await studio.rows().map(\.durationMilliseconds) == [1024, 1024, 1024])
    }

    @Test func filesOfTheSameSecondHaveNumbers() throws {
        let studio = try Studio()
        for _ in 0..<3 {
            let recorder = try studio.recorder(.flv)
            recorder.receive(.video(Synthetic.video), startsGOP: false)
            recorder.receive(.frame(Synthetic.picture(0)), startsGOP: true)
            recorder.finish()
            studio.library.stop(recorder.id)
        }
        let names = studio.paths(.flv).map { $0.split(separator: "/").last.map(String.init) }
        #expect(names == ["cam-1795228433.flv", "cam-1795228433-2.flv", "cam-1795228433-3.flv"])
    }

    @Test func nothingThatExistsIsOverwritten() throws {
        let studio = try Studio()
        let folder = "\(studio.folder.path)/flv"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try "mine".write(toFile: "\(folder)/cam-1795228433.flv", atomically: true, encoding: .utf8)
        let outside = "\(studio.folder.path)/outside"
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder)/cam-1795228433-2.flv",
            withDestinationPath: outside
        )
        let recorder = try studio.recorder(.flv)
        recorder.receive(.video(Synthetic.video), startsGOP: false)
        recorder.receive(.frame(Synthetic.picture(0)), startsGOP: true)
        recorder.finish()
        #expect(try String(contentsOfFile: "\(folder)/cam-1795228433.flv", encoding: .utf8) == "mine")
        #expect(!FileManager.default.fileExists(atPath: outside))
        #expect(size("\(folder)/cam-1795228433-3.flv") > 1_000)
    }

    @Test func newParametersBeginAnotherSegment() throws {
        let studio = try Studio()
        let recorder = try studio.recorder(.hls)
        recorder.receive(.video(Synthetic.video), startsGOP: false)
        studio.pictures(0..<30, into: recorder)
        recorder.receive(.video(Synthetic.video), startsGOP: false)
        studio.pictures(30..<50, into: recorder)
        recorder.receive(.video(Synthetic.wider), startsGOP: false)
        studio.pictures(50..<80, into: recorder)
        recorder.finish()
        #expect(studio.paths(.hls).count == 2)
        let text = try String(contentsOfFile: "\(studio.folder.path)/hls/cam/record.m3u8", encoding: .utf8)
        #expect(text.split(separator: "\n").count { $0 == "#EXT-X-DISCONTINUITY" } == 2)
    }

    @Test(arguments: [RecordingFormat.flv, .ts])
    func newParametersStayInTheFile(_ format: RecordingFormat) throws {
        let studio = try Studio()
        let recorder = try studio.recorder(format)
        recorder.receive(.video(Synthetic.video), startsGOP: false)
        studio.pictures(0..<30, into: recorder)
        recorder.receive(.video(Synthetic.wider), startsGOP: false)
        studio.pictures(50..<80, into: recorder)
        recorder.finish()
        #expect(studio.paths(format).count == 1)
    }

    @Test func newParametersBeginAnotherMP4() throws {
        let studio = try Studio()
        let recorder = try studio.recorder(.fmp4)
        recorder.receive(.video(Synthetic.video), startsGOP: false)
        studio.pictures(0..<30, into: recorder)
        recorder.receive(.video(Synthetic.wider), startsGOP: false)
        studio.pictures(50..<80, into: recorder)
        recorder.finish()
        #expect(studio.paths(.fmp4).count == 2)
        #expect(studio.library.list().first?.droppedFrames == 0)
    }

    @Test func soundThatComesLateIsInTheNextMP4() throws {
        let studio = try Studio()
        let recorder = try studio.recorder(.fmp4)
        recorder.receive(.video(Synthetic.video), startsGOP: false)
        studio.pictures(0..<20, into: recorder)
        recorder.receive(.audio(Synthetic.aac), startsGOP: false)
        recorder.receive(.frame(Synthetic.sound(13)), startsGOP: false)
        studio.pictures(20..<30, into: recorder)
        recorder.receive(.frame(Synthetic.sound(18)), startsGOP: false)
        recorder.finish()
        #expect(studio.paths(.fmp4).count == 2)
        // The one that the first file cannot hold.
        #expect(studio.library.list().first?.droppedFrames == 1)
    }

    @Test func timeThatGoesBackBeginsAnotherFile() async throws {
        let studio = try Studio()
        let recorder = try studio.recorder(.flv)
        recorder.receive(.video(Synthetic.video), startsGOP: false)
        studio.pictures(100..<150, into: recorder)
        studio.pictures(0..<50, into: recorder)
        recorder.finish()
        #expect(try await studio.rows().map(\.durationMilliseconds) == [2000, 2000])
    }

    @Test func hostileTimesDoNoHarm() async throws {
        for format in RecordingFormat.allCases {
            let studio = try Studio()
            let recorder = try studio.recorder(format, RecordingOptions(segmentSeconds: 1))
            recorder.receive(.video(Synthetic.video), startsGOP: false)
            recorder.receive(.audio(Synthetic.aac), startsGOP: false)
            let times: [Int64] = [0, .max, .min, -1, 1 << 33, .max - 1, .min + 1, 5, -(1 << 40), .max]
            for (index, time) in times.enumerated() {
                var frame = Synthetic.picture(index % 2 == 0 ? 0 : 1)
                frame.dts = time
                frame.pts = times[(index + 3) % times.count]
                recorder.receive(.frame(frame), startsGOP: frame.isKey)
                var sound = Synthetic.sound(0)
                sound.dts = times[(index + 5) % times.count]
                sound.pts = sound.dts
                recorder.receive(.frame(sound), startsGOP: false)
                recorder.tick()
            }
            recorder.finish()
            #expect(studio.faults.isEmpty)
        }
    }

    @Test func nothingWaitsLongerThanASecond() throws {
        for format in [RecordingFormat.flv, .ts, .fmp4] {
            let studio = try Studio()
            let recorder = try studio.recorder(format)
            recorder.receive(.video(Synthetic.video), startsGOP: false)
            studio.pictures(0..<5, into: recorder)
            // The camera stalls; the loop's clock goes on.
            for _ in 0..<2 {
                studio.clock.advance(450)
                recorder.tick()
            }
            let path = try #require(studio.paths(format).first)
            #expect(size(path) > 5_000)
        }
    }
}
