import Foundation
import Media
import NIOCore
import Testing

@testable import gbgate

/// Writes classic captures: Ethernet, IPv4, UDP or TCP.
private struct CaptureWriter {
    var bytes: [UInt8] = [0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 1, 0, 0, 0]
    private var time = 0

    private static func address(_ last: UInt8) -> [UInt8] { [192, 0, 2, last] }
    private static func big(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }
    private static func little(_ value: Int) -> [UInt8] {
        [UInt8(value & 255), UInt8(value >> 8 & 255), UInt8(value >> 16 & 255), UInt8(value >> 24 & 255)]
    }

    mutating func udp(_ from: (UInt8, Int), _ to: (UInt8, Int), _ payload: [UInt8]) {
        record(17, from, to, Self.big(from.1) + Self.big(to.1) + Self.big(payload.count + 8) + [0, 0] + payload)
    }

    mutating func tcp(_ from: (UInt8, Int), _ to: (UInt8, Int), _ sequence: Int, _ payload: [UInt8]) {
        let number = [UInt8(sequence >> 24 & 255), UInt8(sequence >> 16 & 255)] + Self.big(sequence)
        let head = Self.big(from.1) + Self.big(to.1) + number + [0, 0, 0, 0, 0x50, 0x10, 0, 0, 0, 0, 0, 0]
        record(6, from, to, head + payload)
    }

    private mutating func record(_ kind: UInt8, _ from: (UInt8, Int), _ to: (UInt8, Int), _ content: [UInt8]) {
        let ip: [UInt8] = [0x45, 0] + Self.big(content.count + 20) + [0, 0, 0, 0, 64, kind, 0, 0]
        let packet =
            [UInt8](repeating: 2, count: 12) + [8, 0] + ip + Self.address(from.0) + Self.address(to.0) + content
        time += 10_000
        bytes += Self.little(1_700_000_000 + time / 1_000_000) + Self.little(time % 1_000_000)
        bytes += Self.little(packet.count) + Self.little(packet.count) + packet
    }
}

private let sps: [UInt8] = [
    0x67, 0x42, 0xC0, 0x0D, 0xD9, 0x01, 0x60, 0x96, 0xC0, 0x44, 0, 0, 3, 0, 4, 0, 0, 3, 0, 0xC8, 0x3C, 0x50, 0xA9, 0x20,
]

/// The RTP packets of a short camera stream.
private func media(pictures: Int, ssrc: UInt32) -> (packets: [[UInt8]], stream: [UInt8]) {
    var muxer = PSMuxer()
    var packetizer = RTPPacketizer(ssrc: ssrc)
    var packets: [[UInt8]] = []
    var stream: [UInt8] = []
    let parameters = VideoParameters(codec: .h264, sps: [sps], pps: [[0x68, 0xCB, 0x83, 0xCB, 0x20]])
    muxer.mux(.video(parameters), into: &stream)
    for index in 0..<pictures {
        let isKey = index % 10 == 0
        var payload = ByteBuffer()
        payload.writeInteger(UInt32(2002))
        payload.writeBytes([isKey ? 0x65 : 0x41, 0x88] + [UInt8](repeating: 0x55, count: 2000))
        let time = Int64(index) * 3600
        var pack: [UInt8] = []
        muxer.mux(.frame(Frame(track: .video, dts: time, pts: time, isKey: isKey, payload: payload)), into: &pack)
        stream += pack
        pack.withSpan { span in
            packetizer.packetize(span, timestamp: UInt32(time)) { packets.append($0.array(0..<$0.byteCount)) }
        }
    }
    return (packets, stream)
}

private func invite(ssrc: String) -> [UInt8] {
    let sdp =
        "v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=Play\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
        + "m=video 30000 RTP/AVP 96\r\na=recvonly\r\ny=\(ssrc)\r\n"
    return Array(
        ("INVITE sip:34020000001320000001@192.0.2.7 SIP/2.0\r\nCall-ID: a@b\r\nCSeq: 1 INVITE\r\n"
            + "Content-Length: \(sdp.utf8.count)\r\n\r\n" + sdp).utf8
    )
}

@Suite struct InspectionTests {
    @Test func explainsACaptureOfSIPAndRTP() {
        var capture = CaptureWriter()
        capture.udp((1, 5060), (7, 5060), invite(ssrc: "0200000001"))
        for packet in media(pictures: 30, ssrc: 200_000_001).packets { capture.udp((7, 15_060), (1, 30_000), packet) }
        let text = Inspection.explain(capture.bytes, name: "a.pcap").joined(separator: "\n")
        #expect(text.contains("192.0.2.1:5060 -> 192.0.2.7:5060 INVITE sip:34020000001320000001@192.0.2.7"))
        #expect(text.contains("media 192.0.2.1:30000"))
        #expect(text.contains("SSRC 0200000001"))
        #expect(text.contains("RTP over UDP 192.0.2.7:15060 -> 192.0.2.1:30000"))
        #expect(text.contains("video H264 352x288: 30 pictures (3 key frames)"))
        #expect(text.contains("25.0 a second"))
        #expect(!text.contains("problem"))
    }

    @Test func namesWhatIsWrong() {
        var capture = CaptureWriter()
        capture.udp((1, 5060), (7, 5060), invite(ssrc: "0200000001"))
        var packets = media(pictures: 30, ssrc: 99).packets
        packets.remove(at: 20)
        for packet in packets { capture.udp((7, 15_060), (1, 30_000), packet) }
        let text = Inspection.explain(capture.bytes, name: "a.pcap").joined(separator: "\n")
        #expect(text.contains("problem: 1 packets were lost"))
        #expect(text.contains("says SSRC 0200000001, the RTP at 192.0.2.1:30000 has 99"))

        var silent = CaptureWriter()
        silent.udp((1, 5060), (7, 5060), invite(ssrc: "0200000001"))
        let missing = Inspection.explain(silent.bytes, name: "a.pcap").joined(separator: "\n")
        #expect(missing.contains("no RTP to or from 192.0.2.1:30000"))
    }

    @Test func putsTCPSegmentsInOrder() {
        let bytes = media(pictures: 30, ssrc: 5).packets.flatMap { [UInt8($0.count >> 8), UInt8($0.count & 255)] + $0 }
        var pieces: [(at: Int, bytes: [UInt8])] = []
        for start in stride(from: 0, to: bytes.count, by: 1000) {
            pieces.append((start, Array(bytes[start..<min(start + 1000, bytes.count)])))
        }
        pieces.swapAt(3, 4)
        pieces.insert(pieces[7], at: 9)
        var capture = CaptureWriter()
        for piece in pieces { capture.tcp((7, 15_060), (1, 30_000), 0xFFFF_F000 + piece.at, piece.bytes) }
        let text = Inspection.explain(capture.bytes, name: "a.pcap").joined(separator: "\n")
        #expect(text.contains("RTP over TCP 192.0.2.7:15060 -> 192.0.2.1:30000"))
        #expect(text.contains("30 pictures (3 key frames)"))
        #expect(!text.contains("problem"), "\(text)")
    }

    @Test func namesSIPOnTheMediaPort() {
        var capture = CaptureWriter()
        capture.tcp(
            (7, 15_060),
            (1, 30_000),
            1,
            Array("REGISTER sip:34020000002000000001@3402000000 SIP/2.0\r\nVia: x\r\n".utf8)
        )
        let text = Inspection.explain(capture.bytes, name: "a.pcap").joined(separator: "\n")
        #expect(text.contains("SIP port setting") || text.contains("REGISTER"), "\(text)")
    }

    @Test func explainsProgramStreamsAndFramedPackets() {
        let (packets, stream) = media(pictures: 30, ssrc: 5)
        let bare = Inspection.explain(stream, name: "a.ps").joined(separator: "\n")
        #expect(bare.contains("e0 is H264"))
        #expect(bare.contains("30 pictures (3 key frames)"))
        let framed = packets.flatMap { [UInt8($0.count >> 8), UInt8($0.count & 255)] + $0 }
        let text = Inspection.explain(framed, name: "a.rfc4571").joined(separator: "\n")
        #expect(text.contains("SSRC 0000000005"))
        #expect(text.contains("30 pictures (3 key frames)"))
    }

    @Test func survivesNoiseAndCutFiles() {
        var capture = CaptureWriter()
        capture.udp((1, 5060), (7, 5060), invite(ssrc: "0200000001"))
        for packet in media(pictures: 3, ssrc: 5).packets { capture.udp((7, 15_060), (1, 30_000), packet) }
        for length in stride(from: 0, to: capture.bytes.count, by: 7) {
            #expect(!Inspection.explain(Array(capture.bytes.prefix(length)), name: "cut").isEmpty)
        }
        for index in 24..<200 {
            for value in [UInt8(0), 0x7F, 0xFF] {
                var broken = capture.bytes
                broken[index] = value
                #expect(!Inspection.explain(broken, name: "broken").isEmpty)
            }
        }
        #expect(Inspection.explain([], name: "empty").first?.contains("0 bytes") == true)
        #expect(Inspection.explain(Array("hello, world".utf8), name: "text").first?.contains("no pcap") == true)
    }
}
