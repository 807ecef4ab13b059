import NIOCore
import Testing

@testable import Media

/// Other people's depacketisers read what ours wrote.
@Suite(.enabled(if: GStreamer.isPresent, "ffmpeg and GStreamer are not installed"), .serialized)
struct RTPPackagerJudgeTests {
    private func description(_ events: [MediaEvent]) throws -> StreamDescription {
        var video: VideoParameters?
        var audio: AudioParameters?
        for event in events {
            if case .video(let parameters) = event { video = video ?? parameters }
            if case .audio(let parameters) = event { audio = audio ?? parameters }
        }
        return try #require(StreamDescription(video: video, audio: audio))
    }

    private func packets(_ events: [MediaEvent]) throws -> [ReadPacket] {
        var packager = RTPPackager(description: try description(events), seed: 7)
        let buffer = packager.package(events)
        #expect(packager.droppedFrames == 0)
        let packets = buffer.packets
        #expect(packets.allSatisfy { $0.payload.count <= 1450 && $0.bytes.count <= 1472 })
        for channel in Set(packets.map(\.channel)) {
            let numbers = packets.on(channel).map(\.header.sequenceNumber)
            #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 &+ 1 == $1 })
        }
        return packets
    }

    @Test(
        "89: GStreamer finds the units and frames that RTMP brought",
        arguments: [
            ["-bf", "0"], ["-bf", "3"], ["-bf", "2", "-x264-params", "slices=4"], ["-b:v", "8M", "-bf", "0"],
        ]
    )
    func h264AndAAC(options: [String]) throws {
        let events = try Encoded.flv(
            Encoded.pictures + Encoded.sound + ["-t", "3", "-c:v", "libx264", "-g", "25"] + options
                + ["-c:a", "aac", "-f", "flv"]
        )
        let packets = try packets(events)
        let video = try GStreamer.depayload(
            packets.on(0),
            "media=video,clock-rate=90000,encoding-name=H264,payload=96",
            "rtph264depay ! video/x-h264,stream-format=byte-stream,alignment=nal"
        )
        #expect(pictureUnits(video, .h264) == events.pictures.flatMap(\.units))
        #expect(packets.on(0).filter(\.header.marker).count == events.pictures.count)
        let audio = try GStreamer.depayload(
            packets.on(2),
            "media=audio,clock-rate=44100,encoding-name=MPEG4-GENERIC,payload=97,encoding-params=(string)1,"
                + "streamtype=(string)5,profile-level-id=(string)1,mode=AAC-hbr,sizelength=(string)13,"
                + "indexlength=(string)3,indexdeltalength=(string)3,config=(string)121056e500",
            "rtpmp4gdepay"
        )
        #expect(audio == events.sounds.flatMap { Array($0.payload.readableBytesView) })
        // 11: whole milliseconds of FLV, and yet each frame is 1024 samples long.
        let times = packets.on(2).map(\.header.timestamp)
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 &- $0 == 1024 })
        // Presentation times, not those of decoding.
        let first = try #require(packets.on(0).first).header.timestamp
        let wanted = events.pictures.map { UInt32(truncatingIfNeeded: $0.pts &- events.pictures[0].pts) }
        #expect(packets.on(0).filter(\.header.marker).map { $0.header.timestamp &- first } == wanted)
    }

    @Test func h265() throws {
        let events = try Encoded.hevc(seconds: 3)
        let video = try GStreamer.depayload(
            try packets(events).on(0),
            "media=video,clock-rate=90000,encoding-name=H265,payload=98",
            "rtph265depay ! video/x-h265,stream-format=byte-stream,alignment=nal"
        )
        #expect(pictureUnits(video, .h265) == events.pictures.flatMap(\.units))
        #expect(events.pictures.count == 75)
    }

    @Test func largeAndSmallAAC() throws {
        let audio = AudioParameters(codec: .aac, sampleRate: 48_000, channels: 2, configuration: [0x11, 0x90])
        let sizes = [1, 2, 1445, 1446, 1447, 2892, 2893, 8191]
        let frames = sizes.enumerated().map { index, size in
            Frame.audio((0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ index) }, at: Int64(index) * 1920)
        }
        let packets = try packets([.audio(audio)] + frames.map(MediaEvent.frame))
        #expect(packets.filter(\.header.marker).count == sizes.count)
        #expect(packets.count == 4 + 2 + 2 + 3 + 6)
        let bytes = try GStreamer.depayload(
            packets,
            "media=audio,clock-rate=48000,encoding-name=MPEG4-GENERIC,payload=97,encoding-params=(string)2,"
                + "streamtype=(string)5,profile-level-id=(string)1,mode=AAC-hbr,sizelength=(string)13,"
                + "indexlength=(string)3,indexdeltalength=(string)3,config=(string)1190",
            "rtpmp4gdepay"
        )
        #expect(bytes == frames.flatMap { Array($0.payload.readableBytesView) })
    }

    @Test(arguments: [AudioCodec.g711a, .g711u])
    func g711(codec: AudioCodec) throws {
        let audio = AudioParameters(codec: codec, sampleRate: 8000, channels: 1)
        let frames = [160, 320, 1450, 1451, 4000].enumerated().map { index, size in
            Frame.audio((0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) }, at: Int64(index) * 1000)
        }
        let packets = try packets([.audio(audio)] + frames.map(MediaEvent.frame))
        #expect(packets.map(\.payload.count) == [160, 320, 1450, 1450, 1, 1450, 1450, 1100])
        let name = codec == .g711a ? "PCMA" : "PCMU"
        let bytes = try GStreamer.depayload(
            packets,
            "media=audio,clock-rate=8000,encoding-name=\(name),payload=\(codec == .g711a ? 8 : 0)",
            "rtp\(name.lowercased())depay"
        )
        #expect(bytes == frames.flatMap { Array($0.payload.readableBytesView) })
    }

    @Test func opus() throws {
        let audio = AudioParameters(codec: .opus, sampleRate: 48_000, channels: 2)
        let frames = try Encoded.opus().enumerated().map { Frame.audio($1, at: Int64($0) * 1800) }
        #expect(frames.count > 140)
        let packets = try packets([.audio(audio)] + frames.map(MediaEvent.frame))
        let bytes = try GStreamer.depayload(
            packets,
            "media=audio,clock-rate=48000,encoding-name=OPUS,payload=101",
            "rtpopusdepay"
        )
        #expect(bytes == frames.flatMap { Array($0.payload.readableBytesView) })
        let times = packets.map(\.header.timestamp)
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 &- $0 == 960 })
    }

    @Test func mp3() throws {
        let events = try Encoded.flv(Encoded.sound + ["-t", "3", "-c:a", "libmp3lame", "-b:a", "320k", "-f", "flv"])
        let packets = try packets(events)
        let bytes = try GStreamer.depayload(
            packets,
            "media=audio,clock-rate=90000,encoding-name=MPA,payload=14",
            "rtpmpadepay"
        )
        #expect(bytes == events.sounds.flatMap { Array($0.payload.readableBytesView) })
        #expect(events.sounds.count > 100)
        // 1152 samples at 44.1 kHz are 2351.02 ticks.
        let times = packets.map(\.header.timestamp)
        #expect(zip(times, times.dropFirst()).allSatisfy { (2351...2352).contains($1 &- $0) })
    }

    @Test func vp9() throws {
        let frames = try Encoded.ivf(["-t", "2", "-c:v", "libvpx-vp9", "-deadline", "realtime", "-g", "25"])
        let events = frames.enumerated().map {
            MediaEvent.frame(.video($1, at: Int64($0) * 3600, isKey: $0 % 25 == 0))
        }
        let parameters = VideoParameters(codec: .vp9, sps: [], pps: [], record: [1, 0, 0, 0, 0, 10, 0x80, 1])
        let bytes = try GStreamer.depayload(
            try packets([.video(parameters)] + events),
            "media=video,clock-rate=90000,encoding-name=VP9,payload=100",
            "rtpvp9depay"
        )
        #expect(bytes == frames.flatMap { $0 })
        #expect(frames.count == 50)
    }

    /// No depacketiser of AV1 is installed: one that reads as the format says, and ffmpeg's decoder.
    @Test func av1() throws {
        let frames = try Encoded.ivf(["-t", "1", "-c:v", "libaom-av1", "-cpu-used", "8", "-g", "25", "-b:v", "2M"])
        let events = frames.enumerated().map {
            MediaEvent.frame(.video($1, at: Int64($0) * 3600, isKey: $0 % 25 == 0))
        }
        let parameters = VideoParameters(codec: .av1, sps: [], pps: [], record: [0x81, 0, 0, 0])
        let packets = try packets([.video(parameters)] + events)
        #expect(packets.filter(\.header.marker).count == frames.count)
        #expect(packets.first?.payload[0] == 0x08 | (packets[0].payload[0] & 0x40))
        let got = AV1Reader.units(packets)
        let wanted = frames.flatMap { frame in
            frame.withSpan { span in
                var units: [[UInt8]] = []
                var at = 0
                while let unit = AV1Unit(in: span, at: &at) {
                    guard unit.type != AV1Unit.temporalDelimiter else { continue }
                    let header = [UInt8(unit.header >> 8), UInt8(unit.header & 255)].prefix(unit.headerLength)
                    units.append(Array(header) + Array(frame[unit.payload]))
                }
                return units
            }
        }
        #expect(got == wanted)
        #expect(packets.contains { $0.payload[0] & 0x80 != 0 }, "no unit was cut")
    }
}

/// AV1 RTP 4.4 and 5, read.
enum AV1Reader {
    static func units(_ packets: [ReadPacket]) -> [[UInt8]] {
        var units: [[UInt8]] = []
        var continues = false
        for packet in packets {
            let payload = packet.payload
            let header = payload[0]
            #expect((header & 0x80 != 0) == continues)
            var count = header >> 4 & 3
            var at = 1
            var isFirst = true
            while at < payload.count {
                var length = payload.count - at
                if count != 1 {
                    length = 0
                    var shift = 0
                    repeat {
                        length |= Int(payload[at] & 0x7F) << shift
                        shift += 7
                        at += 1
                    } while payload[at - 1] & 0x80 != 0
                }
                if count > 1 { count -= 1 }
                let element = payload[at..<at + length]
                at += length
                if isFirst, continues {
                    units[units.count - 1] += element
                } else {
                    units.append(Array(element))
                }
                isFirst = false
            }
            continues = header & 0x40 != 0
        }
        return units
    }
}
