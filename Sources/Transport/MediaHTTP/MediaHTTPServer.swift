package import Hub
package import NIOCore
import NIOHTTP1
import NIOPosix

/// The port where players fetch streams: `/app/stream.flv`, plain or over WebSocket.
package final class MediaHTTPServer: Sendable {
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
        configuration: MediaHTTPConfiguration = MediaHTTPConfiguration()
    ) async throws -> MediaHTTPServer {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try configure(channel, hub: hub, sink: .descriptor, configuration: configuration)
                }
            }
        return MediaHTTPServer(channel: try await bootstrap.bind(host: host, port: port).get())
    }

    /// Makes a connection one of this port's; for TLS with the `.channel` sink, behind its handler.
    package static func configure(
        _ channel: any Channel,
        hub: Hub,
        sink: ViewerSink,
        configuration: MediaHTTPConfiguration
    ) throws {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderListSize = configuration.maximumHeaderBytes
        limits.maxHeaderFieldSize = configuration.maximumHeaderBytes
        limits.maxHeaderFieldCount = 100
        let decoder = ByteToMessageHandler(
            HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits)
        )
        let handler = MediaHTTPHandler(hub: hub, configuration: configuration, sink: sink, decoder: decoder)
        try channel.pipeline.syncOperations.addHandlers([decoder, handler])
    }

    /// Where it listens.
    package var localAddress: SocketAddress? { channel.localAddress }
    package var port: Int { channel.localAddress?.port ?? 0 }

    /// Stops listening. Viewers stay until their connections end.
    package func close() async throws {
        try await channel.close()
    }
}
