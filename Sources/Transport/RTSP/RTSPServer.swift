package import Hub
package import NIOCore

/// An RTSP port, plain or with TLS: publishers become inputs of the Hub, players its readers. Tunnels over HTTP and WebSocket
/// are recognised on it.
package final class RTSPServer: Sendable {
    private let listener: Listener

    private init(listener: Listener) {
        self.listener = listener
    }

    /// Listens.
    /// - Parameters:
    ///   - group: the one that the Hub was made with.
    ///   - port: 0 for any free one.
    ///   - options: ports that are to know of each other's sessions are given copies of the same.
    ///   - tls: for RTSPS; nil for plain RTSP.
    /// - Throws: an `IOError` when the address is taken or not of this machine.
    package static func start(
        hub: Hub,
        group: any EventLoopGroup,
        host: String = "0.0.0.0",
        port: Int,
        options: RTSPServerOptions = RTSPServerOptions(),
        tls: TLSCertificate? = nil,
        listener: ListenerOptions = ListenerOptions()
    ) async throws -> RTSPServer {
        let listener = try await Listener.start(group: group, host: host, port: port, tls: tls, options: listener) {
            channel,
            sink in
            try channel.pipeline.syncOperations.addHandler(RTSPHandler(hub: hub, sink: sink, options: options))
        }
        return RTSPServer(listener: listener)
    }

    /// Where it listens.
    package var localAddress: SocketAddress? { listener.localAddress }
    package var port: Int { listener.port }

    /// Stops listening. Connections stay until they end.
    package func close() async throws {
        try await listener.close()
    }
}
