internal import NIOCore
internal import Streaming
internal import Transport
internal import Wire

extension RTSPServerOptions {
    init(_ section: RTSPSection, ports: PortPool, gate: StreamGate, activity: ActivityLog) {
        self.init()
        self.ports = ports
        connection.name = "gbgate/\(Gateway.version)"
        if section.authEnable {
            connection.credentials = DigestCredentials(username: section.username, password: section.password.value)
            connection.authentication.schemes =
                switch section.authMethod {
                case 0: [.basic]
                case 1: [.digest]
                default: [.basic, .digest]
                }
        }
        timeouts.control = .milliseconds(Int64(section.sessionTimeoutMs))
        timeouts.media = .milliseconds(Int64(section.publishTimeoutMs))
        describeTimeout = .milliseconds(Int64(section.describeTimeoutMs))
        portHost = section.addr.bindHost
        policy = RTSPTransportPolicy(udp: section.udpEnable, multicast: section.multicastEnable)
        if section.multicastEnable {
            multicast = RTSPMulticastOptions(
                range: section.multicastRange,
                port: UInt16(clamping: section.multicastPort),
                ttl: UInt8(clamping: section.multicastTtl),
                interface: section.multicastInterface
            )
        }
        authorize = { gate.decide($0) }
        onEnd = { activity.ended($0) }
        onFault = { activity.closed(rtsp: $0, $1) }
    }
}
