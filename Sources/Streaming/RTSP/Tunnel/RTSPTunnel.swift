package import NIOCore

/// RTSP over HTTP (Apple's scheme, ONVIF's too): answers in the response to a GET, requests in base64 in the body of a POST.
package enum RTSPTunnel {
    static let contentType = "application/x-rtsp-tunnelled"

    /// The response to the GET; RTSP follows it.
    package static func getResponse(server: String = "gbgate") -> ByteBuffer {
        ByteBuffer(
            string: "HTTP/1.0 200 OK\r\nServer: \(server)\r\nConnection: close\r\nCache-Control: no-store\r\n"
                + "Pragma: no-cache\r\nContent-Type: \(contentType)\r\n\r\n"
        )
    }

    /// The response to the POST. Apple's scheme has none and its clients do not look; others wait for it.
    package static func postResponse(server: String = "gbgate") -> ByteBuffer {
        ByteBuffer(
            string: "HTTP/1.0 200 OK\r\nServer: \(server)\r\nConnection: close\r\nCache-Control: no-store\r\n"
                + "Pragma: no-cache\r\nContent-Length: 0\r\n\r\n"
        )
    }

    /// The response to a GET or POST that is no half of a tunnel that can be.
    package static func refusal(code: Int = 400, reason: String = "Bad Request") -> ByteBuffer {
        ByteBuffer(string: "HTTP/1.1 \(code) \(reason)\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    }
}

/// Decodes base64 as it comes: cut anywhere, with padding within it, since clients encode each request for itself.
package struct Base64StreamDecoder: Sendable {
    private var bits: UInt32 = 0
    private var count = 0

    package init() {}

    /// Nil for what is no base64. Line ends do not matter.
    package mutating func decode(_ input: ByteBuffer) -> ByteBuffer? {
        var output = ByteBufferAllocator().buffer(capacity: input.readableBytes / 4 &* 3 &+ 3)
        for character in input.readableBytesView {
            guard let value = Self.value(character) else {
                switch character {
                // What is left of a group is not a byte.
                case UInt8(ascii: "="): (bits, count) = (0, 0)
                case 0x0D, 0x0A, 0x20, 0x09: break
                default: return nil
                }
                continue
            }
            bits = bits << 6 | value
            count &+= 6
            if count >= 8 {
                count &-= 8
                output.writeInteger(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return output
    }

    private static func value(_ character: UInt8) -> UInt32? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character &- UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character &- UInt8(ascii: "a") &+ 26)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character &- UInt8(ascii: "0") &+ 52)
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}

/// Which GET and POST belong together: same cookie, same address, and the POST in time.
package struct RTSPTunnelPairing: Sendable {
    private struct Waiting: Sendable {
        let cookie: String
        let address: String
        let connection: UInt64
        let until: NIODeadline
    }

    private let timeout: TimeAmount
    private let limit: Int
    /// In the order they came, which is that of their ends.
    private var waiting: [Waiting] = []

    /// - Parameter limit: of GETs that wait.
    package init(timeout: TimeAmount = .seconds(5), limit: Int = 256) {
        self.timeout = timeout
        self.limit = limit
    }

    /// A GET waits for its POST. False: another one waits with that cookie, or too many wait.
    package mutating func wait(cookie: String, address: String, connection: UInt64, now: NIODeadline) -> Bool {
        guard waiting.count < limit, !waiting.contains(where: { $0.cookie == cookie && $0.address == address }) else {
            return false
        }
        waiting.append(Waiting(cookie: cookie, address: address, connection: connection, until: now + timeout))
        return true
    }

    /// The connection of the GET that a POST belongs to; it waits no longer.
    package mutating func pair(cookie: String, address: String, now: NIODeadline) -> UInt64? {
        let index = waiting.firstIndex { $0.cookie == cookie && $0.address == address && now < $0.until }
        guard let index else { return nil }
        return waiting.remove(at: index).connection
    }

    /// The connection has been closed.
    package mutating func remove(connection: UInt64) {
        waiting.removeAll { $0.connection == connection }
    }

    /// When to call `advance` next.
    package var deadline: NIODeadline? { waiting.first?.until }

    /// The connections of the GETs whose POST did not come.
    package mutating func advance(to now: NIODeadline) -> [UInt64] {
        let late = waiting.prefix { $0.until <= now }.map(\.connection)
        waiting.removeFirst(late.count)
        return late
    }
}
