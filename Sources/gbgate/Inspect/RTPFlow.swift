import Media
import NIOCore

/// The RTP and RTCP between two addresses, source by source.
struct RTPFlow {
    fileprivate struct Source {
        var ingest: RTPIngest
        var summary = FrameSummary()
        var payloadTypes: Set<UInt8> = []
        var markers = 0
        var firstSequence: UInt16
        var lastSequence: UInt16 = 0
        var firstTimestamp: UInt32
    }

    private static let mostSources = 64

    private let transport: RTPIngestConfiguration.Transport
    private var sources: [UInt32: Source] = [:]
    private var order: [UInt32] = []
    private(set) var packets = 0
    private var rtcp = 0
    private var others = 0

    init(transport: RTPIngestConfiguration.Transport) {
        self.transport = transport
    }

    /// The sources seen.
    var ssrcs: [UInt32] { order }

    /// Takes one packet. `time` is the capture's clock in ns; without one the RTP timestamp serves.
    mutating func receive(_ bytes: RawSpan, at time: UInt64?) {
        if RTPPacket.isRTCP(bytes) {
            rtcp += 1
            return
        }
        guard let packet = RTPPacket(bytes), sources[packet.ssrc] != nil || order.count < Self.mostSources else {
            others += 1
            return
        }
        packets += 1
        if sources[packet.ssrc] == nil {
            order.append(packet.ssrc)
            sources[packet.ssrc] = Source(
                ingest: RTPIngest(configuration: .init(transport: transport)),
                firstSequence: packet.sequenceNumber,
                firstTimestamp: packet.timestamp
            )
        }
        sources[packet.ssrc]?.receive(packet, bytes, at: time)
    }

    func explain(indent: String) -> [String] {
        var lines: [String] = []
        for ssrc in order {
            guard var source = sources[ssrc] else { continue }
            lines += source.explain(ssrc, indent)
        }
        if rtcp > 0 { lines.append("\(indent)  \(rtcp) RTCP packets") }
        if others > 0 { lines.append("\(indent)  problem: \(others) packets that are no RTP") }
        return lines
    }
}

extension RTPFlow.Source {
    fileprivate mutating func receive(_ packet: RTPPacket, _ bytes: RawSpan, at time: UInt64?) {
        payloadTypes.insert(packet.payloadType)
        if packet.marker { markers += 1 }
        lastSequence = packet.sequenceNumber
        let elapsed = max(Int64(Int32(bitPattern: packet.timestamp &- firstTimestamp)), 0)
        let nanoseconds = time ?? UInt64(elapsed) * 100_000 / 9
        let now = NIODeadline.uptimeNanoseconds(1_000_000_000 + nanoseconds)
        var events: [MediaEvent] = []
        ingest.advance(to: now, into: &events)
        ingest.receive(bytes, now: now, into: &events)
        summary.add(events)
    }

    fileprivate mutating func explain(_ ssrc: UInt32, _ indent: String) -> [String] {
        var events: [MediaEvent] = []
        for _ in 0..<8 {
            guard let due = ingest.deadline else { break }
            ingest.advance(to: due, into: &events)
        }
        summary.add(events)
        let counters = ingest.statistics
        let digits = String(ssrc)
        let padded = String(repeating: "0", count: max(0, 10 - digits.count)) + digits
        let types = payloadTypes.sorted().map(String.init).joined(separator: ", ")
        var lines = [
            "\(indent)SSRC \(padded): \(counters.packets) packets, \(counters.bytes) bytes, payload type \(types),"
                + " sequence \(firstSequence) to \(lastSequence), \(markers) markers, "
                + describe(counters.payload)
        ]
        var problems = Problems.of(counters.order) + Problems.of(counters.demux)
        problems += Problems.of(counters.video) + Problems.of(counters.audio)
        if counters.demux.packs > 0, counters.demux.maps == 0 { problems.append("no program stream map") }
        if !counters.unsupportedCodecs.isEmpty {
            problems.append("\(counters.unsupportedCodecs.joined(separator: ", ")) cannot be carried on")
        }
        if let diagnosis = counters.diagnosis { problems.append(diagnosis) }
        lines += summary.explain(indent: indent + "  ")
        return lines + problems.map { "\(indent)  problem: \($0)" }
    }

    private func describe(_ payload: PayloadKind?) -> String {
        switch payload {
        case .programStream: "program stream"
        case .video(let codec): "raw \(codec.rawValue)"
        case .g711(let codec): codec.rawValue
        case .unsupported(let name): name
        case nil: "of unknown content"
        }
    }
}
