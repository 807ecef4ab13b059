internal import Glibc
internal import Hub
internal import Logging
internal import NIOCore
internal import Recording
internal import Synchronization

/// Recordings by rule and by request, joined to the streams.
final class RecordingService: Sendable {
    let library: RecordingLibrary
    private let indexPath: String
    private let logger: Logger
    private let timer = Mutex<RepeatedTask?>(nil)

    init(_ configuration: GatewayConfiguration, logger: Logger) {
        self.logger = logger
        indexPath = configuration.record.indexPath
        library = RecordingLibrary(
            RecordingConfiguration(configuration.record),
            index: RecordingIndex(path: configuration.record.indexPath),
            clock: HubConfiguration().wallClock,
            report: { [logger] in Self.log($0, to: logger) }
        )
    }

    /// Makes the index agree with the disk, then looks after it each second on `loop`.
    func start(on loop: any EventLoop) async {
        // Who never records gets no database.
        let folders = library.configuration.folders
        let traces = [indexPath, folders.flv, folders.ts, folders.fmp4, folders.hls]
        let hasRecorded = traces.contains { access($0, F_OK) == 0 }
        if hasRecorded || !library.configuration.rules.isEmpty {
            for failure in await library.reconcile().failures {
                logger.warning("record: what was recorded before: \(failure)")
            }
        }
        let library = library
        timer.withLock {
            $0 = loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in library.tick() }
        }
    }

    /// The recordings that a publication begins with, on its loop.
    func taps(of stream: TappedStream, on loop: any EventLoop) -> [any StreamTap] {
        library.recorders(stream: stream.stream, app: stream.app).map { RecordingTap($0, on: loop) }
    }

    /// Begins a recording; when nobody publishes the stream it waits for a publisher.
    func start(
        _ stream: String,
        format: RecordingFormat,
        options: RecordingOptions,
        hub: Hub
    ) throws(RecordingRefusal) -> RecordingID {
        let app = hub.presence(of: stream)?.app ?? ""
        let id = try library.start(stream: stream, app: app, format: format, options: options)
        let library = library
        hub.tap(stream) { _, loop in library.recorder(id).map { RecordingTap($0, on: loop) } }
        return id
    }

    /// Whether a stream is being recorded, or is to be.
    func records(_ stream: String) -> Bool {
        library.list().contains { $0.stream == stream }
    }

    func stop(_ id: RecordingID, of stream: String, hub: Hub) -> Bool {
        let isStopped = library.stop(id)
        hub.removeTaps(of: stream) { ($0 as? RecordingTap)?.id == id }
        return isStopped
    }

    func stop() async {
        timer.withLock { timer in
            timer?.cancel()
            timer = nil
        }
        await library.shutDown()
    }

    private static func log(_ report: RecordingReport, to logger: Logger) {
        switch report {
        case .fault(let stream, let format, let fault):
            logger.error(
                "record: stream \(stream) is not written as \(format.rawValue): \(fault.description); the stream goes on"
            )
        case .recovered(let stream, let format, _, let frames, let milliseconds):
            logger.notice(
                "record: stream \(stream) is written as \(format.rawValue) again, after \(milliseconds) ms and \(frames) lost frames"
            )
        case .tooSlow(let stream, let format, let bytes):
            logger.warning(
                "record: the disk is too slow for stream \(stream) as \(format.rawValue): \(bytes) bytes wait, frames are left out up to a key frame"
            )
        case .caughtUp(let stream, let format, let frames):
            logger.notice(
                "record: the disk has caught up with stream \(stream) as \(format.rawValue); \(frames) frames were left out"
            )
        case .omitted(let stream, let format, let codecs):
            logger.warning(
                "record: \(format.rawValue) cannot carry \(codecs.joined(separator: ", ")) of stream \(stream): it is left out"
            )
        case .refused(let stream, let format, let refusal):
            logger.warning("record: stream \(stream) is not recorded as \(format.rawValue): \(refusal.description)")
        case .indexFault(let text):
            logger.error(
                "record: the index cannot be written: \(text); recording goes on, the index is made good at the next start"
            )
        case .indexRecovered:
            logger.notice("record: the index is written again")
        case .retention(let result):
            logger.info(
                "record: retention deleted \(result.files) files",
                metadata: ["failures": "\(result.failures.count)"]
            )
        }
    }
}

extension RecordingConfiguration {
    init(_ section: RecordSection) {
        self.init()
        folders.flv = section.flvOutPath
        folders.ts = section.mpegtsOutPath
        folders.fmp4 = section.fmp4OutPath
        folders.hls = section.hlsOutPath
        let options = RecordingOptions(
            segmentSeconds: section.segmentDurationSec,
            segmentMegabytes: section.segmentSizeMb
        )
        // lal's files have the stream's own times, one file a publication; cut ones begin at 0 each.
        let isCut = section.segmentDurationSec > 0 || section.segmentSizeMb > 0
        var whole = options
        whole.keepsTimes = !isCut
        if section.enableFlv { rules.append(RecordingRule(format: .flv, options: whole, streams: section.streams)) }
        if section.enableMpegts { rules.append(RecordingRule(format: .ts, options: whole, streams: section.streams)) }
        if section.enableFmp4 { rules.append(RecordingRule(format: .fmp4, options: options, streams: section.streams)) }
        if section.enableHls { rules.append(RecordingRule(format: .hls, options: options, streams: section.streams)) }
        retention.maximumAgeSeconds = section.retentionDays * 86_400
        retention.maximumTotalMegabytes = section.maxTotalMb
        retention.minimumFreeMegabytes = section.minFreeMb
        maximumRecordings = section.maxRecordings
        maximumOpenFiles = section.maxRecordings
        queueBytes = section.queueMb << 20
    }
}
