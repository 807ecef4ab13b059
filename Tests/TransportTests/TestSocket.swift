import CSockets
import Glibc

/// The other end of a connection under test: a plain socket on loopback.
final class TestSocket {
    let number: Int32

    init(owning number: Int32) {
        self.number = number
    }

    deinit {
        close(number)
    }

    static func udp(port: Int = 0, host: String = "127.0.0.1") throws -> TestSocket {
        try bound(SOCK_DGRAM, host, port)
    }

    static func tcp(from port: Int = 0) throws -> TestSocket {
        try bound(SOCK_STREAM, "127.0.0.1", port)
    }

    static func listening() throws -> TestSocket {
        let socket = try tcp()
        try check(listen(socket.number, 16))
        return socket
    }

    static func connected(to port: Int) throws -> TestSocket {
        let socket = try tcp()
        try check(socket.connect(to: port))
        return socket
    }

    private static func bound(_ type: __socket_type, _ host: String, _ port: Int) throws -> TestSocket {
        let made = TestSocket(owning: socket(AF_INET, Int32(type.rawValue), 0))
        var one: Int32 = 1
        if type == SOCK_STREAM { setsockopt(made.number, SOL_SOCKET, SO_REUSEADDR, &one, 4) }
        setsockopt(made.number, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        // A test that waits in vain fails rather than hangs.
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(made.number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        try check(with(host, port) { bind(made.number, $0, $1) })
        return made
    }

    private static func with<R>(_ host: String, _ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr(host)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }

    private static func check(_ result: Int32) throws {
        guard result >= 0 else { throw Failure(errno: errno) }
    }

    struct Failure: Error {
        let errno: Int32
    }

    func connect(to port: Int) -> Int32 {
        Self.with("127.0.0.1", port) { Glibc.connect(number, $0, $1) }
    }

    var port: Int {
        var local = cs_endpoint()
        return cs_local_endpoint(number, &local) == 0 ? Int(local.port) : 0
    }

    func send(_ bytes: [UInt8], to port: Int) {
        _ = Self.with("127.0.0.1", port) { sendto(number, bytes, bytes.count, 0, $0, $1) }
    }

    func send(_ bytes: [UInt8]) {
        _ = Glibc.send(number, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// What came, waiting for it up to 5 s; nil at the end of a stream, after a reset and after the time.
    func receive(_ limit: Int = 65_536) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = recv(number, &bytes, limit, 0)
        return count > 0 ? Array(bytes[..<count]) : nil
    }

    /// What is there now.
    func poll(_ limit: Int = 65_536) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = recv(number, &bytes, limit, Int32(MSG_DONTWAIT))
        return count > 0 ? Array(bytes[..<count]) : nil
    }

    /// Reads until the peer closes the connection; false after 5 s without a byte.
    func endsSoon() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(number, &bytes, bytes.count, 0)
            if count == 0 || (count < 0 && errno != EAGAIN) { return true }
            if count < 0 { return false }
        }
    }

    /// Whether the peer has closed the connection, by now.
    var isEnded: Bool {
        var byte: UInt8 = 0
        let count = recv(number, &byte, 1, Int32(MSG_DONTWAIT | MSG_PEEK))
        return count == 0 || (count < 0 && errno != EAGAIN)
    }

    /// The other end closes it, or has: on a busy machine the kernel brings the news late.
    var ends: Bool {
        var entry = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        _ = Glibc.poll(&entry, 1, 5_000)
        return isEnded
    }

    func accept() -> TestSocket? {
        var from = cs_endpoint()
        let socket = cs_accept(number, &from)
        guard socket >= 0 else { return nil }
        remotePort = Int(from.port)
        return TestSocket(owning: socket)
    }

    /// Of the connection accepted last.
    private(set) var remotePort = 0
}

/// Descriptors that this process has open.
func openDescriptors() -> Int {
    guard let directory = opendir("/proc/self/fd") else { return -1 }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    return count
}
