package import NIOCore
internal import Synchronization

/// The reactors of all loops, for those who are not on one of them.
package final class RTPReactors: Sendable {
    private struct Entry: Sendable {
        let eventLoop: any EventLoop
        let reactor: NIOLoopBoundBox<RTPReactor?>
        let load: LoadCounter
    }

    private let entries: [Entry]
    private let tick: TimeAmount
    private let turn = Atomic<Int>(0)

    package init(group: any EventLoopGroup, tick: TimeAmount = .milliseconds(5)) {
        var entries: [Entry] = []
        for eventLoop in group.makeIterator() {
            entries.append(
                Entry(
                    eventLoop: eventLoop,
                    reactor: .makeEmptyBox(valueType: RTPReactor.self, eventLoop: eventLoop),
                    load: LoadCounter()
                )
            )
        }
        self.entries = entries
        self.tick = tick
    }

    /// The loop with the fewest receivers, in turn among equals.
    package func leastLoaded() -> any EventLoop {
        let start = turn.wrappingAdd(1, ordering: .relaxed).oldValue & Int(Int32.max)
        var best = entries[start % entries.count]
        for offset in 1..<max(entries.count, 2) {
            let entry = entries[(start + offset) % entries.count]
            if entry.load.value < best.load.value { best = entry }
        }
        return best.eventLoop
    }

    /// The reactor of a loop of the group; call it on that loop.
    package func reactor(on eventLoop: any EventLoop) throws(SystemError) -> RTPReactor {
        eventLoop.preconditionInEventLoop()
        guard let entry = entries.first(where: { $0.eventLoop === eventLoop }) else {
            return try RTPReactor(eventLoop: eventLoop, tick: tick)
        }
        if let reactor = entry.reactor.value { return reactor }
        let reactor = try RTPReactor(eventLoop: eventLoop, tick: tick, load: entry.load)
        entry.reactor.value = reactor
        return reactor
    }

    /// Closes every receiver on every loop.
    package func shutdown() -> EventLoopFuture<Void> {
        let done = entries.map { entry in
            entry.eventLoop.submit {
                entry.reactor.value?.shutdown()
                entry.reactor.value = nil
            }
        }
        return .andAllSucceed(done, on: entries[0].eventLoop)
    }
}

/// How many receivers a loop has, readable from everywhere.
final class LoadCounter: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { count.load(ordering: .relaxed) }

    func add(_ difference: Int) {
        count.wrappingAdd(difference, ordering: .relaxed)
    }
}
