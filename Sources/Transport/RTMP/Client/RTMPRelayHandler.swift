import Hub
import NIOCore

/// The end of the pipeline of one connection of a relay.
final class RTMPRelayHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let relay: RTMPRelay

    init(_ relay: RTMPRelay) {
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
final class RTMPRelayHandle: RelayClient {
    private let box: NIOLoopBoundBox<RTMPRelay?>
    private let loop: any EventLoop

    init(
        _ order: RTMPRelay.Order,
        hub: Hub,
        group: any EventLoopGroup,
        onEvent: @escaping @Sendable (RelayEvent) -> Void
    ) {
        let loop = group.next()
        let box = NIOLoopBoundBox.makeEmptyBox(valueType: RTMPRelay.self, eventLoop: loop)
        self.loop = loop
        self.box = box
        loop.execute {
            let relay = RTMPRelay(order, hub: hub, loop: loop, onEvent: onEvent)
            box.value = relay
            relay.start()
        }
    }

    func stop() {
        let box = box
        loop.execute { box.value?.stop() }
    }
}
