import NIOCore
import Testing

@testable import Media

/// Long streams, with the rules looking at the playlist after every change.
@Suite("HLS: live windows keep Apple's rules")
struct HLSLiveTests {
    static let containers: [HLSConfiguration.Container] = [.transportStream, .fragmentedMP4]

    struct Shape: CustomTestStringConvertible, Sendable {
        var name: String
        var camera: HLSCamera
        var fragment = 3000
        var testDescription: String { name }
    }

    static let shapes = [
        Shape(name: "25 fps, groups of 2 s", camera: HLSCamera()),
        Shape(name: "groups of 1 s, segments of 1 s", camera: HLSCamera(group: 25), fragment: 1000),
        Shape(name: "30000/1001 fps", camera: HLSCamera(step: 3003, group: 60)),
        Shape(name: "15 fps, groups of 4 s", camera: HLSCamera(step: 6000, group: 60)),
        Shape(name: "5 fps", camera: HLSCamera(step: 18_000, group: 10)),
        Shape(name: "60 fps", camera: HLSCamera(step: 1500, group: 120)),
        Shape(name: "groups of 10 s", camera: HLSCamera(group: 250)),
        Shape(name: "groups of 40 s", camera: HLSCamera(group: 1000)),
        Shape(name: "no key frame after the first", camera: HLSCamera(group: .max)),
        Shape(name: "jitter of 2 ms", camera: HLSCamera(jitter: 180)),
        Shape(name: "no sound", camera: HLSCamera(hasAudio: false)),
        Shape(name: "sound alone", camera: HLSCamera(hasVideo: false)),
        Shape(name: "segments of 400 ms", camera: HLSCamera(group: 5), fragment: 400),
    ]

    @Test(arguments: shapes, containers)
    func keepsTheRules(shape: Shape, container: HLSConfiguration.Container) {
        var run = HLSRun(HLSConfiguration(container: container, fragmentMilliseconds: shape.fragment))
        var camera = shape.camera
        camera.announce(&run)
        camera.run(seconds: 60, &run)
        run.finish()
        #expect(run.rules.violations.isEmpty, "\(run.rules.report)")
        #expect(run.rules.checked >= 5)
        #expect(run.segmenter.unevenParts == 0)
        #expect(run.playlists.last?.hasSuffix("#EXT-X-ENDLIST\n") == true)
        // What was listed was all there: durations add up to the stream.
        let total = run.closings.reduce(0) { $0 + $1.duration }
        #expect(abs(total - 60 * 90_000) <= 2 * shape.camera.step + 5760)
    }

    @Test(
        "Group grows after the promise: segments without key frame, never longer than promised",
        arguments: containers
    )
    func groupsThatGrow(container: HLSConfiguration.Container) {
        var run = HLSRun(HLSConfiguration(container: container))
        var camera = HLSCamera()
        camera.announce(&run)
        camera.run(seconds: 20, &run)
        camera.group = 250
        camera.startGroup()
        camera.run(seconds: 60, &run)
        run.finish()
        #expect(run.rules.violations.isEmpty, "\(run.rules.report)")
        #expect(run.segmenter.dependentSegments > 5)
        // Each key frame begins a segment all the same.
        #expect(run.openings.filter(\.isIndependent).count >= 5 + 6)
        #expect(!run.openings.dropFirst().contains { $0.isDiscontinuous })
    }

    @Test("Clock jumps ahead, back, and by a day", arguments: containers)
    func jumps(container: HLSConfiguration.Container) {
        var run = HLSRun(HLSConfiguration(container: container))
        var camera = HLSCamera()
        camera.announce(&run)
        for jump in [40.0, -20, 86_400, -90_000, 11] {
            camera.run(seconds: 15, &run)
            camera.time += Int64(jump * 90_000)
        }
        camera.run(seconds: 15, &run)
        run.finish()
        #expect(run.rules.violations.isEmpty, "\(run.rules.report)")
        #expect(run.openings.filter(\.isDiscontinuous).count == 1 + 5)
    }

    @Test("Camera sends no pictures for seconds, then goes on", arguments: containers)
    func gaps(container: HLSConfiguration.Container) {
        var run = HLSRun(HLSConfiguration(container: container))
        var camera = HLSCamera(hasAudio: false)
        camera.announce(&run)
        camera.run(seconds: 15, &run)
        camera.time += 6 * 90_000
        camera.run(seconds: 20, &run)
        run.finish()
        #expect(run.rules.broken.subtracting(["dates"]).isEmpty, "\(run.rules.report)")
    }

    @Test("Times that stand still or go back a little are moved on", arguments: containers)
    func disorder(container: HLSConfiguration.Container) {
        var run = HLSRun(HLSConfiguration(container: container))
        run.feed(.video(Synthetic.h264))
        for index in 0..<1000 {
            let time = Int64(index) * 3600 - (index % 7 == 3 ? 4000 : 0)
            let frame = Synthetic.picture(.h264, index, isKey: index % 50 == 0, size: 100, dts: time)
            run.feed(.frame(frame), isStart: frame.isKey)
            run.pass(40)
        }
        run.finish()
        // Uneven frames may make uneven parts; nothing else may give way.
        let parts: Set<String> = ["partIsNotShorterThanMost", "partIsNotLongerThanTarget"]
        #expect(run.rules.broken.subtracting(parts).isEmpty, "\(run.rules.report)")
        #expect(run.segmenter.movedFrames > 100)
        #expect(run.openings.filter(\.isDiscontinuous).count == 1)
    }

    @Test("Parameters change: a discontinuity, and another MAP", arguments: containers)
    func parameterChange(container: HLSConfiguration.Container) {
        var run = HLSRun(HLSConfiguration(container: container))
        var camera = HLSCamera()
        camera.announce(&run)
        camera.run(seconds: 21, &run)
        camera.startGroup()
        run.feed(.video(VideoParameters(codec: .h264, sps: [Synthetic.h264HighSPS], pps: [Synthetic.h264PPS])))
        camera.run(seconds: 21, &run)
        run.feed(.audio(AudioParameters(codec: .aac, sampleRate: 8000, channels: 1, configuration: [0x15, 0x88])))
        camera.run(seconds: 21, &run)
        run.finish()
        #expect(run.rules.violations.isEmpty, "\(run.rules.report)")
        #expect(run.openings.filter(\.isDiscontinuous).count == 3)
        if container == .fragmentedMP4 {
            let maps = run.actions.filter { if case .initialization = $0 { true } else { false } }
            #expect(maps.count == 3)
        }
    }

    @Test("The same parameters again change nothing", arguments: containers)
    func repeatedParameters(container: HLSConfiguration.Container) {
        var run = HLSRun(HLSConfiguration(container: container))
        var camera = HLSCamera()
        for _ in 0..<10 {
            camera.announce(&run)
            camera.run(seconds: 4, &run)
        }
        #expect(run.openings.filter(\.isDiscontinuous).count == 1)
    }

    @Test("Publisher goes and comes back: a discontinuity, and the numbers go on", arguments: containers)
    func publisherReturns(container: HLSConfiguration.Container) {
        var run = HLSRun(HLSConfiguration(container: container))
        var camera = HLSCamera()
        camera.announce(&run)
        camera.run(seconds: 40, &run)
        for _ in 0..<3 {
            run.interrupt()
            run.pass(4000)
            camera = HLSCamera()
            camera.announce(&run)
            camera.run(seconds: 15, &run)
        }
        run.finish()
        #expect(run.rules.violations.isEmpty, "\(run.rules.report)")
        #expect(run.openings.map(\.number) == Array(0..<run.openings.count))
        #expect(run.openings.filter(\.isDiscontinuous).count == 4)
    }

    @Test("Pictures stay away while sound goes on: segments end all the same", arguments: containers)
    func frozenPicture(container: HLSConfiguration.Container) {
        var run = HLSRun(HLSConfiguration(container: container))
        var camera = HLSCamera()
        camera.announce(&run)
        camera.run(seconds: 12, &run)
        let before = run.closings.count
        let start = camera.time
        for index in 0..<(60 * 16) {
            let time = start + Int64(index) * 5760
            let payload = ByteBuffer(bytes: [1, 2, 3, 4])
            run.feed(.frame(Frame(track: .audio, dts: time, pts: time, isKey: true, payload: payload)))
            run.pass(64)
        }
        #expect(run.closings.count - before >= 10)
        camera.time = start + 60 * 16 * 5760
        camera.startGroup()
        camera.run(seconds: 12, &run)
        run.finish()
        let parts: Set<String> = ["partIsNotShorterThanMost", "partIsNotLongerThanTarget"]
        #expect(run.rules.broken.subtracting(parts).isEmpty, "\(run.rules.report)")
    }

    @Test("A byte limit goes before the length of the window, and is counted", arguments: containers)
    func byteLimit(container: HLSConfiguration.Container) {
        var configuration = HLSConfiguration(container: container)
        configuration.maximumBytes = 60_000
        var run = HLSRun(configuration)
        var camera = HLSCamera(group: 75)
        camera.announce(&run)
        var most = 0
        for _ in 0..<60 {
            camera.run(seconds: 1, &run)
            most = max(most, run.window.byteCount)
        }
        #expect(most <= 60_000)
        #expect(run.window.droppedSegments > 3)
        #expect(run.rules.broken.isSubset(of: ["windowOfThreeTargets"]), "\(run.rules.report)")
    }

    @Test("A window gives up its oldest segments when it is told to, but for one", arguments: containers)
    func givesUp(container: HLSConfiguration.Container) {
        var run = HLSRun(HLSConfiguration(container: container))
        var camera = HLSCamera()
        camera.announce(&run)
        camera.run(seconds: 60, &run)
        let (held, first) = (run.window.byteCount, run.window.segments[0].opening.name)
        let gone = run.window.giveUp(held / 2)
        #expect(run.window.byteCount <= held - held / 2 && run.window.byteCount > 0)
        #expect(!gone.isEmpty && run.window.droppedSegments == gone.count)
        #expect(!run.window.segments.contains { gone.contains($0.opening.name) })
        let rest = run.window.giveUp(.max / 2)
        #expect(run.window.segments.count == 1 && (gone + rest).contains(first))
        #expect(run.window.giveUp(.max / 2) == [])
    }

    @Test("A segment that grows too large ends", arguments: containers)
    func segmentLimit(container: HLSConfiguration.Container) {
        var configuration = HLSConfiguration(container: container)
        configuration.maximumSegmentBytes = 10_000
        var run = HLSRun(configuration)
        var camera = HLSCamera(hasAudio: false)
        camera.announce(&run)
        camera.run(seconds: 60, &run)
        #expect(run.closings.allSatisfy { $0.bytes.readableBytes < 22_000 })
        #expect(run.closings.count > 20)
    }

    @Test("Frames before the first key frame and of unknown codecs are counted")
    func drops() {
        var run = HLSRun(HLSConfiguration(container: .transportStream))
        run.feed(.frame(Synthetic.picture(.h264, 0, isKey: true, size: 100)), isStart: true)
        run.feed(.video(Synthetic.h264))
        run.feed(.frame(Synthetic.picture(.h264, 1, isKey: false, size: 100)))
        run.feed(.frame(Frame(track: .video, dts: 0, pts: 0, isKey: true, payload: ByteBuffer())), isStart: true)
        #expect(run.segmenter.droppedFrames == 3)
        #expect(run.openings.isEmpty)
    }

    @Test("Hostile times neither trap nor grow", arguments: containers)
    func hostileTimes(container: HLSConfiguration.Container) {
        var noise = Noise(state: 99)
        var run = HLSRun(HLSConfiguration(container: container))
        run.feed(.video(Synthetic.h264))
        run.feed(.audio(Synthetic.aac))
        let odd: [Int64] = [.min, .max, 0, -1, 1 << 62, -(1 << 62), 1 << 33, .max - 1]
        for index in 0..<3000 {
            let time = index % 3 == 0 ? odd.randomElement(using: &noise) ?? 0 : Int64(index) * 3600
            let isKey = index % 5 == 0
            if index % 2 == 0 {
                run.feed(.frame(Synthetic.picture(.h264, index, isKey: isKey, size: 60, dts: time)), isStart: isKey)
            } else {
                let payload = ByteBuffer(bytes: [1, 2, 3])
                run.feed(.frame(Frame(track: .audio, dts: time, pts: time, isKey: true, payload: payload)))
            }
        }
        run.finish()
        #expect(run.window.segments.count <= 64)
        #expect(run.window.retired.count <= 64)
    }
}
