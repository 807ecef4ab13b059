import Glibc
package import NIOCore

/// Limits of the Hub. 0 means no limit for the numbers of streams and viewers.
package struct HubConfiguration: Sendable {
    /// What is kept of a stream without a viewer, from its newest key frame on (`idle_gop_cache_kb`).
    package var idleGOPCacheBytes = 192 * 1024
    /// What is kept at most of a stream in one format (`gop_cache_max_kb`).
    package var gopCacheBytes = 16384 * 1024
    /// The longest that messages wait to be sent together (`merge_window_ms`, 0 to 1000 ms).
    package var maximumMergeWindow = TimeAmount.milliseconds(40)
    /// Up to so many sends a second nothing waits: they cost about 1 % of a core.
    package var sendsBeforeMerging = 2000
    /// A viewer whose socket takes nothing for so long is closed.
    package var stallTimeout = TimeAmount.seconds(10)
    /// A viewer that gets nothing for so long, for want of a publisher, is closed.
    package var waitTimeout = TimeAmount.seconds(120)
    /// Bytes that the kernel may hold unsent for a viewer (TCP_NOTSENT_LOWAT): more would be lag that nobody sees.
    package var unsentBytes = 256 * 1024
    package var maximumStreams = 0
    package var maximumViewers = 0
    package var maximumViewersOfStream = 0
    /// Memory of slabs that is kept for the next ones.
    package var warmSlabBytes = 4 * 1024 * 1024
    /// Milliseconds since 1970.
    package var wallClock: @Sendable () -> Int64 = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    package init() {}
}
