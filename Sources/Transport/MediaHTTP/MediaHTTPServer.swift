package import Hub
package import NIOCore
import NIOHTTP1

/// The port where players fetch streams: `/app/stream.flv`, plain or over WebSocket, with TLS or without.
package final class MediaHTTPServer: Sendable {
    private let listener: Listener

    private init(listener: Listener) {
        self.listener = listener
    }

    /// Listens.
    /// - Parameters:
    ///   - group: the one that the Hub was made with.
    ///   - port: 0 for any free one.
    ///   - tls: for HTTPS and WSS; nil for plain HTTP.
    /// - Throws: an `IOError` when the address is taken or not of this machine.
    package static func start(
        hub: Hub,
        group: any EventLoopGroup,
        host: String = "0.0.0.0",
        port: Int,
        configuration: MediaHTTPConfiguration = MediaHTTPConfiguration(),
        tls: TLSCertificate? = nil,
        listener: ListenerOptions = ListenerOptions()
    ) async throws -> MediaHTTPServer {
        let listener = try await Listener.start(group: group, host: host, port: port, tls: tls, options: listener) {
            channel,
            sink in
            try configure(channel, hub: hub, sink: sink, configuration: configuration)
        }
        return MediaHTTPServer(listener: listener)
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
    package var localAddress: SocketAddress? { listener.localAddress }
    package var port: Int { listener.port }

    /// Stops listening. Viewers stay until their connections end.
    package func close() async throws {
        try await listener.close()
    }
}
