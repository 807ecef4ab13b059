internal import NIOCore
internal import SIP

/// The flows of UDP peers by their address, so that its text is not made anew for each datagram.
///
/// Bounded: two generations, the older one is forgotten when the younger is full.
struct SIPPeers {
    private struct Peer {
        var flow: SIPFlow
        /// Where its last datagram was sent to.
        var destination: SocketAddress?
    }

    private let bound: SocketAddress
    private let boundHost: String?
    private let limit: Int
    private var young: [SocketAddress: Peer] = [:]
    private var old: [SocketAddress: Peer] = [:]

    /// - Parameters:
    ///   - bound: the socket's own address.
    ///   - limit: peers in one generation.
    init(bound: SocketAddress, limit: Int) {
        self.bound = bound
        self.limit = max(limit, 1)
        boundHost = bound.isWildcard ? nil : bound.numericHost
    }

    var count: Int { young.count + old.count }

    /// - Parameter destination: which of our addresses the datagram came to, where the kernel says so.
    mutating func flow(from remote: SocketAddress, to destination: SocketAddress?) -> SIPFlow? {
        if let peer = young[remote], peer.destination == destination { return peer.flow }
        if let peer = old[remote], peer.destination == destination {
            keep(peer, for: remote)
            return peer.flow
        }
        guard let host = remote.numericHost, let port = remote.port else { return nil }
        let flow = SIPFlow(
            transport: .udp,
            localHost: localHost(towards: remote, destination: destination),
            localPort: bound.port ?? 0,
            remoteHost: host,
            remotePort: port
        )
        keep(Peer(flow: flow, destination: destination), for: remote)
        return flow
    }

    private mutating func keep(_ peer: Peer, for remote: SocketAddress) {
        if young.count >= limit {
            old = young
            young = [:]
        }
        young[remote] = peer
    }

    private func localHost(towards remote: SocketAddress, destination: SocketAddress?) -> String {
        if let boundHost { return boundHost }
        if let destination, !destination.isGroup, let host = destination.numericHost { return host }
        return remote.localRoute()?.numericHost ?? "0.0.0.0"
    }
}
