package import NIOCore

/// Where another rendition stands.
package struct HLSRenditionReport: Hashable, Sendable {
    /// Relative to the playlist that the report is in.
    package var uri: String
    package var lastSegment: Int
    package var lastPart: Int?

    package init(uri: String, lastSegment: Int, lastPart: Int? = nil) {
        self.uri = uri
        self.lastSegment = lastSegment
        self.lastPart = lastPart
    }
}

extension HLSWindow {
    /// lal's live playlist. The line about the sequence of discontinuities is not lal's: it appears when the first of them has
    /// left the list, as RFC 8216 4.3.3.3 demands.
    func transportStreamPlaylist() -> HLSText {
        var text = HLSText()
        text.append("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-ALLOW-CACHE:NO\n")
        text.append("#EXT-X-TARGETDURATION:\(target?.seconds ?? 0)\n")
        text.append("#EXT-X-MEDIA-SEQUENCE:\(firstListed)\n")
        if discontinuitySequence > 0 { text.append("#EXT-X-DISCONTINUITY-SEQUENCE:\(discontinuitySequence)\n") }
        text.append("\n")
        for segment in segments {
            if segment.opening.isDiscontinuous { text.append("#EXT-X-DISCONTINUITY\n") }
            text.append(segment.lines)
        }
        if hasEnded { text.append("#EXT-X-ENDLIST\n") }
        return text
    }

    /// The media playlist of Low-Latency HLS.
    ///
    /// - Parameter count: how many of the oldest segments a delta update leaves out (RFC 8216bis 6.2.5.1).
    func partsPlaylist(skipping count: Int) -> HLSText {
        var text = HLSText()
        appendHead(&text)
        if count > 0 { text.append("#EXT-X-SKIP:SKIPPED-SEGMENTS=\(count)\n") }
        var initialization: Int?
        var distance = distanceToEnd
        for (index, segment) in segments.enumerated() {
            distance &-= segment.duration
            guard index >= count else { continue }
            appendStart(of: segment, after: &initialization, &text)
            if distance < 3 * targetDuration { text.append(segment.partLines) }
            text.append(segment.lines)
        }
        guard !hasEnded else {
            text.append("#EXT-X-ENDLIST\n")
            return text
        }
        // Nothing is said of a segment that has no part yet: the hint is enough.
        if let open, !open.parts.isEmpty {
            appendStart(of: open, after: &initialization, &text)
            text.append(open.partLines)
        }
        let hint = HLSNames.reference(names.part(next, open?.parts.count ?? 0))
        text.append(uri: "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"\(hint)")
        text.append("\"\n")
        for sibling in siblings {
            text.append(uri: "#EXT-X-RENDITION-REPORT:URI=\"\(sibling.uri)")
            let part = sibling.lastPart.map { ",LAST-PART=\($0)" } ?? ""
            text.append("\",LAST-MSN=\(sibling.lastSegment)\(part)\n")
        }
        return text
    }

    private func appendHead(_ text: inout HLSText) {
        let seconds = target?.seconds ?? 0
        let part = target?.part ?? 0
        text.append("#EXTM3U\n#EXT-X-VERSION:9\n")
        // True of what is listed, not promised for what comes: see `HLSCutter`.
        if segments.allSatisfy(\.opening.isIndependent), open?.opening.isIndependent ?? true {
            text.append("#EXT-X-INDEPENDENT-SEGMENTS\n")
        }
        text.append("#EXT-X-TARGETDURATION:\(seconds)\n")
        let holdBack = HLSDecimal.secondsRoundedUp(3 * part, digits: 3)
        text.append("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=\(6 * seconds).0,")
        text.append("HOLD-BACK=\(3 * seconds).0,PART-HOLD-BACK=\(holdBack)\n")
        text.append("#EXT-X-PART-INF:PART-TARGET=\(HLSDecimal.secondsRoundedUp(part, digits: 3))\n")
        text.append("#EXT-X-MEDIA-SEQUENCE:\(firstListed)\n")
        if discontinuitySequence > 0 { text.append("#EXT-X-DISCONTINUITY-SEQUENCE:\(discontinuitySequence)\n") }
    }

    private func appendStart(of segment: HLSWindowSegment, after initialization: inout Int?, _ text: inout HLSText) {
        if segment.opening.isDiscontinuous { text.append("#EXT-X-DISCONTINUITY\n") }
        if let needed = segment.initialization, needed != initialization {
            initialization = needed
            text.append(uri: "#EXT-X-MAP:URI=\"\(HLSNames.reference(names.initialization(needed)))")
            text.append("\"\n")
        }
        text.append("#EXT-X-PROGRAM-DATE-TIME:\(HLSDate.text(segment.opening.wallClock))\n")
    }

    /// The playlist of playlists: it leads to `playlist` in the same folder.
    ///
    /// BANDWIDTH is the largest segment's there ever was, so that it holds for those that a reader still has.
    package func multivariantPlaylist(playlist: String = "ll.m3u8", query: String = "") -> ByteBuffer {
        var text = HLSText()
        text.append("#EXTM3U\n#EXT-X-VERSION:9\n")
        if isIndependent { text.append("#EXT-X-INDEPENDENT-SEGMENTS\n") }
        let duration = segments.reduce(0) { $0 &+ $1.duration }
        let bits = segments.reduce(0) { $0 &+ Int64($1.byteCount) &* 8 }
        let average = duration > 0 ? bits &* 90_000 / duration : 0
        text.append("#EXT-X-STREAM-INF:BANDWIDTH=\(max(peakBitrate, 1)),AVERAGE-BANDWIDTH=\(max(average, 1))")
        if let newest = initializations.last {
            if !newest.codecs.isEmpty { text.append(",CODECS=\"\(newest.codecs)\"") }
            if newest.width > 0, newest.height > 0 { text.append(",RESOLUTION=\(newest.width)x\(newest.height)") }
        }
        if let rate = target?.frameRate, rate > 0, rate < 1000 {
            text.append(",FRAME-RATE=\(HLSDecimal.fixed(Int64(rate * 1000 + 0.5), digits: 3))")
        }
        text.append("\n")
        text.append(uri: playlist)
        text.append("\n")
        return text.with(query: query)
    }

    var firstListed: Int { segments.first?.opening.number ?? next }

    /// From the beginning of the first segment to the end of the last part.
    private var distanceToEnd: Int64 {
        let parts = open?.parts.reduce(0) { $0 &+ $1.duration } ?? 0
        return segments.reduce(parts) { $0 &+ $1.duration }
    }

    /// How many segments lie wholly before the skip boundary.
    var skippable: Int {
        guard !hasEnded else { return 0 }
        var distance = distanceToEnd
        var count = 0
        for segment in segments {
            distance &-= segment.duration
            guard distance >= 6 * targetDuration else { break }
            count += 1
        }
        return count
    }
}
