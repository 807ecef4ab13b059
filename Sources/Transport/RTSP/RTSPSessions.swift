import NIOCore
import Streaming
import Synchronization

/// What the connections of all RTSP ports know of each other: sessions by their ids, tunnels whose other half is to come, and
/// which ports of which client are in use.
final class RTSPSessions: Sendable {
    struct Entry: Sendable {
        let loop: any EventLoop
        let session: NIOLoopBound<RTSPSession>
    }

    private struct ClientPort: Hashable {
        let host: String
        let port: UInt16
    }

    private struct State {
        var sessions: [String: Entry] = [:]
        var clientPorts: Set<ClientPort> = []
        var pairing = RTSPTunnelPairing()
        var tunnels: [UInt64: NIOLoopBound<RTSPHandler>] = [:]
        var connections: UInt64 = 0
    }

    private let state = Mutex(State())

    /// A number that no other connection has.
    func nextConnection() -> UInt64 {
        state.withLock { state in
            state.connections &+= 1
            return state.connections
        }
    }

    func add(_ session: RTSPSession, id: String, on loop: any EventLoop) {
        let entry = Entry(loop: loop, session: NIOLoopBound(session, eventLoop: loop))
        state.withLock { $0.sessions[id] = entry }
    }

    func remove(_ id: String) {
        state.withLock { $0.sessions[id] = nil }
    }

    subscript(id: String) -> Entry? {
        state.withLock { $0.sessions[id] }
    }

    /// Takes a client's port for a reader. False: another session sends there already, and the two would be mixed up.
    func take(clientPort port: UInt16, of host: String) -> Bool {
        state.withLock { $0.clientPorts.insert(ClientPort(host: host, port: port)).inserted }
    }

    func giveBack(clientPort port: UInt16, of host: String) {
        state.withLock { _ = $0.clientPorts.remove(ClientPort(host: host, port: port)) }
    }
}

// Tunnels
extension RTSPSessions {
    /// The half that answers go through waits for the other. False: it cannot.
    func wait(_ handler: NIOLoopBound<RTSPHandler>, cookie: String, peer: RTSPPeer, now: NIODeadline) -> Bool {
        state.withLock { state in
            _ = state.pairing.advance(to: now)
            let waits = state.pairing.wait(
                cookie: cookie,
                address: peer.address,
                connection: peer.connection,
                now: now
            )
            if waits { state.tunnels[peer.connection] = handler }
            return waits
        }
    }

    /// The half that answers go through, for the one that requests come through.
    func pair(cookie: String, peer: RTSPPeer, now: NIODeadline) -> NIOLoopBound<RTSPHandler>? {
        state.withLock { state in
            state.pairing.pair(cookie: cookie, address: peer.address, now: now).flatMap {
                state.tunnels.removeValue(forKey: $0)
            }
        }
    }

    func stopWaiting(connection: UInt64) {
        state.withLock { state in
            state.pairing.remove(connection: connection)
            state.tunnels[connection] = nil
        }
    }
}
