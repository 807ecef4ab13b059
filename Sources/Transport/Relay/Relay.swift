import NIOCore
import NIOPosix

/// One attempt of a relay: it makes connections and is told what comes of them. All of it runs on one event loop.
protocol Relay: AnyObject, SendableMetatype {
    func start()
    /// Ends, at any stage.
    func stop()

    func connected(_ channel: any Channel)
    func received(_ bytes: ByteBuffer, on channel: any Channel)
    func writabilityChanged(_ channel: any Channel)
    func disconnected(_ channel: any Channel)
    /// An error of a connection that was up.
    func failed(_ error: any Error, on channel: any Channel)
}

extension Relay {
    /// Makes a connection.
    /// - Parameters:
    ///   - options: of them the time limit, and whether certificates are verified.
    ///   - onFailure: told when there is none.
    func connect(
        host: String,
        port: Int,
        isTLS: Bool,
        on loop: any EventLoop,
        options: RelayOptions,
        onFailure: @escaping (Self, any Error) -> Void
    ) {
        let bound = NIOLoopBound((self, onFailure), eventLoop: loop)
        let verifies = options.verifiesCertificates
        ClientBootstrap(group: loop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(options.timeout ?? .seconds(60))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if isTLS { try TLSClient.add(to: channel, host: host, verifiesCertificates: verifies) }
                    try channel.pipeline.syncOperations.addHandler(RelayHandler(bound.value.0))
                }
            }
            .connect(host: host, port: port)
            .whenFailure { error in
                let (relay, onFailure) = bound.value
                onFailure(relay, error)
            }
    }

    /// Closes a connection behind the bytes that were written to it.
    func closeGently(_ channel: any Channel) {
        channel.writeAndFlush(ByteBuffer()).whenComplete { _ in channel.close(promise: nil) }
        // A peer that takes nothing never lets the write end.
        channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
    }
}

extension Channel {
    /// `host:port` of the peer.
    var remoteName: String { remoteAddress.map { "\($0.ipAddress ?? ""):\($0.port ?? 0)" } ?? "" }
}
