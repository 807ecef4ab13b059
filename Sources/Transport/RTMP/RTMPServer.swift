package import Hub
package import NIOCore
import NIOPosix
import Streaming

/// The RTMP port: publishers become inputs of the Hub, players its viewers.
package final class RTMPServer: Sendable {
    private let channel: any Channel

    private init(channel: any Channel) {
        self.channel = channel
    }

    /// Listens.
    /// - Parameters:
    ///   - group: the one that the Hub was made with.
    ///   - port: 0 for any free one.
    /// - Throws: an `IOError` when the address is taken or not of this machine.
    package static func start(
        hub: Hub,
        group: any EventLoopGroup,
        host: String = "0.0.0.0",
        port: Int,
        options: RTMPServerOptions = RTMPServerOptions()
    ) async throws -> RTMPServer {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try configure(channel, hub: hub, sink: .descriptor, options: options)
                }
            }
        return RTMPServer(channel: try await bootstrap.bind(host: host, port: port).get())
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
    package var localAddress: SocketAddress? { channel.localAddress }
    package var port: Int { channel.localAddress?.port ?? 0 }

    /// Stops listening. Connections stay until they end.
    package func close() async throws {
        try await channel.close()
    }
}
