package import Media

/// One session with its figures, as of a moment.
package struct SessionSnapshot: Hashable, Sendable {
    package var info: SessionInfo
    package var bytes: ByteMeter
    /// Viewers: how often it was moved to a newer key frame because it was too slow, and what it missed.
    package var skips = 0
    package var skippedBytes = 0
    package var skippedMilliseconds = 0
    /// Viewers: what is behind in the log.
    package var lagBytes = 0
    package var lagMilliseconds = 0
    /// Viewers: waits for a key frame or a publisher.
    package var isWaiting = false

    package init(
        info: SessionInfo,
        bytes: ByteMeter,
        skips: Int = 0,
        skippedBytes: Int = 0,
        skippedMilliseconds: Int = 0,
        lagBytes: Int = 0,
        lagMilliseconds: Int = 0,
        isWaiting: Bool = false
    ) {
        self.info = info
        self.bytes = bytes
        self.skips = skips
        self.skippedBytes = skippedBytes
        self.skippedMilliseconds = skippedMilliseconds
        self.lagBytes = lagBytes
        self.lagMilliseconds = lagMilliseconds
        self.isWaiting = isWaiting
    }
}

/// One second of the ring of video messages.
package struct FrameCount: Hashable, Sendable {
    package var unixSecond: Int64
    package var count: Int
}

/// Whether a stream is published and watched.
package struct StreamPresence: Hashable, Sendable {
    package var app: String
    package var publisher: SessionInfo?
    /// Players and pushes.
    package var viewers: Int
}

/// One stream with its sessions, as of a moment. The codec fields are empty and zero without a publisher.
package struct StreamSnapshot: Hashable, Sendable {
    package var name: String
    package var app: String
    package var video: VideoParameters?
    package var audio: AudioParameters?
    package var publisher: SessionSnapshot?
    /// The publisher has left and viewers stay for it until then, in milliseconds since 1970.
    package var graceUntil: Int64?
    /// In the order of their start.
    package var viewers: [SessionSnapshot] = []
    /// Video messages in each of the last finished seconds, newest first.
    package var framesPerSecond: [FrameCount] = []
    /// Memory of the byte logs.
    package var cacheBytes = 0
    /// Frames that went nowhere: before the first key frame, without parameters, or too long.
    package var droppedFrames = 0
}

/// Counters over all streams since the start.
package struct HubStatistics: Hashable, Sendable {
    package var sends = 0
    package var sentBytes = 0
    /// How often a full socket made a viewer wait.
    package var parks = 0
    package var skips = 0
    package var skippedBytes = 0
    package var skippedMilliseconds = 0
    /// Viewers closed because they took nothing for too long, or waited too long for a publisher.
    package var stalledViewers = 0
    package var abandonedViewers = 0
    /// Caches of streams that nobody watched, given up because all together took too much.
    package var shedCaches = 0
    /// How often the system had no memory for a cache.
    package var refusedSlabs = 0
    /// Control bytes of a session that had too many waiting.
    package var droppedControls = 0

    package init() {}

    package mutating func add(_ other: HubStatistics) {
        sends &+= other.sends
        sentBytes &+= other.sentBytes
        parks &+= other.parks
        skips &+= other.skips
        skippedBytes &+= other.skippedBytes
        skippedMilliseconds &+= other.skippedMilliseconds
        stalledViewers &+= other.stalledViewers
        abandonedViewers &+= other.abandonedViewers
        shedCaches &+= other.shedCaches
        refusedSlabs &+= other.refusedSlabs
        droppedControls &+= other.droppedControls
    }
}
