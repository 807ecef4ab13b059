import Glibc
import NIOCore

/// A blocking TCP client on loopback that sends and reads bytes as they are.
final class RawClient {
    private let descriptor: CInt

    /// - Parameter receiveBuffer: small, for a client that cannot take much; 0 for the usual.
    init?(port: Int, receiveBuffer: CInt = 0) {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        receiveTimeout(milliseconds: 15_000)
        if receiveBuffer > 0 {
            var size = receiveBuffer
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<CInt>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { return nil }
    }

    deinit {
        close(descriptor)
    }

    func receiveTimeout(milliseconds: Int) {
        var limit = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    func send(_ text: String) {
        send(Array(text.utf8))
    }

    func send(_ bytes: [UInt8]) {
        _ = Glibc.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL))
    }

    /// The next bytes, at most so many; empty at the end of the connection, nil when nothing came for 5 s or on a reset.
    func read(_ most: Int = 65536) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: most)
        let count = recv(descriptor, &bytes, most, 0)
        return count < 0 ? nil : Array(bytes.prefix(count))
    }

    /// The next bytes, nil at the end of the connection too.
    func readSome() -> [UInt8]? {
        guard let bytes = read(), !bytes.isEmpty else { return nil }
        return bytes
    }

    /// Exactly so many bytes.
    func read(exactly count: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard let part = read(min(count - bytes.count, 65_536)), !part.isEmpty else { return nil }
            bytes += part
        }
        return bytes
    }

    /// All up to the end of the connection.
    func readToEnd() -> String {
        var bytes: [UInt8] = []
        while let part = read(), !part.isEmpty { bytes += part }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A response head, up to and with the empty line.
    func readHead() -> String? {
        var bytes: [UInt8] = []
        while bytes.suffix(4) != [13, 10, 13, 10] {
            guard let byte = read(exactly: 1) else { return nil }
            bytes += byte
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// One response with a Content-Length, or without a body.
    func readAnswer() -> (head: String, body: String)? {
        readBytes().map { ($0.head, String(decoding: $0.body, as: UTF8.self)) }
    }

    /// The same, for a body that is no text.
    func readBytes() -> (head: String, body: [UInt8])? {
        guard let head = readHead() else { return nil }
        let fields = head.split(separator: "\r\n").map { $0.lowercased() }
        let length = fields.first { $0.hasPrefix("content-length:") }.flatMap { Int($0.dropFirst(16)) } ?? 0
        guard let body = read(exactly: length) else { return nil }
        return (head, body)
    }

    /// One server frame of a WebSocket.
    func readFrame() -> (opcode: UInt8, payload: [UInt8])? {
        guard let head = read(exactly: 2), head[0] & 0x80 != 0, head[1] & 0x80 == 0 else { return nil }
        var length = Int(head[1])
        if length >= 126 {
            guard let bytes = read(exactly: length == 126 ? 2 : 8) else { return nil }
            length = bytes.reduce(0) { $0 << 8 | Int($1) }
        }
        return read(exactly: length).map { (head[0] & 0x0F, $0) }
    }

    /// Sends a masked frame as a client must.
    func sendFrame(_ opcode: UInt8, _ payload: [UInt8]) {
        let mask: [UInt8] = [1, 2, 3, 4]
        send(
            [0x80 | opcode, 0x80 | UInt8(payload.count)] + mask
                + payload.enumerated().map { $1 ^ mask[$0 & 3] }
        )
    }
}
