import NIOCore
import Testing

@testable import Media

/// Packets of GStreamer's payloaders, forwarded, and read by its depayloaders.
@Suite(.enabled(if: GStreamer.isPresent, "ffmpeg and GStreamer are not installed"), .serialized)
struct RTPForwarderJudgeTests {
    struct Source: CustomStringConvertible, Sendable {
        var encoding: String
        /// ffmpeg's encoder and container, GStreamer's way from there to packets, and back.
        var encoder: [String]
        var suffix: String
        var payloader: String
        var depayloader: String
        var kind = "video"
        var clockRate = 90_000
        var fmtp: String?
        var capabilities = ""
        /// Key frames in three seconds.
        var keyFrames: Int?
        var isCut = false
        var description: String { "\(encoding) \(payloader)" }
    }

    private static let h264 = ["-c:v", "libx264", "-g", "25", "-b:v", "4M", "-bf", "2"]
    private static let h265 = ["-c:v", "libx265", "-x265-params", "log-level=none:keyint=25:min-keyint=25"]
    private static let byteStream = "video/x-h264,stream-format=byte-stream,alignment=nal"

    static let sources: [Source] = [
        Source(
            encoding: "H264",
            encoder: h264,
            suffix: "h264",
            payloader: "h264parse ! rtph264pay config-interval=-1 mtu=1400",
            depayloader: "rtph264depay ! \(byteStream)",
            keyFrames: 3
        ),
        Source(
            encoding: "H264",
            encoder: h264,
            suffix: "h264",
            payloader: "h264parse ! rtph264pay config-interval=-1 mtu=60000 aggregate-mode=none",
            depayloader: "rtph264depay ! \(byteStream)",
            keyFrames: 3,
            isCut: true
        ),
        Source(
            encoding: "H264",
            encoder: h264 + ["-x264-params", "slices=8"],
            suffix: "h264",
            payloader: "h264parse ! rtph264pay config-interval=-1 mtu=60000 aggregate-mode=max-stap",
            depayloader: "rtph264depay ! \(byteStream)",
            keyFrames: 3,
            isCut: true
        ),
        Source(
            encoding: "H264",
            encoder: h264,
            suffix: "h264",
            payloader: "h264parse ! rtph264pay config-interval=-1 mtu=4000",
            depayloader: "rtph264depay ! \(byteStream)",
            keyFrames: 3,
            isCut: true
        ),
        Source(
            encoding: "H265",
            encoder: h265,
            suffix: "hevc",
            payloader: "h265parse ! rtph265pay config-interval=-1 mtu=1400",
            depayloader: "rtph265depay ! video/x-h265,stream-format=byte-stream,alignment=nal",
            keyFrames: 3
        ),
        Source(
            encoding: "H265",
            encoder: h265,
            suffix: "hevc",
            payloader: "h265parse ! rtph265pay config-interval=-1 mtu=3000 aggregate-mode=max",
            depayloader: "rtph265depay ! video/x-h265,stream-format=byte-stream,alignment=nal",
            keyFrames: 3,
            isCut: true
        ),
        Source(
            encoding: "VP8",
            encoder: ["-c:v", "libvpx", "-deadline", "realtime", "-g", "25", "-auto-alt-ref", "0"],
            suffix: "webm",
            payloader: "matroskademux ! rtpvp8pay picture-id-mode=2",
            depayloader: "rtpvp8depay",
            keyFrames: 3
        ),
        Source(
            encoding: "VP9",
            encoder: ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-g", "25"],
            suffix: "webm",
            payloader: "matroskademux ! rtpvp9pay picture-id-mode=2",
            depayloader: "rtpvp9depay",
            keyFrames: 3
        ),
        Source(
            encoding: "JPEG",
            encoder: ["-c:v", "mjpeg", "-huffman", "default", "-pix_fmt", "yuvj420p"],
            suffix: "mkv",
            payloader: "matroskademux ! jpegparse ! rtpjpegpay",
            depayloader: "rtpjpegdepay",
            keyFrames: 75
        ),
        Source(
            encoding: "MPV",
            encoder: ["-c:v", "mpeg2video", "-g", "25", "-bf", "0", "-sc_threshold", "1000000000"],
            suffix: "mkv",
            payloader: "matroskademux ! mpegvideoparse ! rtpmpvpay",
            depayloader: "rtpmpvdepay",
            keyFrames: 3
        ),
        Source(
            encoding: "MPEG4-GENERIC",
            encoder: ["-c:a", "aac", "-ar", "48000", "-ac", "2", "-b:a", "256k"],
            suffix: "aac",
            payloader: "aacparse ! rtpmp4gpay mtu=8000",
            depayloader: "rtpmp4gdepay",
            kind: "audio",
            clockRate: 48_000,
            fmtp: "mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1190",
            capabilities: ",encoding-params=(string)2,streamtype=(string)5,profile-level-id=(string)1,mode=AAC-hbr,"
                + "sizelength=(string)13,indexlength=(string)3,indexdeltalength=(string)3,config=(string)1190"
        ),
    ]

    @Test("69, 88: readers get what the publisher sent", arguments: sources)
    func forwards(source: Source) throws {
        let input = source.kind == "video" ? Encoded.pictures : Encoded.sound
        let stream = try Encoded.run(input + ["-t", "3"] + source.encoder, source.suffix)
        let sent = try GStreamer.payload(stream, source.payloader, suffix: source.suffix)
        #expect(sent.count > 30)
        let type = try #require(sent.first)[1] & 0x7F
        let format = RTPFormat(
            payloadType: type,
            encoding: source.encoding,
            clockRate: source.clockRate,
            fmtp: source.fmtp
        )
        let media = RTPMedia(kind: source.kind, formats: [format])
        var forwarder = RTPForwarder(description: StreamDescription(media: [media]), seed: 5)
        var buffer = ByteBuffer()
        var starts = 0
        for packet in sent {
            let before = buffer.writerIndex
            let unit = forwarder.forward(packet, into: &buffer)
            #expect(unit.byteCount == buffer.writerIndex - before)
            guard unit.isRandomAccess else { continue }
            #expect(unit.startsAccessUnit)
            starts += 1
            var rest = buffer
            rest.moveReaderIndex(to: before)
            let first = try #require(rest.packets.first).header
            #expect(forwarder.randomAccessStarts[0].sequenceNumber == first.sequenceNumber)
            #expect(forwarder.randomAccessStarts[0].timestamp == first.timestamp)
        }
        #expect(forwarder.invalid == 0)
        if let keyFrames = source.keyFrames { #expect(starts == keyFrames) }
        let got = buffer.packets
        let numbers = got.map(\.header.sequenceNumber)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 &+ 1 == $1 })
        #expect(got.allSatisfy { $0.bytes.count <= 1472 } == (forwarder.oversized == 0))
        #expect((forwarder.refragmented > 0) == source.isCut || source.kind == "audio")
        let capabilities =
            "media=\(source.kind),clock-rate=\(source.clockRate),encoding-name=\(source.encoding),payload=\(type)"
            + source.capabilities
        let wanted = try GStreamer.run(
            "application/x-rtp-stream,\(capabilities) ! rtpstreamdepay ! \(source.depayloader)",
            sent.flatMap { [UInt8($0.count >> 8), UInt8($0.count & 255)] + $0 }
        )
        #expect(wanted.count > 1000)
        #expect(try GStreamer.depayload(got, capabilities, source.depayloader) == wanted)
    }
}
