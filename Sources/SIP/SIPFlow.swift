/// The two ends of a signalling path: where a message came from and where the answers and later requests go.
package struct SIPFlow: Hashable, Sendable {
    package enum Transport: String, Hashable, Sendable, Codable {
        case udp
        case tcp
    }

    package var transport: Transport
    /// Numeric address without brackets.
    package var localHost: String
    package var localPort: Int
    package var remoteHost: String
    package var remotePort: Int
    /// Number of the TCP connection, never reused in a process; 0 for UDP.
    package var connection: UInt64

    package init(
        transport: Transport,
        localHost: String,
        localPort: Int,
        remoteHost: String,
        remotePort: Int,
        connection: UInt64 = 0
    ) {
        self.transport = transport
        self.localHost = localHost
        self.localPort = localPort
        self.remoteHost = remoteHost
        self.remotePort = remotePort
        self.connection = connection
    }

    /// TCP repeats by itself: no retransmission, no waiting for repeats.
    package var isReliable: Bool { transport == .tcp }
}

extension SIPFlow: CustomStringConvertible {
    package var description: String {
        "\(transport.rawValue) \(SIPURI.bracketed(remoteHost)):\(remotePort)"
    }
}
