import Media
import NIOCore

/// The two forms of FLV messages, and what has been packaged last.
struct Packagers {
    private var legacy = FLVPackager(hevc: .legacy)
    private var enhanced = FLVPackager(hevc: .enhanced)
    /// Emptied before each use; kept for its memory.
    private(set) var messages: [FLVMessage] = []

    /// Lays an event out in one form, in `messages`.
    mutating func package(_ event: MediaEvent, _ form: FLVHEVCFormat) {
        messages.removeAll(keepingCapacity: true)
        switch form {
        case .legacy: legacy.package(event, into: &messages)
        case .enhanced: enhanced.package(event, into: &messages)
        }
    }

    func headers(_ form: FLVHEVCFormat) -> [FLVMessage] {
        form == .legacy ? legacy.headers : enhanced.headers
    }
}

// Messages
extension StreamPublisher {
    /// Sound alone has no key frames: a viewer starts at most this many milliseconds back.
    private static let soundGOP: UInt32 = 1000

    /// Takes parameters or metadata.
    /// - Parameter restarts: nothing that is in the logs goes with it.
    func changeHeaders(_ event: MediaEvent, restarts: Bool) {
        for form in FLVHEVCFormat.allCases {
            packagers.package(event, form)
            let messages = packagers.messages
            guard !restarts, keyTime != nil, !isPaused else { continue }
            for log in logs where log.format.hevc == form {
                for var message in messages {
                    message.timestamp = message.kind == .script ? 0 : log.timestamp
                    if !write(message, to: log) { break }
                }
            }
        }
        if restarts { restartLogs() }
    }

    func append(_ frame: Frame) {
        if logs.isEmpty { makeLogs() }
        let form = logs[0].format.hevc
        packagers.package(.frame(frame), form)
        // Without parameters, or empty.
        guard let message = packagers.messages.first else {
            droppedFrames &+= 1
            return
        }
        guard let starts = admit(message) else { return }
        if rtp?.isForwarding == false { rtp?.append(frame, startsGOP: starts) }
        appendToOutputs(frame, startsGOP: starts)
        guard !isPaused else { return }
        append(message, form, startsGOP: starts)
        let other: FLVHEVCFormat = form == .legacy ? .enhanced : .legacy
        guard !isPaused, logs.contains(where: { $0.format.hevc == other }) else { return }
        packagers.package(.frame(frame), other)
        if let message = packagers.messages.first { append(message, other, startsGOP: starts) }
    }

    private func append(_ message: FLVMessage, _ form: FLVHEVCFormat, startsGOP: Bool) {
        let limit = registry.configuration.gopCacheBytes
        let isShort = registry.slabs.isUnderPressure
        for log in logs where log.format.hevc == form {
            let preamble = startsGOP ? preamble(of: log, at: message.timestamp) : nil
            guard write(message, to: log, preamble: preamble) else {
                giveUpMemory()
                return
            }
            log.trim(to: limit, newestOnly: isShort)
        }
    }

    /// Whether viewers can start at the message; nil when it is of no use to anybody.
    private func admit(_ message: FLVMessage) -> Bool? {
        let starts: Bool
        switch message.kind {
        case .video:
            frameRate.count(at: registry.configuration.wallClock() / 1000)
            starts = message.isKey
            if starts { hasPicture = true }
            guard hasPicture else {
                droppedFrames &+= 1
                return nil
            }
        case .audio:
            guard video == nil || hasPicture else {
                droppedFrames &+= 1
                return nil
            }
            starts = video == nil && keyTime.map { message.timestamp &- $0 >= Self.soundGOP } ?? true
        case .script:
            starts = false
        }
        if starts { keyTime = message.timestamp }
        if readers.isEmpty { limitIdle(message, startsGOP: starts) } else if starts { isPaused = false }
        return starts
    }

    /// Keeps the cache of a stream without viewers small.
    private func limitIdle(_ message: FLVMessage, startsGOP: Bool) {
        let gops = registry.configuration.gopCount.most
        let limit = registry.configuration.idleGOPCacheBytes * max(1, gops)
        if startsGOP {
            isShed = isShed && registry.slabs.isUnderPressure
            // What is left of a group that was cut short leads nowhere.
            if gops <= 1 || isPaused { logs[0].removeAll() }
            isPaused = isShed || gops < 0
        } else if !isPaused, logs[0].memory(with: message.length &+ 32) > limit {
            isPaused = true
        }
    }

    /// The system has no memory: what is cached goes, viewers wait for the next key frame.
    private func giveUpMemory() {
        for log in logs { log.removeAll() }
        isPaused = true
        droppedFrames &+= 1
    }

    /// - Returns: false when there is no memory.
    func write(_ message: FLVMessage, to log: ByteLog, preamble: Preamble? = nil) -> Bool {
        let isMedia = message.kind != .script && !message.isSequenceHeader
        var isWritten = false
        dispatcher.withScratch { bytes in
            log.framer.write(message, into: &bytes)
        } read: { bytes in
            isWritten = log.append(bytes, timestamp: message.timestamp, preamble: preamble, isMedia: isMedia)
        }
        return isWritten
    }

    private func preamble(of log: ByteLog, at timestamp: UInt32) -> Preamble {
        let headers = packagers.headers(log.format.hevc)
        let version = gate.version(of: headers, log.format.hevc, next: registry.nextIdentifier)
        return preamble(of: log, headers: headers, version: version, at: timestamp)
    }

    func preamble(of log: ByteLog, headers: [FLVMessage], version: Int, at timestamp: UInt32) -> Preamble {
        var bytes = ByteBuffer()
        for var message in headers {
            // FFmpeg takes metadata with a time for a subtitle and waits for more of them.
            message.timestamp = message.kind == .script ? 0 : timestamp
            log.framer.write(message, into: &bytes)
        }
        return Preamble(
            version: version,
            messages: headers,
            fileHeader: ByteBlock(log.framer.fileHeader(hasVideo: video != nil, hasAudio: audio != nil)),
            headers: ByteBlock(bytes)
        )
    }
}
