import Media
import NIOCore
import Synchronization

/// One stream in one container: its segments and those who wait for the next. Used on the loops of its publishers, one after the
/// other, and on those of its viewers.
final class HLSOutput: Sendable {
    /// A request that is to be answered later, on its loop.
    struct Waiter: Sendable {
        let loop: any EventLoop
        let deadline: NIODeadline
        let retry: @Sendable () -> Void
    }

    private struct State {
        var segmenter: HLSSegmenter
        var window: HLSWindow
        /// Bytes of the window that are in the budget.
        var counted = 0
        var opening: HLSOpening?
        var waiters: [Waiter] = []
        /// The publication that feeds it, and the last that did.
        var tap: Int?
        var newest = 0
        var lastAsked: NIODeadline
        /// The publisher left.
        var interrupted: NIODeadline?
        var isClosed = false
        /// What the segmenter made of the last event.
        var actions: [HLSAction] = []

        mutating func takeWaiters() -> [Waiter] {
            defer { waiters.removeAll(keepingCapacity: true) }
            return waiters
        }
    }

    let stream: String
    let container: HLSConfiguration.Container
    private let options: HLSOptions
    private let state: Mutex<State>

    init(stream: String, container: HLSConfiguration.Container, options: HLSOptions, now: NIODeadline) {
        self.stream = stream
        self.container = container
        self.options = options
        let configuration = container == .transportStream ? options.transportStream : options.fragmentedMP4
        let prefix = String(UInt64.random(in: .min ... .max), radix: 36)
        let names = HLSNames(stream: stream, prefix: prefix)
        state = Mutex(
            State(
                segmenter: HLSSegmenter(configuration, names: names),
                window: HLSWindow(configuration, names: names),
                lastAsked: now
            )
        )
    }

    deinit {
        _ = options.budget.change(by: -state.withLock(\.counted))
    }

    private var files: (any HLSFiles)? { container == .transportStream ? options.files : nil }

    // What comes in

    /// A publication begins to feed it, in place of an earlier one that may not have ended yet.
    /// - Returns: false when it does already, or a later one does, or it is over.
    func begin(publication: Int, now: NIODeadline) -> Bool {
        let (isTaken, waiters): (Bool, [Waiter]) = state.withLock { state in
            guard !state.isClosed, publication > state.newest else { return (false, []) }
            state.newest = publication
            state.interrupted = nil
            guard state.tap != nil else {
                state.tap = publication
                return (true, [])
            }
            state.tap = publication
            state.segmenter.interrupt(into: &state.actions)
            guard !state.actions.isEmpty else { return (true, []) }
            apply(&state, now: now)
            return (true, state.takeWaiters())
        }
        Self.wake(waiters)
        return isTaken
    }

    func receive(_ event: MediaEvent, startsGOP: Bool, publication: Int, now: NIODeadline) {
        change(publication, now: now) { state in
            state.segmenter.receive(
                event,
                startsGOP: startsGOP,
                wallClock: options.wallClock(),
                into: &state.actions
            )
        }
    }

    /// The publisher has left; another one may come.
    func interrupt(publication: Int, now: NIODeadline) {
        change(publication, now: now) { state in
            state.segmenter.interrupt(into: &state.actions)
            state.tap = nil
            state.interrupted = now
        }
    }

    /// Nobody will come: the playlist ends.
    func end(now: NIODeadline) {
        let waiters: [Waiter] = state.withLock { state in
            guard !state.isClosed else { return [] }
            state.isClosed = true
            state.tap = nil
            state.segmenter.finish(into: &state.actions)
            apply(&state, now: now)
            state.window.end()
            // A stream without a segment has no folder.
            if let files, state.window.isReady {
                files.apply([.livePlaylist(playlist(of: state, now)), .ended], stream: stream)
            }
            return state.takeWaiters()
        }
        Self.wake(waiters)
    }

    private func change(_ publication: Int, now: NIODeadline, _ body: (inout State) -> Void) {
        let waiters: [Waiter] = state.withLock { state in
            guard state.tap == publication, !state.isClosed else { return [] }
            body(&state)
            guard !state.actions.isEmpty else { return [] }
            apply(&state, now: now)
            return state.takeWaiters()
        }
        Self.wake(waiters)
    }

    private func apply(_ state: inout State, now: NIODeadline) {
        let actions = state.actions
        defer { state.actions = [] }
        var expired = state.window.apply(actions, now: now)
        expired += keepToBudget(&state)
        var changes: [HLSFileChange] = []
        for action in actions {
            switch action {
            case .opened(let opening):
                state.opening = opening
            case .closed(let closing):
                guard files != nil, let opening = state.opening else { continue }
                changes.append(.segment(opening, closing, targetSeconds: state.window.target?.seconds ?? 0))
            case .initialization, .target, .part:
                break
            }
        }
        guard let files else { return }
        if !changes.isEmpty, state.window.isReady { changes.append(.livePlaylist(playlist(of: state, now))) }
        if !expired.isEmpty { changes.append(.expired(expired)) }
        if !changes.isEmpty { files.apply(changes, stream: stream) }
    }

    /// - Returns: segments that are given up for it.
    private func keepToBudget(_ state: inout State) -> [String] {
        let excess = options.budget.change(by: state.window.byteCount - state.counted)
        state.counted = state.window.byteCount
        guard excess > 0 else { return [] }
        let gone = state.window.giveUp(excess)
        _ = options.budget.change(by: state.window.byteCount - state.counted)
        state.counted = state.window.byteCount
        return gone
    }

    private func playlist(of state: borrowing State, _ now: NIODeadline) -> ByteBuffer {
        if case .playlist(let text) = state.window.answer(HLSDirectives(), arrived: now, now: now) { return text }
        return ByteBuffer()
    }

    private static func wake(_ waiters: [Waiter]) {
        for (_, group) in Dictionary(grouping: waiters, by: { ObjectIdentifier($0.loop) }) {
            group.first?.loop.execute { for waiter in group { waiter.retry() } }
        }
    }

    // What goes out

    func answer(now: NIODeadline, of body: (HLSWindow) -> HLSAnswer) -> HLSAnswer {
        state.withLock { state in
            state.lastAsked = now
            return body(state.window)
        }
    }

    /// - Parameter waiter: makes the one who asks again when the answer is to come later.
    /// - Returns: nil when it is.
    func answer(
        now: NIODeadline,
        waiter: (NIODeadline) -> Waiter,
        of body: (HLSWindow) -> HLSAnswer
    ) -> HLSAnswer? {
        state.withLock { state in
            state.lastAsked = now
            let answer = body(state.window)
            guard case .wait(let until) = answer else { return answer }
            guard state.waiters.count < options.maximumWaiting else {
                return .refuse(status: 503, reason: "too many requests wait for stream \(stream)")
            }
            state.waiters.append(waiter(until))
            return nil
        }
    }

    // Time

    enum Due {
        case nothing
        /// The grace period is over.
        case end
        /// Nobody asks.
        case idle
    }

    /// What is to be done with it now; wakes who has waited long enough.
    func advance(to now: NIODeadline) -> Due {
        let (due, late): (Due, [Waiter]) = state.withLock { state in
            let late = state.waiters.filter { $0.deadline <= now }
            if !late.isEmpty { state.waiters.removeAll { $0.deadline <= now } }
            if let interrupted = state.interrupted, state.tap == nil, !state.isClosed,
                now - interrupted >= options.gracePeriod
            {
                return (.end, late)
            }
            // Low-Latency HLS is for those who ask for it, always.
            let lasts = options.start == .always && container == .transportStream && !state.isClosed
            let patience = max(options.idleTime, .seconds(Int64(2 * (state.window.target?.seconds ?? 0))))
            let isIdle = !lasts && state.waiters.isEmpty && now - state.lastAsked >= patience
            return (isIdle ? .idle : .nothing, late)
        }
        Self.wake(late)
        return due
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }
    var isFed: Bool { state.withLock { $0.tap != nil } }
    var statistics: HLSOutputStatistics {
        state.withLock { state in
            HLSOutputStatistics(
                stream: stream,
                isTransportStream: container == .transportStream,
                memory: state.window.byteCount,
                droppedSegments: state.window.droppedSegments,
                droppedFrames: state.segmenter.droppedFrames,
                waiting: state.waiters.count
            )
        }
    }
}

package struct HLSOutputStatistics: Hashable, Sendable {
    package var stream: String
    /// Else fragmented MP4.
    package var isTransportStream: Bool
    /// Bytes of the segments that are held.
    package var memory = 0
    package var droppedSegments = 0
    package var droppedFrames = 0
    /// Requests that wait for what is to come.
    package var waiting = 0
}
