import NIOCore
import Synchronization

/// Which streams there are, who publishes them and which loops have viewers of them. Used from all loops, a few times in a
/// session's life, never per message.
final class StreamRegistry: Sendable {
    /// The publisher of a stream, to be used on its own loop.
    struct Publication: Sendable {
        let session: SessionInfo
        let loop: any EventLoop
        let publisher: NIOLoopBound<StreamPublisher>

        /// At once when on its loop: so the order of calls from one loop is kept either way.
        func run(_ body: @escaping @Sendable (StreamPublisher) -> Void) {
            if loop.inEventLoop {
                body(publisher.value)
            } else {
                loop.execute { body(publisher.value) }
            }
        }
    }

    /// A loop that has viewers of a format.
    struct Reader: Sendable {
        let dispatcher: LoopDispatcher
        let format: WireFormat
    }

    private struct Stream {
        var app: String
        var publication: Publication?
        var readers: [Reader] = []
        var viewers = 0
        /// Of the publisher that left last, in 90 kHz.
        var lastTime: Int64?

        var isUnused: Bool { publication == nil && viewers == 0 }
    }

    private struct State {
        var streams: [String: Stream] = [:]
        var viewers = 0
        var sessionNumbers: [SessionKind: Int] = [:]
    }

    let configuration: HubConfiguration
    let load: LoadMeter
    let slabs: SlabPool
    private let state = Mutex(State())
    private let identifiers = Atomic<Int>(0)
    private let onEvent: @Sendable (HubEvent) -> Void

    init(configuration: HubConfiguration, loops: Int, onEvent: @escaping @Sendable (HubEvent) -> Void) {
        self.configuration = configuration
        self.onEvent = onEvent
        slabs = SlabPool(warmBytes: configuration.warmSlabBytes)
        load = LoadMeter(
            loops: loops,
            threshold: configuration.sendsBeforeMerging,
            maximum: configuration.maximumMergeWindow
        )
    }

    /// A number that was not given before.
    func nextIdentifier() -> Int {
        identifiers.wrappingAdd(1, ordering: .relaxed).newValue
    }

    func makeSessionID(_ kind: SessionKind) -> String {
        let number = state.withLock { state in
            state.sessionNumbers[kind, default: 0] += 1
            return state.sessionNumbers[kind] ?? 0
        }
        return "\(kind.rawValue)\(number)"
    }

    /// Enters a publisher.
    /// - Returns: the loops that wait for it, and the last time of the publisher before.
    func enter(_ publication: Publication, stream: String, app: String) throws(HubError) -> ([Reader], Int64?) {
        let result: Result<([Reader], Int64?, Int), HubError> = state.withLock { state in
            var entry = state.streams[stream] ?? Stream(app: app)
            if let session = entry.publication?.session.id {
                return .failure(.alreadyPublished(stream: stream, session: session))
            }
            if let refusal = refusal(stream, in: state) { return .failure(refusal) }
            entry.publication = publication
            state.streams[stream] = entry
            return .success((entry.readers, entry.lastTime, entry.viewers))
        }
        let (readers, lastTime, viewers) = try result.get()
        tell(.publisherStarted, stream, app, publication.session, ByteMeter(), hasPublisher: true, viewers: viewers)
        return (readers, lastTime)
    }

    func publisherLeft(_ stream: String, _ session: SessionInfo, lastTime: Int64?, bytes: ByteMeter) {
        let left: (String, Int)? = state.withLock { state in
            guard var entry = state.streams[stream], entry.publication?.session.id == session.id else { return nil }
            entry.publication = nil
            entry.lastTime = lastTime ?? entry.lastTime
            state.streams[stream] = entry.isUnused ? nil : entry
            return (entry.app, entry.viewers)
        }
        guard let (app, viewers) = left else { return }
        tell(.publisherStopped, stream, app, session, bytes, hasPublisher: false, viewers: viewers)
    }

    func publication(of stream: String) -> Publication? {
        state.withLock { $0.streams[stream]?.publication }
    }

    func enterViewer(_ session: SessionInfo, stream: String, app: String) throws(HubError) {
        let limits = configuration
        let result: Result<(String, Bool, Int), HubError> = state.withLock { state in
            var entry = state.streams[stream] ?? Stream(app: app)
            if limits.maximumViewers > 0, state.viewers >= limits.maximumViewers {
                return .failure(.tooManyViewers(limit: limits.maximumViewers))
            }
            if limits.maximumViewersOfStream > 0, entry.viewers >= limits.maximumViewersOfStream {
                return .failure(.tooManyViewersOfStream(stream, limit: limits.maximumViewersOfStream))
            }
            if let refusal = refusal(stream, in: state) { return .failure(refusal) }
            entry.viewers += 1
            state.viewers += 1
            state.streams[stream] = entry
            return .success((entry.app, entry.publication != nil, entry.viewers))
        }
        let (app, hasPublisher, viewers) = try result.get()
        tell(.viewerStarted, stream, app, session, ByteMeter(), hasPublisher: hasPublisher, viewers: viewers)
    }

    func viewerLeft(_ stream: String, _ session: SessionInfo, bytes: ByteMeter) {
        let left: (String, Bool, Int)? = state.withLock { state in
            guard var entry = state.streams[stream] else { return nil }
            entry.viewers -= 1
            state.viewers -= 1
            state.streams[stream] = entry.isUnused ? nil : entry
            return (entry.app, entry.publication != nil, entry.viewers)
        }
        guard let (app, hasPublisher, viewers) = left else { return }
        tell(.viewerStopped, stream, app, session, bytes, hasPublisher: hasPublisher, viewers: viewers)
    }

    func attach(_ dispatcher: LoopDispatcher, to stream: String, as format: WireFormat) {
        let reader = Reader(dispatcher: dispatcher, format: format)
        let publication = state.withLock { state in
            state.streams[stream]?.readers.append(reader)
            return state.streams[stream]?.publication
        }
        publication?.run { $0.attach(reader) }
    }

    func detach(_ dispatcher: LoopDispatcher, from stream: String, as format: WireFormat) {
        let publication = state.withLock { state in
            state.streams[stream]?.readers.removeAll { $0.dispatcher === dispatcher && $0.format == format }
            return state.streams[stream]?.publication
        }
        publication?.run { $0.detach(dispatcher, format) }
    }

    /// Names and apps of all streams.
    var streams: [(name: String, app: String)] {
        state.withLock { $0.streams.map { ($0.key, $0.value.app) } }
    }

    private func refusal(_ stream: String, in state: borrowing State) -> HubError? {
        let limit = configuration.maximumStreams
        guard limit > 0, state.streams[stream] == nil, state.streams.count >= limit else { return nil }
        return .tooManyStreams(limit: limit)
    }

    private func tell(
        _ kind: HubEvent.Kind,
        _ stream: String,
        _ app: String,
        _ session: SessionInfo,
        _ bytes: ByteMeter,
        hasPublisher: Bool,
        viewers: Int
    ) {
        onEvent(
            HubEvent(
                kind: kind,
                stream: stream,
                app: app,
                session: session,
                readBytes: bytes.readBytes,
                wroteBytes: bytes.wroteBytes,
                hasPublisher: hasPublisher,
                hasViewers: viewers > 0
            )
        )
    }
}
