package import NIOCore
import Wire

/// RTSP over HTTP (Apple's scheme, ONVIF's too): answers in the response to a GET, requests in base64 in the body of a POST.
package enum RTSPTunnel {
    /// The response to the GET; RTSP follows it.
    package static func getResponse() -> ByteBuffer { ByteBuffer() }
}

/// Decodes base64 as it comes: cut anywhere, with padding within it, since clients encode each request for itself.
package struct Base64StreamDecoder: Sendable {
    package init() {}

    /// Nil for what is no base64.
    package mutating func decode(_ input: ByteBuffer) -> ByteBuffer? { nil }
}

/// Which GET and POST belong together: same cookie, same address, and the POST in time.
package struct RTSPTunnelPairing: Sendable {
    package init() {}

    /// A GET waits for its POST. False: another one waits with that cookie, or too many wait.
    package mutating func wait(cookie: String, address: String, connection: UInt64, now: NIODeadline) -> Bool { false }

    /// The connection of the GET that a POST belongs to; it waits no longer.
    package mutating func pair(cookie: String, address: String, now: NIODeadline) -> UInt64? { nil }

    /// The connection has been closed.
    package mutating func remove(connection: UInt64) {}

    /// When to call `advance` next.
    package var deadline: NIODeadline? { nil }

    /// The connections of the GETs whose POST did not come.
    package mutating func advance(to now: NIODeadline) -> [UInt64] { [] }
}
