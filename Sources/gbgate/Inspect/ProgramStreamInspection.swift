import Media
import NIOCore

/// Explains a bare program stream: its units, its map, its pictures.
enum ProgramStreamInspection {
    static func explain(_ bytes: [UInt8]) -> [String] {
        var demuxer = PSDemuxer()
        var streams = ElementaryStreams()
        var events: [MediaEvent] = []
        var summary = FrameSummary()
        bytes.withBytes { span in
            var at = 0
            while at < span.byteCount {
                let end = min(at + 65_536, span.byteCount)
                demuxer.receive(
                    span.extracting(at..<end),
                    rtpTimestamp: 0,
                    marker: false,
                    now: .uptimeNanoseconds(1_000_000_000),
                    streams: &streams,
                    into: &events
                )
                summary.add(events)
                events.removeAll(keepingCapacity: true)
                at = end
            }
        }
        if demuxer.isWhole { streams.video.flush(into: &events) }
        summary.add(events)

        let counters = demuxer.statistics
        var lines = [
            "  \(counters.packs) packs, \(counters.maps) maps, \(counters.packets) PES packets,"
                + " \(counters.skippedUnits) units skipped by length"
        ]
        if let map = firstMap(bytes) {
            let entries = map.entries.map { "\(Inspection.hex([$0.streamID])) is \($0.type.name)" }
            lines.append("  the map says: " + (entries.isEmpty ? "nothing" : entries.joined(separator: ", ")))
        } else {
            lines.append("  problem: no program stream map; the codecs are guessed from the bits")
        }
        lines += summary.explain(indent: "  ")
        if !demuxer.isWhole { lines.append("  problem: the last PES packet is cut") }
        if !demuxer.unsupportedCodecs.isEmpty {
            lines.append("  problem: \(demuxer.unsupportedCodecs.joined(separator: ", ")) cannot be carried on")
        }
        let problems =
            Problems.of(counters) + Problems.of(streams.video.statistics) + Problems.of(streams.audio.statistics)
        return lines + problems.map { "  problem: " + $0 }
    }

    private static func firstMap(_ bytes: [UInt8]) -> ProgramStreamMap? {
        bytes.withBytes { span in
            var at = 0
            while let found = span.startCode(from: at) {
                if found + 4 <= span.byteCount, bytes[found + 3] == 0xBC {
                    return ProgramStreamMap(span.extracting(found..<span.byteCount))
                }
                at = found + 3
            }
            return nil
        }
    }
}
