import NIOCore
import Testing

@testable import Media

/// Runs stamps through a clock, 40 ms of arrival apart.
private func run(
    _ stamps: [UInt64?],
    rtp: (Int) -> UInt32 = { UInt32(truncatingIfNeeded: $0 * 3600) },
    arrival: (Int) -> Int = { $0 * 40 }
) -> [Int64] {
    var clock = VideoClock()
    return stamps.enumerated().map { index, pts in
        let raw = RawTime(pts: pts, rtpTimestamp: rtp(index), arrival: .milliseconds(arrival(index)))
        return clock.next(raw, neighbour: nil).dts
    }
}

private func steps(_ times: [Int64]) -> [Int64] {
    zip(times.dropFirst(), times).map { $0 - $1 }
}

@Suite struct VideoClockTests {
    @Test("R-20 PTS wraps at 2^33 and, in some cameras, at 2^32", arguments: [UInt64(1) << 33, UInt64(1) << 32])
    func runsOnAcrossTheWrap(modulus: UInt64) {
        let stamps = (0..<40).map { UInt64?((modulus - 36_001 + UInt64($0) * 3600) % modulus) }
        #expect(steps(run(stamps)).allSatisfy { $0 == 3600 })
    }

    @Test("R-20 the values of the report: 8589932482, then 1490")
    func runsOnAcrossTheReportedWrap() {
        #expect(steps(run([8_589_932_482, 1490, 5090])) == [3600, 3600])
    }

    @Test("R-19 steps of 2 s and steps back are smoothed out or taken out")
    func survivesDisorderedStamps() {
        var stamps: [UInt64?] = (0..<50).map { 1_000_000 + UInt64($0) * 3600 }
        for index in 50..<100 { stamps.append(1_000_000 + UInt64(index) * 3600 - 180_000) }
        for index in 100..<150 { stamps.append(1_000_000 + UInt64(index) * 3600 + 900_000) }
        let times = run(stamps)
        #expect(steps(times).allSatisfy { $0 > 0 && $0 <= 180_000 })
        #expect(steps(times).filter { $0 == 3600 }.count >= 145)
    }

    @Test func takesJumpsOut() {
        let stamps: [UInt64?] = [0, 3600, 7200, 5_000_000, 5_003_600, 100, 3700]
        #expect(steps(run(stamps)) == [3600, 3600, 3600, 3600, 3600, 3600])
    }

    @Test func fillsMissingStampsWithRTPTime() {
        #expect(steps(run([0, nil, 7200, nil, nil, 18_000])) == [3600, 3600, 3600, 3600, 3600])
    }

    @Test func keepsConstantStampsRunningByRTPTime() {
        let times = run(Array(repeating: 12_345, count: 200))
        #expect(steps(times).allSatisfy { $0 > 0 })
        #expect(abs(times[199] - times[0] - 199 * 3600) < 9000)
    }

    @Test func keepsConstantStampsRunningByArrival() {
        let times = run(Array(repeating: 0, count: 500), rtp: { _ in 7 })
        #expect(steps(times).allSatisfy { $0 > 0 })
        #expect(abs(times[499] - times[0] - 499 * 3600) < 30_000)
    }

    @Test(arguments: [(90, 4000), (1000, 40), (25, 1)])
    func fallsBackToRTPTimeOfAnyClock(rate: Int, step: Int) {
        // PTS runs ten times too slow; RTP time is right, in its own unit.
        let perFrame = rate == 90 ? 3600 : step
        let times = run(
            (0..<500).map { UInt64($0) * 300 },
            rtp: { UInt32(truncatingIfNeeded: $0 * perFrame) }
        )
        let last = steps(Array(times.suffix(300)))
        #expect(last.allSatisfy { $0 == 3600 })
    }

    @Test func believesStampsOfFastPlayback() {
        // Four times as fast as the clock on the wall, and RTP time agrees.
        let times = run(
            (0..<500).map { UInt64($0) * 3600 },
            arrival: { $0 * 10 }
        )
        #expect(steps(times).allSatisfy { $0 == 3600 })
    }

    @Test func believesStampsThatComeInBursts() {
        let times = run((0..<500).map { UInt64($0) * 3600 }, arrival: { $0 / 100 * 4000 })
        #expect(steps(times).allSatisfy { $0 == 3600 })
    }

    @Test func ordersBPicturesWithoutDTS() {
        var clock = VideoClock()
        let order = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11]
        let times = order.enumerated().map { index, position in
            clock.next(
                RawTime(
                    pts: UInt64(90_000 + position * 3600),
                    rtpTimestamp: UInt32(index * 3600),
                    arrival: .milliseconds(index * 40)
                ),
                neighbour: nil
            )
        }
        #expect(zip(times.dropFirst(), times).allSatisfy { $0.dts > $1.dts })
        #expect(times.allSatisfy { $0.pts >= $0.dts })
        #expect(times.dropFirst(4).enumerated().allSatisfy { $1.pts == Int64(90_000 + order[$0 + 4] * 3600) })
    }

    @Test func keepsCompositionOffsets() {
        var clock = VideoClock()
        let time = clock.next(RawTime(pts: 10_800, dts: 3600, arrival: .milliseconds(0)), neighbour: nil)
        #expect(time.pts - time.dts == 7200)
    }

    @Test func neverTrapsOnAnyStamp() {
        var noise = Noise(state: 5)
        var clock = VideoClock()
        var last = Int64.min
        for index in 0..<20_000 {
            let pts: UInt64? = Bool.random(using: &noise) ? UInt64.random(in: 0..<1 << 33, using: &noise) : nil
            let dts: UInt64? = Bool.random(using: &noise) ? UInt64.random(in: 0..<1 << 33, using: &noise) : nil
            let rtp = UInt32.random(in: 0...UInt32.max, using: &noise)
            let raw = RawTime(pts: pts, dts: dts, rtpTimestamp: rtp, arrival: .milliseconds(index * 40))
            let time = clock.next(raw, neighbour: nil)
            #expect(time.dts > last)
            #expect(time.pts >= time.dts)
            last = time.dts
        }
    }
}

@Suite struct AudioClockTests {
    @Test("R-21 G.711 stamped at 8 kHz drifts less than 100 ms in an hour")
    func rescalesTicksOfTheSampleRate() {
        var clock = AudioClock()
        var last: Int64 = 0
        for index in 0..<90_000 {
            let video = (dts: Int64(index) * 3600, offset: Int64(0))
            last = clock.next(pts: 5000 + UInt64(index) * 320, duration: 3600, sampleRate: 8000, video: video)
        }
        #expect(abs(last - 89_999 * 3600) < 9000)
        #expect(clock.pace == .ticks(rate: 8000))
    }

    @Test func believesTicksOf90kHz() {
        var clock = AudioClock()
        let times = (0..<500).map { index in
            clock.next(pts: 1_000_000 + UInt64(index) * 3600, duration: 3600, sampleRate: 8000, video: (1_000_000, 0))
        }
        #expect(times == (0..<500).map { 1_000_000 + Int64($0) * 3600 })
        #expect(clock.pace == .ticks90k)
    }

    @Test func countsSamplesWithoutStampsAndStaysByThePicture() {
        var clock = AudioClock()
        var worst: Int64 = 0
        for index in 0..<90_000 {
            // The camera's audio clock is 0.1 % slow against its video: 3.6 s in an hour.
            let video = Int64(index) * 3604
            let time = clock.next(pts: nil, duration: 3600, sampleRate: 8000, video: (video, 0))
            worst = max(worst, abs(time - video))
        }
        #expect(worst < 45_000)
    }

    @Test func followsThePictureAcrossItsJump() {
        var streams = (video: VideoClock(), audio: AudioClock())
        var gaps: [Int64] = []
        for index in 0..<400 {
            let stamp = UInt64(index * 3600 + (index >= 200 ? 50_000_000 : 1000))
            let picture = streams.video.next(
                RawTime(pts: stamp, rtpTimestamp: UInt32(index * 3600), arrival: .milliseconds(index * 40)),
                neighbour: streams.audio.pace == .ticks90k ? streams.audio.offset : nil
            )
            let sound = streams.audio.next(
                pts: stamp + 900,
                duration: 3600,
                sampleRate: 8000,
                video: (picture.dts, streams.video.offset)
            )
            gaps.append(sound - picture.dts)
        }
        #expect(gaps.allSatisfy { $0 == 900 })
    }

    @Test func neverRunsBack() {
        var noise = Noise(state: 9)
        var clock = AudioClock()
        var last = Int64.min
        for index in 0..<20_000 {
            let pts: UInt64? = Bool.random(using: &noise) ? UInt64.random(in: 0..<1 << 33, using: &noise) : nil
            let video: (Int64, Int64)? = Bool.random(using: &noise) ? (Int64(index) * 3600, 0) : nil
            let time = clock.next(pts: pts, duration: 3600, sampleRate: 8000, video: video)
            #expect(time > last)
            last = time
        }
    }
}
