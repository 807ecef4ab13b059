import CSockets
import NIOCore

extension LoopDispatcher {
    /// Bitrates are taken over so many seconds.
    private static let bitrateSeconds = 5

    /// Looks after sessions once a second for as long as there are any.
    func startWatch() {
        guard watch == nil else { return }
        watch = loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            self.look()
        }
    }

    private func look() {
        seconds &+= 1
        registry.load.report(sends: unmergedSends, ofLoop: index)
        unmergedSends = 0
        let measures = seconds % Self.bitrateSeconds == 0
        if measures {
            for publisher in publishers { publisher.measure(seconds: Self.bitrateSeconds) }
        }
        if registry.slabs.isUnderPressure { shedCaches() }
        // Closing changes the lists.
        for readers in readers.values.flatMap({ $0 }) {
            for viewer in readers.viewers {
                if measures { viewer.meter.measure(seconds: Self.bitrateSeconds) }
                check(viewer)
            }
            if let view = readers.view, view.isEnded { release(view, of: readers) }
        }
        if readers.isEmpty && publishers.isEmpty {
            watch?.cancel()
            watch = nil
        }
    }

    /// Gives up the largest caches that nobody watches, until what all loops have fits the limit.
    private func shedCaches() {
        let idle = publishers.filter { $0.idleMemory > 0 }
        let least = registry.budget.report(
            idle.map(\.idleMemory),
            ofLoop: index,
            excess: registry.slabs.excess * Slab.size
        )
        for publisher in idle where publisher.idleMemory >= least && registry.slabs.excess > 0 {
            publisher.shed()
            statistics.shedCaches &+= 1
        }
    }

    private func check(_ viewer: Viewer) {
        let now = loop.now
        if viewer.isEnding { return }
        if let end = viewer.graceEnd, now >= end {
            self.end(viewer, because: .publisherGone)
            return
        }
        // What the kernel holds unsent or unacknowledged goes down while the peer takes bytes, even if it has no room yet.
        var delivered = viewer.meter.wroteBytes
        if viewer.isBlocked, let descriptor = viewer.descriptor, viewer.channel?.isActive == true {
            delivered &-= max(0, Int(cs_unsent(descriptor)))
        }
        if delivered != viewer.delivered {
            viewer.delivered = delivered
            viewer.progressed = now
        }
        let quiet = now - viewer.progressed
        if viewer.isBlocked, viewer.datagrams == nil {
            guard quiet >= registry.configuration.stallTimeout else { return }
            statistics.stalledViewers &+= 1
            close(viewer, because: .stalled)
        } else if quiet >= registry.configuration.waitTimeout, viewer.graceEnd == nil {
            statistics.abandonedViewers &+= 1
            end(viewer, because: .abandoned)
        }
    }

    /// Lets the log of a publisher that has left go, once all viewers have read it.
    private func release(_ view: LogView, of readers: LoopReaders) {
        let end = view.end
        guard readers.viewers.allSatisfy({ $0.cursor.position.map { $0 == end } ?? true }) else { return }
        for viewer in readers.viewers { viewer.cursor.leave(view) }
        readers.view = nil
    }
}
