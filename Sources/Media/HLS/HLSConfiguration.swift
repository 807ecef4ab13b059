/// How a stream is cut into HLS segments and how long they are listed. Times are in 1/90000 s, as those of frames.
package struct HLSConfiguration: Hashable, Sendable {
    package enum Container: Hashable, Sendable {
        /// MPEG-TS, as lal has it.
        case transportStream
        /// Fragmented MP4 with Low-Latency HLS.
        case fragmentedMP4
    }

    package var container: Container
    /// A segment ends at the first key frame after so long.
    package var fragment: Int64
    /// A segment ends after so long without a key frame too. See `HLSCutter`.
    package var longestSegment: Int64
    /// What a part should last; how long parts may be is decided by the frames of the first segment.
    package var part: Int64
    /// Entries of the live playlist.
    package var listed: Int
    /// Segments that stay downloadable after they have left the playlist, however long ago.
    package var kept: Int
    /// Segments there must be before the playlist is shown. lal: 1. Chromium's own player gives up on fewer than 3.
    package var minimumSegments: Int
    /// Bytes of all segments that are held, listed or not.
    package var maximumBytes: Int
    /// A segment ends in front of the frame that would make it larger.
    package var maximumSegmentBytes: Int

    /// - Parameters: as lal names them: `fragment_duration_ms`, `fragment_num`, `delete_threshold`.
    package init(
        container: Container,
        fragmentMilliseconds: Int = 3000,
        partMilliseconds: Int = 200,
        fragmentNumber: Int = 6,
        deleteThreshold: Int = 6,
        minimumSegments: Int = 1,
        maximumBytes: Int = 256 << 20
    ) {
        self.container = container
        fragment = Int64(min(max(fragmentMilliseconds, 100), 60_000)) * 90
        // A camera's pictures groups of 10 s and more are cut where they end, up to 12 s: TARGETDURATION, and with it the lag of
        // every player, grows with the longest. Never so long that lal's jump of time (10 fragments) is reached.
        longestSegment = min(10 * fragment, max(4 * fragment, 12 * 90_000))
        part = min(Int64(min(max(partMilliseconds, 20), 5_000)) * 90, fragment)
        listed = min(max(fragmentNumber, 1), 10_000)
        kept = min(max(deleteThreshold, 0), 10_000)
        self.minimumSegments = min(max(minimumSegments, 1), listed)
        self.maximumBytes = max(maximumBytes, 1 << 20)
        maximumSegmentBytes = max(self.maximumBytes / 4, 1 << 20)
    }
}
