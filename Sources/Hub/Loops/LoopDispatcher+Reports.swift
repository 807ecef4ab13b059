import NIOCore

extension LoopDispatcher {
    /// What this loop knows of one stream, or of all.
    func report(on stream: String?) -> [StreamSnapshot] {
        loop.assertInEventLoop()
        let second = registry.configuration.wallClock() / 1000
        var reports = publishers.filter { (stream == nil || $0.stream == stream) && !$0.gate.isClosed }
            .map { $0.snapshot(at: second) }
        for (name, formats) in readers where stream == nil || stream == name {
            var report = StreamSnapshot(name: name, app: "")
            for readers in formats {
                report.viewers.append(contentsOf: readers.viewers.map { $0.snapshot() })
            }
            reports.append(report)
        }
        return reports
    }

    /// Closes a viewer. False when there is no such one on this loop.
    func kick(session: String, of stream: String) -> Bool {
        for readers in readers[stream] ?? [] {
            guard let viewer = readers.viewers.first(where: { $0.session.id == session }) else { continue }
            end(viewer, because: .kicked)
            return true
        }
        return false
    }
}

extension Viewer {
    fileprivate func snapshot() -> SessionSnapshot {
        var snapshot = SessionSnapshot(
            info: session,
            bytes: meter,
            skips: skips,
            skippedBytes: skippedBytes,
            skippedMilliseconds: skippedMilliseconds
        )
        snapshot.isWaiting = cursor.position == nil
        if let view = readers.view, let position = cursor.position, let slab = view.slab(position.slab) {
            snapshot.lagBytes = (view.bytes(before: view.end) ?? 0) &- slab.slab.position &- position.offset
            if snapshot.lagBytes > 0 {
                snapshot.lagMilliseconds = Int(Int32(truncatingIfNeeded: view.timestamp &- slab.slab.timestamp))
            }
        }
        return snapshot
    }
}
