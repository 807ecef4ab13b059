import CameraSimulator
import Media
import NIOCore
import Testing

struct ClipTests {
    private static let folder = "devices/simulated"
    private static let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()

    private func cameras() throws -> [CameraConfiguration] {
        try CameraConfiguration.load(folder: "\(Self.root)/\(Self.folder)")
    }

    private func clip(_ index: Int) throws -> Clip {
        let camera = try #require(try cameras().dropFirst(index).first)
        return try Clip.load(path: try #require(camera.channels.first?.clip))
    }

    @Test func theDemoHasTwoCamerasWithNamesAndClips() throws {
        let cameras = try cameras()
        #expect(cameras.map(\.id) == ["34020000001320000001", "34020000001320000002"])
        #expect(cameras.flatMap(\.channels).map(\.name) == ["大门", "后院停车场"])
        #expect(cameras.map(\.transport) == [.udp, .tcp])
    }

    @Test func readsTheClipsOfTheDemo() throws {
        let gate = try clip(0)
        #expect(gate.video.codec == .h264)
        #expect(gate.pictures.count == 100)
        #expect(gate.pictures.filter(\.isKey).count == 4)
        #expect(gate.audio?.parameters == AudioParameters(codec: .g711a, sampleRate: 8000, channels: 1))
        #expect(gate.audio?.frames.count == 100)
        let yard = try clip(1)
        #expect(yard.video.codec == .h265)
        #expect(yard.video.vps.count == 1)
        #expect(yard.pictures.count == 100)
        #expect(yard.audio?.parameters.codec == .aac)
        #expect(yard.audio?.parameters.sampleRate == 16_000)
    }

    @Test func namesWhatIsWrongWithAClip() {
        #expect(throws: ClipError.unsupportedName(path: "x.mp4")) { try Clip.load(path: "x.mp4") }
        #expect(throws: ClipError.self) { try Clip.load(path: "/nowhere/x.h264") }
        #expect(Clip(annexB: [], codec: .h264) == nil)
        #expect(Clip(annexB: [0, 0, 1, 0x41, 0xE0, 1], codec: .h264) == nil)
        #expect(throws: CameraFileError.self) { try CameraConfiguration.load(path: "/nowhere/x.json") }
    }

    /// What the gateway's ingest makes of ten seconds of a clip.
    private func stream(_ clip: Clip, seconds: Int64) -> [MediaEvent] {
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
        var streamer = ClipStreamer(clip: clip, ssrc: 200_000_001, sequenceNumber: 65_500, startAt: start)
        var ingest = RTPIngest(configuration: RTPIngestConfiguration())
        var events: [MediaEvent] = []
        while streamer.deadline < start + .seconds(seconds) {
            let now = streamer.deadline
            streamer.advance(to: now) { packet in ingest.receive(packet, now: now, into: &events) }
        }
        ingest.advance(to: start + .seconds(seconds + 1), into: &events)
        #expect(ingest.statistics.order.lost == 0)
        return events
    }

    private func frames(_ events: [MediaEvent], _ track: TrackKind) -> [Frame] {
        events.compactMap { event in
            if case .frame(let frame) = event, frame.track == track { frame } else { nil }
        }
    }

    @Test(arguments: [0, 1])
    func streamsWhatTheIngestReadsBackFrameByFrameOverTheLoop(index: Int) throws {
        let clip = try clip(index)
        let events = stream(clip, seconds: 10)
        let video = frames(events, .video)
        #expect(video.count >= 249)
        for (number, frame) in video.enumerated() {
            #expect(frame.payload == clip.pictures[number % clip.pictures.count].payload)
            #expect(frame.isKey == clip.pictures[number % clip.pictures.count].isKey)
        }
        let steps = zip(video.dropFirst(), video).map { $0.dts - $1.dts }
        #expect(Set(steps) == [3600])
        let audio = try #require(clip.audio)
        let sounds = frames(events, .audio)
        #expect(sounds.count > 140)
        let seconds = Double(sounds.count * audio.samplesPerFrame) / Double(audio.parameters.sampleRate)
        #expect(seconds > 9.8 && seconds < 10.1)
        let parameters = events.compactMap { if case .video(let value) = $0 { value } else { nil } }
        #expect(parameters.count == 1)
        #expect(parameters.first?.sps == clip.video.sps)
        #expect(parameters.first?.width == 640)
    }

    @Test func pacesByTheClipsTimes() throws {
        let start = NIODeadline.uptimeNanoseconds(5)
        var streamer = ClipStreamer(clip: try clip(0), ssrc: 1, sequenceNumber: 0, startAt: start)
        #expect(streamer.deadline == start)
        var packets = 0
        streamer.advance(to: start) { _ in packets += 1 }
        #expect(packets > 1)
        #expect(streamer.deadline == start + .milliseconds(40))
        streamer.advance(to: start + .milliseconds(39)) { _ in packets = 0 }
        #expect(packets > 1)
    }

    @Test func skipsAStallInsteadOfABurst() throws {
        let start = NIODeadline.uptimeNanoseconds(0)
        var streamer = ClipStreamer(clip: try clip(0), ssrc: 1, sequenceNumber: 0, startAt: start)
        streamer.advance(to: start) { _ in }
        var frames = 0
        streamer.advance(to: start + .seconds(60)) { packet in
            if packet.withUnsafeBytes({ $0[1] }) & 0x80 != 0 { frames += 1 }
        }
        #expect(frames <= 2)
        #expect(streamer.deadline > start + .seconds(60))
    }
}
