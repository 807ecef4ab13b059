internal import Hub
internal import NIOCore
internal import Streaming
internal import Transport

/// Opens a relay's connection: the real clients, or a test's.
protocol RelayConnector: Sendable {
    /// Makes one attempt. `onEvent` may be called on any event loop, and before this returns.
    func connect(
        _ order: RelayOrder,
        onEvent: @escaping @Sendable (RelayEvent) -> Void
    ) throws -> any RelayClient
}

/// RTMP, RTSP, and FLV over HTTP.
struct NetworkRelayConnector: RelayConnector {
    let hub: Hub
    let group: any EventLoopGroup
    /// Of RTSP's media over UDP.
    let ports: PortPool
    let reactors = RTPReactors()

    func connect(
        _ order: RelayOrder,
        onEvent: @escaping @Sendable (RelayEvent) -> Void
    ) throws -> any RelayClient {
        let session = hub.makeSession(
            order.kind,
            order.direction == .pull ? .pull : .push,
            id: order.sessionID,
            url: order.url.redacted
        )
        switch (order.direction, order.url.form) {
        case (.pull, .rtmp):
            return RTMPPullClient.start(
                try RTMPURL(order.url.text),
                stream: order.stream,
                app: order.app,
                session: session,
                hub: hub,
                group: group,
                options: order.options,
                onEvent: onEvent
            )
        case (.push, .rtmp):
            return RTMPPushClient.start(
                try RTMPURL(order.url.text),
                stream: order.stream,
                app: order.app,
                session: session,
                hub: hub,
                group: group,
                options: order.options,
                onEvent: onEvent
            )
        case (.pull, .flv):
            return try FLVPullClient.start(
                order.url.text,
                stream: order.stream,
                app: order.app,
                session: session,
                hub: hub,
                group: group,
                options: order.options,
                onEvent: onEvent
            )
        case (.pull, .rtsp):
            return RTSPPullClient.start(
                try RTSPURL(order.url.text),
                stream: order.stream,
                app: order.app,
                session: session,
                hub: hub,
                group: group,
                ports: ports,
                reactors: reactors,
                options: order.options,
                onEvent: onEvent
            )
        case (.push, .rtsp):
            return RTSPPushClient.start(
                try RTSPURL(order.url.text),
                stream: order.stream,
                app: order.app,
                session: session,
                hub: hub,
                group: group,
                ports: ports,
                reactors: reactors,
                options: order.options,
                onEvent: onEvent
            )
        case (.push, .flv):
            throw RelayFault(.refused, "\(order.url.scheme) relay is not served by this version")
        }
    }
}
