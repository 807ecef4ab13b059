package import Hub
package import NIOCore
package import Streaming

/// Plays a stream of another RTSP server or a camera and publishes it in the Hub.
package enum RTSPPullClient {
    /// Makes one attempt.
    /// - Parameters:
    ///   - session: `hub.makeSession(.rtspPull, .pull, url: url.redacted)`.
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
            isPush: false,
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
