package import NIOCore
package import NIOHTTP1
package import Streaming

/// How the media HTTP port behaves.
package struct MediaHTTPConfiguration: Sendable {
    /// A request whose head is not there after so long is cut off.
    package var requestTimeout = TimeAmount.seconds(10)
    /// All header fields together; a longer head is refused.
    package var maximumHeaderBytes = 16 * 1024
    /// Asked before anything is served.
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
}

package enum MediaHTTPDecision: Hashable, Sendable {
    case allow
    /// Answered with the status and, as JSON, the reason.
    case deny(status: Int, reason: String)
}
