import Foundation
import NIOCore
import Testing

@testable import Media

/// Packets of other people's packetisers, judged by their demuxers.
@Suite(.enabled(if: FFmpeg.isPresent, "ffmpeg and ffprobe are not installed"), .serialized)
struct RTSPIngestFFmpegTests {
    struct Clip: CustomStringConvertible, Sendable {
        var codec: VideoCodec
        var encoder: [String]
        var muxer: [String] = []
        var description: String { "\(encoder.joined(separator: " ")) \(muxer.joined(separator: " "))" }
    }

    private static let picture = [
        "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "4", "-pix_fmt", "yuv420p",
    ]
    private static let tone = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "2", "-ac", "2"]

    static let clips: [Clip] = [
        Clip(codec: .h264, encoder: ["libx264", "-bf", "0", "-g", "25"]),
        Clip(codec: .h264, encoder: ["libx264", "-bf", "2", "-g", "25"]),
        Clip(codec: .h264, encoder: ["libx264", "-bf", "3", "-g", "50", "-x264-params", "b-pyramid=normal:b-adapt=0"]),
        Clip(
            codec: .h264,
            encoder: ["libx264", "-bf", "3", "-x264-params", "b-pyramid=strict:slices=4:open-gop=1:keyint=25"]
        ),
        Clip(
            codec: .h264,
            encoder: ["libx264", "-bf", "0", "-g", "25", "-x264-params", "slice-max-size=1100"],
            muxer: ["-rtpflags", "h264_mode0"]
        ),
        Clip(codec: .h264, encoder: ["libx264", "-g", "25", "-tune", "zerolatency", "-profile:v", "baseline"]),
        Clip(codec: .h265, encoder: ["libx265", "-x265-params", "log-level=none:keyint=25:bframes=0"]),
        Clip(codec: .h265, encoder: ["libx265", "-x265-params", "log-level=none:keyint=25:bframes=3"]),
        Clip(
            codec: .h265,
            encoder: ["libx265", "-x265-params", "log-level=none:keyint=25:bframes=4:open-gop=0:slices=2"]
        ),
    ]

    private static func encode(_ clip: Clip) throws -> URL {
        let file = FFmpeg.temporary("ts")
        _ = try FFmpeg.run("ffmpeg", picture + ["-c:v"] + clip.encoder + ["-y", file.path])
        return file
    }

    /// The presentation times of a file's packets in decoding order.
    private static func times(_ file: URL) throws -> [Int64] {
        let arguments = ["-select_streams", "v", "-show_entries", "packet=pts", "-of", "csv=p=0", file.path]
        return String(decoding: try FFmpeg.run("ffprobe", arguments), as: UTF8.self)
            .split(separator: "\n").compactMap { Int64($0.split(separator: ",")[0]) }
    }

    /// The NAL units of a file that belong into frames.
    private static func units(_ file: URL, _ codec: VideoCodec) throws -> [[UInt8]] {
        let format = codec == .h264 ? "h264" : "hevc"
        let bytes = try FFmpeg.run("ffmpeg", ["-i", file.path, "-c", "copy", "-f", format, "-"])
        return bytes.withSpan { span in
            AnnexB.units(in: span, limit: 100_000).filter { range in
                switch codec.kind(of: span, at: range.lowerBound) {
                case .slice, .prefix, .suffix: true
                default: false
                }
            }
        }.map { Array(bytes[$0]) }
    }

    private func check(_ events: [MediaEvent], _ file: URL, _ codec: VideoCodec) throws {
        let wanted = try Self.units(file, codec)
        let times = try Self.times(file)
        let pictures = events.pictures
        #expect(times.count == 100)
        #expect(pictures.count == 100)
        #expect(pictures.flatMap(\.units) == wanted)
        #expect(pictures.map(\.dts).isStrictlyRising)
        #expect(pictures.allSatisfy { $0.dts <= $0.pts })
        let first = try #require(pictures.first)
        #expect(pictures.map { $0.pts - first.pts } == times.map { $0 - times[0] })
        // No later than the depth of reordering asks for.
        #expect(pictures.allSatisfy { $0.pts - $0.dts <= 6 * 3600 })
        #expect(events.parameters.count == 1)
        #expect(events.parameters.first?.width == 320)
    }

    @Test("H.264 and H.265 of ffmpeg, with the right times for B pictures", arguments: clips)
    func readsVideoOfFFmpeg(clip: Clip) throws {
        let file = try Self.encode(clip)
        defer { try? FileManager.default.removeItem(at: file) }
        let capture = try RTPCapture.ffmpeg(["-i", file.path, "-c", "copy"], muxer: clip.muxer)
        let stream = try DescribedStream(sdp: capture.sdp).description
        for transport in [RTPIngestConfiguration.Transport.tcp, .udp] {
            var ingest = RTSPIngest(stream, configuration: .init(transport: transport))
            var events: [MediaEvent] = []
            ingest.start(into: &events)
            events += ingest.feed(capture.packets)
            try check(events, file, clip.codec)
            let statistics = ingest.statistics
            #expect(statistics.video.damaged == 0 && statistics.lost == 0 && statistics.invalid == 0)
            #expect(statistics.media[0].frames == 100)
            #expect(statistics.media[0].clockJumps == 0)
        }
    }

    @Test(
        "85: the same without a word in the SDP, without marker bits, and with nothing but marker bits",
        arguments: clips
    )
    func readsVideoWithoutHelp(clip: Clip) throws {
        let file = try Self.encode(clip)
        defer { try? FileManager.default.removeItem(at: file) }
        let capture = try RTPCapture.ffmpeg(["-i", file.path, "-c", "copy"], muxer: clip.muxer)
        let plain = RTPFormat(payloadType: 96, encoding: clip.codec.rawValue, clockRate: 90_000).stream("video")
        var ingest = RTSPIngest(plain, configuration: .init(transport: .tcp))
        try check(ingest.feed(capture.rtp), file, clip.codec)

        let unmarked = capture.rtp.map { packet in
            var packet = packet
            packet[1] &= 0x7F
            return packet
        }
        ingest = RTSPIngest(plain, configuration: .init(transport: .tcp))
        try check(ingest.feed(unmarked), file, clip.codec)

        let marked = capture.rtp.map { packet in
            var packet = packet
            packet[1] |= 0x80
            return packet
        }
        ingest = RTSPIngest(plain, configuration: .init(transport: .tcp))
        let events = ingest.feed(marked)
        // The first picture may be lost to the lie, and with it what depends on it.
        // An open GOP of H.264 has no other IDR picture to go on at.
        #expect(events.pictures.count >= (clip.description.contains("open-gop=1") ? 1 : 50))
        #expect(events.pictures.map(\.dts).isStrictlyRising)
    }

    @Test(
        "a depth of reordering that nobody tells is found by the order counts",
        arguments: clips.filter { $0.codec == .h264 }
    )
    func findsReordering(clip: Clip) throws {
        let file = try Self.encode(clip)
        defer { try? FileManager.default.removeItem(at: file) }
        let capture = try RTPCapture.ffmpeg(["-i", file.path, "-c", "copy"], muxer: clip.muxer)
        var ingest = RTSPIngest(
            RTPFormat(payloadType: 96, encoding: "H264", clockRate: 90_000).stream("video"),
            configuration: .init(transport: .tcp)
        )
        let silenced = capture.rtp.map { SilentSPS.replace(in: $0) }
        let pictures = ingest.feed(silenced).pictures
        let times = try Self.times(file)
        let first = try #require(pictures.first)
        #expect(pictures.map { $0.pts - first.pts } == times.map { $0 - times[0] })
        #expect(pictures.map(\.dts).isStrictlyRising)
        #expect(pictures.allSatisfy { $0.dts <= $0.pts })
    }

    @Test("payloaders of GStreamer: aggregation, parameter sets before key frames")
    func readsVideoOfGStreamer() throws {
        guard FFmpeg.path("gst-launch-1.0") != nil else { return }
        for clip in [Self.clips[0], Self.clips[2], Self.clips[7]] {
            let file = try Self.encode(clip)
            defer { try? FileManager.default.removeItem(at: file) }
            let name = clip.codec == .h264 ? "h264" : "h265"
            let capture = try RTPCapture.gstreamer(
                "filesrc location=\(file.path) ! tsdemux ! \(name)parse ! rtp\(name)pay pt=96 mtu=1200 config-interval=-1 aggregate-mode=\(clip.codec == .h264 ? "max-stap" : "max")"
            )
            let format = RTPFormat(payloadType: 96, encoding: clip.codec.rawValue, clockRate: 90_000)
            var ingest = RTSPIngest(format.stream("video"), configuration: .init(transport: .udp))
            let events = ingest.feed(capture.rtp)
            try check(events, file, clip.codec)
        }
    }

    @Test(
        "86, 87: sound",
        arguments: [
            ["aac", "-ar", "44100"], ["aac", "-ar", "48000", "-b:a", "256k"], ["libopus"],
            ["libmp3lame", "-b:a", "320k"],
            ["libmp3lame", "-ar", "22050"], ["pcm_alaw", "-ar", "8000", "-ac", "1"],
            ["pcm_mulaw", "-ar", "8000", "-ac", "1"],
            ["pcm_alaw", "-ar", "8000", "-ac", "2"],
        ]
    )
    func readsSound(encoder: [String]) throws {
        try checkSound(encoder, muxer: [])
    }

    @Test("86: LATM")
    func readsLATM() throws {
        try checkSound(["aac", "-ar", "44100"], muxer: ["-rtpflags", "latm"])
        try checkSound(["aac", "-ar", "32000", "-b:a", "300k"], muxer: ["-rtpflags", "latm"])
    }

    private func checkSound(_ encoder: [String], muxer: [String]) throws {
        let file = FFmpeg.temporary("nut")
        defer { try? FileManager.default.removeItem(at: file) }
        _ = try FFmpeg.run("ffmpeg", Self.tone + ["-c:a"] + encoder + ["-y", file.path])
        let capture = try RTPCapture.ffmpeg(["-i", file.path, "-c", "copy"], muxer: muxer)
        var ingest = RTSPIngest(
            try DescribedStream(sdp: capture.sdp).description,
            configuration: .init(transport: .tcp)
        )
        var events: [MediaEvent] = []
        ingest.start(into: &events)
        if !encoder[0].contains("mp3") { #expect(events.count == 1) }
        events += ingest.feed(capture.packets)
        let sounds = events.sounds
        let wanted = try Self.soundPackets(file)
        #expect(!wanted.isEmpty)
        if encoder[0].hasPrefix("pcm") {
            #expect(sounds.flatMap { Array($0.payload.readableBytesView) } == wanted.flatMap(\.bytes))
        } else {
            // ffmpeg gathers several frames for a packet, and forgets those that it has at the end.
            let got = sounds.map { Array($0.payload.readableBytesView) }
            #expect(got == wanted.prefix(sounds.count).map(\.bytes))
            #expect(sounds.count >= wanted.count - 8)
            // Whole RTP ticks on either side.
            for (sound, packet) in zip(sounds, wanted) {
                let time = sound.pts - sounds[0].pts
                #expect(abs(time - (packet.time - wanted[0].time)) <= 6, "\(time) \(packet.time)")
            }
        }
        #expect(sounds.map(\.dts).isStrictlyRising)
        #expect(sounds.allSatisfy { $0.dts == $0.pts })
        #expect(ingest.statistics.invalid == 0)
    }

    /// The sound of a file, packet by packet, with times in 1/90000 s.
    private static func soundPackets(_ file: URL) throws -> [(bytes: [UInt8], time: Int64)] {
        let fields = "packet=pts_time,size"
        let text = String(
            decoding: try FFmpeg.run("ffprobe", ["-show_entries", fields, "-of", "csv=p=0", file.path]),
            as: UTF8.self
        )
        let all = try FFmpeg.run("ffmpeg", ["-i", file.path, "-c", "copy", "-f", "data", "-map", "0:a", "-"])
        var at = 0
        return text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: ",")
            guard let time = Double(parts[0]), let size = Int(parts[1]), at + size <= all.count else { return nil }
            defer { at += size }
            return (Array(all[at..<at + size]), Int64((time * 90_000).rounded()))
        }
    }

    @Test("VP9, of either payloader")
    func readsVP9() throws {
        let file = FFmpeg.temporary("ivf")
        defer { try? FileManager.default.removeItem(at: file) }
        let options = [
            "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "25", "-auto-alt-ref", "1",
            "-lag-in-frames", "10",
        ]
        _ = try FFmpeg.run("ffmpeg", Self.picture + options + ["-y", file.path])
        let wanted = IVF.frames([UInt8](try Data(contentsOf: file)))
        var captures = [
            try RTPCapture.ffmpeg(["-i", file.path, "-c", "copy", "-strict", "experimental"])
        ]
        if FFmpeg.path("gst-launch-1.0") != nil {
            captures.append(
                try RTPCapture.gstreamer("filesrc location=\(file.path) ! ivfparse ! vp9parse ! rtpvp9pay pt=96")
            )
        }
        for capture in captures {
            let format = RTPFormat(payloadType: 96, encoding: "VP9", clockRate: 90_000)
            var ingest = RTSPIngest(format.stream("video"), configuration: .init(transport: .udp))
            let events = ingest.feed(capture.packets)
            #expect(events.pictures.map { Array($0.payload.readableBytesView) } == wanted)
            #expect(events.pictures.map(\.dts).isStrictlyRising)
            let parameters = try #require(events.parameters.first)
            #expect(events.parameters.count == 1)
            #expect((parameters.width, parameters.height) == (320, 240))
            #expect(parameters.record == [1, 0, 0, 0, 0, 20, 0x82, 2, 2, 2, 0, 0])
            #expect(events.pictures.first?.isKey == true)
            #expect(events.pictures.filter(\.isKey).count >= 4)
        }
    }
}

/// Frames of an IVF file.
enum IVF {
    static func frames(_ bytes: [UInt8]) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        var at = 32
        while at + 12 <= bytes.count {
            let size = (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
            frames.append(Array(bytes[at + 12..<min(at + 12 + size, bytes.count)]))
            at += 12 + size
        }
        return frames
    }
}
