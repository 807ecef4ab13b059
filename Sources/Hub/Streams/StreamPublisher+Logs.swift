import Media
import NIOCore

// The logs and those who read them.
extension StreamPublisher {
    /// In which forms the present codecs are written.
    struct Forms: Equatable {
        /// H.265 and Opus are written in either form; other codecs share one log.
        var areTwo = false
        /// AV1 and VP9 are not.
        var hasLegacy = true
    }

    var forms: Forms {
        Forms(
            areTwo: video?.codec == .h265 || audio?.codec == .opus,
            hasLegacy: video.map { FLVHEVCFormat.legacy.canCarry($0.codec) } ?? true
        )
    }

    /// The format of the log that a viewer reads; nil when its form cannot carry the codec.
    private func resolve(_ format: WireFormat) -> WireFormat? {
        let forms = forms
        guard forms.hasLegacy else { return format.hevc == .enhanced ? format : nil }
        return forms.areTwo ? format : WireFormat(format.framing)
    }

    private func settings(of framing: WireFormat.Framing) -> LogSettings {
        let configuration = registry.configuration
        // Of FLV messages every log may have to be the source of another.
        let isCache = !framing.isRTP && !framing.isOfFrames
        return LogSettings(
            gops: configuration.gopCount[framing],
            retainedGOPs: isCache ? configuration.gopCount.most : configuration.gopCount[framing],
            singleGOPMessages: isCache ? configuration.singleGOPMessages : 0
        )
    }

    /// The tracks are known: whoever waits begins.
    func beginReaders() {
        describe()
        if outputs.isEmpty { beginOutputs() }
        for reader in readers where log(of: reader) == nil { connect(reader) }
        for log in logs {
            for reader in log.readers { tell(reader, of: log, isBeginning: true) }
            log.forgetChanges()
        }
    }

    /// Makes the logs that are to be written: when nobody watches, one in the format of which more is cached.
    func makeLogs() {
        for reader in readers { connect(reader) }
        guard logs.isEmpty else { return }
        let count = registry.configuration.gopCount
        let framing: WireFormat.Framing = count[.rtmp] > count[.flv] ? .rtmp : .flv
        logs.append(makeLog(WireFormat(framing, hevc: forms.hasLegacy ? .legacy : .enhanced)))
    }

    /// Begins new logs for all readers: those of a codec before are of no use any more.
    func restartLogs() {
        flush { $0.deliver([$1]) }
        logs = []
        keyTime = nil
        hasPicture = false
        guard isSettled else { return }
        beginReaders()
    }

    func attach(_ reader: StreamRegistry.Reader) {
        guard !isFinished, !gate.isClosed else { return }
        guard !reader.format.framing.isRTP else {
            attachRTP(reader)
            return
        }
        guard !reader.format.framing.isOfFrames else {
            attachOutput(reader)
            return
        }
        readers.append(reader)
        guard isSettled else { return }
        let log = connect(reader)
        // One that nobody reads was the cache; it is now in the other format.
        if let log {
            logs.removeAll { $0 !== log && $0.readers.isEmpty }
            if log.readers.count == 1 { log.forgetChanges() }
            tell(reader, of: log, isBeginning: false)
        }
    }

    func detach(_ dispatcher: LoopDispatcher, _ format: WireFormat) {
        guard !format.framing.isRTP else {
            detachRTP(dispatcher)
            return
        }
        guard !format.framing.isOfFrames else {
            detachOutput(dispatcher, format)
            return
        }
        readers.removeAll { $0.dispatcher === dispatcher && $0.format == format }
        for log in logs { log.readers.removeAll { $0.dispatcher === dispatcher && $0.format == format } }
        let unread = logs.filter { $0.readers.isEmpty }
        // The last one stays as the cache.
        let kept = unread.count == logs.count ? unread.first : nil
        logs.removeAll { $0.readers.isEmpty && $0 !== kept }
    }

    private func log(of reader: StreamRegistry.Reader) -> ByteLog? {
        logs.first { log in
            log.readers.contains { $0.dispatcher === reader.dispatcher && $0.format == reader.format }
        }
    }

    /// Gives a reader its log, which is made from another when it is the first of its format; nil when its form cannot
    /// carry the codec.
    @discardableResult
    private func connect(_ reader: StreamRegistry.Reader) -> ByteLog? {
        guard let format = resolve(reader.format) else {
            if let codec = video?.codec {
                reader.dispatcher.deliver([
                    .unsupported(stream: stream, format: reader.format, publication: number, codec)
                ])
            }
            return nil
        }
        if let log = logs.first(where: { $0.format == format }) {
            log.readers.append(reader)
            return log
        }
        let log = makeLog(format)
        if let source = logs.first { seed(log, from: source) }
        log.readers.append(reader)
        logs.append(log)
        return log
    }

    func makeLog(_ format: WireFormat) -> ByteLog {
        ByteLog(
            id: registry.nextIdentifier(),
            publication: number,
            format: format,
            settings: settings(of: format.framing),
            pool: registry.slabs
        )
    }

    /// Writes what another log has, so that no stream keeps its messages twice for want of viewers of a format.
    private func seed(_ log: ByteLog, from source: ByteLog) {
        let form = log.format.hevc
        source.forEachMessage { message, start in
            var own: Preamble?
            if let start {
                own = preamble(
                    of: log,
                    headers: start.messages.map { $0.converted(to: form) },
                    version: form == source.format.hevc ? start.version : registry.nextIdentifier(),
                    at: message.timestamp
                )
            }
            _ = write(message.converted(to: form), to: log, preamble: own)
        }
    }

    private func tell(_ reader: StreamRegistry.Reader, of log: ByteLog, isBeginning: Bool) {
        let update = log.snapshot(isBeginning: isBeginning)
        reader.dispatcher.deliver([.update(stream: stream, format: reader.format, update)])
    }

    /// Hands over what is new, for each loop that has viewers.
    func flush(_ send: (LoopDispatcher, LoopDispatcher.Message) -> Void) {
        for log in watchedLogs where log.hasChanges {
            let update = log.takeChanges()
            for reader in log.readers {
                send(reader.dispatcher, .update(stream: stream, format: reader.format, update))
            }
        }
    }

    var watchedLogs: [ByteLog] {
        (isSettled ? logs : []).filter { !$0.readers.isEmpty }
            + (rtp?.readers.isEmpty == false ? [rtp?.log] : []).compactMap(\.self) + outputs.map(\.log)
    }

    /// Memory of caches that nobody watches.
    var idleMemory: Int {
        (readers.isEmpty ? logs.reduce(0) { $0 &+ $1.memory } : 0)
            &+ (rtp?.readers.isEmpty == true ? rtp?.memory ?? 0 : 0)
    }

    /// Gives the caches up that nobody watches.
    func shed() {
        if rtp?.readers.isEmpty == true { rtp?.shed() }
        guard readers.isEmpty else { return }
        for log in logs { log.removeAll() }
        isPaused = true
        isShed = true
    }
}
