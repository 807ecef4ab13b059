import NIOCore

/// The socket of a connection that its loop's `ReadTick` reads while there is much to read there, and its channel otherwise.
///
/// For plain TCP only: behind TLS the bytes are the channel's alone. It belongs to the loop of the channel, and is to be removed
/// from its tick before the channel has closed, which is when it is told that it is inactive.
final class TickedSocket {
    let descriptor: CInt
    /// Takes what the tick has read, and how long it may have lain in the socket.
    let receive: (ByteBuffer, _ waited: TimeAmount) -> Void
    /// How long the next bytes may lie in the socket.
    let patience: () -> TimeAmount
    private let channel: any Channel
    /// The channel does not read.
    private(set) var isTicked = false

    /// - Returns: nil for a channel that is no socket.
    init?(
        _ channel: any Channel,
        patience: @escaping () -> TimeAmount,
        receive: @escaping (ByteBuffer, _ waited: TimeAmount) -> Void
    ) {
        let transport = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { $0 }
        guard let transport else { return nil }
        descriptor = transport
        self.channel = channel
        self.patience = patience
        self.receive = receive
    }

    /// Takes reading from the channel, or gives it back. It is the channel in both cases that learns of the peer's end: then it
    /// reads what is left itself.
    func setTicked(_ isTicked: Bool) {
        guard isTicked != self.isTicked, channel.isActive else { return }
        guard (try? channel.syncOptions?.setOption(.autoRead, value: !isTicked)) != nil else { return }
        self.isTicked = isTicked
    }
}
