internal import CSockets
internal import Glibc
internal import NIOCore

extension SocketAddress {
    /// The address without port, numeric; IPv4 in IPv6 (`::ffff:192.0.2.7`, from a dual-stack socket) as IPv4.
    var numericHost: String? {
        guard let text = ipAddress else { return nil }
        return text.hasPrefix("::ffff:") && text.utf8.contains(UInt8(ascii: ".")) ? String(text.dropFirst(7)) : text
    }

    /// The address to send to from a socket of this family, or nil where `host` and `port` are none.
    static func peer(host: String, port: Int, isIPv6Socket: Bool) -> SocketAddress? {
        guard (1...65_535).contains(port) else { return nil }
        let isIPv4 = !host.utf8.contains(UInt8(ascii: ":"))
        return try? SocketAddress(ipAddress: isIPv6Socket && isIPv4 ? "::ffff:" + host : host, port: port)
    }

    /// Whether a datagram sent to this address may have other receivers, so that it is no address of ours.
    var isGroup: Bool {
        guard let text = numericHost else { return false }
        guard let first = Int(text.prefix { $0 != "." }) else { return text.hasPrefix("ff") }
        return first >= 224
    }

    var isWildcard: Bool { ipAddress == "0.0.0.0" || ipAddress == "::" }

    /// The address that a socket is bound to.
    static func local(of descriptor: Int32) -> SocketAddress? {
        var host = [CChar](repeating: 0, count: 64)
        let port = cs_local_address(descriptor, &host, socklen_t(host.count))
        guard port >= 0 else { return nil }
        let text = String(decoding: host.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return try? SocketAddress(ipAddress: text, port: Int(port))
    }

    /// The local address that packets to this one leave from, by the routing table; nothing is sent.
    func localRoute() -> SocketAddress? {
        let descriptor = socket(self.protocol.rawValue, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { _ = Glibc.close(descriptor) }
        guard withSockAddr({ Glibc.connect(descriptor, $0, socklen_t($1)) }) == 0 else { return nil }
        return Self.local(of: descriptor)
    }
}
