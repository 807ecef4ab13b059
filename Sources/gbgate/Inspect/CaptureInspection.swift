import Media

/// Explains a capture: its SIP line by line, its RTP source by source, and how they fit together.
enum CaptureInspection {
    private struct Path: Hashable {
        var source: String
        var destination: String
        var isTCP: Bool
    }

    /// One direction of a TCP connection.
    private struct Stream {
        var expected: UInt32?
        var waiting: [UInt32: ArraySlice<UInt8>] = [:]
        var framer = RTPStreamFramer()
        var failure: RTPStreamFailure?
        var text: [UInt8] = []
        var isSIP: Bool?
        var missingBytes = 0
    }

    private struct State {
        var lines: [String] = []
        var flows: [Path: RTPFlow] = [:]
        var flowOrder: [Path] = []
        var streams: [Path: Stream] = [:]
        var streamOrder: [Path] = []
        var offers: [(address: String, ssrc: String?, from: String)] = []
        var otherDatagrams = 0
        var sipMessages = 0
    }

    private static let mostSIPLines = 2000

    static func explain(_ file: Capture, name: String) -> [String] {
        var capture = file
        let segments = capture.segments()
        var state = State()
        for segment in segments {
            if segment.sequence == nil {
                receiveDatagram(segment, &state)
            } else {
                receiveSegment(segment, &state)
            }
        }
        var lines = ["\(name): capture of \(segments.count) datagrams and segments"]
        if capture.skipped > 0 {
            lines.append("  \(capture.skipped) records without UDP or TCP, or fragments, left out")
        }
        if capture.isCut { lines.append("  problem: the file is cut") }
        if state.sipMessages > 0 { lines.append("SIP: \(state.sipMessages) messages") }
        lines += state.lines
        for path in state.flowOrder {
            guard let flow = state.flows[path] else { continue }
            lines.append("RTP over \(path.isTCP ? "TCP" : "UDP") \(path.source) -> \(path.destination)")
            lines += flow.explain(indent: "  ")
            if let stream = state.streams[path] {
                var problems = Inspection.explain(stream.framer, stream.failure)
                if stream.missingBytes > 0 {
                    problems.append("\(stream.missingBytes) bytes of the connection are not in the capture")
                }
                lines += problems.map { "  problem: " + $0 }
            }
        }
        for path in state.streamOrder where state.flows[path] == nil {
            guard let failure = state.streams[path]?.failure, let framer = state.streams[path]?.framer else { continue }
            lines.append("TCP \(path.source) -> \(path.destination)")
            lines += Inspection.explain(framer, failure).map { "  problem: " + $0 }
        }
        if state.otherDatagrams > 0 { lines.append("\(state.otherDatagrams) datagrams that are neither SIP nor RTP") }
        return lines + mismatches(state).map { "problem: " + $0 }
    }

    private static func receiveDatagram(_ segment: Capture.Segment, _ state: inout State) {
        if SIPSummary.looksLikeSIP(segment.payload) {
            if let summary = SIPSummary(segment.payload) { note(summary, segment, &state) }
            return
        }
        // Keep-alives of SIP over UDP.
        guard segment.payload.contains(where: { $0 != 13 && $0 != 10 && $0 != 0 }) else { return }
        let path = Path(source: segment.source, destination: segment.destination, isTCP: false)
        let isRTP = segment.payload.withBytes { RTPPacket.isRTCP($0) || RTPPacket($0) != nil }
        guard isRTP else {
            state.otherDatagrams += 1
            return
        }
        deliver(Array(segment.payload), path, segment.time, &state)
    }

    private static func deliver(_ packet: [UInt8], _ path: Path, _ time: UInt64, _ state: inout State) {
        if state.flows[path] == nil {
            state.flows[path] = RTPFlow(transport: path.isTCP ? .tcp : .udp)
            state.flowOrder.append(path)
        }
        packet.withBytes { state.flows[path]?.receive($0, at: time) }
    }

    private static func receiveSegment(_ segment: Capture.Segment, _ state: inout State) {
        guard let sequence = segment.sequence else { return }
        let path = Path(source: segment.source, destination: segment.destination, isTCP: true)
        if state.streams[path] == nil { state.streamOrder.append(path) }
        var stream = state.streams[path] ?? Stream()
        defer { state.streams[path] = stream }
        if segment.isSyn {
            stream = Stream(expected: sequence &+ 1)
            return
        }
        guard !segment.payload.isEmpty else { return }
        let expected = stream.expected ?? sequence
        let ahead = Int32(bitPattern: sequence &- expected)
        if ahead > 0 {
            stream.waiting[sequence] = segment.payload
            // What is still missing after so many segments is not in the capture.
            guard stream.waiting.count > 64 else { return }
            let next = stream.waiting.keys.min { Int32(bitPattern: $0 &- expected) < Int32(bitPattern: $1 &- expected) }
            if let next {
                stream.missingBytes += Int(next &- expected)
                stream.expected = next
            }
        } else {
            let old = Int(-Int64(ahead))
            guard old < segment.payload.count else { return }
            consume(segment.payload.dropFirst(old), segment, path, &stream, &state)
            stream.expected = expected &+ UInt32(segment.payload.count - old)
        }
        while let next = stream.expected, let payload = stream.waiting.removeValue(forKey: next) {
            consume(payload, segment, path, &stream, &state)
            stream.expected = next &+ UInt32(payload.count)
        }
    }

    private static func consume(
        _ payload: ArraySlice<UInt8>,
        _ segment: Capture.Segment,
        _ path: Path,
        _ stream: inout Stream,
        _ state: inout State
    ) {
        if stream.isSIP == nil {
            let ports = [path.source, path.destination].compactMap { $0.split(separator: ":").last }
            stream.isSIP =
                SIPSummary.looksLikeSIP(payload) && ports.contains { $0.hasPrefix("50") || $0.hasPrefix("150") }
        }
        if stream.isSIP == true {
            stream.text += payload
            while let summary = SIPSummary(stream.text[...]) {
                note(summary, segment, &state)
                stream.text.removeFirst(summary.length)
                while let first = stream.text.first, first == 13 || first == 10 { stream.text.removeFirst() }
            }
            if stream.text.count > 1 << 20 { stream.text = [] }
            return
        }
        var packets: [[UInt8]] = []
        let failure = payload.withBytes { span in
            stream.framer.receive(span) { packet in packets.append(packet.array(0..<packet.byteCount)) }
        }
        stream.failure = stream.failure ?? failure
        for packet in packets { deliver(packet, path, segment.time, &state) }
    }

    private static func note(_ summary: SIPSummary, _ segment: Capture.Segment, _ state: inout State) {
        state.sipMessages += 1
        if let address = summary.mediaAddress { state.offers.append((address, summary.ssrc, segment.source)) }
        guard state.lines.count < mostSIPLines else { return }
        let time = Inspection.seconds(Int64(segment.time / 1000) * 9 / 100)
        var line = "  \(time) \(segment.source) -> \(segment.destination) \(summary.firstLine)"
        if summary.firstLine.hasPrefix("SIP/2.0") { line += " (\(summary.sequence))" }
        if !summary.body.isEmpty { line += " [\(summary.body)]" }
        state.lines.append(line)
    }

    /// What the SDPs promise and the RTP does not keep.
    private static func mismatches(_ state: State) -> [String] {
        var problems: [String] = []
        for offer in state.offers where !offer.address.hasSuffix(":9") && !offer.address.hasSuffix(":0") {
            let flows = state.flows.filter { $0.key.destination == offer.address || $0.key.source == offer.address }
            if flows.isEmpty {
                problems.append("no RTP to or from \(offer.address), which the SDP of \(offer.from) names")
                continue
            }
            guard let text = offer.ssrc, let wanted = UInt32(text) else { continue }
            let seen = Set(flows.values.flatMap(\.ssrcs))
            if !seen.isEmpty, !seen.contains(wanted) {
                let list = seen.sorted().map(String.init).joined(separator: ", ")
                problems.append("the SDP of \(offer.from) says SSRC \(text), the RTP at \(offer.address) has \(list)")
            }
        }
        return problems
    }
}
