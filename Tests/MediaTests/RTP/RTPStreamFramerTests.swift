import NIOCore
import Testing

@testable import Media

/// Feeds a connection's bytes in pieces and gives what came out.
private func frame(
    _ bytes: [UInt8],
    pieces: [Int] = []
) -> (packets: [[UInt8]], framer: RTPStreamFramer) {
    var framer = RTPStreamFramer()
    var packets: [[UInt8]] = []
    var at = 0
    for end in pieces + [bytes.count] where end > at {
        bytes.withSpan { span in
            _ = framer.receive(span.extracting(at..<end)) { packets.append($0.array(0..<$0.byteCount)) }
        }
        at = end
    }
    return (packets, framer)
}

private func rtp(_ number: Int, size: Int = 40) -> [UInt8] {
    [0x80, 0x60, UInt8(number >> 8), UInt8(number & 0xFF), 0, 0, 0, 1, 0x0B, 0xEB, 0xC2, 0x01]
        + (0..<size).map { UInt8(truncatingIfNeeded: $0 * 3 + number) }
}

private func wrapped(_ packets: [[UInt8]], _ framing: RTPStreamFraming) -> [UInt8] {
    packets.flatMap { packet -> [UInt8] in
        let length = [UInt8(packet.count >> 8), UInt8(packet.count & 0xFF)]
        switch framing {
        case .rfc4571: return length + packet
        case .interleaved: return [0x24, packet[1] >= 192 ? 1 : 0] + length + packet
        case .length32: return [0, 0] + length + packet
        }
    }
}

@Suite struct RTPStreamFramerTests {
    private static let report: [UInt8] = [0x80, 200, 0, 1, 0x0B, 0xEB, 0xC2, 0x01]

    @Test("R-26 the framing is detected", arguments: [RTPStreamFraming.rfc4571, .interleaved, .length32])
    func detectsTheFramingAtEverySplit(framing: RTPStreamFraming) {
        let packets = [rtp(1), rtp(2, size: 0), Self.report, rtp(3, size: 300)]
        let bytes = wrapped(packets, framing)
        for split in 0...bytes.count {
            let (out, framer) = frame(bytes, pieces: [split])
            #expect(out == packets, "split at \(split)")
            #expect(framer.framing == framing)
            #expect(framer.failure == nil)
            #expect(framer.statistics.resynchronisations == 0)
        }
        let (out, _) = frame(bytes, pieces: Array(1..<bytes.count))
        #expect(out == packets)
    }

    @Test func takesPacketsOf0x2400BytesAndMoreForWhatTheyAre() {
        let packets = [rtp(1, size: 0x2400), rtp(2, size: 0x2400), rtp(3)]
        let (out, framer) = frame(wrapped(packets, .rfc4571))
        #expect(out == packets)
        #expect(framer.framing == .rfc4571)
    }

    @Test(
        "R-25 SIP on the media port is named",
        arguments: [
            "REGISTER sip:34020000002000000001@3402000000 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.7\r\n",
            "MESSAGE sip:34020000002000000001@3402000000 SIP/2.0\r\n",
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 192.0.2.7\r\n",
        ]
    )
    func namesSIP(text: String) {
        let bytes = Array(text.utf8)
        let line = text.prefix { $0 != "\r\n" }
        let (out, framer) = frame(bytes)
        #expect(out.isEmpty)
        #expect(framer.failure == .sipOnMediaPort(String(line)))
        let (_, slow) = frame(bytes, pieces: Array(1..<bytes.count))
        guard case .sipOnMediaPort = slow.failure else {
            Issue.record("not seen byte by byte")
            return
        }
        // SIP that follows media is seen too.
        let (some, mixed) = frame(wrapped([rtp(1), rtp(2)], .rfc4571) + bytes)
        #expect(some.count == 2)
        #expect(mixed.failure == .sipOnMediaPort(String(line)))
    }

    @Test func findsPacketsAgainAfterGarbage() {
        let before = (0..<5).map { rtp($0) }
        let after = (5..<10).map { rtp($0) }
        var noise = Noise(state: 3)
        for framing in [RTPStreamFraming.rfc4571, .interleaved, .length32] {
            for length in [1, 2, 3, 50, 5000] {
                let garbage = [0] + (0..<length).map { _ in UInt8.random(in: 0...0x7F, using: &noise) }
                let bytes = wrapped(before, framing) + garbage + wrapped(after, framing)
                for split in stride(from: 0, to: bytes.count, by: 13) {
                    let (out, framer) = frame(bytes, pieces: [split])
                    #expect(out == before + after, "\(framing), \(length) bytes, split at \(split)")
                    #expect(framer.statistics.resynchronisations == 1)
                }
            }
        }
    }

    @Test func givesUpAfterAMegabyteWithoutPackets() {
        let bytes = wrapped([rtp(1), rtp(2)], .rfc4571) + [UInt8](repeating: 0x11, count: 2 << 20)
        let (out, framer) = frame(bytes, pieces: Array(stride(from: 1000, to: bytes.count, by: 1000)))
        #expect(out.count == 2)
        guard case .noPackets(let skipped) = framer.failure else {
            Issue.record("still searching")
            return
        }
        #expect(skipped < 1_200_000)
    }

    @Test func searchesHostileBytesInLinearTime() {
        // Every offset looks like a packet of 32,896 bytes.
        let bytes = wrapped([rtp(1), rtp(2)], .rfc4571) + [0, 0] + [UInt8](repeating: 0x80, count: 20_000)
        let (out, framer) = frame(bytes, pieces: Array(1..<bytes.count))
        #expect(out.count == 2)
        #expect(framer.statistics.resynchronisations == 1)
    }

    @Test func survivesNoise() {
        for seed in 0..<200 {
            var noise = Noise(state: UInt64(seed))
            var bytes = wrapped((0..<20).map { rtp($0, size: 100) }, .rfc4571)
            for _ in 0..<Int.random(in: 1...20, using: &noise) {
                bytes[Int.random(in: 0..<bytes.count, using: &noise)] = UInt8.random(in: 0...255, using: &noise)
            }
            let (out, _) = frame(bytes, pieces: [Int.random(in: 0..<bytes.count, using: &noise)])
            #expect(out.count <= 24)
        }
    }

    @Test(.enabled(if: Samples.isPresent, "shared/samples is absent"))
    func readsEveryCaptureAtAnySplit() throws {
        for name in ["srs_hik_640x480_h264_aac", "srs_hik_2560x1440_split_iframe", "lal_hik_h264_10pkts"] {
            let bytes = try Samples.bytes("rtp/\(name).rfc4571")
            let packets = try Samples.packets("rtp/\(name).rfc4571")
            #expect(frame(bytes).packets == packets)
            for size in [1, 2, 3, 7, 100, 1459, 1460, 4096] {
                let (out, framer) = frame(bytes, pieces: Array(stride(from: size, to: bytes.count, by: size)))
                #expect(out == packets, "\(name) in pieces of \(size)")
                #expect(framer.statistics.resynchronisations == 0)
            }
        }
    }
}
