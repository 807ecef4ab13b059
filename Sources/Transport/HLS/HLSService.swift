package import Hub
import Media
package import NIOCore
import Synchronization

/// The HLS of all streams: cuts what is asked for, keeps the windows, answers players. Used on every loop.
package final class HLSService: Sendable {
    private struct Key: Hashable, Sendable {
        var stream: String
        var container: HLSConfiguration.Container
    }

    private struct State {
        var hub: Hub?
        var outputs: [Key: HLSOutput] = [:]
        var timer: RepeatedTask?
    }

    package let options: HLSOptions
    let sessions: HLSSessions
    private let state = Mutex(State())

    package init(_ options: HLSOptions) {
        self.options = options
        sessions = HLSSessions(options)
    }

    /// - Parameter loop: of the Hub's: what is due is looked after there, each second.
    package func start(_ hub: Hub, on loop: any EventLoop) {
        sessions.hub.withLock { $0 = hub }
        state.withLock { state in
            state.hub = hub
            state.timer = loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { [weak self] _ in
                self?.advance(to: loop.now)
            }
        }
    }

    /// Ends every playlist.
    package func stop(now: NIODeadline = .now()) {
        let outputs = state.withLock { state in
            state.timer?.cancel()
            state.timer = nil
            defer { state.outputs = [:] }
            return state.outputs.values.map { $0 }
        }
        for output in outputs { output.end(now: now) }
        sessions.removeAll()
    }

    /// What a stream that begins to be published is fed to. On the publisher's loop.
    package func taps(of stream: TappedStream, on loop: any EventLoop) -> [any StreamTap] {
        var taps: [any StreamTap] = []
        for container in [HLSConfiguration.Container.transportStream, .fragmentedMP4] {
            let isWanted = options.start == .always && container == .transportStream
            guard let output = output(of: stream.stream, container, makes: isWanted, now: loop.now),
                let tap = tap(output, of: stream, on: loop)
            else { continue }
            taps.append(tap)
        }
        return taps
    }

    private func tap(_ output: HLSOutput, of stream: TappedStream, on loop: any EventLoop) -> HLSTap? {
        let isTaken = output.begin(publication: stream.publication, now: loop.now)
        return isTaken ? HLSTap(output, publication: stream.publication, on: loop) : nil
    }

    /// The output of a stream; one that has ended is replaced by a new one where `makes`.
    func output(
        of stream: String,
        _ container: HLSConfiguration.Container,
        makes: Bool,
        now: NIODeadline
    ) -> HLSOutput? {
        state.withLock { state in
            let key = Key(stream: stream, container: container)
            if let output = state.outputs[key], !(makes && output.isClosed) { return output }
            guard makes, !options.budget.isSpent else { return nil }
            let output = HLSOutput(stream: stream, container: container, options: options, now: now)
            state.outputs[key] = output
            return output
        }
    }

    func isCut(_ stream: String) -> Bool {
        state.withLock { state in
            state.outputs[Key(stream: stream, container: .transportStream)] != nil
                || state.outputs[Key(stream: stream, container: .fragmentedMP4)] != nil
        }
    }

    /// A player asks for a stream that is not cut yet.
    func begin(_ stream: String, _ container: HLSConfiguration.Container, now: NIODeadline) -> HLSOutput? {
        let known = output(of: stream, container, makes: false, now: now)
        if let known, known.isFed { return known }
        guard let hub = state.withLock({ $0.hub }), hub.publisher(of: stream) != nil else { return known }
        guard let output = output(of: stream, container, makes: true, now: now) else { return nil }
        guard !output.isFed else { return output }
        hub.tap(stream) { [self] tapped, loop in tap(output, of: tapped, on: loop) }
        return output
    }

    private func advance(to now: NIODeadline) {
        let (hub, outputs) = state.withLock { ($0.hub, $0.outputs) }
        for (key, output) in outputs {
            switch output.advance(to: now) {
            case .nothing:
                break
            case .end:
                output.end(now: now)
            case .idle:
                state.withLock { state in
                    if state.outputs[key] === output { state.outputs[key] = nil }
                }
                hub?.removeTaps(of: key.stream) { ($0 as? HLSTap)?.output === output }
                output.end(now: now)
            }
        }
        sessions.advance(to: now)
    }

    /// What is cut now, once for each container.
    package var statistics: [HLSOutputStatistics] {
        state.withLock { $0.outputs.values.map { $0 } }.map(\.statistics).sorted {
            ($0.stream, $0.isTransportStream ? 0 : 1) < ($1.stream, $1.isTransportStream ? 0 : 1)
        }
    }

    /// The viewers of a stream, or of all.
    package func viewers(of stream: String? = nil) -> [(stream: String, snapshot: SessionSnapshot)] {
        sessions.snapshots(of: stream)
    }

    /// Ends a viewer: its next requests find nothing, for as long as a viewer may be silent.
    package func kick(session: String, of stream: String) -> Bool {
        sessions.kick(session, of: stream, now: .now())
    }
}
