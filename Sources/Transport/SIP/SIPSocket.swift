internal import Glibc
package import NIOCore
internal import NIOPosix
package import SIP

/// SIP over UDP and TCP on one port number, both on one event loop.
///
/// Answers and requests leave by the flow they belong to: over UDP from this socket, over TCP on that very connection.
/// It never connects to anyone.
package final class SIPSocket: Sendable {
    /// Attempts to find a number that is free for UDP and TCP.
    private static let ephemeralAttempts = 64

    package let port: Int
    package let eventLoop: any EventLoop
    private let counters: SIPCounters
    private let listener: any Channel
    private let table: NIOLoopBound<SIPFlowTable>
    private let datagrams: NIOLoopBound<SIPDatagrams>

    private init(listener: any Channel, table: SIPFlowTable, datagrams: SIPDatagrams) {
        port = datagrams.address.port ?? 0
        eventLoop = table.loop
        counters = table.counters
        self.listener = listener
        self.table = NIOLoopBound(table, eventLoop: table.loop)
        self.datagrams = NIOLoopBound(datagrams, eventLoop: table.loop)
    }

    package var statistics: SIPSocketStatistics { counters.current }

    /// Takes the port. What arrives waits in the kernel until `start`.
    ///
    /// - Parameters:
    ///   - host: a numeric address of this machine; `0.0.0.0` is every IPv4 one, `::` every one, empty like `0.0.0.0`.
    ///   - port: 0 for any that is free for both transports.
    ///   - loop: where the delegate is called.
    /// - Throws: `SIPBindError`.
    package static func bind(
        host: String,
        port: Int,
        on loop: any EventLoop,
        limits: SIPSocketLimits = SIPSocketLimits()
    ) async throws -> SIPSocket {
        let host = host.isEmpty ? "0.0.0.0" : host
        guard (0...65_535).contains(port), let address = try? SocketAddress(ipAddress: host, port: port) else {
            throw SIPBindError(transport: "udp", host: host, port: port, errorCode: 0)
        }
        for attempt in 1... {
            do {
                return try await bind(address, on: loop, limits: limits)
            } catch let error as SIPBindError
                where port == 0 && error.errorCode == EADDRINUSE && attempt < ephemeralAttempts
            {
                continue
            }
        }
        throw SIPBindError(transport: "udp", host: host, port: port, errorCode: EADDRINUSE)
    }

    /// Begins to deliver. The delegate is held until `close`.
    package func start(delegate: any SIPSocketDelegate & Sendable) async throws {
        try await eventLoop.flatSubmit { [table, datagrams] in
            table.value.start(delegate)
            return datagrams.value.open()
        }.get()
        try await listener.setOption(.autoRead, value: true).get()
    }

    /// Sends a message on its flow, without waiting; it is dropped and counted where that is not possible.
    ///
    /// At once when called on the socket's event loop, in the order of the calls elsewhere.
    package func send(_ bytes: [UInt8], on flow: SIPFlow) {
        onLoop { [table, datagrams] in
            if flow.transport == .udp { return datagrams.value.send(bytes, to: flow) }
            guard let connection = table.value.connection(of: flow), connection.send(bytes) else {
                return table.value.counters.count { $0.unknownFlows += 1 }
            }
            table.value.counters.count { $0.sent += 1 }
        }
    }

    /// A device has registered on this flow: its messages may be longer, and the registrar judges when it is dead.
    package func markKnown(_ flow: SIPFlow) {
        onLoop { [table] in table.value.markKnown(flow) }
    }

    /// Ends a flow's TCP connection; what was sent before still goes out. `flowClosed` follows.
    package func disconnect(_ flow: SIPFlow) {
        onLoop { [table] in _ = table.value.connection(of: flow)?.closeSoon() }
    }

    /// Gives the port back and ends every connection.
    package func close() async {
        let closed = eventLoop.flatSubmit { [table, datagrams, listener, eventLoop] in
            listener.close(promise: nil)
            let futures = table.value.close() + [datagrams.value.close(), listener.closeFuture]
            return EventLoopFuture.andAllComplete(futures, on: eventLoop)
        }
        try? await closed.get()
    }

    /// The local address that packets to a peer leave from, by the routing table; nil without a route.
    ///
    /// - Parameter host: a numeric address.
    package static func localAddress(towards host: String, port: Int) -> String? {
        guard (1...65_535).contains(port) else { return nil }
        return try? SocketAddress(ipAddress: host, port: port).localRoute()?.numericHost
    }

    private func onLoop(_ body: @escaping @Sendable () -> Void) {
        if eventLoop.inEventLoop { body() } else { eventLoop.execute(body) }
    }
}

extension SIPSocket {
    private static func bind(
        _ address: SocketAddress,
        on loop: any EventLoop,
        limits: SIPSocketLimits
    ) async throws -> SIPSocket {
        let host = address.ipAddress ?? ""
        let halves = try await loop.submit {
            let table = SIPFlowTable(loop: loop, limits: limits)
            let descriptor = try failure("udp", host, address.port) {
                try SIPDatagrams.bind(address, receiveBuffer: limits.receiveBufferBytes)
            }
            guard let datagrams = SIPDatagrams(owning: descriptor, table: table) else {
                throw SIPBindError(transport: "udp", host: host, port: address.port ?? 0, errorCode: EIO)
            }
            return NIOLoopBound((table, datagrams), eventLoop: loop)
        }.get()
        let bootstrap = ServerBootstrap(group: loop, childGroup: loop)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.autoRead, value: false)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 2048, maximum: 65_536)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let connection = SIPConnection(table: halves.value.0, channel: channel)
                    try channel.pipeline.syncOperations.addHandler(connection)
                }
            }
        let port = try await loop.submit { halves.value.1.address.port ?? 0 }.get()
        do {
            let listener = try await bootstrap.bind(to: SocketAddress(ipAddress: host, port: port)).get()
            return try await loop.submit {
                SIPSocket(listener: listener, table: halves.value.0, datagrams: halves.value.1)
            }.get()
        } catch {
            try? await loop.flatSubmit { halves.value.1.close() }.get()
            return try failure("tcp", host, port) { throw error }
        }
    }

    private static func failure<Value>(
        _ transport: String,
        _ host: String,
        _ port: Int?,
        _ body: () throws -> Value
    ) throws -> Value {
        do {
            return try body()
        } catch let error as IOError {
            throw SIPBindError(transport: transport, host: host, port: port ?? 0, errorCode: error.errnoCode)
        }
    }
}
