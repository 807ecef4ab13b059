package import Hub
package import NIOCore

/// The RTMP port, plain or with TLS: publishers become inputs of the Hub, players its viewers.
package final class RTMPServer: Sendable {
    private let listener: Listener

    private init(listener: Listener) {
        self.listener = listener
    }

    /// Listens.
    /// - Parameters:
    ///   - group: the one that the Hub was made with.
    ///   - port: 0 for any free one.
    ///   - tls: for RTMPS; nil for plain RTMP.
    /// - Throws: an `IOError` when the address is taken or not of this machine.
    package static func start(
        hub: Hub,
        group: any EventLoopGroup,
        host: String = "0.0.0.0",
        port: Int,
        options: RTMPServerOptions = RTMPServerOptions(),
        tls: TLSCertificate? = nil,
        listener: ListenerOptions = ListenerOptions()
    ) async throws -> RTMPServer {
        let listener = try await Listener.start(group: group, host: host, port: port, tls: tls, options: listener) {
            channel,
            sink in
            try configure(channel, hub: hub, sink: sink, options: options)
        }
        return RTMPServer(listener: listener)
    }

    /// Makes a connection one of this port's; for TLS with the `.channel` sink, behind its handler.
    package static func configure(
        _ channel: any Channel,
        hub: Hub,
        sink: ViewerSink,
        options: RTMPServerOptions
    ) throws {
        try channel.pipeline.syncOperations.addHandler(RTMPHandler(hub: hub, sink: sink, options: options))
    }

    /// Where it listens.
    package var localAddress: SocketAddress? { listener.localAddress }
    package var port: Int { listener.port }

    /// Stops listening. Connections stay until they end.
    package func close() async throws {
        try await listener.close()
    }
}
