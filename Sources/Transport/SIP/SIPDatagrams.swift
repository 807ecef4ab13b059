internal import CSockets
internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import SIP

/// The UDP half of a SIP socket. Bound to its event loop.
///
/// The channel only reads, through a duplicate of the descriptor. Sending goes straight to the system, because a channel
/// closes its socket when a send fails (no route for a moment, a firewall's rule, a forged source address): all devices
/// would be offline for one datagram, which SIP repeats anyway.
final class SIPDatagrams {
    private static let datagramsPerRead = 16
    private static let datagramBytes = 65_536

    let address: SocketAddress
    private let table: SIPFlowTable
    private var descriptor: Int32
    private let isIPv6: Bool
    private(set) var channel: (any Channel)?
    private var isClosed = false
    fileprivate var peers: SIPPeers

    /// - Parameter descriptor: a bound socket, owned from now on.
    init?(owning descriptor: Int32, table: SIPFlowTable) {
        guard let address = SocketAddress.local(of: descriptor) else {
            _ = Glibc.close(descriptor)
            return nil
        }
        self.descriptor = descriptor
        self.address = address
        self.table = table
        isIPv6 = address.protocol == .inet6
        peers = SIPPeers(bound: address, limit: table.limits.cachedPeers)
    }

    deinit {
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
    }

    /// A bound descriptor.
    static func bind(_ address: SocketAddress, receiveBuffer: Int) throws -> Int32 {
        let result = address.withSockAddr { cs_udp_bind($0, socklen_t($1), Int32(clamping: receiveBuffer)) }
        guard result >= 0 else { throw IOError(errnoCode: -result, reason: "bind") }
        var size = Int32(1 << 20)
        _ = setsockopt(result, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        return result
    }

    /// Begins to read.
    func open() -> EventLoopFuture<Void> {
        let loop = table.loop
        guard !isClosed, descriptor >= 0 else { return loop.makeFailedFuture(ChannelError.alreadyClosed) }
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { return loop.makeFailedFuture(IOError(errnoCode: errno, reason: "dup")) }
        let bound = NIOLoopBound(self, eventLoop: loop)
        let future = DatagramBootstrap(group: loop)
            .channelOption(.datagramVectorReadMessageCount, value: Self.datagramsPerRead)
            .channelOption(
                .recvAllocator,
                value: FixedSizeRecvByteBufferAllocator(capacity: Self.datagramsPerRead * Self.datagramBytes)
            )
            .channelOption(.receivePacketInfo, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(SIPDatagramHandler(bound.value))
                }
            }
            .withBoundSocket(copy)
        return future.assumeIsolated().map { channel in
            guard !self.isClosed else { return channel.close(promise: nil) }
            self.channel = channel
            channel.closeFuture.assumeIsolated().whenComplete { _ in self.channelClosed() }
        }.nonisolated()
    }

    /// Sends a datagram; it is dropped and counted where the system does not take it.
    func send(_ bytes: [UInt8], to flow: SIPFlow) {
        let peer = SocketAddress.peer(host: flow.remoteHost, port: flow.remotePort, isIPv6Socket: isIPv6)
        guard descriptor >= 0, let peer else { return table.counters.count { $0.sendFailures += 1 } }
        let sent = peer.withSockAddr { address, length in
            sendto(
                descriptor,
                bytes,
                bytes.count,
                Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL),
                address,
                socklen_t(length)
            )
        }
        table.counters.count {
            if sent < 0 { $0.sendFailures += 1 } else { $0.sent += 1 }
        }
    }

    func close() -> EventLoopFuture<Void> {
        isClosed = true
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
        descriptor = -1
        guard let channel else { return table.loop.makeSucceededVoidFuture() }
        channel.close(promise: nil)
        return channel.closeFuture
    }

    // The port is still ours: go on reading from it.
    private func channelClosed() {
        channel = nil
        guard !isClosed else { return }
        table.counters.count { $0.reopened += 1 }
        table.loop.assumeIsolated().scheduleTask(in: .milliseconds(100)) {
            self.open().assumeIsolated().whenFailure { _ in self.channelClosed() }
        }
    }

    fileprivate func receive(_ datagram: AddressedEnvelope<ByteBuffer>) {
        var data = datagram.data
        let destination = datagram.metadata?.packetInfo?.destinationAddress
        guard let bytes = data.readBytes(length: data.readableBytes),
            let flow = peers.flow(from: datagram.remoteAddress, to: destination)
        else { return }
        table.counters.count { $0.datagrams += 1 }
        do throws(SIPParseError) {
            table.deliver(try SIPMessage.parse(bytes), on: flow)
        } catch .keepAlive {
            table.counters.count { $0.keepAlives += 1 }
        } catch {
            table.fail(error, on: flow, bytes: bytes)
        }
    }
}

private final class SIPDatagramHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let datagrams: SIPDatagrams

    init(_ datagrams: SIPDatagrams) {
        self.datagrams = datagrams
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        datagrams.receive(unwrapInboundIn(data))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A read that failed; where it was the socket's end, the channel closes and is opened again.
    }
}
