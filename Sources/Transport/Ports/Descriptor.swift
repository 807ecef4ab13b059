internal import CSockets
internal import Glibc
internal import NIOCore

/// A socket that is closed with its owner, so that none can leak.
package struct Descriptor: ~Copyable {
    package let number: Int32

    package init(owning number: Int32) {
        self.number = number
    }

    /// Gives the socket away; the caller closes it.
    package consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }

    deinit {
        close(number)
    }

    /// - Throws: errno.
    static func udp(_ address: SocketAddress, receiveBuffer: Int32) throws(SystemError) -> Descriptor {
        try checked(address.withSockAddr { cs_udp_bind($0, socklen_t($1), receiveBuffer) })
    }

    /// - Throws: errno.
    static func tcp(_ address: SocketAddress, listening: Bool) throws(SystemError) -> Descriptor {
        let socket = try checked(address.withSockAddr { cs_tcp_bind($0, socklen_t($1)) })
        if listening {
            let result = cs_listen(socket.number, 64)
            guard result == 0 else { throw SystemError(errno: -result) }
        }
        return socket
    }

    /// The port that a socket bound to port 0 was given.
    var localPort: Int {
        var local = cs_endpoint()
        return cs_local_endpoint(number, &local) == 0 ? Int(local.port) : 0
    }

    private static func checked(_ result: Int32) throws(SystemError) -> Descriptor {
        guard result >= 0 else { throw SystemError(errno: -result) }
        return Descriptor(owning: result)
    }
}

/// A failed system call, in the system's words.
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    package let errno: Int32

    package init(errno: Int32) {
        self.errno = errno
    }

    package var description: String { String(cString: strerror(errno)) }
}
