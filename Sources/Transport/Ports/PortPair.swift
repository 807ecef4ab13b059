internal import NIOCore

/// A UDP socket and a listening TCP one on the same port number. Each may be taken once.
struct PortPair: ~Copyable {
    let port: Int
    var udp: Descriptor?
    var tcp: Descriptor?

    /// - Parameter port: 0 takes a number that is free for both.
    static func open(host: String, port: Int, receiveBuffer: Int) throws(PortError) -> PortPair {
        guard (0...65_535).contains(port), let address = try? SocketAddress(ipAddress: host, port: port) else {
            throw .notAnAddress("\(host):\(port)")
        }
        for attempt in 1... {
            do throws(SystemError) {
                let udp = try Descriptor.udp(address, receiveBuffer: Int32(clamping: receiveBuffer))
                let number = udp.localPort
                var same = address
                same.port = number
                let tcp = try Descriptor.tcp(same, listening: true)
                return PortPair(port: number, udp: udp, tcp: tcp)
            } catch {
                // A number that UDP was given at random may be taken for TCP.
                if port != 0 || attempt == 16 { throw .bindFailed(host: host, port: port, error) }
            }
        }
        throw .taken(port: port)
    }
}
