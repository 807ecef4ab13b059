import NIOCore
import Testing

@testable import Media

/// What a stream's times become: pictures of 25 a second, G.711 or AAC beside them.
private struct Timed {
    var muxer: FMP4FrameMuxer
    var bytes = ByteBuffer()
    let description: FMP4Description

    init(
        audio: AudioParameters? = Synthetic.g711,
        video: VideoParameters? = FLVSamples.avc,
        origin: Int64? = nil
    ) throws {
        description = try #require(FMP4Description(video: video, audio: audio))
        muxer = FMP4FrameMuxer(description, origin: origin)
        description.writeInit(into: &bytes)
    }

    mutating func picture(_ dts: Int64, isKey: Bool = true, composition: Int64 = 0) {
        let payload = Synthetic.avcc([[0x65, 0x88, 0x80, 1]])
        muxer.mux(
            Frame(track: .video, dts: dts, pts: dts &+ composition, isKey: isKey, payload: payload),
            into: &bytes
        )
    }

    mutating func sound(_ time: Int64, samples: Int = 320, fill: UInt8 = 1) {
        muxer.mux(.audio((0..<samples).map { UInt8(truncatingIfNeeded: $0) | fill }, at: time), into: &bytes)
    }

    mutating func send(_ bytes: [UInt8], at time: Int64) { muxer.mux(.audio(bytes, at: time), into: &self.bytes) }

    func read() throws -> MP4Reader { try MP4Reader(Array(bytes.readableBytesView)) }
    func pictures() throws -> [MP4Reader.Sample] { try read().samples(of: 1) }
    func sounds() throws -> [MP4Reader.Sample] { try read().samples(of: 2) }
}

extension [MP4Reader.Sample] {
    /// One after the other, without a hole.
    fileprivate var isContinuous: Bool { zip(self, dropFirst()).allSatisfy { $0.dts + Int64($0.duration) == $1.dts } }
    /// FLAC frames with a CONSTANT subframe: silence.
    fileprivate var silent: [MP4Reader.Sample] { filter { $0.bytes.count < 20 } }
    /// More than half of the distance, and not absurd.
    fileprivate var durationsFit: Bool {
        zip(self, dropFirst()).allSatisfy {
            Int64($0.duration) * 2 > $1.dts - $0.dts && $0.duration <= 4 * 90_000
        }
    }
}

@Suite struct FMP4TimeTests {
    @Test(
        "a stated duration is more than half of the distance",
        arguments: [3600, 1500, 15_000, 18_000, 90_000] as [Int64]
    )
    func statesEnough(distance: Int64) throws {
        var timed = try Timed(audio: nil)
        var noise = Noise(state: 1)
        let jitter = min(distance * 3 / 4, 2700)
        for index in 0..<200 {
            timed.picture(Int64(index) * distance + Int64.random(in: -jitter / 2...jitter / 2, using: &noise))
        }
        let pictures = try timed.pictures()
        #expect(pictures.count == 200)
        // A first distance is not known: 10 a second is taken for granted.
        #expect(Array(pictures.dropFirst(distance > 18_000 ? 1 : 0)).durationsFit)
        #expect(pictures.dropFirst(2).allSatisfy { $0.duration <= Int(distance + jitter) * 2 })
    }

    @Test(
        "a gap is not stated again, unless it turns out to be the new distance",
        arguments: [30_000, 90_000, 800_000] as [Int64]
    )
    func gaps(gap: Int64) throws {
        var timed = try Timed(audio: nil)
        var time: Int64 = 0
        for index in 0..<60 {
            timed.picture(time)
            time += index == 29 ? gap : 3600
        }
        #expect(try timed.pictures().dropFirst(2).allSatisfy { $0.duration == 3600 * 7 / 4 })
        for _ in 0..<5 {
            timed.picture(time)
            time += gap
        }
        let last = try timed.pictures().suffix(2)
        #expect(last.allSatisfy { $0.duration >= min(gap, 180_000) && $0.duration <= min(gap, 180_000) * 7 / 4 })
    }

    @Test("VLC takes a fragment's time from its number: one is left out before each")
    func numbersLeaveRoom() throws {
        var timed = try Timed()
        for index in 0..<20 {
            timed.picture(Int64(index) * 3600)
            timed.sound(Int64(index) * 3600)
        }
        #expect(try timed.read().numbers == (0..<40).map { 1 + 2 * $0 })
    }

    @Test func beginsAtZeroWhereverTheCameraIs() throws {
        for start in [0, 7, 1 << 40, -5, -1 << 40, Int64.max - 100, Int64.min + 3] {
            var timed = try Timed()
            for index in 0..<10 {
                timed.picture(start &+ Int64(index) * 3600, composition: 7200)
                timed.sound(start &+ Int64(index) * 3600)
            }
            let pictures = try timed.pictures()
            #expect(pictures.map(\.dts) == (0..<10).map { $0 * 3600 })
            #expect(pictures.allSatisfy { $0.pts - $0.dts == 7200 })
            #expect(try timed.sounds().map(\.dts) == (0..<10).map { $0 * 320 })
        }
    }

    @Test func keepsAnOrigin() throws {
        var timed = try Timed(origin: -90_000)
        timed.picture(0)
        timed.sound(900)
        #expect(try timed.pictures().map(\.dts) == [90_000])
        #expect(try timed.sounds().map(\.dts) == [8000])
        // Nonsense, and what is a little before it.
        for (origin, wanted) in [(Int64.min, 0), (Int64.max, 0), (9000, 0)] as [(Int64, Int64)] {
            var timed = try Timed(audio: nil, origin: origin)
            timed.picture(0)
            #expect(try timed.pictures().map(\.dts) == [wanted])
        }
    }

    @Test("a camera whose clock begins anew goes on in time, with both tracks", arguments: [true, false])
    func clockBeginsAnew(pictureFirst: Bool) throws {
        for jump in [30 * 90_000, -30 * 90_000, 1 << 45, -1 << 45, -90_000] as [Int64] {
            var timed = try Timed()
            for index in 0..<100 {
                let time = Int64(index) * 3600
                let moved = index < 50 ? time : time &+ jump
                // One of the two is a frame ahead with it.
                let soundMoved = (pictureFirst ? index < 51 : index < 49) ? time : time &+ jump
                timed.picture(moved, isKey: index % 25 == 0)
                timed.sound(soundMoved)
            }
            let pictures = try timed.pictures()
            #expect(pictures.map(\.dts) == (0..<100).map { $0 * 3600 }, "\(jump)")
            #expect(pictures.durationsFit)
            let sounds = try timed.sounds()
            #expect(sounds.isContinuous)
            // A second of one clock's sound in the other's time is a gap or too late.
            #expect(abs(sounds.count - 100) <= (abs(jump) > 900_000 ? 2 : 30), "\(jump): \(sounds.count)")
            let end = try #require(sounds.last).dts + 320
            #expect(abs(end - 100 * 320) <= 640, "\(jump): \(end)")
            #expect(timed.muxer.statistics.timeJumps >= 1)
        }
    }

    @Test func aPictureThatGoesBackALittleIsHeld() throws {
        var timed = try Timed(audio: nil)
        for time in [0, 3600, 7200, 6000, 7200, 10_800, 14_400] as [Int64] { timed.picture(time) }
        #expect(try timed.pictures().map(\.dts) == [0, 3600, 7200, 7201, 7202, 10_800, 14_400])
        #expect(try timed.pictures().durationsFit)
        #expect(timed.muxer.statistics.timeJumps == 0)
    }

    @Test func partsHaveNoHugeDurations() throws {
        let description = try #require(FMP4Description(video: FLVSamples.avc, audio: nil))
        var muxer = FMP4PartMuxer(description)
        var bytes = ByteBuffer()
        description.writeInit(into: &bytes)
        let times: [Int64] = [0, 3600, 1 << 50, (1 << 50) + 3600, -5, 3595, 3595 + 9 * 90_000, 3595 + 9 * 90_000]
        for (index, time) in times.enumerated() {
            if index % 2 == 0 { muxer.finishPart(nextVideoDTS: time, into: &bytes) }
            muxer.append(Synthetic.picture(.h264, index, isKey: true, size: 30, dts: time))
        }
        muxer.finishPart(nextVideoDTS: nil, into: &bytes)
        let samples = try MP4Reader(Array(bytes.readableBytesView)).samples
        #expect(samples.map(\.duration) == [3600, 3600, 3600, 3600, 3600, 810_000, 1, 810_000])
        #expect(zip(samples, samples.dropFirst()).allSatisfy { $0.dts + Int64($0.duration) == $1.dts })
        #expect(muxer.statistics.timeJumps == 2)
    }
}

@Suite struct FMP4SilenceTests {
    @Test("G.711: jitter of 20 ms makes no gap", arguments: [160, 320])
    func jitter(samples: Int) throws {
        for seed in 0..<6 {
            var noise = Noise(state: UInt64(seed))
            var timed = try Timed(video: nil)
            for index in 0..<1000 {
                let jitter = Int64.random(in: -1800...1800, using: &noise)
                timed.sound(Int64(index * samples) * 90_000 / 8000 + 90_000 + jitter, samples: samples)
            }
            let sounds = try timed.sounds()
            #expect(sounds.count == 1000 * samples / 320)
            #expect(sounds.isContinuous && sounds.silent.isEmpty)
            #expect(timed.muxer.statistics == FMP4Statistics())
        }
    }

    @Test("G.711: what is lost becomes silence, and nothing moves by 40 ms", arguments: [1, 2, 3, 10, 100, 249])
    func loss(packets: Int) throws {
        var timed = try Timed(video: nil)
        // Packets of 20 ms, each with a value of its own: one is found by it.
        func send(_ index: Int) {
            let payload = [UInt8](repeating: UInt8(index % 200) + 1, count: 160)
            timed.send(payload, at: Int64(index) * 1800)
        }
        for index in 0..<100 { send(index) }
        for index in 100 + packets..<400 + packets { send(index) }
        let sounds = try timed.sounds()
        #expect(sounds.isContinuous)
        let decoded = sounds.flatMap(\.values)
        // Where the sound of the last packet is now, against where it belongs.
        let last = UInt8((399 + packets) % 200) + 1
        let values = FLACFrameTests.table(.g711a)
        let at = try #require(decoded.lastIndex { $0 != values[Int(last)] }) + 1
        let wanted = (399 + packets) * 160
        #expect(abs(at - wanted) < 320, "\(at) \(wanted)")
    }

    @Test("G.711: a clock that is 0.2 % off is followed", arguments: [998, 1002])
    func drift(rate: Int) throws {
        var timed = try Timed()
        for index in 0..<5000 {
            let time = Int64(index) * 3600
            timed.picture(time)
            timed.sound(time * Int64(rate) / 1000)
        }
        let sounds = try timed.sounds()
        #expect(sounds.isContinuous)
        let end = try #require(sounds.last).dts + 320
        #expect(abs(end - 5000 * 320 * Int64(rate) / 1000) <= 640)
    }

    static let fillable: [AudioParameters] = [
        Synthetic.g711, Synthetic.aac, FLVSamples.aac, FLVSamples.opus, FLVSamples.mp3, FLVSamples.g711u,
    ]

    @Test("sound that never comes is silence from the beginning", arguments: fillable)
    func neverComes(audio: AudioParameters) throws {
        var timed = try Timed(audio: audio)
        for index in 0..<100 {
            timed.picture(Int64(index) * 3600)
            guard index % 5 == 0 else { continue }
            let reader = try timed.read()
            let rate = Int64(reader.tracks[2]?.timescale ?? 1)
            let end = reader.samples(of: 2).last.map { ($0.dts + Int64($0.duration)) * 90_000 / rate } ?? 0
            // Never further behind than the limit, nor ahead.
            #expect(Int64(index) * 3600 - end <= 36_000 + 3600)
            #expect(end <= Int64(index) * 3600)
        }
        let sounds = try timed.sounds()
        #expect(sounds.first?.dts == 0)
        #expect(sounds.isContinuous)
        #expect(timed.description.fillsSilence)
        #expect(timed.muxer.statistics.filledSounds == sounds.count)
    }

    @Test("sound that stops and comes back", arguments: fillable)
    func stopsAndComesBack(audio: AudioParameters) throws {
        var timed = try Timed(audio: audio)
        let length = try #require(FMP4Sound(audio)).silenceLength
        let rate = Int64(try #require(FMP4Sound(audio)).timescale)
        var next: Int64 = 0
        func soundUp(to time: Int64, sends: Bool) {
            while next * 90_000 / rate <= time {
                let bytes = Self.frame(audio, length: length)
                if sends { timed.send(bytes, at: next * 90_000 / rate) }
                next += Int64(length)
            }
        }
        for index in 0..<500 {
            let time = Int64(index) * 3600
            timed.picture(time)
            soundUp(to: time, sends: index < 100 || index >= 300)
        }
        let sounds = try timed.sounds()
        // Less than a frame may be left open where the real one comes back.
        let holes = zip(sounds, sounds.dropFirst()).map { $1.dts - $0.dts - Int64($0.duration) }
        #expect(holes.allSatisfy { $0 >= 0 && $0 < length })
        #expect(holes.count { $0 > 0 } <= 1)
        #expect(timed.muxer.statistics.filledSounds > 50)
        #expect(timed.muxer.statistics.lateSounds <= 4)
        let last = try #require(sounds.last)
        #expect(abs(last.dts + Int64(last.duration) - next) <= max(Int64(length), 320))
    }

    @Test("sound that comes late for filled time is dropped, until it is waited for")
    func comesLate() throws {
        var timed = try Timed()
        // Sound 800 ms behind the pictures, which is more than is waited for at first.
        for index in 0..<500 {
            timed.picture(Int64(index) * 3600)
            if index >= 20 { timed.sound(Int64(index - 20) * 3600) }
        }
        let sounds = try timed.sounds()
        #expect(sounds.isContinuous)
        let late = timed.muxer.statistics.lateSounds
        #expect(late > 5 && late < 60, "\(late)")
        let filled = timed.muxer.statistics.filledSounds
        #expect(sounds.silent.count == filled)
        // At the end it is the real sound again, in its place.
        #expect(sounds.suffix(300).silent.isEmpty)
        #expect(try #require(sounds.last).dts == 479 * 320)
    }

    @Test("a kind of AAC whose silence is not known is left with its gap")
    func unknownSilence() throws {
        // Low delay, 23.
        let audio = AudioParameters(codec: .aac, sampleRate: 48_000, channels: 1, configuration: [0xB9, 0x88, 0])
        var timed = try Timed(audio: audio)
        #expect(!timed.description.fillsSilence)
        for index in 0..<100 { timed.picture(Int64(index) * 3600) }
        #expect(try timed.sounds().isEmpty)
        timed.sound(99 * 3600)
        #expect(try timed.sounds().map(\.dts) == [99 * 1920])
    }

    @Test("a stream without pictures fills only between its sounds")
    func soundAlone() throws {
        var timed = try Timed(audio: FLVSamples.aac, video: nil)
        for index in 0..<100 where !(50..<60).contains(index) { timed.sound(Int64(index) * 2090) }
        let sounds = try timed.sounds()
        #expect(sounds.count == 100)
        #expect(timed.muxer.statistics.filledSounds == 10)
    }

    private static func frame(_ audio: AudioParameters, length: Int) -> [UInt8] {
        switch audio.codec {
        case .g711a, .g711u: (0..<length).map { UInt8(truncatingIfNeeded: $0) }
        case .aac: [0x21, 1, 2, 3]
        case .opus: [0xF8, 1, 2, 3]
        case .mp3: FLVSamples.mp3Frame
        }
    }
}

/// Numbers that no camera sends.
@Suite struct FMP4HostileTests {
    @Test(arguments: 0..<12)
    func noTimesOrSizesTrap(seed: Int) throws {
        var noise = Noise(state: UInt64(seed))
        let videos = [FLVSamples.avc, Synthetic.h265, FLVSamples.av1, nil]
        let audios = FMP4SilenceTests.fillable + [FLVSamples.aac]
        let audio = seed % 8 == 7 ? nil : audios[seed % audios.count]
        let video = videos[seed % 4]
        guard let description = FMP4Description(video: video, audio: audio) else { return }
        var frames = FMP4FrameMuxer(description, origin: seed % 3 == 0 ? Int64(bitPattern: noise.next()) : nil)
        var parts = FMP4PartMuxer(description)
        var bytes = ByteBuffer()
        var partBytes = ByteBuffer()
        description.writeInit(into: &bytes)
        description.writeInit(into: &partBytes)
        let spans: [Int64] = [1, 100, 5000, 40_000, 900_000, 1 << 33, Int64.max]
        var base: Int64 = 0
        for _ in 0..<400 {
            let span = spans[Int.random(in: 0..<spans.count, using: &noise)]
            base = base &+ Int64.random(in: -span / 4...span, using: &noise)
            let pts = base &+ Int64.random(in: -span...span, using: &noise)
            let size = Int.random(in: 0...Int.random(in: 0...3000, using: &noise), using: &noise)
            let frame = Frame(
                track: Bool.random(using: &noise) ? .video : .audio,
                dts: base,
                pts: pts,
                isKey: Bool.random(using: &noise),
                payload: ByteBuffer(bytes: (0..<size).map { _ in UInt8.random(in: 0...255, using: &noise) })
            )
            frames.mux(frame, into: &bytes)
            if Int.random(in: 0..<8, using: &noise) == 0 { parts.finishPart(nextVideoDTS: base, into: &partBytes) }
            parts.append(frame)
        }
        parts.finishPart(nextVideoDTS: nil, into: &partBytes)
        for buffer in [bytes, partBytes] {
            let reader = try MP4Reader(Array(buffer.readableBytesView))
            #expect(reader.samples.allSatisfy { $0.dts >= 0 && $0.dts < 1 << 53 })
        }
    }

    @Test func parametersOfAnyBytes() {
        var noise = Noise(state: 5)
        for _ in 0..<2000 {
            func bytes() -> [UInt8] {
                (0..<Int.random(in: 0...40, using: &noise)).map { _ in UInt8.random(in: 0...255, using: &noise) }
            }
            let codec = [VideoCodec.h264, .h265, .av1, .vp9][Int.random(in: 0..<4, using: &noise)]
            let audio = [AudioCodec.aac, .g711a, .g711u, .opus, .mp3][Int.random(in: 0..<5, using: &noise)]
            let numbers = [-1, 0, 1, 2, 8, 300, 8000, 48_000, 96_000, Int.max, Int.min]
            let description = FMP4Description(
                video: VideoParameters(
                    codec: codec,
                    vps: [bytes()],
                    sps: [bytes()],
                    pps: [bytes()],
                    record: bytes(),
                    width: numbers[Int.random(in: 0..<11, using: &noise)],
                    height: numbers[Int.random(in: 0..<11, using: &noise)]
                ),
                audio: AudioParameters(
                    codec: audio,
                    sampleRate: numbers[Int.random(in: 0..<11, using: &noise)],
                    channels: numbers[Int.random(in: 0..<11, using: &noise)],
                    configuration: (Bool.random(using: &noise) ? Array("OpusHead".utf8) : []) + bytes()
                )
            )
            var buffer = ByteBuffer()
            description?.writeInit(into: &buffer)
            #expect(description.map { !$0.codecs.isEmpty } ?? true)
        }
    }
}
