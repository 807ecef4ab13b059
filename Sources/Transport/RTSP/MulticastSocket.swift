import CSockets
import Glibc
import NIOCore

/// A UDP socket that sends to multicast groups.
final class MulticastSocket {
    private let descriptor: Descriptor

    /// - Parameter interface: the IPv4 address of the interface that packets go out of; empty: as the routes say.
    init(interface: String, ttl: UInt8) throws {
        let address = try SocketAddress(ipAddress: "0.0.0.0", port: 0)
        descriptor = try Descriptor.udp(address, receiveBuffer: 4096)
        let source = RTPSource(host: interface.isEmpty ? "0.0.0.0" : interface, port: 0)
        guard let source else { throw PortError.notAnAddress(interface) }
        let result = cs_multicast_sender(descriptor.number, source.endpoint, CInt(ttl))
        guard result == 0 else { throw SystemError(errno: -result) }
    }

    /// - Returns: the bytes that the kernel took.
    func send(_ datagrams: UnsafeBufferPointer<iovec>, to target: RTPSource) -> Int {
        DatagramBatch.send(datagrams, on: descriptor.number, to: target)
    }
}

/// Datagrams of one piece each, as many as may be with one system call.
enum DatagramBatch {
    /// - Returns: the bytes that the kernel took; what finds no room is lost, as on any network.
    static func send(_ datagrams: UnsafeBufferPointer<iovec>, on descriptor: CInt, to target: RTPSource) -> Int {
        var next = 0
        var bytes = 0
        while next < datagrams.count, let base = datagrams.baseAddress {
            let taken = cs_send_many(descriptor, target.endpoint, base + next, CInt(min(datagrams.count - next, 64)))
            guard taken > 0 else { return bytes }
            for datagram in datagrams[next..<next + Int(taken)] { bytes &+= datagram.iov_len }
            next += Int(taken)
        }
        return bytes
    }
}
