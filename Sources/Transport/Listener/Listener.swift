import Glibc
package import Hub
package import NIOCore
import NIOPosix

/// A listening TCP port, plain or with TLS.
package final class Listener: Sendable {
    private let channel: any Channel

    private init(channel: any Channel) {
        self.channel = channel
    }

    /// A connection that is closed before it has begun.
    private struct Refused: Error {}

    /// Listens.
    /// - Parameters:
    ///   - group: whose loops accept and serve; the one that the Hub was made with.
    ///   - port: 0 for any free one.
    ///   - initialize: adds a connection's handlers, on its event loop. The sink is how the Hub may send to it.
    /// - Throws: an `IOError` when the address is taken or not of this machine.
    package static func start(
        group: any EventLoopGroup,
        host: String,
        port: Int,
        tls: TLSCertificate? = nil,
        options: ListenerOptions = ListenerOptions(),
        initialize: @escaping @Sendable (any Channel, ViewerSink) throws -> Void
    ) async throws -> Listener {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: CInt(clamping: options.backlog))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // Linux hands these on to accepted sockets. A peer that has vanished is found after two minutes of silence.
            .serverChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .serverChannelOption(.socketOption(.so_keepalive), value: 1)
            .serverChannelOption(.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPIDLE)), value: 60)
            .serverChannelOption(.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPINTVL)), value: 15)
            .serverChannelOption(.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPCNT)), value: 4)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        AcceptErrorHandler(report: options.onAcceptError), AcceptBackoffHandler(),
                    ])
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard options.limits.admit(channel) else { throw Refused() }
                    try tls?.secure(channel, handshakeTimeout: options.handshakeTimeout)
                    try initialize(channel, tls == nil ? .descriptor : .channel)
                }
            }
        return Listener(channel: try await bootstrap.bind(host: host, port: port).get())
    }

    /// Where it listens.
    package var localAddress: SocketAddress? { channel.localAddress }
    package var port: Int { channel.localAddress?.port ?? 0 }

    /// Stops listening. Connections stay until they end.
    package func close() async throws {
        try await channel.close()
    }
}
