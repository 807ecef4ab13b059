package import NIOCore
import Synchronization

/// The reactor of each event loop, made when the first UDP port is opened there.
package final class RTPReactors: Sendable {
    private let reactors = Mutex<[ObjectIdentifier: NIOLoopBound<RTPReactor>]>([:])

    package init() {}

    /// The reactor of the loop that this is called on.
    package func reactor(of loop: any EventLoop) throws -> RTPReactor {
        loop.preconditionInEventLoop()
        if let bound = reactors.withLock({ $0[ObjectIdentifier(loop)] }) { return bound.value }
        let reactor = try RTPReactor(eventLoop: loop)
        let bound = NIOLoopBound(reactor, eventLoop: loop)
        reactors.withLock { $0[ObjectIdentifier(loop)] = bound }
        return reactor
    }
}
