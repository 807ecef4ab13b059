internal import GB28181
internal import Logging
internal import NIOCore

/// Channels that were invited for as long as somebody watches: whoever asked may be gone without a word.
extension Signalling {
    /// Looks each second, while there is such a session.
    func watchIdle() {
        guard idleTimer == nil, !isStopping, sessions.values.contains(where: { $0.idleLimit != nil }) else { return }
        idleTimer = loop.scheduleTask(in: .seconds(1)) { [weak self] in
            self?.assumeIsolated { $0.endIdle() }
        }
    }

    private func endIdle() {
        idleTimer = nil
        let now = NIODeadline.now()
        for (key, session) in sessions {
            guard let limit = session.idleLimit, session.state == .streaming else { continue }
            guard !isWanted(session.streamName) else {
                sessions[key]?.idleSince = nil
                continue
            }
            let since = session.idleSince ?? now
            sessions[key]?.idleSince = since
            guard now - since >= limit else { continue }
            logger.info(
                "nobody watches channel \(key)",
                metadata: ["device": "\(key.deviceID)", "seconds": "\((now - since).nanoseconds / 1_000_000_000)"]
            )
            end(key, .released)
        }
        watchIdle()
    }

    /// Somebody looked at a stream without being one of its viewers.
    func glanced(at stream: String) {
        for (key, session) in sessions where session.streamName == stream { sessions[key]?.idleSince = nil }
    }
}

extension ChannelSession {
    /// Another invitation, which may allow more.
    mutating func stay(_ limit: TimeAmount?) {
        guard let limit, let own = idleLimit else {
            idleLimit = nil
            return
        }
        idleLimit = max(own, limit)
    }
}

extension GB28181InviteRequest {
    var idleLimit: TimeAmount? {
        autoByeAfterNoOutMs < 0 ? nil : .milliseconds(Int64(autoByeAfterNoOutMs))
    }
}
