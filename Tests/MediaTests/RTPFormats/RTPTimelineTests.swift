import NIOCore
import Testing

@testable import Media

/// Seconds since 1900 with a fraction in milliseconds.
private func ntp(_ milliseconds: Int) -> UInt64 {
    UInt64(3_900_000_000 + milliseconds / 1000) << 32 | (UInt64(milliseconds % 1000) << 32) / 1000
}

/// A picture every 40 ms and sound every 20 ms, of clocks that have nothing to do with each other.
private struct Source {
    var ingest = RTSPIngest(
        StreamDescription(media: [
            RTPMedia(kind: "video", formats: [RTPFormat(payloadType: 96, encoding: "H264", clockRate: 90_000)]),
            RTPMedia(kind: "audio", formats: [RTPFormat(payloadType: 8, encoding: "PCMA", clockRate: 8000)]),
        ]),
        configuration: .init(transport: .tcp)
    )
    var events: [MediaEvent] = []
    var video = RTSPPackets()
    var audio = RTSPPackets(payloadType: 8)
    /// By how much sound arrives late.
    var delay = 0
    var videoStart: UInt32 = 4_294_900_000
    var audioStart: UInt32 = 77

    init() {}

    mutating func report(_ media: Int, at time: Int, ntp: UInt64, sampled: Int) {
        let start = media == 0 ? videoStart &+ UInt32(sampled * 90) : audioStart &+ UInt32(sampled * 8)
        RTSPPackets.senderReport(ntp: ntp, timestamp: start).withSpan {
            ingest.receive($0, media: media, isRTCP: true, now: .milliseconds(time), into: &events)
        }
    }

    /// One step of 20 ms.
    mutating func step(_ time: Int) {
        if time % 40 == 0 {
            let count = video.all.count
            let index = time / 40
            if index % 10 == 0 {
                video.add(Synthetic.h264SPS, timestamp: videoStart &+ UInt32(time * 90))
                video.add(Synthetic.h264PPS, timestamp: videoStart &+ UInt32(time * 90))
            }
            let slice = Synthetic.slice(.h264, isKey: index % 10 == 0, size: 100, seed: index)
            video.add(slice, timestamp: videoStart &+ UInt32(time * 90), marker: true)
            for packet in video.all[count...] { give(packet, 0, time) }
        }
        guard time >= delay else { return }
        audio.add([UInt8](repeating: 1, count: 160), timestamp: audioStart &+ UInt32((time - delay) * 8))
        give(audio.all[audio.all.count - 1], 1, time)
    }

    mutating func give(_ packet: [UInt8], _ media: Int, _ time: Int) {
        packet.withSpan { ingest.receive($0, media: media, isRTCP: false, now: .milliseconds(time), into: &events) }
    }

    /// Times of the pictures and the sounds, by when they were sampled, in milliseconds. Pictures come every 40.
    var skew: Int {
        guard let picture = events.pictures.last, let sound = events.sounds.last else { return 0 }
        let sampledPicture = (events.pictures.count - 1) * 40
        let sampledSound = (events.sounds.count - 1) * 20
        return Int((sound.pts - picture.pts) / 90) - (sampledSound - sampledPicture)
    }
}

@Suite struct RTPTimelineTests {
    @Test("67: without sender reports the first packets are put together as they came")
    func alignsByArrival() {
        var source = Source()
        source.delay = 300
        for time in stride(from: 0, to: 3000, by: 20) { source.step(time) }
        #expect(source.skew == 300)
        #expect(source.events.pictures.map(\.pts) == source.events.pictures.indices.map { 900_000 + Int64($0) * 3600 })
        #expect(source.events.pictures.allSatisfy { $0.dts == $0.pts })
    }

    @Test("67: reports before the first packets put sound and picture together at once")
    func alignsAtOnce() {
        var source = Source()
        source.delay = 300
        source.report(0, at: 0, ntp: ntp(1000), sampled: 0)
        source.report(1, at: 0, ntp: ntp(1000), sampled: 0)
        for time in stride(from: 0, to: 3000, by: 20) { source.step(time) }
        #expect(abs(source.skew) <= 1)
        #expect(source.events.sounds.map(\.dts).isStrictlyRising)
        #expect(Set(zip(source.events.sounds, source.events.sounds.dropFirst()).map { $1.pts - $0.pts }) == [1800])
    }

    @Test(
        "67: reports that come later move the sound, in steps that nobody hears",
        arguments: [-150, 60, 120, 400, -600]
    )
    func alignsInSteps(error: Int) {
        var source = Source()
        for time in stride(from: 0, to: 12_000, by: 20) {
            source.step(time)
            guard time == 1000 else { continue }
            source.report(0, at: time, ntp: ntp(1000 + time), sampled: time)
            // The sound was sampled earlier or later than its arrival says.
            source.report(1, at: time, ntp: ntp(1000 + time + error), sampled: time)
        }
        #expect(abs(source.skew - error) <= 1)
        let times = source.events.sounds.map(\.dts)
        #expect(times.isStrictlyRising)
        // Pictures are never moved.
        #expect(Set(zip(source.events.pictures, source.events.pictures.dropFirst()).map { $1.pts - $0.pts }) == [3600])
        if abs(error) < 200 {
            #expect(zip(times, times.dropFirst()).allSatisfy { abs($1 - $0 - 1800) <= 90 })
        }
    }

    @Test("67: reports that are wrong are not believed")
    func ignoresWrongReports() {
        for wrong in [0, 3600_000] {
            var source = Source()
            source.delay = 100
            for time in stride(from: 0, to: 5000, by: 20) {
                source.step(time)
                guard time % 500 == 0 else { continue }
                source.report(0, at: time, ntp: ntp(1000 + time), sampled: time)
                source.report(1, at: time, ntp: wrong == 0 ? 0 : ntp(1000 + time + wrong), sampled: time)
            }
            #expect(source.skew == 100)
        }
        // A clock that stands still contradicts itself.
        var source = Source()
        for time in stride(from: 0, to: 8000, by: 20) {
            source.step(time)
            guard time % 500 == 0, time > 0 else { continue }
            source.report(0, at: time, ntp: ntp(1000 + time), sampled: time)
            source.report(1, at: time, ntp: ntp(1500), sampled: time)
        }
        #expect(abs(source.skew) <= 30)
    }

    @Test("a clock that jumps, either way, goes on behind the last time")
    func takesJumpsOut() {
        for jump in [UInt32(90_000 * 600), 0 &- UInt32(90_000 * 600), 0 &- UInt32(90_000 * 5)] {
            var packets = RTSPPackets()
            packets.addPictures(0..<20)
            let count = packets.all.count
            packets.addPictures(20..<40)
            for index in count..<packets.all.count {
                let old = packets.all[index][4..<8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                packets.all[index].replaceSubrange(4..<8, with: (old &+ jump).bytes)
            }
            var ingest = RTSPIngest(
                RTPFormat(payloadType: 96, encoding: "H264", clockRate: 90_000).stream("video"),
                configuration: .init(transport: .udp)
            )
            let pictures = ingest.feed(packets.all).pictures
            #expect(pictures.count == 40)
            #expect(pictures.map(\.dts).isStrictlyRising)
            #expect(pictures[39].pts - pictures[0].pts <= 39 * 3600)
            #expect(ingest.statistics.media[0].clockJumps == 1)
        }
    }

    @Test("a clock that stands still is moved by the wall", arguments: [UInt32(0), 123_456])
    func movesAStandingClock(stamp: UInt32) {
        var ingest = RTSPIngest(
            StreamDescription(media: [
                RTPMedia(kind: "video", formats: [RTPFormat(payloadType: 96, encoding: "H264", clockRate: 90_000)]),
                RTPMedia(kind: "audio", formats: [RTPFormat(payloadType: 8, encoding: "PCMA", clockRate: 8000)]),
            ]),
            configuration: .init(transport: .udp)
        )
        var events: [MediaEvent] = []
        var video = RTSPPackets()
        var audio = RTSPPackets(payloadType: 8)
        for index in 0..<100 {
            let count = video.all.count
            if index % 10 == 0 {
                video.add(Synthetic.h264SPS, timestamp: stamp)
                video.add(Synthetic.h264PPS, timestamp: stamp)
            }
            video.addFragments(
                Synthetic.slice(.h264, isKey: index % 10 == 0, size: 2500, seed: index),
                timestamp: stamp
            )
            audio.add([UInt8](repeating: 1, count: 320), timestamp: stamp)
            let now = NIODeadline.milliseconds(index * 40)
            for packet in video.all[count...] {
                packet.withSpan { ingest.receive($0, media: 0, isRTCP: false, now: now, into: &events) }
            }
            audio.all[index].withSpan { ingest.receive($0, media: 1, isRTCP: false, now: now, into: &events) }
        }
        #expect(events.pictures.count == 100)
        #expect(events.pictures.map(\.dts).isStrictlyRising)
        #expect(events.sounds.count == 100)
        #expect(events.sounds.map(\.dts).isStrictlyRising)
        for track in [events.pictures, events.sounds] {
            #expect(abs(track[99].pts - track[0].pts - 99 * 3600) <= 3 * 3600)
        }
    }

    @Test("timestamps of 32 bits wrap", arguments: [8000, 48_000, 90_000])
    func unwraps(rate: Int) {
        var timeline = RTPTimeline(clockRate: rate, kind: .audio)
        timeline.anchor(0xFFFF_FF00, at: 1000, now: .milliseconds(0))
        var stamp: UInt32 = 0xFFFF_FF00
        for index in 1...500 {
            stamp &+= UInt32(rate / 50)
            #expect(timeline.time(of: stamp, now: .milliseconds(index * 20)) == 1000 + Int64(index) * 1800)
        }
        #expect(timeline.jumps == 0)
    }
}
