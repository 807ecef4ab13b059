import Media
import NIOCore
import Synchronization

/// What a stream's next publisher is told of the one before.
struct StreamMemory: Sendable {
    /// The last time in 90 kHz.
    var lastTime: Int64?
    var headers = HeaderVersions()
    var continuity: RTPContinuity?
}

/// Which streams there are, who publishes them and which loops have viewers of them. Used from all loops, a few times in a
/// session's life, never per message.
final class StreamRegistry: Sendable {
    /// The publisher of a stream, to be used on its own loop.
    struct Publication: Sendable {
        let session: SessionInfo
        let loop: any EventLoop
        let policy: PublisherPolicy
        let gate: PublicationGate
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
        let progress: ReadProgress
    }

    /// What a new publisher needs to know.
    struct Entrance: Sendable {
        /// Greater than that of any publisher before.
        let number: Int
        let memory: StreamMemory
        /// The loops that wait.
        let readers: [Reader]
        let replaced: Publication?
    }

    fileprivate struct Stream {
        var app: String
        var publication: Publication?
        var readers: [Reader] = []
        var viewers = 0
        /// Of the publishers until now.
        var memory = StreamMemory()
        /// Who waits to learn what the stream consists of.
        var waiters: [Int: @Sendable (RTPOffer) -> Void] = [:]
        /// Until when viewers stay for a publisher that has left, in milliseconds since 1970.
        var graceUntil: Int64?

        var isUnused: Bool { publication == nil && viewers == 0 }
    }

    fileprivate struct State {
        var streams: [String: Stream] = [:]
        var viewers = 0
        var sessionNumbers: [SessionKind: Int] = [:]
        /// Not yet told, in order.
        var events: [HubEvent] = []
        var isTelling = false
    }

    let configuration: HubConfiguration
    let load: LoadMeter
    let slabs: SlabPool
    let budget: CacheBudget
    private let state = Mutex(State())
    private let identifiers = Atomic<Int>(0)
    private let onEvent: @Sendable (HubEvent) -> Void
    /// Called on the publisher's loop.
    let makeTaps: @Sendable (TappedStream, any EventLoop) -> [any StreamTap]

    init(
        configuration: HubConfiguration,
        loops: Int,
        taps: @escaping @Sendable (TappedStream, any EventLoop) -> [any StreamTap] = { _, _ in [] },
        onEvent: @escaping @Sendable (HubEvent) -> Void
    ) {
        self.configuration = configuration
        makeTaps = taps
        self.onEvent = onEvent
        slabs = SlabPool(
            warmBytes: configuration.warmSlabBytes,
            limitBytes: configuration.cacheBytes,
            maximumBytes: configuration.maximumSlabBytes
        )
        budget = CacheBudget(loops: loops)
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

    /// Enters a publisher, in place of the present one where both allow it. The gate of that one is closed: nothing of it
    /// comes after what its successor takes for its last.
    func enter(_ publication: Publication, stream: String, app: String) throws(HubError) -> Entrance {
        let result: Result<Entrance, HubError> = state.withLock { state in
            var entry = state.streams[stream] ?? Stream(app: app)
            let present = entry.publication
            if let present, present.policy == .reject || publication.policy == .reject {
                return .failure(.alreadyPublished(stream: stream, session: present.session.id))
            }
            if let refusal = refusal(stream, in: state) { return .failure(refusal) }
            if let present {
                entry.remember(present.gate)
                state.tell(.publisherStopped, stream, entry, present.session, present.gate)
            }
            entry.publication = publication
            // Viewers of HLS do not know it.
            if entry.app.isEmpty { entry.app = app }
            entry.graceUntil = nil
            state.tell(.publisherStarted, stream, entry, publication.session, publication.gate)
            state.streams[stream] = entry
            return .success(
                Entrance(number: nextIdentifier(), memory: entry.memory, readers: entry.readers, replaced: present)
            )
        }
        let entrance = try result.get()
        for reader in entrance.readers {
            reader.dispatcher.deliver([.came(stream: stream, format: reader.format, publication: entrance.number)])
        }
        tellEvents()
        return entrance
    }

    /// Takes a publisher out, unless it was replaced before. Viewers stay for the grace period.
    func publisherLeft(_ publisher: StreamPublisher) {
        let stream = publisher.stream
        let grace = max(configuration.gracePeriod, .nanoseconds(0))
        let readers: [Reader]? = state.withLock { state in
            guard var entry = state.streams[stream], entry.publication?.gate === publisher.gate else { return nil }
            entry.publication = nil
            entry.remember(publisher.gate)
            if grace > .nanoseconds(0) { entry.graceUntil = configuration.wallClock() + grace.nanoseconds / 1_000_000 }
            state.tell(.publisherStopped, stream, entry, publisher.session, publisher.gate)
            state.streams[stream] = entry.isUnused ? nil : entry
            return entry.readers
        }
        guard let readers else { return }
        let end = publisher.loop.now + grace
        for reader in readers {
            reader.dispatcher.deliver([
                .left(stream: stream, format: reader.format, publication: publisher.number, graceEnd: end)
            ])
        }
        tellEvents()
    }

    func publication(of stream: String) -> Publication? {
        state.withLock { $0.streams[stream]?.publication }
    }

    func presence(of stream: String) -> StreamPresence? {
        state.withLock { state in
            state.streams[stream].map {
                StreamPresence(app: $0.app, publisher: $0.publication?.session, viewers: $0.viewers)
            }
        }
    }

    func enterViewer(_ session: SessionInfo, stream: String, app: String, format: WireFormat?) throws(HubError) {
        let limits = configuration
        let refusal: HubError? = state.withLock { state in
            var entry = state.streams[stream] ?? Stream(app: app)
            if let format, let codec = entry.publication?.gate.video, !format.canCarry(codec) {
                return .unsupportedCodec(stream: stream, codec: codec, format: format)
            }
            if limits.maximumViewers > 0, state.viewers >= limits.maximumViewers {
                return .tooManyViewers(limit: limits.maximumViewers)
            }
            if limits.maximumViewersOfStream > 0, entry.viewers >= limits.maximumViewersOfStream {
                return .tooManyViewersOfStream(stream, limit: limits.maximumViewersOfStream)
            }
            if let refusal = self.refusal(stream, in: state) { return refusal }
            entry.viewers += 1
            state.viewers += 1
            state.streams[stream] = entry
            state.tell(.viewerStarted, stream, entry, session, bytes: ByteMeter())
            return nil
        }
        if let refusal { throw refusal }
        tellEvents()
    }

    func viewerLeft(_ stream: String, _ session: SessionInfo, bytes: ByteMeter) {
        state.withLock { state in
            guard var entry = state.streams[stream] else { return }
            entry.viewers -= 1
            state.viewers -= 1
            state.streams[stream] = entry.isUnused ? nil : entry
            state.tell(.viewerStopped, stream, entry, session, bytes: bytes)
        }
        tellEvents()
    }

    func attach(_ reader: Reader, to stream: String) {
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

    /// What the stream consists of, when its publisher has told it; else `told` is called when it does, on any loop.
    func awaitDescription(
        of stream: String,
        id: Int,
        told: @escaping @Sendable (RTPOffer) -> Void
    ) -> RTPOffer? {
        state.withLock { state in
            if let offer = state.streams[stream]?.publication?.gate.offer { return offer }
            state.streams[stream]?.waiters[id] = told
            return nil
        }
    }

    func stopAwaiting(_ id: Int, of stream: String) {
        state.withLock { $0.streams[stream]?.waiters[id] = nil }
    }

    /// A publisher knows what its stream consists of.
    func described(_ publisher: StreamPublisher, _ offer: RTPOffer) {
        publisher.gate.offer = offer
        let waiters: [@Sendable (RTPOffer) -> Void] = state.withLock { state in
            guard let entry = state.streams[publisher.stream], entry.publication?.gate === publisher.gate else {
                return []
            }
            state.streams[publisher.stream]?.waiters = [:]
            return Array(entry.waiters.values)
        }
        for told in waiters { told(offer) }
    }

    /// Names and apps of all streams, and until when viewers stay for a publisher that has left.
    var streams: [(name: String, app: String, graceUntil: Int64?)] {
        state.withLock { $0.streams.map { ($0.key, $0.value.app, $0.value.graceUntil) } }
    }

    var publications: [Publication] {
        state.withLock { $0.streams.values.compactMap(\.publication) }
    }

    private func refusal(_ stream: String, in state: borrowing State) -> HubError? {
        let limit = configuration.maximumStreams
        guard limit > 0, state.streams[stream] == nil, state.streams.count >= limit else { return nil }
        return .tooManyStreams(limit: limit)
    }

    /// Tells what has happened, each event by itself and in order, whichever loop they happened on.
    private func tellEvents() {
        while true {
            let event: HubEvent? = state.withLock { state in
                guard !state.isTelling, !state.events.isEmpty else { return nil }
                state.isTelling = true
                return state.events.removeFirst()
            }
            guard let event else { return }
            onEvent(event)
            state.withLock { $0.isTelling = false }
        }
    }
}

extension StreamRegistry.Stream {
    /// Closes the gate of a publisher and keeps where it stood.
    fileprivate mutating func remember(_ gate: PublicationGate) {
        memory.lastTime = gate.close() ?? memory.lastTime
        memory.headers = gate.headers
        memory.continuity = gate.continuity ?? memory.continuity
    }
}

extension StreamRegistry.State {
    fileprivate mutating func tell(
        _ kind: HubEvent.Kind,
        _ stream: String,
        _ entry: StreamRegistry.Stream,
        _ session: SessionInfo,
        _ gate: PublicationGate
    ) {
        var bytes = ByteMeter()
        bytes.readBytes = gate.readBytes
        bytes.wroteBytes = gate.wroteBytes
        tell(kind, stream, entry, session, bytes: bytes)
    }

    fileprivate mutating func tell(
        _ kind: HubEvent.Kind,
        _ stream: String,
        _ entry: StreamRegistry.Stream,
        _ session: SessionInfo,
        bytes: ByteMeter
    ) {
        events.append(
            HubEvent(
                kind: kind,
                stream: stream,
                app: entry.app,
                session: session,
                readBytes: bytes.readBytes,
                wroteBytes: bytes.wroteBytes,
                hasPublisher: kind == .publisherStopped ? false : entry.publication != nil,
                hasViewers: entry.viewers > 0
            )
        )
    }
}
