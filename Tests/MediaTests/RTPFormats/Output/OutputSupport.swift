import Foundation
import NIOCore
import Testing

@testable import Media

/// An RTP packet as a reader of an interleaved connection finds it.
struct ReadPacket: Equatable {
    var channel: UInt8
    var header: RTPPacket
    var bytes: [UInt8]

    var payload: [UInt8] { Array(bytes[header.payload]) }
}

extension ByteBuffer {
    /// The RTP packets of all channels; what is left behind the last whole frame would be an error.
    var packets: [ReadPacket] {
        let span = readableBytesSpan
        var packets: [ReadPacket] = []
        var at = 0
        while let (channel, range) = InterleavedFrame.next(in: span, at: &at) {
            let packet = span.extracting(range)
            guard let header = RTPPacket(packet), !RTPPacket.isRTCP(packet) else { continue }
            packets.append(ReadPacket(channel: channel, header: header, bytes: packet.array(0..<packet.byteCount)))
        }
        if at != span.byteCount { Issue.record("\(span.byteCount - at) bytes that are no frame") }
        return packets
    }

    /// The RTCP packets, each with its channel.
    var reports: [(channel: UInt8, bytes: [UInt8])] {
        let span = readableBytesSpan
        var reports: [(UInt8, [UInt8])] = []
        var at = 0
        while let (channel, range) = InterleavedFrame.next(in: span, at: &at) {
            let packet = span.extracting(range)
            if RTPPacket.isRTCP(packet) { reports.append((channel, packet.array(0..<packet.byteCount))) }
        }
        return reports
    }
}

extension Array where Element == ReadPacket {
    func on(_ channel: UInt8) -> [ReadPacket] { filter { $0.channel == channel } }

    /// As RFC 4571 frames them, for GStreamer's rtpstreamdepay.
    var stream: [UInt8] {
        flatMap { [UInt8($0.bytes.count >> 8), UInt8($0.bytes.count & 255)] + $0.bytes }
    }
}

extension RTPPackager {
    /// Packages events 20 ms apart.
    mutating func package(_ events: [MediaEvent]) -> ByteBuffer {
        var buffer = ByteBuffer()
        for (index, event) in events.enumerated() {
            switch event {
            case .video(let parameters): take(parameters)
            case .frame(let frame): package(frame, now: .milliseconds(index * 20), into: &buffer)
            case .audio, .metadata: break
            }
        }
        return buffer
    }
}

/// A packet of a publisher.
func rtp(
    _ payload: [UInt8],
    sequence: UInt16,
    timestamp: UInt32,
    marker: Bool = false,
    type: UInt8 = 96,
    ssrc: UInt32 = 0xCAFE
) -> [UInt8] {
    var buffer = ByteBuffer()
    buffer.writeMultipleIntegers(0x80 as UInt8, type | (marker ? 0x80 : 0), sequence, timestamp, ssrc)
    buffer.writeBytes(payload)
    return Array(buffer.readableBytesView)
}

extension RTPForwarder {
    mutating func forward(
        _ packet: [UInt8],
        media: Int = 0,
        at milliseconds: Int = 0,
        into buffer: inout ByteBuffer
    ) -> ForwardedUnit {
        packet.withSpan { forward($0, media: media, now: .milliseconds(milliseconds), into: &buffer) }
    }
}

/// GStreamer's payloaders and depayloaders, which read and write RTP in files.
enum GStreamer {
    static var isPresent: Bool {
        ["gst-launch-1.0", "ffmpeg"].allSatisfy { FFmpeg.path($0) != nil }
            && FFmpeg.path("gst-inspect-1.0").map { path in
                let process = Process()
                process.executableURL = URL(filePath: path)
                process.arguments = ["rtpstreamdepay"]
                process.standardOutput = FileHandle.nullDevice
                process.standardError = FileHandle.nullDevice
                guard (try? process.run()) != nil else { return false }
                process.waitUntilExit()
                return process.terminationStatus == 0
            } ?? false
    }

    /// What a pipeline between two files makes of the bytes.
    static func run(_ pipeline: String, _ input: [UInt8], suffix: String = "bin") throws -> [UInt8] {
        let source = FFmpeg.temporary(suffix)
        let target = FFmpeg.temporary("out")
        defer {
            try? FileManager.default.removeItem(at: source)
            try? FileManager.default.removeItem(at: target)
        }
        try Data(input).write(to: source)
        let process = Process()
        process.executableURL = URL(filePath: try #require(FFmpeg.path("gst-launch-1.0")))
        let words = pipeline.split(separator: " ").map(String.init)
        process.arguments =
            ["-q", "filesrc", "location=\(source.path)", "!"] + words + ["!", "filesink", "location=\(target.path)"]
        process.standardOutput = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(pipeline)")
        return [UInt8](try Data(contentsOf: target))
    }

    /// What a depayloader makes of packets.
    static func depayload(_ packets: [ReadPacket], _ capabilities: String, _ elements: String) throws -> [UInt8] {
        try run("application/x-rtp-stream,\(capabilities) ! rtpstreamdepay ! \(elements)", packets.stream)
    }

    /// The packets that a payloader makes, without the sockets.
    static func payload(_ bytes: [UInt8], _ elements: String, suffix: String = "bin") throws -> [[UInt8]] {
        let stream = try run("\(elements) ! rtpstreampay", bytes, suffix: suffix)
        var packets: [[UInt8]] = []
        var at = 0
        while at + 2 <= stream.count {
            let length = Int(stream[at]) << 8 | Int(stream[at + 1])
            packets.append(Array(stream[at + 2..<at + 2 + length]))
            at += 2 + length
        }
        return packets
    }
}

/// Streams of ffmpeg's encoders.
enum Encoded {
    static func run(_ arguments: [String], _ suffix: String) throws -> [UInt8] {
        let file = FFmpeg.temporary(suffix)
        defer { try? FileManager.default.removeItem(at: file) }
        _ = try FFmpeg.run("ffmpeg", arguments + ["-pix_fmt", "yuv420p", "-y", file.path])
        return [UInt8](try Data(contentsOf: file))
    }

    static let pictures = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25"]
    static let sound = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"]

    /// Pictures and sound as they come over RTMP.
    static func flv(_ options: [String]) throws -> [MediaEvent] {
        var bytes = ByteBuffer(bytes: try run(options, "flv"))
        var reader = FLVTagReader()
        var unpackager = FLVUnpackager()
        var events: [MediaEvent] = []
        while let message = try reader.next(from: &bytes) { unpackager.receive(message, into: &events) }
        return events
    }

    /// H.265 out of a byte stream with delimiters.
    static func hevc(seconds: Int) throws -> [MediaEvent] {
        let bytes = try run(
            pictures + [
                "-t", "\(seconds)", "-c:v", "libx265", "-x265-params",
                "log-level=none:aud=1:keyint=25:repeat-headers=1",
            ],
            "hevc"
        )
        var parameters = VideoParameters(codec: .h265, vps: [], sps: [], pps: [])
        var frames: [[[UInt8]]] = []
        bytes.withSpan { span in
            for range in AnnexB.units(in: span, limit: 100_000) {
                let unit = Array(bytes[range])
                switch VideoCodec.h265.kind(of: span, at: range.lowerBound) {
                case .accessUnitDelimiter: frames.append([])
                case .videoParameterSet: parameters.vps = [unit]
                case .sequenceParameterSet: parameters.sps = [unit]
                case .pictureParameterSet: parameters.pps = [unit]
                default: frames[frames.count - 1].append(unit)
                }
            }
        }
        let events = frames.enumerated().map { index, units in
            let isKey = units.contains { (16...21).contains($0[0] >> 1 & 0x3F) }
            let time = Int64(index) * 3600
            return MediaEvent.frame(
                Frame(track: .video, dts: time, pts: time, isKey: isKey, payload: Synthetic.avcc(units))
            )
        }
        return [.video(parameters)] + events
    }

    /// The frames of an IVF file.
    static func ivf(_ options: [String]) throws -> [[UInt8]] {
        let bytes = try run(pictures + options, "ivf")
        var frames: [[UInt8]] = []
        var at = 32
        while at + 12 <= bytes.count {
            let length = (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
            frames.append(Array(bytes[at + 12..<at + 12 + length]))
            at += 12 + length
        }
        return frames
    }

    /// The packets of an Ogg file (RFC 3533 6), headers left out.
    static func opus() throws -> [[UInt8]] {
        let bytes = try run(sound + ["-t", "3", "-ac", "2", "-c:a", "libopus"], "opus")
        var packets: [[UInt8]] = []
        var open: [UInt8] = []
        var at = 0
        while at + 27 <= bytes.count {
            let lacing = bytes[at + 27..<at + 27 + Int(bytes[at + 26])]
            at = lacing.endIndex
            for length in lacing {
                open += bytes[at..<at + Int(length)]
                at += Int(length)
                if length < 255 {
                    packets.append(open)
                    open = []
                }
            }
        }
        return Array(packets.dropFirst(2))
    }
}

extension Frame {
    static func audio(_ bytes: [UInt8], at time: Int64) -> Frame {
        Frame(track: .audio, dts: time, pts: time, isKey: true, payload: ByteBuffer(bytes: bytes))
    }

    static func video(_ bytes: [UInt8], at time: Int64, isKey: Bool) -> Frame {
        Frame(track: .video, dts: time, pts: time, isKey: isKey, payload: ByteBuffer(bytes: bytes))
    }
}

/// The units of a byte stream that are no parameter sets and no delimiters.
func pictureUnits(_ stream: [UInt8], _ codec: VideoCodec) -> [[UInt8]] {
    stream.withSpan { span in
        AnnexB.units(in: span, limit: 100_000).filter { range in
            switch codec.kind(of: span, at: range.lowerBound) {
            case .slice, .prefix, .suffix: true
            default: false
            }
        }.map { Array(stream[$0]) }
    }
}
