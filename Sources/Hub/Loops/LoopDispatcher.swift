import CSockets
import Media
import NIOCore

/// What one loop of the Hub does: sends to its own viewers, and hands what its own publishers wrote to the loops that have
/// viewers of it.
///
/// Unchecked Sendable: every member but `loop`, `index`, `registry` and `deliver` is used on `loop` only.
final class LoopDispatcher: @unchecked Sendable {
    /// News from a publisher's loop.
    enum Message: Sendable {
        case update(stream: String, format: WireFormat, LogUpdate)
        /// There is a new publisher: what comes of those before is late.
        case came(stream: String, format: WireFormat, publication: Int)
        case left(stream: String, format: WireFormat, publication: Int, graceEnd: NIODeadline)
        /// The format cannot carry the publisher's video.
        case unsupported(stream: String, format: WireFormat, publication: Int, VideoCodec)
    }

    let loop: any EventLoop
    let index: Int
    let registry: StreamRegistry

    var readers: [String: [LoopReaders]] = [:]
    var publishers: [StreamPublisher] = []
    var statistics = HubStatistics()
    /// Sends since the last second as they would be without merging.
    var unmergedSends = 0

    // Sending, see LoopDispatcher+Sending.swift.
    var round: [LoopReaders] = []
    var isSending = false
    let vectors = UnsafeMutableBufferPointer<iovec>.allocate(capacity: 64)

    // Publishing, see LoopDispatcher+Publishing.swift.
    var unflushed: [StreamPublisher] = []
    var flushTimer: Scheduled<Void>?
    var flushTime: NIODeadline?
    /// Where publishers lay out messages: one for all, as each would keep the size of its greatest key frame.
    var scratch = ByteBuffer()

    /// Where packets are copied for readers that take them one by one.
    var packets = ByteBuffer()

    /// Told when neither a publisher nor a viewer is left.
    var onEmpty: EventLoopPromise<Void>?

    // Once a second, see LoopDispatcher+Watch.swift.
    var watch: RepeatedTask?
    var seconds = 0

    init(loop: any EventLoop, index: Int, registry: StreamRegistry) {
        self.loop = loop
        self.index = index
        self.registry = registry
    }

    deinit {
        vectors.deallocate()
    }

    /// Delivers to this loop, from any loop: at once when it is this one.
    func deliver(_ messages: [Message]) {
        if loop.inEventLoop {
            receive(messages)
        } else {
            loop.execute { self.receive(messages) }
        }
    }

    private func receive(_ messages: [Message]) {
        for message in messages {
            switch message {
            case .update(let stream, let format, let update):
                guard let readers = find(stream, format) else { continue }
                apply(update, to: readers)
                enqueue(readers)
            case .came(let stream, let format, let publication):
                find(stream, format).map { expect(publication, in: $0) }
            case .left(let stream, let format, let publication, let graceEnd):
                guard let readers = find(stream, format), publication >= readers.publication else { continue }
                publisherLeft(readers, graceEnd: graceEnd)
            case .unsupported(let stream, let format, let publication, let codec):
                guard let readers = find(stream, format), publication >= readers.publication else { continue }
                for viewer in readers.viewers { end(viewer, because: .unsupportedCodec(codec)) }
            }
        }
        send()
    }

    func find(_ stream: String, _ format: WireFormat) -> LoopReaders? {
        readers[stream]?.first { $0.format == format }
    }

    private func apply(_ update: LogUpdate, to readers: LoopReaders) {
        unmergedSends &+= update.messages &* readers.viewers.count
        // Of a publisher that has been replaced.
        guard update.publication >= readers.publication else { return }
        guard let view = readers.view, view.log == update.log else {
            // Changes of a log that this loop does not know are of one it has just let go.
            guard update.isSnapshot else { return }
            for viewer in readers.viewers {
                if let view = readers.view { viewer.cursor.leave(view) }
                if update.isBeginning { viewer.cursor.expect(log: update.log) }
            }
            readers.publication = update.publication
            readers.isExpecting = update.isBeginning
            let view = LogView(update)
            readers.view = view
            compare(readers, with: view)
            startExpecting(readers)
            beginAnswers(readers)
            return
        }
        if update.first > view.first { moveLaggards(of: readers, in: view, before: update) }
        let medias = view.description?.media.count
        view.apply(update)
        if view.description?.media.count != medias { compare(readers, with: view) }
        startExpecting(readers)
    }

    /// Those who were there before the log have its first key frame for theirs at once, even while their socket is full: by
    /// the time it has room the publisher may have sent on, or left.
    private func startExpecting(_ readers: LoopReaders) {
        guard readers.isExpecting, let view = readers.view, view.oldest != nil else { return }
        readers.isExpecting = false
        for viewer in readers.viewers where viewer.cursor.isExpecting && viewer.answer == nil {
            start(viewer, in: view)
        }
        readers.tellProgress()
    }

    private func expect(_ publication: Int, in readers: LoopReaders) {
        guard publication > readers.publication else { return }
        readers.publication = publication
        readers.view?.isEnded = true
        for viewer in readers.viewers {
            viewer.graceEnd = nil
            viewer.progressed = loop.now
        }
    }

    private func publisherLeft(_ readers: LoopReaders, graceEnd: NIODeadline) {
        readers.view?.isEnded = true
        // Ending changes the list.
        for viewer in readers.viewers {
            viewer.graceEnd = graceEnd
            if graceEnd <= loop.now { end(viewer, because: .publisherGone) }
        }
    }

    /// Takes viewers out of slabs that are about to go. They start again at the newest key frame.
    private func moveLaggards(of readers: LoopReaders, in view: LogView, before update: LogUpdate) {
        for viewer in readers.viewers {
            guard let position = viewer.cursor.position, position.slab < update.first else { continue }
            // It has read all, and what comes now follows it.
            if position == view.end, view.isContinued(by: update) {
                viewer.cursor.move(to: update.first)
                continue
            }
            guard let slab = view.slab(position.slab), let left = viewer.cursor.leave(view) else { continue }
            viewer.left = Viewer.Left(
                log: view.log,
                bytes: view.bytes(before: left) ?? slab.slab.position,
                timestamp: slab.slab.timestamp
            )
            viewer.skips &+= 1
            statistics.skips &+= 1
        }
    }

    /// Starts a viewer, for the first time or after it was moved out of the log.
    /// - Returns: where it starts now.
    @discardableResult
    func start(_ viewer: Viewer, in view: LogView) -> KeyFrame? {
        guard !viewer.isEnding, viewer.cursor.position == nil, let begin = viewer.cursor.start(in: view) else {
            return nil
        }
        note(viewer, hasSkippedIn: view)
        return begin
    }

    /// Counts what a viewer has missed that was moved.
    private func note(_ viewer: Viewer, hasSkippedIn view: LogView) {
        guard let left = viewer.left else { return }
        viewer.left = nil
        guard left.log == view.log, let key = view.key, let start = view.bytes(before: key.position) else { return }
        let bytes = max(0, start &- left.bytes)
        let milliseconds = max(0, Int(Int32(truncatingIfNeeded: key.timestamp &- left.timestamp)))
        viewer.skippedBytes &+= bytes
        viewer.skippedMilliseconds &+= milliseconds
        statistics.skippedBytes &+= bytes
        statistics.skippedMilliseconds &+= milliseconds
    }
}
