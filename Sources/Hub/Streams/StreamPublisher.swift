package import Media
package import NIOCore

/// The input of one stream. It belongs to the event loop that it was made on: all members are to be used there.
///
/// It turns media events into FLV messages and appends them to the byte log of each format that has a viewer.
package final class StreamPublisher {
    /// A longer frame is dropped.
    package static let maximumFrame = 8 * 1024 * 1024
    /// Before this much media time a stream of one track may still get its second one.
    private static let settleTime: Int64 = 300 * 90
    /// A stream of sound alone may get its picture much later: cameras send key frames every few seconds.
    private static let soundSettleTime: Int64 = 3000 * 90
    private static let settleFrames = 150
    /// Sound alone has no key frames: a viewer starts at most this many milliseconds back.
    private static let soundGOP: UInt32 = 1000

    package let stream: String
    package let app: String
    package let session: SessionInfo
    package let loop: any EventLoop
    /// Frames that went nowhere: before the first key frame, without parameters, too long.
    package private(set) var droppedFrames = 0

    var meter = ByteMeter()
    var isUnflushed = false
    private(set) var isFinished = false
    private(set) var isSettled = false

    private let dispatcher: LoopDispatcher
    private let registry: StreamRegistry
    private var onKick: (() -> Void)?
    private var continuity: TimestampContinuity
    private var packager = FLVPackager(hevc: .legacy)
    /// Is given parameters only, for the headers of the enhanced form.
    private var enhancedPackager = FLVPackager(hevc: .enhanced)
    private(set) var video: VideoParameters?
    private(set) var audio: AudioParameters?
    private var headersVersion = 0
    /// The first is always FLV.
    private(set) var logs: [ByteLog]
    private var readers: [StreamRegistry.Reader] = []
    private var frameRate = FrameRateRing()

    private var firstTime: Int64?
    private var frames = 0
    /// Time of the newest key frame, nil until there was one.
    private var keyTime: UInt32?
    private var hasPicture = false
    /// The cache of a stream without viewers is full: nothing is appended up to the next key frame.
    private(set) var isPaused = false

    init(
        stream: String,
        app: String,
        session: SessionInfo,
        dispatcher: LoopDispatcher,
        onKick: @escaping () -> Void
    ) {
        self.stream = stream
        self.app = app
        self.session = session
        self.dispatcher = dispatcher
        self.onKick = onKick
        loop = dispatcher.loop
        registry = dispatcher.registry
        continuity = TimestampContinuity(after: nil)
        logs = [ByteLog(id: registry.nextIdentifier(), format: .flv, pool: registry.slabs)]
    }

    /// Begins with the viewers that wait.
    func start(_ waiting: [StreamRegistry.Reader], after lastTime: Int64?) {
        readers = waiting
        continuity = TimestampContinuity(after: lastTime)
        dispatcher.publishers.append(self)
        dispatcher.startWatch()
    }

    /// Takes what an input has demuxed, in order.
    package func receive(_ events: [MediaEvent]) {
        for event in events { receive(event) }
    }

    package func receive(_ event: MediaEvent) {
        loop.assertInEventLoop()
        guard !isFinished else { return }
        switch event {
        case .video(let parameters):
            let codecChanged = video.map { $0.codec != parameters.codec } ?? false
            video = parameters
            appendHeaders(event)
            if codecChanged { changeCodec() }
        case .audio(let parameters):
            audio = parameters
            appendHeaders(event)
        case .frame(var frame):
            guard frame.payload.readableBytes <= Self.maximumFrame else {
                droppedFrames &+= 1
                return
            }
            continuity.apply(to: &frame)
            append(frame)
            settle(frame)
        }
        guard isSettled, !isUnflushed, !readers.isEmpty, logs.contains(where: \.hasChanges) else { return }
        isUnflushed = true
        dispatcher.scheduleFlush(of: self)
    }

    /// Bytes that the session has received or sent, for the statistics.
    package func count(readBytes: Int, wroteBytes: Int = 0) {
        meter.readBytes &+= readBytes
        meter.wroteBytes &+= wroteBytes
    }

    /// Ends the publication. Viewers stay and wait for the next one.
    package func finish() {
        loop.assertInEventLoop()
        guard !isFinished else { return }
        isFinished = true
        onKick = nil
        flush { $0.deliver([$1]) }
        for reader in readers {
            guard let log = log(reader.format) else { continue }
            reader.dispatcher.deliver([.ended(stream: stream, format: reader.format, log: log.id)])
        }
        dispatcher.publishers.removeAll { $0 === self }
        registry.publisherLeft(stream, session, lastTime: continuity.last, bytes: meter)
        readers = []
        logs = []
    }

    /// Asks the owner to end the session.
    func kick() {
        onKick?()
    }

    func snapshot(at unixSecond: Int64) -> StreamSnapshot {
        StreamSnapshot(
            name: stream,
            app: app,
            video: video,
            audio: audio,
            publisher: SessionSnapshot(info: session, bytes: meter),
            framesPerSecond: frameRate.finished(before: unixSecond),
            cacheBytes: logs.reduce(0) { $0 + $1.memory },
            droppedFrames: droppedFrames &+ packager.droppedFrames
        )
    }
}

// Readers
extension StreamPublisher {
    func attach(_ reader: StreamRegistry.Reader) {
        guard !isFinished else { return }
        readers.append(reader)
        guard isSettled else { return }
        sendSnapshot(to: reader)
    }

    func detach(_ dispatcher: LoopDispatcher, _ format: WireFormat) {
        readers.removeAll { $0.dispatcher === dispatcher && $0.format == format }
        logs.removeAll { log in log.format != .flv && !readers.contains { resolve($0.format) == log.format } }
    }

    /// Hands over what is new, for each loop that has viewers.
    func flush(_ send: (LoopDispatcher, LoopDispatcher.Message) -> Void) {
        guard isSettled else { return }
        for log in logs where log.hasChanges {
            let update = log.takeChanges()
            for reader in readers where resolve(reader.format) == log.format {
                send(reader.dispatcher, .update(stream: stream, format: reader.format, update))
            }
        }
    }

    private func sendSnapshot(to reader: StreamRegistry.Reader) {
        let format = resolve(reader.format)
        let log = log(format) ?? addLog(format, seeded: true)
        let isFirst = !readers.contains {
            resolve($0.format) == format && !($0.dispatcher === reader.dispatcher && $0.format == reader.format)
        }
        if isFirst { log.forgetChanges() }
        reader.dispatcher.deliver([.update(stream: stream, format: reader.format, log.snapshot())])
    }

    /// Only H.265 has two forms.
    private func resolve(_ format: WireFormat) -> WireFormat {
        video?.codec == .h265 ? format : WireFormat(format.framing)
    }

    private func log(_ format: WireFormat) -> ByteLog? {
        let format = resolve(format)
        return logs.first { $0.format == format }
    }

    @discardableResult
    private func addLog(_ format: WireFormat, seeded: Bool) -> ByteLog {
        let log = ByteLog(id: registry.nextIdentifier(), format: format, pool: registry.slabs)
        if seeded { seed(log) }
        logs.append(log)
        return log
    }

    /// Writes the GOP so far into a new log.
    private func seed(_ log: ByteLog) {
        var reader = FLVTagReader()
        var bytes = ByteBuffer()
        FLVTagWriter.writeFileHeader(into: &bytes)
        logs[0].forEachPieceSinceKey { piece in
            bytes.writeBytes(piece)
            while let message = try? reader.next(from: &bytes) {
                write(message, to: log, startsGOP: log.position == 0)
            }
            bytes.discardReadBytes()
        }
    }

    private func changeCodec() {
        logs.removeAll { $0.format != .flv }
        keyTime = nil
        hasPicture = false
        guard isSettled else { return }
        for reader in readers {
            let format = resolve(reader.format)
            if format != .flv {
                if log(format) == nil { addLog(format, seeded: false) }
                sendSnapshot(to: reader)
            } else if reader.format != .flv {
                sendSnapshot(to: reader)
            }
        }
    }

    /// Viewers get nothing before the tracks are known: the FLV header says what there is.
    private func settle(_ frame: Frame) {
        guard !isSettled else { return }
        frames &+= 1
        let first = firstTime ?? frame.dts
        firstTime = first
        let time = frame.dts &- first
        let hasBoth = video != nil && audio != nil
        let enough = video != nil ? Self.settleTime : Self.soundSettleTime
        guard hasBoth || time >= enough || frames >= Self.settleFrames else { return }
        isSettled = true
        for reader in readers { sendSnapshot(to: reader) }
    }
}

// Messages
extension StreamPublisher {
    private func appendHeaders(_ event: MediaEvent) {
        headersVersion = registry.nextIdentifier()
        var legacy: [FLVMessage] = []
        var enhanced: [FLVMessage] = []
        packager.package(event, into: &legacy)
        enhancedPackager.package(event, into: &enhanced)
        guard let time = legacy.first?.timestamp, keyTime != nil, !isPaused else { return }
        for log in logs {
            for var message in log.format.hevc == .legacy ? legacy : enhanced {
                message.timestamp = Self.headerTime(message, time)
                write(message, to: log, startsGOP: false)
            }
        }
    }

    private func append(_ frame: Frame) {
        var messages: [FLVMessage] = []
        packager.package(.frame(frame), into: &messages)
        for message in messages { append(message) }
    }

    private func append(_ message: FLVMessage) {
        let starts: Bool
        switch message.kind {
        case .video:
            frameRate.count(at: registry.configuration.wallClock() / 1000)
            starts = message.isKey
            if starts { hasPicture = true }
            guard hasPicture else {
                droppedFrames &+= 1
                return
            }
        case .audio:
            guard video == nil || hasPicture else {
                droppedFrames &+= 1
                return
            }
            starts = video == nil && keyTime.map { message.timestamp &- $0 >= Self.soundGOP } ?? true
        case .script:
            starts = false
        }
        if starts {
            keyTime = message.timestamp
            isPaused = false
            if readers.isEmpty { logs[0].removeAll() }
        } else if readers.isEmpty, !isPaused,
            logs[0].memory(with: message.length &+ 32) > registry.configuration.idleGOPCacheBytes
        {
            isPaused = true
        }
        guard !isPaused else { return }
        for log in logs {
            write(message, to: log, startsGOP: starts)
            log.trim(to: registry.configuration.gopCacheBytes)
        }
    }

    private func write(_ message: FLVMessage, to log: ByteLog, startsGOP: Bool) {
        let preamble = startsGOP ? preamble(of: log, at: message.timestamp) : nil
        dispatcher.withScratch { bytes in
            log.framer.write(message, into: &bytes)
        } read: { bytes in
            log.append(bytes, timestamp: message.timestamp, preamble: preamble)
        }
    }

    /// FFmpeg takes metadata with a time for a subtitle and waits for more of them.
    private static func headerTime(_ message: FLVMessage, _ time: UInt32) -> UInt32 {
        message.kind == .script ? 0 : time
    }

    private func preamble(of log: ByteLog, at timestamp: UInt32) -> Preamble {
        let headers = log.format.hevc == .legacy ? packager.headers : enhancedPackager.headers
        var bytes = ByteBuffer()
        for var message in headers {
            message.timestamp = Self.headerTime(message, timestamp)
            log.framer.write(message, into: &bytes)
        }
        let fileHeader = log.framer.fileHeader(hasVideo: video != nil, hasAudio: audio != nil)
        return Preamble(version: headersVersion, fileHeader: ByteBlock(fileHeader), headers: ByteBlock(bytes))
    }
}
