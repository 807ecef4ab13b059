package import NIOCore
import Wire

/// What a camera's RTCP says that matters here.
package enum RTCPEvent: Equatable, Sendable {
    /// `ntp`: the middle 32 bits of the NTP time, as a receiver report gives them back.
    case senderReport(ssrc: UInt32, ntp: UInt32, rtpTimestamp: UInt32)
    case goodbye(ssrc: UInt32)
    /// What a receiver says of our source `about`: fraction lost in 1/256 since its last report, packets lost in all, jitter in
    /// RTP ticks.
    case receiverReport(about: UInt32, fractionLost: UInt8, lost: Int32, jitter: UInt32)

    /// The events of a compound packet (RFC 3550 6.1); unknown parts are skipped by length, at most 16 are read.
    package static func parse(_ bytes: RawSpan) -> [RTCPEvent] {
        var events: [RTCPEvent] = []
        var at = 0
        while events.count < 16, let head = bytes.uint32(at: at), head >> 30 == 2 {
            let end = at + 4 + Int(head & 0xFFFF) * 4
            guard end <= bytes.byteCount else { break }
            if let ssrc = bytes.uint32(at: at + 4), end >= at + 8 {
                switch head >> 16 & 0xFF {
                case 200:
                    if end >= at + 28, let high = bytes.uint32(at: at + 8), let low = bytes.uint32(at: at + 12),
                        let timestamp = bytes.uint32(at: at + 16)
                    {
                        events.append(.senderReport(ssrc: ssrc, ntp: high << 16 | low >> 16, rtpTimestamp: timestamp))
                        appendBlocks(bytes, at + 28..<end, count: head >> 24 & 31, into: &events)
                    }
                case 201: appendBlocks(bytes, at + 8..<end, count: head >> 24 & 31, into: &events)
                case 203: events.append(.goodbye(ssrc: ssrc))
                default: break
                }
            }
            at = end
        }
        return events
    }

    /// The report blocks of a sender or receiver report, 24 bytes each.
    private static func appendBlocks(
        _ bytes: RawSpan,
        _ range: Range<Int>,
        count: UInt32,
        into events: inout [RTCPEvent]
    ) {
        var at = range.lowerBound
        for _ in 0..<count where at + 24 <= range.upperBound && events.count < 16 {
            guard let about = bytes.uint32(at: at), let loss = bytes.uint32(at: at + 4),
                let jitter = bytes.uint32(at: at + 12)
            else { return }
            events.append(
                .receiverReport(
                    about: about,
                    fractionLost: UInt8(truncatingIfNeeded: loss >> 24),
                    // 24 bits with a sign.
                    lost: Int32(bitPattern: loss << 8) >> 8,
                    jitter: jitter
                )
            )
            at += 24
        }
    }
}

/// The receiver's side of one source (RFC 3550 6.4 and A.3, A.8), for receiver reports and for the API's jitter and loss.
package struct ReceptionStatistics: Equatable, Sendable {
    private var first: UInt32?
    private var highest: UInt32 = 0
    private var received: UInt32 = 0
    private var expectedBefore: UInt32 = 0
    private var receivedBefore: UInt32 = 0
    private var transit: UInt32?
    private var jitterTimes16: UInt32 = 0
    private var lastReport: (ntp: UInt32, at: NIODeadline)?

    /// Interarrival jitter in RTP ticks of 90 kHz.
    package var jitter: UInt32 { jitterTimes16 >> 4 }

    package init() {}

    package static func == (left: Self, right: Self) -> Bool {
        left.first == right.first && left.highest == right.highest && left.received == right.received
    }

    @inline(__always)
    package mutating func receive(sequenceNumber: UInt16, timestamp: UInt32, now: NIODeadline) {
        received &+= 1
        if first == nil {
            first = UInt32(sequenceNumber)
            highest = UInt32(sequenceNumber)
        } else {
            let step = Int16(bitPattern: sequenceNumber &- UInt16(truncatingIfNeeded: highest))
            if step > 0 { highest &+= UInt32(step) }
        }
        let arrival = UInt32(truncatingIfNeeded: now.uptimeNanoseconds / 1000 &* 9 / 100)
        let current = arrival &- timestamp
        if let last = transit {
            let difference = Int32(bitPattern: current &- last).magnitude
            // Timestamps that are not in 90 kHz ticks would make this meaningless; bound it at 10 s.
            if difference < 900_000 {
                jitterTimes16 = jitterTimes16 &+ difference &- (jitterTimes16 &+ 8) >> 4
            }
        }
        transit = current
    }

    package mutating func receiveSenderReport(ntp: UInt32, now: NIODeadline) {
        lastReport = (ntp, now)
    }

    /// A receiver report of 32 bytes about `source`, or nil before the first packet.
    package mutating func receiverReport(from own: UInt32, about source: UInt32, now: NIODeadline) -> [UInt8]? {
        guard let first else { return nil }
        let expected = highest &- first &+ 1
        let expectedNow = expected &- expectedBefore
        let receivedNow = received &- receivedBefore
        expectedBefore = expected
        receivedBefore = received
        let lostNow = Int64(expectedNow) - Int64(receivedNow)
        let fraction = expectedNow == 0 || lostNow <= 0 ? 0 : UInt32(min(lostNow * 256 / Int64(expectedNow), 255))
        let lost = UInt32(truncatingIfNeeded: min(max(Int64(expected) - Int64(received), -0x80_0000), 0x7F_FFFF))
        var delay: UInt32 = 0
        if let lastReport {
            delay = UInt32(truncatingIfNeeded: (now - lastReport.at).nanoseconds / 1000 * 65_536 / 1_000_000)
        }
        var report: [UInt8] = []
        report.reserveCapacity(32)
        let words: [UInt32] = [
            0x81C9_0007, own, source, fraction << 24 | (lost & 0xFF_FFFF), highest, jitter, lastReport?.ntp ?? 0, delay,
        ]
        for word in words {
            report.append(UInt8(truncatingIfNeeded: word >> 24))
            report.append(UInt8(truncatingIfNeeded: word >> 16))
            report.append(UInt8(truncatingIfNeeded: word >> 8))
            report.append(UInt8(truncatingIfNeeded: word))
        }
        return report
    }
}
