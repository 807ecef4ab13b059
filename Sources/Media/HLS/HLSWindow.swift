package import NIOCore

/// The live window of one stream in one container: which segments and parts are listed, which can still be had, and what to
/// answer to a reader.
///
/// TARGETDURATION and PART-TARGET never change. A segment leaves the playlist when there are more than `listed` and three
/// target durations stay (RFC 8216bis 6.2.2); it can be downloaded for three target durations more, and as long as it is among
/// the last `kept` ones. The limit on bytes goes before all of this.
package struct HLSWindow: Sendable {
    package let configuration: HLSConfiguration
    package let names: HLSNames

    /// Nil until the first segments are known.
    package private(set) var target: HLSTarget?
    /// Nothing follows: the playlist says so.
    package private(set) var hasEnded = false
    /// Bytes of all that is held.
    package private(set) var byteCount = 0
    /// Segments that went before their time, for the limit on bytes.
    package private(set) var droppedSegments = 0
    /// Other renditions of the same stream (EXT-X-RENDITION-REPORT); they have to be kept up to date.
    package var siblings: [HLSRenditionReport] = [] {
        didSet { if siblings != oldValue { render() } }
    }

    private(set) var segments: [HLSWindowSegment] = []
    private(set) var open: HLSWindowSegment?
    /// No longer listed, oldest first.
    private(set) var retired: [HLSWindowSegment] = []
    private(set) var initializations: [HLSInitialization] = []
    private(set) var discontinuitySequence = 0
    /// No segment of the publication began without a key frame.
    private(set) var isIndependent = true
    /// Bits a second of the largest segment of the publication.
    private(set) var peakBitrate: Int64 = 0
    private var closed = 0
    /// Segments that were whole, ever.
    package var closedSegments: Int { closed }
    /// The media sequence number that comes after the last closed segment.
    private(set) var next = 0

    /// The playlists as they are now: a thousand readers poll between two changes.
    private(set) var full = HLSText()
    private(set) var delta: HLSText?

    package init(_ configuration: HLSConfiguration, names: HLSNames) {
        self.configuration = configuration
        self.names = names
    }

    /// Enough segments for a first playlist.
    package var isReady: Bool {
        target != nil && closed >= (hasEnded ? 1 : configuration.minimumSegments)
    }

    /// - Returns: names of segments that can no longer be had: files to delete.
    @discardableResult
    package mutating func apply(_ actions: [HLSAction], now: NIODeadline) -> [String] {
        guard !actions.isEmpty else { return [] }
        var gone: [String] = []
        for action in actions { apply(action, now: now, gone: &gone) }
        render()
        return gone
    }

    /// Drops the oldest segments, so that `bytes` are held no longer or one segment is left.
    /// - Returns: their names.
    package mutating func giveUp(_ bytes: Int) -> [String] {
        var gone: [String] = []
        limit(to: byteCount - bytes, &gone)
        if !gone.isEmpty { render() }
        return gone
    }

    /// The stream is over: EXT-X-ENDLIST. A publisher who comes back later gets a new window.
    package mutating func end() {
        hasEnded = true
        open = nil
        render()
    }

    private mutating func apply(_ action: HLSAction, now: NIODeadline, gone: inout [String]) {
        switch action {
        case .initialization(let initialization):
            initializations.append(initialization)
        case .target(let target):
            // A promise: a second one would break the first.
            if self.target == nil { self.target = target }
        case .opened(let opening):
            open = HLSWindowSegment(opening, initialization: initializations.last?.number)
            next = opening.number
            if !opening.isIndependent { isIndependent = false }
        case .part(let part):
            open?.append(part)
            byteCount &+= part.bytes.readableBytes
            limitBytes(&gone)
        case .closed(let closing):
            close(closing, now: now, gone: &gone)
        }
    }

    private mutating func close(_ closing: HLSClosing, now: NIODeadline, gone: inout [String]) {
        guard var segment = open else { return }
        open = nil
        byteCount &-= segment.byteCount
        segment.close(closing, digits: configuration.container == .transportStream ? 3 : 5)
        byteCount &+= segment.byteCount
        segments.append(segment)
        closed &+= 1
        next = closing.number &+ 1
        if closing.duration > 0 {
            let bits = Int64(closing.bytes.readableBytes) &* 8
            peakBitrate = max(peakBitrate, bits &* 90_000 / closing.duration)
        }
        evict(now: now, gone: &gone)
    }

    private mutating func evict(now: NIODeadline, gone: inout [String]) {
        var duration = segments.reduce(0) { $0 &+ $1.duration }
        // Times that keep jumping make segments of a frame: their number has a limit too.
        let most = max(4 * configuration.listed, 64)
        while segments.count > configuration.listed, let oldest = segments.first,
            segments.count > most || duration &- oldest.duration >= 3 * targetDuration
        {
            duration &-= oldest.duration
            retire(now: now)
        }
        while let oldest = retired.first, retired.count > configuration.kept,
            retired.count > most
                || (oldest.left.map { now - $0 >= .nanoseconds(3 * targetDuration * 100_000 / 9) } ?? true)
        {
            gone.append(removeRetired())
        }
        limitBytes(&gone)
        let needed = Set((retired + segments).compactMap(\.initialization))
        let newest = initializations.last?.number
        initializations.removeAll { $0.number != newest && !needed.contains($0.number) }
    }

    private mutating func limitBytes(_ gone: inout [String]) {
        limit(to: configuration.maximumBytes, &gone)
    }

    private mutating func limit(to bytes: Int, _ gone: inout [String]) {
        while byteCount > bytes, !retired.isEmpty || segments.count > 1 {
            if retired.isEmpty { retire(now: .distantPast) }
            gone.append(removeRetired())
            droppedSegments &+= 1
        }
    }

    private mutating func retire(now: NIODeadline) {
        var oldest = segments.removeFirst()
        if oldest.opening.isDiscontinuous { discontinuitySequence &+= 1 }
        oldest.left = now
        retired.append(oldest)
    }

    private mutating func removeRetired() -> String {
        let segment = retired.removeFirst()
        byteCount &-= segment.byteCount
        return segment.opening.name
    }

    /// In 1/90000 s.
    var targetDuration: Int64 {
        target.map { Int64($0.seconds) * 90_000 } ?? max(configuration.fragment, 90_000)
    }

    private mutating func render() {
        guard isReady else { return }
        switch configuration.container {
        case .transportStream:
            full = transportStreamPlaylist()
        case .fragmentedMP4:
            full = partsPlaylist(skipping: 0)
            let skipped = skippable
            delta = skipped > 0 ? partsPlaylist(skipping: skipped) : nil
        }
    }
}
