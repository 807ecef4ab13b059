import Media

/// What a viewer is sent before the message it starts at.
final class Preamble: Sendable {
    /// Differs whenever the headers differ in more than their time, over all streams.
    let version: Int
    /// Sent once in a connection.
    let fileHeader: ByteBlock
    /// Metadata and sequence headers; sent again when they have changed.
    let headers: ByteBlock
    /// The headers before they were laid out, for logs of other formats.
    let messages: [FLVMessage]
    /// RTSP: where each media's packets go on from here.
    let starts: [RTPStart]
    /// fMP4 over WebSocket: the text message that goes before new headers. What is cached then goes into one message with them.
    let announcement: ByteBlock?

    init(
        version: Int,
        messages: [FLVMessage] = [],
        starts: [RTPStart] = [],
        announcement: ByteBlock? = nil,
        fileHeader: ByteBlock,
        headers: ByteBlock
    ) {
        self.announcement = announcement
        self.version = version
        self.messages = messages
        self.starts = starts
        self.fileHeader = fileHeader
        self.headers = headers
    }
}

/// A message at which viewers can start.
struct KeyFrame: Sendable {
    var position: LogPosition
    /// Milliseconds.
    var timestamp: UInt32
    var preamble: Preamble
}

/// What one loop learns of a log: the slabs that changed since it was last told, or all of them at first.
struct LogUpdate: Sendable {
    let log: Int
    /// Greater than that of any earlier publisher of the stream.
    let publication: Int
    /// Number of the oldest slab that is kept.
    let first: Int
    /// Number of the first of `slabs`; those before it are as they were.
    let from: Int
    let slabs: [LogSlab]
    /// The newest: where a viewer goes on that was too slow.
    let key: KeyFrame?
    /// The oldest that is kept: where a viewer starts that was there before the log.
    let oldest: KeyFrame?
    /// Where a new viewer starts; nil when it has to wait for the next key frame.
    let start: KeyFrame?
    /// How far a new viewer may read in the newest group of pictures; nil: on and on.
    let cap: LogPosition?
    /// Messages appended since the last update, for the load figures.
    let messages: Int
    /// Time of the last message in milliseconds.
    let timestamp: UInt32
    /// RTSP: what the packets are of.
    let description: StreamDescription?
    /// The log has begun with this update: who was there before is no late viewer.
    let isBeginning: Bool

    /// Tells all that is kept.
    var isSnapshot: Bool { from == first }
}
