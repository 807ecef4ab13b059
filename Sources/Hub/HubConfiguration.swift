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
    /// A viewer that came before any publisher waits so long, and one whose publisher sends nothing.
    package var waitTimeout = TimeAmount.seconds(120)
    /// Whether a second publisher of a stream is refused or replaces the first; `Hub.publish` can ask otherwise.
    package var publisherPolicy = PublisherPolicy.reject
    /// How long viewers stay for a publisher that has left; with 0 they are ended with it.
    package var gracePeriod = TimeAmount.seconds(120)
    package var gopCount = GOPCount()
    /// When the newest group of pictures has more messages than this, a new viewer gets so many of it and then waits for the
    /// next key frame; 0: no such limit (`single_gop_max_frame_num`).
    package var singleGOPMessages = 0
    /// What waits to be sent goes out when it is so many bytes, at the latest after `maximumMergeWindow`
    /// (`merge_write_size`); 0: as the load asks.
    package var mergeWriteBytes = 0
    /// A stream that has no sound so long after its first picture gets silent AAC; nil: it stays without.
    package var dummyAudioWait: TimeAmount?
    /// Memory of the caches of all streams; beyond it those go first that nobody watches, then what is older than each
    /// stream's newest key frame. 0: no limit.
    package var cacheBytes = SystemMemory.bytes / 2
    /// What is refused beyond, as if the system had no memory; 0: nothing. For tests.
    var maximumSlabBytes = 0
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

/// What becomes of a second publisher of a stream.
package enum PublisherPolicy: Hashable, Sendable {
    /// It is refused, and this one is not replaced by others.
    case reject
    /// It replaces the first at once, when that one allows it too.
    case takeOver
}

/// How many groups of pictures a new viewer gets of what is cached, the newest possibly incomplete. 0 and 1 both mean the
/// newest; -1: none, it begins at the next key frame.
package struct GOPCount: Hashable, Sendable {
    /// Players and pushes (`rtmp.gop_num`).
    package var rtmp: Int
    /// HTTP and WebSocket (`httpflv.gop_num`).
    package var flv: Int
    /// RTSP (`rtsp.gop_num`).
    package var rtsp: Int

    package init(rtmp: Int = 1, flv: Int = 1, rtsp: Int = 1) {
        self.rtmp = rtmp
        self.flv = flv
        self.rtsp = rtsp
    }

    subscript(framing: WireFormat.Framing) -> Int {
        switch framing {
        case .flv, .webSocketFLV, .ts, .webSocketTS, .fmp4, .webSocketFMP4: flv
        case .rtmp, .rtmpPublish: rtmp
        case .rtsp: rtsp
        }
    }

    /// What is to be kept.
    var most: Int { max(rtmp, flv) }
}
