internal import Hub
internal import NIOCore
internal import Streaming

/// What the HTTP API asks of the relays, with lal's texts.
extension Relays {
    /// Relays that the API may have at once.
    private static let maximum = 10_000
    private static let taken = "lal.logic: in stream already exist at group"

    func startPull(_ request: StartRelayPullRequest) throws -> RelayPullStarted {
        let url = try pullURL(request.url, ControlError.relayPullFailed)
        let stream = try request.streamName.isEmpty ? name(of: url, ControlError.relayPullFailed) : request.streamName
        try require(url, stream, ControlError.relayPullFailed)
        try free(stream, ControlError.relayPullFailed)
        let stop = request.autoStopPullAfterNoOutMs
        guard stop != 0 || relayed(stream).viewers > 0 else {
            throw ControlError.relayPullFailed("should auto stop pull")
        }
        let linger: TimeAmount? = stop < 0 ? nil : .milliseconds(Int64(stop))
        let timeout: TimeAmount? = request.pullTimeoutMs <= 0 ? nil : .milliseconds(Int64(request.pullTimeoutMs))
        let order = settings.order(
            .pull,
            .api,
            stream: stream,
            app: url.app,
            url: url,
            timeout: .some(timeout),
            rtspMode: request.rtspMode,
            policy: settings.policy(retries: max(request.pullRetryNum, -1), linger: linger, endsUnneeded: true)
        )
        guard add(order) != nil else { throw ControlError.relayPullFailed("the gateway is stopping") }
        return RelayPullStarted(streamName: stream, sessionID: order.sessionID)
    }

    func stopPull(_ stream: String) throws -> RelayPullStopped {
        guard let relay = board.living(of: stream, .pull).first else {
            throw hub.presence(of: stream) == nil ? ControlError.groupNotFound : ControlError.sessionNotFound
        }
        end(relay.id, "stopped by the API")
        return RelayPullStopped(sessionID: relay.order.sessionID)
    }

    func startRelay(_ request: StartRelayRequest) async throws -> RelayTask {
        let pull: RelayURL
        do {
            pull = try pullURL(request.pullURL, ControlError.relayFailed)
        } catch let error as ControlError {
            throw ControlError.relayFailed("parse pull url failed: \(error.desp)")
        }
        let push = try pushURL(request.pushURL)
        let stream = try request.streamName.isEmpty ? name(of: pull, ControlError.relayFailed) : request.streamName
        if let old = task(of: stream), !old.pullSessionID.isEmpty, !old.pushSessionID.isEmpty { return old }
        try require(pull, stream) { ControlError.relayFailed("start pull failed: \($0)") }
        try require(push, stream) { ControlError.relayFailed("start push failed: \($0)") }
        try free(stream) { ControlError.relayFailed("start pull failed: \($0)") }
        lastTask += 1
        let task = lastTask
        var order = settings.order(
            .pull,
            .task,
            stream: stream,
            app: pull.app,
            url: pull,
            timeout: timeout(request.timeoutMs),
            rtspMode: request.rtspMode,
            policy: settings.policy(retries: max(request.retryNum, -1))
        )
        order.task = task
        let pullSession = order.sessionID
        guard let pullID = add(order) else { throw ControlError.relayFailed("the gateway is stopping") }
        if let fault = await outcome(of: pullID) {
            end(pullID, fault)
            throw ControlError.relayFailed("start pull failed: \(fault)")
        }
        do {
            let pushSession = try await startPush(
                stream,
                pull.app,
                push,
                timeoutMs: request.timeoutMs,
                retries: request.retryNum,
                rtspMode: request.rtspMode,
                task: task
            )
            return RelayTask(streamName: stream, pullSessionID: pullSession, pushSessionID: pushSession)
        } catch {
            end(pullID, "its push failed")
            throw error
        }
    }

    func startRelay(_ request: StartRelayFromStreamRequest) async throws -> RelayPushStarted {
        let push = try pushURL(request.pushURL)
        let stream = request.streamName
        guard let presence = hub.presence(of: stream), presence.publisher != nil else {
            throw ControlError.groupNotFound
        }
        let same = board.living(of: stream, .push).first { $0.order.origin == .task && $0.order.url == push }
        if let same { return RelayPushStarted(streamName: stream, pushSessionID: same.order.sessionID) }
        try require(push, stream) { ControlError.relayFailed("start push failed: \($0)") }
        let session = try await startPush(
            stream,
            presence.app,
            push,
            timeoutMs: request.timeoutMs,
            retries: request.retryNum,
            rtspMode: request.rtspMode,
            task: nil
        )
        return RelayPushStarted(streamName: stream, pushSessionID: session)
    }

    private func startPush(
        _ stream: String,
        _ app: String,
        _ url: RelayURL,
        timeoutMs: Int,
        retries: Int,
        rtspMode: Int,
        task: Int?
    ) async throws -> String {
        var order = settings.order(
            .push,
            .task,
            stream: stream,
            app: app,
            url: url,
            timeout: timeout(timeoutMs),
            rtspMode: rtspMode,
            policy: settings.policy(retries: max(retries, -1), linger: .zero)
        )
        order.task = task
        guard let id = add(order) else { throw ControlError.relayFailed("the gateway is stopping") }
        if let fault = await outcome(of: id) {
            end(id, fault)
            throw ControlError.relayFailed("start push failed: \(fault)")
        }
        return order.sessionID
    }

    func stopRelay(_ stream: String) throws -> RelayTask {
        guard let found = task(of: stream) else {
            let isKnown = hub.presence(of: stream) != nil || !board.living(of: stream).isEmpty
            throw isKnown ? ControlError.stopRelayFailed : ControlError.groupNotFound
        }
        for relay in board.living(of: stream) where relay.order.origin == .task {
            end(relay.id, "stopped by the API")
        }
        return found
    }

    /// Ends a relay by its session. False: it is none of ours.
    func kick(_ session: String, of stream: String) -> Bool {
        guard let relay = board.living(of: stream).first(where: { $0.order.sessionID == session }) else { return false }
        end(relay.id, "kicked by the API")
        return true
    }

    private func task(of stream: String) -> RelayTask? {
        let all = board.living(of: stream).filter { $0.order.origin == .task }
        guard !all.isEmpty else { return nil }
        let pull = all.first { $0.order.direction == .pull }?.order.sessionID ?? ""
        let push = all.first { $0.order.direction == .push }?.order.sessionID ?? ""
        return RelayTask(streamName: stream, pullSessionID: pull, pushSessionID: push)
    }

    // What is asked must make sense

    private func timeout(_ milliseconds: Int) -> TimeAmount?? {
        .some(.milliseconds(Int64(milliseconds <= 0 ? 10_000 : milliseconds)))
    }

    private func pullURL(_ text: String, _ refusal: (String) -> ControlError) throws -> RelayURL {
        guard let url = RelayURL(text) else {
            throw refusal("lal.base: invalid url. url=\(URLText.redacted(text))")
        }
        return url
    }

    private func pushURL(_ text: String) throws -> RelayURL {
        guard let url = RelayURL(text), url.form != .flv, !url.stream.isEmpty else {
            let scheme = text.firstRange(of: "://").map { String(text[..<$0.lowerBound]) } ?? ""
            let isKnown = ["rtmp", "rtmps", "rtsp", "rtsps"].contains(scheme.lowercased())
            throw ControlError.relayFailed(
                isKnown
                    ? "start push failed: lal.base: invalid url. url=\(URLText.redacted(text))"
                    : "unsupported push url protocol: \(scheme.isEmpty ? URLText.redacted(text) : scheme)"
            )
        }
        return url
    }

    /// The last item of the URL, which has to do as a name of ours.
    private func name(of url: RelayURL, _ refusal: (String) -> ControlError) throws -> String {
        guard let address = try? StreamAddress(path: "live/\(url.stream)"), address.stream == url.stream else {
            throw refusal("the last item of \(url.redacted) is no stream name: give stream_name")
        }
        return url.stream
    }

    /// No circle, and room for one more.
    private func require(_ url: RelayURL, _ stream: String, _ refusal: (String) -> ControlError) throws {
        guard !settings.isOwn(url, stream: stream) else {
            throw refusal("\(url.redacted) is this gateway's own stream \(stream)")
        }
        guard board.count < Self.maximum else { throw refusal("there are \(Self.maximum) relays, the maximum") }
    }

    /// Neither a publisher nor a pull holds the stream. A pull that waits or is of a rule makes room.
    private func free(_ stream: String, _ refusal: (String) -> ControlError) throws {
        guard relayed(stream).publisher == nil else { throw refusal(Self.taken) }
        for relay in board.living(of: stream, .pull) {
            switch relay.machine.state {
            case .connecting, .running, .stopping: throw refusal(Self.taken)
            // It would not come back when the one of the API has ended.
            case .waiting where relay.order.origin == .always: throw refusal(Self.taken)
            case .idle, .waiting, .ended: end(relay.id, "replaced by the API")
            }
        }
    }
}

extension ControlError {
    package static func relayPullFailed(_ why: String) -> ControlError {
        ControlError(.relayPullFailed, why)
    }

    package static func relayFailed(_ why: String) -> ControlError {
        ControlError(.relayFailed, why)
    }

    package static let stopRelayFailed = ControlError(.stopRelayFailed, "stop relay fail")
}
