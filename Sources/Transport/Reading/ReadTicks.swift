import NIOCore
import Synchronization

/// The ticks of all loops, each made when its loop first needs it.
final class ReadTicks: Sendable {
    /// A loop's tick begins above so many messages a second; below 0 at once.
    private let messagesBeforeTicking: Int
    private let ticks = Mutex<[ObjectIdentifier: NIOLoopBound<ReadTick>]>([:])

    init(messagesBeforeTicking: Int = 400) {
        self.messagesBeforeTicking = messagesBeforeTicking
    }

    /// The tick of the loop that this is called on.
    func tick(of loop: any EventLoop) -> ReadTick {
        loop.preconditionInEventLoop()
        let bound = ticks.withLock { ticks in
            if let bound = ticks[ObjectIdentifier(loop)] { return bound }
            let tick = ReadTick(loop: loop, messagesBeforeTicking: messagesBeforeTicking)
            let bound = NIOLoopBound(tick, eventLoop: loop)
            ticks[ObjectIdentifier(loop)] = bound
            return bound
        }
        return bound.value
    }
}
