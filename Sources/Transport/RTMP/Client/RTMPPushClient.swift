package import Hub
package import NIOCore
package import Streaming

/// Publishes a stream of the Hub to another RTMP server: there it is a publisher, here one more viewer.
package enum RTMPPushClient {
    /// Makes one attempt.
    /// - Parameters:
    ///   - session: `hub.makeSession(.rtmpPush, .push, url: url.redacted)`.
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
            role: .publisher,
            stream: stream,
            app: app,
            session: session,
            options: options
        )
        return RelayHandle(on: group) { RTMPRelay(order, hub: hub, loop: $0, onEvent: onEvent) }
    }
}
