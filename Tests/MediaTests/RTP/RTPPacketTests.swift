import NIOCore
import Testing

@testable import Media

@Suite struct RTPPacketTests {
    private static let plain: [UInt8] = [0x80, 0xE0, 0x12, 0x34, 0, 0, 0x0E, 0x10, 0x0B, 0xEB, 0xC2, 0x01, 1, 2, 3]

    @Test func readsAPlainPacket() throws {
        let packet = try #require(Self.plain.withSpan { RTPPacket($0) })
        #expect(packet.marker)
        #expect(packet.payloadType == 96)
        #expect(packet.sequenceNumber == 0x1234)
        #expect(packet.timestamp == 3600)
        // The decimal number of y=0200000001.
        #expect(packet.ssrc == 200_000_001)
        #expect(packet.payload == 12..<15)
    }

    @Test func leavesOutContributorsExtensionAndPadding() throws {
        var bytes = Self.plain
        bytes[0] = 0xB2
        bytes.insert(contentsOf: [9, 9, 9, 9, 8, 8, 8, 8, 0xBE, 0xDE, 0, 1, 7, 7, 7, 7], at: 12)
        bytes += [0, 2]
        let packet = try #require(bytes.withSpan { RTPPacket($0) })
        #expect(Array(bytes[packet.payload]) == [1, 2, 3])
    }

    @Test func refusesLengthsThatRunPastTheEnd() {
        for (index, byte) in [(0, UInt8(0x8F)), (0, 0x40), (0, 0xC0), (0, 0x90)] {
            var bytes = Self.plain
            bytes[index] = byte
            #expect(bytes.withSpan { RTPPacket($0) } == nil)
        }
        var padded = Self.plain
        padded[0] = 0xA0
        padded[14] = 4
        #expect(padded.withSpan { RTPPacket($0) } == nil)
        for length in 0..<12 { #expect(Array(Self.plain.prefix(length)).withSpan { RTPPacket($0) } == nil) }
    }

    @Test("R-27 RTCP is told apart")
    func tellsRTCPApart() {
        let report: [UInt8] = [0x80, 200, 0, 6] + [UInt8](repeating: 1, count: 24)
        #expect(report.withSpan { RTPPacket.isRTCP($0) })
        #expect(!Self.plain.withSpan { RTPPacket.isRTCP($0) })
    }

    @Test func readsSenderReportsAndGoodbyes() {
        let report: [UInt8] = [
            0x80, 200, 0, 6, 0x0B, 0xEB, 0xC2, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2,
        ]
        let goodbye: [UInt8] = [0x81, 203, 0, 1, 0x0B, 0xEB, 0xC2, 0x01]
        let events = (report + goodbye).withSpan { RTCPEvent.parse($0) }
        #expect(
            events == [
                .senderReport(ssrc: 200_000_001, ntp: 0x0102_0304_0506_0708, rtpTimestamp: 9),
                .goodbye(ssrc: 200_000_001),
            ]
        )
        for length in 0..<report.count { #expect(Array(report.prefix(length)).withSpan { RTCPEvent.parse($0) } == []) }
    }

    @Test func reportsLossAndTheLastSenderReport() throws {
        var statistics = ReceptionStatistics()
        #expect(statistics.receiverReport(from: 1, about: 2, now: .milliseconds(0)) == nil)
        for number in 0..<100 where number % 4 != 3 {
            statistics.receive(
                sequenceNumber: UInt16(truncatingIfNeeded: 65_500 + number),
                timestamp: UInt32(number * 3600),
                now: .milliseconds(number * 40)
            )
        }
        statistics.receiveSenderReport(ntp: 0x9988_AABB_CCDD_EEFF, now: .milliseconds(4000))
        let made = statistics.receiverReport(from: 1, about: 2, now: .milliseconds(4500))
        let report = try #require(made)
        #expect(report.count == 32)
        #expect(Array(report[0..<12]) == [0x81, 201, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2])
        // 24 of 99 expected were lost.
        #expect(report[12] == UInt8(24 * 256 / 99))
        #expect(Array(report[13..<16]) == [0, 0, 24])
        #expect(Array(report[16..<20]) == [0, 1, 0, 62])
        #expect(Array(report[24..<28]) == [0xAA, 0xBB, 0xCC, 0xDD])
        #expect(Array(report[28..<32]) == [0, 0, 0x80, 0])
        #expect(statistics.jitter == 0)
    }
}

@Suite struct RTPPacketizerTests {
    @Test func cutsAtTheSizeAndMarksTheLast() {
        var packetizer = RTPPacketizer(ssrc: 7, sequenceNumber: 65_535, maximumPayload: 1400)
        let frame = (0..<3000).map { UInt8(truncatingIfNeeded: $0) }
        var packets: [[UInt8]] = []
        frame.withSpan { span in
            packetizer.packetize(span, timestamp: 42) { packets.append($0.array(0..<$0.byteCount)) }
        }
        let headers = packets.compactMap { $0.withSpan { RTPPacket($0) } }
        #expect(headers.map(\.sequenceNumber) == [65_535, 0, 1])
        #expect(headers.map(\.marker) == [false, false, true])
        #expect(headers.allSatisfy { $0.ssrc == 7 && $0.timestamp == 42 && $0.payloadType == 96 })
        #expect(zip(packets, headers).flatMap { Array($0[$1.payload]) } == frame)
    }
}
