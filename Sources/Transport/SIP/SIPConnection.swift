internal import NIOCore
internal import SIP

/// One accepted TCP connection: cuts messages out of its bytes, and queues what goes back. Bound to its event loop.
final class SIPConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let table: SIPFlowTable
    private let channel: any Channel
    private var framer: SIPStreamFramer
    private var flow: SIPFlow?
    private var heldBytes = 0
    private var isClosing = false
    /// Written in this turn of the loop, and what the channel has not got rid of.
    private var outgoing = ByteBuffer()
    private var unsentBytes = 0
    /// When the last whole message came: single bytes keep nothing open.
    private(set) var lastMessage = NIODeadline.now()

    init(table: SIPFlowTable, channel: any Channel) {
        self.table = table
        self.channel = channel
        framer = SIPStreamFramer(bodyLimit: table.limits.unknownBodyBytes)
    }

    func allowBodies(of bytes: Int) {
        framer.bodyLimit = bytes
    }

    func channelActive(context: ChannelHandlerContext) {
        guard let local = context.localAddress, let remote = context.remoteAddress,
            let host = remote.numericHost, let number = table.admit(self, from: host)
        else {
            isClosing = true
            context.close(promise: nil)
            return
        }
        flow = SIPFlow(
            transport: .tcp,
            localHost: local.numericHost ?? "",
            localPort: local.port ?? 0,
            remoteHost: host,
            remotePort: remote.port ?? 0,
            connection: number
        )
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        guard !isClosing, let flow, let bytes = buffer.readBytes(length: buffer.readableBytes) else { return }
        do throws(SIPParseError) {
            for event in try framer.receive(bytes) where !isClosing { handle(event, of: bytes, on: flow) }
        } catch {
            table.fail(error, on: flow, bytes: bytes)
        }
        let held = framer.isBroken ? 0 : framer.bufferedBytes
        let isWithinLimit = table.hold(held - heldBytes)
        heldBytes = held
        if framer.isBroken || !isWithinLimit, closeSoon() {
            table.counters.count { $0.brokenConnections += 1 }
        }
    }

    private func handle(_ event: SIPStreamFramer.Event, of bytes: [UInt8], on flow: SIPFlow) {
        switch event {
        case .message(let message):
            lastMessage = .now()
            table.deliver(message, on: flow)
        case .keepAlive: table.counters.count { $0.keepAlives += 1 }
        case .unreadable(let error): table.fail(error, on: flow, bytes: bytes)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosing = true
        _ = table.hold(-heldBytes)
        heldBytes = 0
        if let flow { table.remove(flow) }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Connection reset and the like.
        closeSoon()
    }

    /// Queues bytes; false where the connection is at its end, or comes to it because the peer does not read.
    func send(_ bytes: [UInt8]) -> Bool {
        guard !isClosing else { return false }
        guard unsentBytes + bytes.count <= table.limits.writeQueueBytes else {
            if closeSoon() { table.counters.count { $0.slowConnections += 1 } }
            return false
        }
        unsentBytes += bytes.count
        // A channel that fails to write tells so from within the write: not while the delegate is at work.
        if outgoing.readableBytes == 0 { table.loop.assumeIsolated().execute { self.flush() } }
        outgoing.writeBytes(bytes)
        return true
    }

    private func flush() {
        let count = outgoing.readableBytes
        guard count > 0 else { return }
        let buffer = outgoing
        outgoing = ByteBuffer()
        channel.writeAndFlush(buffer).assumeIsolated().whenComplete { _ in self.unsentBytes -= count }
    }

    /// Ends the connection in the loop's next turn, once what was queued before is given to the system.
    ///
    /// - Returns: false where it was ending already.
    @discardableResult
    func closeSoon() -> Bool {
        guard !isClosing else { return false }
        isClosing = true
        channel.eventLoop.execute { [channel] in channel.close(promise: nil) }
        return true
    }

    func close() -> EventLoopFuture<Void> {
        flush()
        closeSoon()
        return channel.closeFuture
    }
}
