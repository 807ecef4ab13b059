import Media
import NIOCore

/// `gbgate inspect FILE`: says what is in a capture and what is wrong with it.
enum Inspection {
    /// The lines to print about a file: pcap, `.rfc4571` (RTP as in a TCP connection) or a bare program stream. What it is
    /// shows in its first bytes; the name is only for the text.
    static func explain(_ bytes: [UInt8], name: String) -> [String] {
        switch format(of: bytes) {
        case .capture(let capture): return CaptureInspection.explain(capture, name: name)
        case .newCapture:
            return ["\(name): a pcapng capture, which is not read; convert it: editcap -F pcap \(name) out.pcap"]
        case .programStream:
            return ["\(name): program stream, \(bytes.count) bytes"] + ProgramStreamInspection.explain(bytes)
        case .packets: return explainPackets(bytes, name)
        case .unknown:
            return [
                "\(name): \(bytes.count) bytes that are no pcap, no RTP in RFC 4571 framing and no program stream"
                    + " (first bytes \(hex(bytes.prefix(16))))"
            ]
        }
    }

    private enum Format {
        case capture(Capture)
        case newCapture
        case programStream
        case packets
        case unknown
    }

    private static func format(of bytes: [UInt8]) -> Format {
        if let capture = Capture(bytes) { return .capture(capture) }
        if bytes.starts(with: [0x0A, 0x0D, 0x0D, 0x0A]) { return .newCapture }
        if bytes.starts(with: [0, 0, 1, 0xBA]) { return .programStream }
        var framer = RTPStreamFramer()
        var packets = 0
        let failure = bytes.prefix(200_000).withBytes { framer.receive($0) { _ in packets += 1 } }
        if failure != nil || (packets > 0 && framer.statistics.resynchronisations == 0) { return .packets }
        let hasPack = bytes.prefix(1 << 20).withBytes { span in
            var at = 0
            while let found = span.startCode(from: at) {
                if found + 3 < span.byteCount, bytes[found + 3] == 0xBA { return true }
                at = found + 3
            }
            return false
        }
        return hasPack ? .programStream : packets > 0 ? .packets : .unknown
    }

    private static func explainPackets(_ bytes: [UInt8], _ name: String) -> [String] {
        var framer = RTPStreamFramer()
        var flow = RTPFlow(transport: .tcp)
        // Without a capture's clock, media time is the clock.
        let failure = bytes.withBytes { span in framer.receive(span) { flow.receive($0, at: nil) } }
        var lines = ["\(name): RTP in a TCP connection's framing, \(bytes.count) bytes"]
        lines += flow.explain(indent: "")
        lines += explain(framer, failure).map { "  problem: " + $0 }
        return lines
    }

    /// What the framing of a TCP connection says.
    static func explain(_ framer: RTPStreamFramer, _ failure: RTPStreamFailure?) -> [String] {
        var problems: [String] = []
        if let framing = framer.framing, framing != .rfc4571 {
            problems.append("the framing is \(framing.rawValue), not RFC 4571")
        }
        if framer.statistics.resynchronisations > 0 {
            problems.append(
                "the framing was lost \(framer.statistics.resynchronisations) times,"
                    + " \(framer.statistics.skippedBytes) bytes passed over"
            )
        }
        switch failure {
        case .sipOnMediaPort(let line):
            problems.append("SIP on the media port (\(line)): the device's SIP port setting points to it")
        case .noPackets(let count): problems.append("no packets in \(count) bytes: let the device send over UDP")
        case nil: break
        }
        return problems
    }

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    }

    /// Seconds with three digits, of 1/90000 s.
    static func seconds(_ ticks: Int64) -> String {
        let milliseconds = ticks / 90
        let fraction = String(abs(milliseconds) % 1000)
        return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }
}

extension Array where Element == UInt8 {
    /// Reads the array in place.
    func withBytes<Result>(_ body: (RawSpan) -> Result) -> Result {
        body(span.bytes)
    }
}

extension ArraySlice where Element == UInt8 {
    /// Reads a copy of the slice.
    func withBytes<Result>(_ body: (RawSpan) -> Result) -> Result {
        Array(self).withBytes(body)
    }
}
