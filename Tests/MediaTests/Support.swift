import Foundation
import NIOCore
import Testing

@testable import Media

/// Captures of other projects that lie beside a checkout; tests that need them say that they are skipped without.
enum Samples {
    static let folder: URL = {
        var root = URL(filePath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        return root.deletingLastPathComponent().appending(path: "shared/samples")
    }()

    static var isPresent: Bool { FileManager.default.fileExists(atPath: folder.path) }

    static func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: folder.appending(path: name)))
    }

    /// The packets of a file of (length, RTP packet) pairs.
    static func packets(_ name: String) throws -> [[UInt8]] {
        let bytes = try bytes(name)
        var packets: [[UInt8]] = []
        var at = 0
        while at + 2 <= bytes.count {
            let length = Int(bytes[at]) << 8 | Int(bytes[at + 1])
            packets.append(Array(bytes[at + 2..<at + 2 + length]))
            at += 2 + length
        }
        return packets
    }
}

extension NIODeadline {
    static func milliseconds(_ value: Int) -> NIODeadline {
        .uptimeNanoseconds(UInt64(1_000_000_000 + value * 1_000_000))
    }
}

/// Repeatable noise.
struct Noise: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Pictures and sound as an encoder makes them, as far as a gateway looks.
enum Synthetic {
    // 352x288 Constrained Baseline and 1920x1080 High, both from x264; 1920x1080 Main from x265.
    static let h264SPS: [UInt8] = [
        0x67, 0x42, 0xC0, 0x0D, 0xD9, 0x01, 0x60, 0x96, 0xC0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x03,
        0x00,
        0xC8, 0x3C, 0x50, 0xA9, 0x20,
    ]
    static let h264PPS: [UInt8] = [0x68, 0xCB, 0x83, 0xCB, 0x20]
    static let h264HighSPS: [UInt8] = [
        0x67, 0x64, 0x00, 0x28, 0xAC, 0xD9, 0x40, 0x78, 0x02, 0x27, 0xE5, 0xC0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04,
        0x00,
        0x00, 0x03, 0x00, 0xC8, 0x3C, 0x60, 0xC6, 0x58,
    ]
    static let h265VPS: [UInt8] = [
        0x40, 0x01, 0x0C, 0x01, 0xFF, 0xFF, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00,
        0x03,
        0x00, 0x78, 0x95, 0x98, 0x09,
    ]
    static let h265SPS: [UInt8] = [
        0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x78,
        0xA0,
        0x03, 0xC0, 0x80, 0x10, 0xE5, 0x96, 0x56, 0x69, 0x24, 0xCA, 0xF0, 0x16, 0x80, 0x80, 0x00, 0x00, 0x03, 0x00,
        0x80,
        0x00, 0x00, 0x0C, 0x84,
    ]
    static let h265PPS: [UInt8] = [0x44, 0x01, 0xC1, 0x72, 0xB4, 0x62, 0x40]

    static let h264 = VideoParameters(codec: .h264, sps: [h264SPS], pps: [h264PPS])
    static let h265 = VideoParameters(codec: .h265, vps: [h265VPS], sps: [h265SPS], pps: [h265PPS])
    static let g711 = AudioParameters(codec: .g711a, sampleRate: 8000, channels: 1)
    static let aac = AudioParameters(codec: .aac, sampleRate: 16_000, channels: 1, configuration: [0x14, 0x08])

    /// A slice of `size` bytes whose content depends on `seed` and holds no start code.
    static func slice(_ codec: VideoCodec, isKey: Bool, isFirst: Bool = true, size: Int, seed: Int) -> [UInt8] {
        var unit: [UInt8] =
            switch codec {
            case .h264: [isKey ? 0x65 : 0x41, isFirst ? 0x88 : 0x48]
            case .h265: [isKey ? 0x26 : 0x02, 0x01, isFirst ? 0xAF : 0x2F]
            case .av1, .vp9: []
            }
        var noise = Noise(state: UInt64(seed))
        while unit.count < size { unit.append(UInt8.random(in: 1...255, using: &noise)) }
        return unit
    }

    static func avcc(_ units: [[UInt8]]) -> ByteBuffer {
        var buffer = ByteBuffer()
        for unit in units {
            buffer.writeInteger(UInt32(unit.count))
            buffer.writeBytes(unit)
        }
        return buffer
    }

    static func picture(_ codec: VideoCodec, _ index: Int, isKey: Bool, size: Int, dts: Int64? = nil) -> Frame {
        let time = dts ?? Int64(index) * 3600 + 90_000
        return Frame(
            track: .video,
            dts: time,
            pts: time,
            isKey: isKey,
            payload: avcc([slice(codec, isKey: isKey, size: size, seed: index)])
        )
    }

    /// A camera's stream: a key frame every `interval`, pictures of varying size, 40 ms of audio beside each.
    static func stream(
        _ parameters: VideoParameters = h264,
        audio: AudioParameters? = g711,
        pictures: Int,
        interval: Int = 10,
        keySize: Int = 20_000,
        pictureSize: Int = 2500
    ) -> [MediaEvent] {
        var events: [MediaEvent] = [.video(parameters)]
        if let audio { events.append(.audio(audio)) }
        for index in 0..<pictures {
            let isKey = index % interval == 0
            let size = isKey ? keySize : pictureSize + index * 37 % 900
            let picture = picture(parameters.codec, index, isKey: isKey, size: size)
            events.append(.frame(picture))
            if audio != nil {
                let sound = ByteBuffer(bytes: (0..<320).map { UInt8(truncatingIfNeeded: $0 * 7 + index) | 1 })
                events.append(
                    .frame(Frame(track: .audio, dts: picture.dts, pts: picture.pts, isKey: true, payload: sound))
                )
            }
        }
        return events
    }
}

/// Cuts the packs of events into RTP packets, with the RTP timestamp of each frame.
func packets(
    _ events: [MediaEvent],
    ssrc: UInt32 = 0x0BEB_C201,
    firstSequence: UInt16 = 0,
    payloadSize: Int = 1400
) -> [[UInt8]] {
    var muxer = PSMuxer()
    var packetizer = RTPPacketizer(ssrc: ssrc, sequenceNumber: firstSequence, maximumPayload: payloadSize)
    var packets: [[UInt8]] = []
    for event in events {
        var pack: [UInt8] = []
        guard muxer.mux(event, into: &pack), case .frame(let frame) = event else { continue }
        pack.withSpan { span in
            packetizer.packetize(span, timestamp: UInt32(truncatingIfNeeded: frame.dts)) {
                packets.append($0.array(0..<$0.byteCount))
            }
        }
    }
    return packets
}

extension RTPIngest {
    /// Gives packets 1 ms apart, then lets time pass.
    mutating func feed(_ packets: [[UInt8]], from start: Int = 0, flush: Bool = true) -> [MediaEvent] {
        var events: [MediaEvent] = []
        for (index, packet) in packets.enumerated() {
            let now = NIODeadline.milliseconds(start + index)
            advance(to: now, into: &events)
            packet.withSpan { receive($0, now: now, into: &events) }
        }
        guard flush else { return events }
        var now = NIODeadline.milliseconds(start + packets.count)
        for _ in 0..<10 {
            now = now + .milliseconds(250)
            advance(to: now, into: &events)
        }
        return events
    }
}

extension Array where Element == MediaEvent {
    var frames: [Frame] {
        compactMap { if case .frame(let frame) = $0 { frame } else { nil } }
    }

    var pictures: [Frame] { frames.filter { $0.track == .video } }
    var sounds: [Frame] { frames.filter { $0.track == .audio } }

    var parameters: [VideoParameters] {
        compactMap { if case .video(let parameters) = $0 { parameters } else { nil } }
    }
}

/// One program stream without RTP, cut as told.
func demux(_ bytes: [UInt8], cuts: [Int] = [], timestamp: UInt32 = 0) -> [MediaEvent] {
    var demuxer = PSDemuxer()
    var streams = ElementaryStreams()
    var events: [MediaEvent] = []
    var from = 0
    for cut in cuts + [bytes.count] where cut > from {
        bytes.withSpan { span in
            demuxer.receive(
                span.extracting(from..<cut),
                rtpTimestamp: timestamp,
                marker: false,
                now: .milliseconds(0),
                streams: &streams,
                into: &events
            )
        }
        from = cut
    }
    if demuxer.isWhole { streams.video.flush(into: &events) }
    return events
}
