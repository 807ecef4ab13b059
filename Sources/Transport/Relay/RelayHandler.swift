import NIOCore

/// The end of the pipeline of one connection of a relay.
final class RelayHandler<Owner: Relay>: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let relay: Owner

    init(_ relay: Owner) {
        self.relay = relay
    }

    func channelActive(context: ChannelHandlerContext) {
        relay.connected(context.channel)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        relay.received(unwrapInboundIn(data), on: context.channel)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        relay.writabilityChanged(context.channel)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        relay.disconnected(context.channel)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        relay.failed(error, on: context.channel)
        context.close(promise: nil)
    }
}

/// What the owner of a relay holds: may be used on any thread.
final class RelayHandle<Owner: Relay>: RelayClient {
    private let box: NIOLoopBoundBox<Owner?>
    private let loop: any EventLoop

    /// Begins an attempt on one of the group's loops.
    /// - Parameter make: called on the loop.
    init(on group: any EventLoopGroup, _ make: @escaping @Sendable (any EventLoop) -> Owner) {
        let loop = group.next()
        let box = NIOLoopBoundBox.makeEmptyBox(valueType: Owner.self, eventLoop: loop)
        self.loop = loop
        self.box = box
        loop.execute {
            let relay = make(loop)
            box.value = relay
            relay.start()
        }
    }

    func stop() {
        let box = box
        loop.execute { box.value?.stop() }
    }
}
