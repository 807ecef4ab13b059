package import Hub
package import NIOCore
import NIOPosix
import Streaming

/// Pulls a stream of another server into the Hub over HTTP-FLV or WebSocket-FLV, with TLS or without.
package enum FLVPullClient {
    /// Connects. One attempt: see `RelayClient`. The pull has started, and is a publisher of the Hub, with the first FLV message:
    /// servers accept a player of a stream that nobody publishes, too.
    /// - Parameters:
    ///   - url: `http`, `https`, `ws` or `wss`, with `user:password@` for Basic authentication where the server asks for it.
    ///   - stream: the name that the stream gets here.
    ///   - session: from `hub.makeSession(.flvPull, .pull, …)`; its URL should be `FLVURL.redacted`.
    ///   - group: the one that the Hub was made with.
    /// - Throws: a `RelayFault` when the URL cannot be pulled from.
    package static func start(
        _ url: String,
        stream: String,
        app: String,
        session: SessionInfo,
        hub: Hub,
        group: any EventLoopGroup,
        options: RelayOptions = RelayOptions(),
        onEvent: @escaping @Sendable (RelayEvent) -> Void
    ) throws(RelayFault) -> any RelayClient {
        let pull = FLVPull(
            url: try FLVURL(url),
            options: options,
            publication: FLVPull.Publication(hub: hub, stream: stream, app: app, session: session),
            loop: group.next(),
            onEvent: onEvent
        )
        pull.start()
        return pull
    }
}

/// The handle of a pull, for any thread; its connection stays on the loop.
final class FLVPull: RelayClient {
    struct Publication: Sendable {
        var hub: Hub
        var stream: String
        var app: String
        var session: SessionInfo
    }

    private let url: FLVURL
    private let options: RelayOptions
    private let publication: Publication
    private let loop: any EventLoop
    private let onEvent: @Sendable (RelayEvent) -> Void
    private let handler: NIOLoopBoundBox<FLVPullHandler?>

    init(
        url: FLVURL,
        options: RelayOptions,
        publication: Publication,
        loop: any EventLoop,
        onEvent: @escaping @Sendable (RelayEvent) -> Void
    ) {
        self.url = url
        self.options = options
        self.publication = publication
        self.loop = loop
        self.onEvent = onEvent
        handler = .makeEmptyBox(valueType: FLVPullHandler.self, eventLoop: loop)
    }

    func start() {
        loop.execute { self.connect() }
    }

    func stop() {
        loop.execute { self.handler.value?.end(nil) }
    }

    private func connect() {
        let handler = FLVPullHandler(url: url, options: options, publication: publication, loop: loop, onEvent: onEvent)
        self.handler.value = handler
        handler.start()
        let bound = NIOLoopBound(handler, eventLoop: loop)
        let (url, verifies) = (url, options.verifiesCertificates)
        ClientBootstrap(group: loop)
            .connectTimeout(options.timeout ?? .minutes(2))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if url.isSecure {
                        try TLSClient.add(to: channel, host: url.host, verifiesCertificates: verifies)
                    }
                    try bound.value.add(to: channel)
                }
            }
            .connect(host: url.host, port: url.port)
            .whenFailure { error in
                bound.value.end(RelayFault(.connect, "connect to \(url.authority): \(Self.reason(error, url))"))
            }
    }

    private static func reason(_ error: any Error, _ url: FLVURL) -> String {
        if let fault = TLSClient.fault(error, host: url.host) { return fault.description }
        guard let error = error as? NIOConnectionError else { return "\(error)" }
        if let last = error.connectionErrors.last { return "\(last.error)" }
        return "the name \(error.host) cannot be resolved"
    }
}
