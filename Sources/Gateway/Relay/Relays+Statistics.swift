internal import Hub
internal import NIOCore

extension Relays {
    /// Every relay; bytes of what runs now come from the Hub.
    func stats(of streams: [StreamSnapshot]) -> [RelayStat] {
        var live: [String: ByteMeter] = [:]
        for stream in streams {
            for session in stream.viewers where session.info.role == .push { live[session.info.id] = session.bytes }
            if let session = stream.publisher, session.info.role == .pull { live[session.info.id] = session.bytes }
        }
        let now = NIODeadline.now()
        return board.all.map { relay in
            let order = relay.order
            let pause = relay.machine.nextAttempt.map { max(0, ($0 - now).nanoseconds / 1_000_000) } ?? 0
            return RelayStat(
                streamName: order.stream,
                sessionID: order.sessionID,
                direction: order.direction.rawValue,
                protocol: order.kind.protocolName,
                origin: order.origin.name,
                url: order.url.redacted,
                state: relay.machine.state.rawValue,
                remoteAddr: relay.remoteAddress,
                attempts: relay.machine.attempts,
                lastError: relay.machine.lastError ?? "",
                nextRetryMs: Int(pause),
                startTime: startTime(of: relay.id)?.lal ?? "",
                readBytesSum: relay.readBytes + (live[order.sessionID]?.readBytes ?? 0),
                wroteBytesSum: relay.wroteBytes + (live[order.sessionID]?.wroteBytes ?? 0)
            )
        }
    }
}
