package import Hub
package import NIOCore
package import Streaming

/// Publishes a stream of the Hub to another RTSP server: there it is a publisher, here one more viewer.
package enum RTSPPushClient {
    /// Makes one attempt.
    /// - Parameters:
    ///   - session: `hub.makeSession(.rtspPush, .push, url: url.redacted)`.
    ///   - group: the one that the Hub was made with.
    ///   - ports: where UDP ports come from.
    ///   - reactors: of the RTSP ports, to read UDP together with them.
    ///   - onEvent: told on the connection's event loop.
    package static func start(
        _ url: RTSPURL,
        stream: String,
        app: String,
        session: SessionInfo,
        hub: Hub,
        group: any EventLoopGroup,
        ports: PortPool,
        reactors: RTPReactors = RTPReactors(),
        options: RelayOptions = RelayOptions(),
        onEvent: @escaping @Sendable (RelayEvent) -> Void
    ) -> any RelayClient {
        let order = RTSPRelay.Order(
            url: url,
            isPush: true,
            stream: stream,
            app: app,
            session: session,
            ports: ports,
            reactors: reactors,
            options: options
        )
        return RelayHandle(on: group) { RTSPRelay(order, hub: hub, loop: $0, onEvent: onEvent) }
    }
}
