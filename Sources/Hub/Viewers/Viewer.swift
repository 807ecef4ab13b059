import CSockets
package import Media
package import NIOCore

/// A connection that watches a stream. It belongs to the event loop of its channel: all members are to be used there.
///
/// Its media bytes bypass the channel's pipeline. Whatever else the connection sends must go through `send(control:)`,
/// which puts it between two messages.
package final class Viewer {
    package enum CloseReason: Hashable, Sendable {
        /// The peer or the owner closed the channel.
        case channelClosed
        case kicked
        /// The peer took no bytes for `stallTimeout`.
        case stalled
        /// No publisher came for `waitTimeout`.
        case abandoned
        /// The publisher left and none came back within the grace period.
        case publisherGone
        /// The medias of the stream are no longer those that an RTSP reader was told of.
        case descriptionChanged
        /// The viewer's form of the stream cannot carry the publisher's codec.
        case unsupportedCodec(VideoCodec)
        case shutdown
        case sendFailed
    }

    struct Left {
        var log: Int
        var bytes: Int
        var timestamp: UInt32
    }

    /// Control bytes that may wait behind a blocked socket.
    static let controlLimit = 16 * 1024

    package let session: SessionInfo
    package let stream: String
    package let format: WireFormat
    /// nil: its packets are datagrams.
    package let channel: (any Channel)?
    let loop: any EventLoop
    /// Of an RTSP reader.
    var reading: RTPReading?
    let datagrams: (any RTPDatagramSink)?
    /// Made when it is known where the viewer begins.
    var answer: ((_ starts: [RTPStart]?) -> ByteBuffer)?

    let dispatcher: LoopDispatcher
    let readers: LoopReaders
    /// nil: bytes go through the channel's pipeline (TLS).
    let descriptor: CInt?
    var cursor = ViewerCursor()
    var meter = ByteMeter()
    /// False when a reservation keeps its place.
    var isCounted = true
    /// A write of NIO's is under way: nothing may be sent past it.
    var isBlocked = true
    var isParking = false
    var isClosed = false
    var closeReason = CloseReason.channelClosed
    /// Gets the last bytes and is closed then.
    var isEnding = false
    var onEnd: ((CloseReason) -> ByteBuffer?)?
    /// It leaves, and its channel stays open.
    var onRelease: (() -> Void)?
    var endTimer: Scheduled<Void>?
    /// It was there when the publisher left: it stays so long.
    var graceEnd: NIODeadline?
    /// When the peer last took something, or the viewer began to wait.
    var progressed: NIODeadline
    /// `progressed` is judged by this: bytes sent, less those that the kernel still holds.
    var delivered = -1
    /// Where it was when it lagged out of the log; nil once it has started again.
    var left: Left?
    var skips = 0
    var skippedBytes = 0
    var skippedMilliseconds = 0

    init(
        session: SessionInfo,
        stream: String,
        readers: LoopReaders,
        channel: (any Channel)?,
        descriptor: CInt?,
        datagrams: (any RTPDatagramSink)? = nil,
        dispatcher: LoopDispatcher,
        onEnd: ((CloseReason) -> ByteBuffer?)?
    ) {
        self.session = session
        self.stream = stream
        self.format = readers.format
        self.readers = readers
        self.channel = channel
        self.descriptor = descriptor
        self.datagrams = datagrams
        loop = dispatcher.loop
        self.dispatcher = dispatcher
        self.onEnd = onEnd
        progressed = dispatcher.loop.now
    }

    /// Bytes that this session has received, for the statistics.
    package func count(readBytes: Int) {
        meter.readBytes &+= readBytes
    }

    /// Sends bytes of the session's own between two messages. Dropped and counted when too many wait already.
    package func send(control bytes: ByteBuffer) {
        dispatcher.send(control: bytes, to: self)
    }

    /// Sends the answer to PLAY, if that still waits for where the stream begins.
    package func answerAtOnce() {
        if answer != nil { dispatcher.begin(self) }
    }

    /// Leaves the stream between two messages and gives the channel back.
    /// - Parameters:
    ///   - last: sent behind the last whole message.
    ///   - then: called when all of it has gone to the socket; not at all when the channel closes before.
    package func release(sending last: ByteBuffer = ByteBuffer(), then: @escaping () -> Void) {
        dispatcher.release(self, sending: last, then: then)
    }

    /// Closes the channel and leaves the stream.
    package func close() {
        dispatcher.close(self, because: .channelClosed)
    }
}
