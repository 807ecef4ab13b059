internal import CSockets
internal import Glibc

/// Where a media packet came from; made for every packet and compared in place of text.
package struct RTPSource: Hashable, Sendable {
    package enum Transport: UInt8, Hashable, Sendable {
        case udp
        case tcp
    }

    /// An IPv6 address, or an IPv4 one as ::ffff:a.b.c.d.
    private let high: UInt64
    private let low: UInt64
    package let port: UInt16
    package let transport: Transport

    init(_ endpoint: cs_endpoint, _ transport: Transport) {
        high = endpoint.high
        low = endpoint.low
        port = endpoint.port
        self.transport = transport
    }

    /// - Parameter host: a numeric address; nil comes for a name.
    package init?(host: String, port: Int, transport: Transport = .udp) {
        var endpoint = cs_endpoint()
        guard let port = UInt16(exactly: port), cs_endpoint_parse(host, port, &endpoint) == 0 else { return nil }
        self.init(endpoint, transport)
    }

    var endpoint: cs_endpoint { cs_endpoint(high: high, low: low, port: port) }

    /// The same host, whatever the port and transport.
    @inline(__always)
    package func isSameHost(as other: RTPSource) -> Bool {
        low == other.low && high == other.high
    }

    /// The same host at another port, saturating.
    func atNextPort() -> RTPSource {
        RTPSource(cs_endpoint(high: high, low: low, port: port == .max ? port : port + 1), transport)
    }

    private var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// The numeric address, without brackets.
    package var host: String {
        if isIPv4 {
            return [24, 16, 8, 0].map { String(low >> UInt64($0) & 0xFF) }.joined(separator: ".")
        }
        var bytes = (high.bigEndian, low.bigEndian)
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(AF_INET6, &bytes, &text, socklen_t(text.count)) != nil else { return "::" }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

extension RTPSource: CustomStringConvertible {
    package var description: String {
        let address = isIPv4 ? host : "[\(host)]"
        return "\(transport == .udp ? "udp" : "tcp") \(address):\(port)"
    }
}
