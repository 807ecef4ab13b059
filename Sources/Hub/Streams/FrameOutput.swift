import Media
import NIOCore
import Streaming

/// What the readers of one form get that is laid out of frames: MPEG-TS, fMP4. It is made when the first reader comes, of what
/// is cached, and goes with the last.
final class FrameOutput {
    let format: WireFormat
    let log: ByteLog
    private var packager: any FramePackager
    private unowned let publisher: StreamPublisher
    /// Nothing is appended up to the next key frame.
    private var isPaused = false
    /// A reader can start at the next message: the frame at which it can has not come out of the muxer yet.
    private var startsNext = false
    /// Frames that came since the last message: sound that is gathered is load as any other.
    private var frames = 0

    init(_ format: WireFormat, of publisher: StreamPublisher) {
        self.format = format
        self.publisher = publisher
        log = publisher.makeLog(format)
        packager =
            switch format.framing {
            case .fmp4(let hasAudio): FMP4Packager(hasAudio: hasAudio, isAnnounced: false)
            case .webSocketFMP4(let hasAudio): FMP4Packager(hasAudio: hasAudio, isAnnounced: true)
            default: TSPackager()
            }
        if let video = publisher.video { packager.take(.video(video)) }
        if let audio = publisher.audio { packager.take(.audio(audio)) }
        publisher.forEachCachedFrame { append($0, startsGOP: $1) }
        // The rest of a group that is cached in part cannot be decoded.
        isPaused = isPaused || publisher.isPaused
    }

    func attach(_ reader: StreamRegistry.Reader, isBeginning: Bool) {
        log.readers.append(reader)
        if log.readers.count == 1 { log.forgetChanges() }
        reader.dispatcher.deliver([
            .update(stream: publisher.stream, format: format, log.snapshot(isBeginning: isBeginning))
        ])
    }

    /// Takes parameters; those of another codec are of use from the next key frame on.
    func take(_ event: MediaEvent, isOtherCodec: Bool) {
        packager.take(event)
        if isOtherCodec { isPaused = true }
    }

    func append(_ frame: Frame, startsGOP: Bool) {
        if startsGOP { isPaused = false }
        guard !isPaused else { return }
        let time = UInt32(truncatingIfNeeded: frame.dts / 90)
        if startsGOP {
            // What belongs before the place where readers start.
            write(time, isMedia: false) { bytes in packager.finishGroup(into: &bytes) }
            if packager.startsAnew(next: publisher.registry.nextIdentifier), log.key != nil {
                write(time, isMedia: false, wraps: false) { bytes in
                    if let announcement = packager.announcement { bytes.writeImmutableBuffer(announcement) }
                    wrap(&bytes) { $0.writeImmutableBuffer(packager.headers) }
                }
            }
            startsNext = true
        }
        frames &+= 1
        write(time) { bytes in packager.package(frame, startsGOP: startsNext, into: &bytes) }
    }

    /// Nothing more comes of this publisher.
    func finish() {
        write(log.timestamp, isMedia: false) { bytes in packager.finishGroup(into: &bytes) }
    }

    private func write(
        _ time: UInt32,
        isMedia: Bool = true,
        wraps: Bool = true,
        _ body: (inout ByteBuffer) -> Void
    ) {
        var isWritten = true
        publisher.dispatcher.withScratch { bytes in
            if wraps { wrap(&bytes, body) } else { body(&bytes) }
            guard bytes.readableBytes > 0 else { return }
            let preamble = isMedia && startsNext ? packager.preamble : nil
            if isMedia { startsNext = false }
            isWritten = bytes.withUnsafeReadableBytes {
                log.append($0, timestamp: time, preamble: preamble, isMedia: isMedia, frames: frames)
            }
            frames = 0
        }
        let registry = publisher.registry
        guard isWritten else {
            log.removeAll()
            isPaused = true
            publisher.droppedFrames &+= 1
            return
        }
        log.trim(to: registry.configuration.gopCacheBytes, newestOnly: registry.slabs.isUnderPressure)
    }

    private func wrap(_ bytes: inout ByteBuffer, _ body: (inout ByteBuffer) -> Void) {
        if format.framing.isWebSocket { WebSocketFrame.writeBinary(into: &bytes, body) } else { body(&bytes) }
    }
}
