package import Hub
package import NIOCore
package import Streaming

/// Plays a stream of another RTMP server and publishes it in the Hub.
package enum RTMPPullClient {
    /// Makes one attempt.
    /// - Parameters:
    ///   - session: `hub.makeSession(.rtmpPull, .pull, url: url.redacted)`.
    ///   - group: the one that the Hub was made with.
    ///   - onEvent: told on the connection's event loop.
    package static func start(
        _ url: RTMPURL,
        stream: String,
        app: String,
        session: SessionInfo,
        hub: Hub,
        group: any EventLoopGroup,
        options: RelayOptions = RelayOptions(),
        onEvent: @escaping @Sendable (RelayEvent) -> Void
    ) -> any RelayClient {
        let order = RTMPRelay.Order(
            url: url,
            role: .player,
            stream: stream,
            app: app,
            session: session,
            options: options
        )
        return RelayHandle(on: group) { RTMPRelay(order, hub: hub, loop: $0, onEvent: onEvent) }
    }
}
