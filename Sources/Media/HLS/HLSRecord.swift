package import NIOCore

/// lal's `record.m3u8`: every segment of a stream, for playing it from its beginning. It always ends with EXT-X-ENDLIST and
/// outlives a publication.
package struct HLSRecord: Sendable {
    /// More text is not kept: about 100,000 segments.
    package static let maximumBytes = 8 << 20
    private static let end = "#EXT-X-ENDLIST\n"

    /// What to do with the file.
    package enum Change: Hashable, Sendable {
        /// To be written from this byte on, over the last line.
        case write(ByteBuffer, at: Int)
        /// The first lines are others: all of it is to be written.
        case rewrite(ByteBuffer)
    }

    private var entries = HLSText()
    private var seconds = 0
    /// Segments that the limit left out.
    package private(set) var droppedSegments = 0

    package init() {}

    /// Goes on with a list that was written before; with an empty one when the text is none.
    package init(_ text: String) {
        let lines = text.split(separator: "\n")
        guard lines.first == "#EXTM3U", text.utf8.count <= Self.maximumBytes else { return }
        for line in lines.dropFirst() {
            if line.hasPrefix("#EXT-X-TARGETDURATION:") {
                seconds = min(max(Int(line.dropFirst(22)) ?? 0, 0), 1 << 20)
            } else if line == "#EXT-X-DISCONTINUITY" || line.hasPrefix("#EXTINF:") {
                entries.append("\(line)\n")
            } else if !line.hasPrefix("#") {
                entries.append(uri: String(line))
                entries.append("\n")
            }
        }
    }

    package var isEmpty: Bool { entries.count == 0 }

    /// - Returns: nil when it is full.
    package mutating func append(_ opening: HLSOpening, _ closing: HLSClosing, targetSeconds: Int) -> Change? {
        guard entries.count < Self.maximumBytes else {
            droppedSegments &+= 1
            return nil
        }
        let at = head.utf8.count + entries.count
        let isNew = isEmpty
        var entry = HLSText()
        if opening.isDiscontinuous { entry.append("#EXT-X-DISCONTINUITY\n") }
        entry.append("#EXTINF:\(HLSDecimal.seconds(closing.duration, digits: 3)),\n")
        entry.append(uri: HLSNames.reference(closing.name))
        entry.append("\n")
        entries.append(entry)
        // It is not a live list: the promise is renewed when a later publication has longer segments.
        let needed = max(targetSeconds, Int((closing.duration &+ 45_000) / 90_000))
        guard needed <= seconds, !isNew else {
            seconds = max(seconds, needed)
            return .rewrite(playlist())
        }
        entry.append(Self.end)
        return .write(entry.bytes, at: at)
    }

    package func playlist(query: String = "") -> ByteBuffer {
        var text = HLSText()
        text.append(head)
        text.append(entries)
        text.append(Self.end)
        return text.with(query: query)
    }

    private var head: String {
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:\(seconds)\n#EXT-X-MEDIA-SEQUENCE:0\n\n"
    }
}
