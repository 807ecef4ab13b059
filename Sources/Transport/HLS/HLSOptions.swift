import Hub
package import Media
package import NIOCore

/// How HLS is made and served.
package struct HLSOptions: Sendable {
    /// When a stream is cut into segments.
    package enum Start: Hashable, Sendable {
        /// As long as it is published.
        case always
        /// From the first viewer on, until nobody has asked for `idleTime`.
        case onDemand
    }

    /// Begins and ends with a slash (lal's `url_pattern`).
    package var pattern = "/hls/"
    package var start = Start.onDemand
    package var transportStream = HLSConfiguration(container: .transportStream)
    package var fragmentedMP4 = HLSConfiguration(container: .fragmentedMP4)
    package var idleTime = TimeAmount.seconds(30)
    /// A request for a stream that is published and has no playlist yet waits so long.
    package var firstPlaylistTime = TimeAmount.seconds(20)
    /// A viewer that asks for nothing for so long is gone (`sub_session_timeout_ms`).
    package var sessionTime = TimeAmount.seconds(30)
    /// Not empty: viewers are told apart by a `session_id` in their URLs (`sub_session_hash_key`); else by address and User-Agent.
    package var sessionKey = ""
    /// How long a playlist stays open for a publisher that has left; the Hub's grace period.
    package var gracePeriod = TimeAmount.seconds(120)
    /// Of all streams. Where nobody knows how much memory there is, it has no limit.
    package var budget = HLSBudget(limit: SystemMemory.bytes > 0 ? SystemMemory.bytes / 4 : .max)
    /// Requests of one stream that may wait for what is to come.
    package var maximumWaiting = 10_000
    /// Viewers of all streams.
    package var maximumSessions = 100_000
    /// Whether somebody is about to publish a stream that nobody publishes: a pull on demand.
    package var isExpected: @Sendable (_ stream: String) -> Bool = { _ in false }
    /// Gets the segments of MPEG-TS, and serves those that are no longer in memory; nil: memory is all there is.
    package var files: (any HLSFiles)?
    /// Milliseconds since 1970.
    package var wallClock: @Sendable () -> Int64 = HubConfiguration().wallClock

    package init() {}
}

/// The folder of a stream's HLS on a disk. Called on event loops, in order for each stream: nothing may block.
package protocol HLSFiles: Sendable {
    func apply(_ changes: [HLSFileChange], stream: String)
    /// Reads a segment that was written before; `then` is called once, on any thread, with nil when there is none.
    func read(_ name: String, stream: String, then: @escaping @Sendable (ByteBuffer?) -> Void)
    /// `record.m3u8` with a query behind each URI.
    func record(of stream: String, query: String, then: @escaping @Sendable (ByteBuffer?) -> Void)
}

package enum HLSFileChange: Hashable, Sendable {
    /// - targetSeconds: EXT-X-TARGETDURATION.
    case segment(HLSOpening, HLSClosing, targetSeconds: Int)
    case livePlaylist(ByteBuffer)
    /// Segments that the window has let go of.
    case expired([String])
    case ended
}

/// The answer to a request.
package enum HLSReply: Sendable {
    case playlist(ByteBuffer)
    case media(HLSMedia)
    /// 302.
    case redirect(String)
    case refuse(status: Int, reason: String)
}

/// A segment, a part of one, or an init segment.
package struct HLSMedia: Sendable {
    package var bytes: ByteBuffer
    package var contentType: String
    package var cacheSeconds: Int
}
