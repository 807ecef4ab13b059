package import NIOCore
package import NIOHTTP1
package import Streaming

/// How the media HTTP port behaves.
package struct MediaHTTPConfiguration: Sendable {
    /// What is served. Of several that fit, the longest pattern counts.
    package var routes: [MediaHTTPRoute] = [.flv()]
    /// A connection whose first request is not whole after so long is cut off, however its bytes trickle in.
    package var requestTimeout = TimeAmount.seconds(10)
    /// A connection that was answered and sends no other whole request for so long is closed.
    package var idleTimeout = TimeAmount.seconds(30)
    /// All header fields together; a longer head is refused.
    package var maximumHeaderBytes = 16 * 1024
    /// Bodies are of no use here: one is read past up to this length.
    package var maximumBodyBytes = 64 * 1024
    /// Answers that one connection gets before it is closed: bounds what a client can ask for without reading.
    package var maximumRequests = 100
    /// How often a WebSocket viewer is pinged. One that has sent nothing for three times as long is closed.
    package var webSocketPingInterval = TimeAmount.seconds(30)
    /// What is under its `pattern` is HLS, before any route; nil: nothing is.
    package var hls: HLSService?
    package var authorizeHLS: @Sendable (HLSRequest, HLSService.Asker) -> MediaHTTPDecision = { _, _ in .allow }
    /// Asked before anything is served, on the event loop of the connection: be quick.
    package var authorize: @Sendable (MediaHTTPRequest) -> MediaHTTPDecision = { _ in .allow }

    package init() {}
}

/// What a player asks for.
package struct MediaHTTPRequest: Sendable {
    package var method: HTTPMethod
    /// The request target as it was sent.
    package var target: String
    package var stream: HTTPStreamRequest
    package var headers: HTTPHeaders
    /// `host:port` of the player.
    package var remoteAddress: String
    package var isWebSocket: Bool
    /// Whether it came over TLS.
    package var isSecure: Bool

    /// With the name that the player knows us by.
    package var url: String {
        let scheme = (isWebSocket ? "ws" : "http") + (isSecure ? "s" : "")
        // A player may send the whole URL (RFC 9112 3.2.2).
        if target.hasPrefix("/") == false, target.contains("://") { return target }
        return "\(scheme)://\(headers.first(name: "host") ?? "")\(target)"
    }
}

package enum MediaHTTPDecision: Hashable, Sendable {
    case allow
    /// Answered with the status (401, 403, 404, 503, …) and, as JSON, the reason.
    case deny(status: Int, reason: String)
}
