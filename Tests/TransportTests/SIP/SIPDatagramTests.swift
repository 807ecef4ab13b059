import NIOCore
import NIOPosix
import SIP
import Testing

@testable import Transport

@Suite("SIP over UDP on a socket", .timeLimit(.minutes(1)))
struct SIPDatagramTests {
    private let recorder = SIPRecorder()

    @Test(
        "a request comes with its flow, and the answer leaves from the same port",
        arguments: ["127.0.0.1", "0.0.0.0"]
    )
    func answersFromTheSamePort(host: String) async throws {
        let socket = try await startSIPSocket(host: host, recorder)
        let camera = try await SIPPeer.udp()
        recorder.onMessage { _, flow in socket.send(Array("answer".utf8), on: flow) }
        let request = sipRequest("a", body: 200)
        try await camera.send(request.encoded(), to: socket.port)

        let event = try #require(await recorder.next())
        guard case .message(.request(let received), let flow) = event else { return #expect(Bool(false), "\(event)") }
        #expect(received.body == request.body)
        #expect(
            flow
                == SIPFlow(
                    transport: .udp,
                    localHost: "127.0.0.1",
                    localPort: socket.port,
                    remoteHost: "127.0.0.1",
                    remotePort: try #require(camera.channel.localAddress?.port)
                )
        )
        #expect(await camera.receive() == Array("answer".utf8))
        #expect(socket.statistics.sent == 1)
        await socket.close()
    }

    @Test("keep-alives are dropped and counted, garbage is shown with its beginning")
    func countsKeepAlives() async throws {
        let socket = try await startSIPSocket(recorder)
        let camera = try await SIPPeer.udp()
        for bytes in [[13, 10, 13, 10], [0x6A, 0x61, 0x4B, 0], [0], []] as [[UInt8]] {
            try await camera.send(bytes, to: socket.port)
        }
        let garbage = Array(repeating: UInt8(ascii: "?"), count: 100)
        try await camera.send(garbage, to: socket.port)
        guard case .failed(let reason, _, let prefix) = await recorder.next() else { return #expect(Bool(false)) }
        #expect(reason.contains("SIP"))
        #expect(prefix == Array(garbage.prefix(64)))
        #expect(socket.statistics.keepAlives == 4)
        #expect(socket.statistics.unreadable == 1)
        #expect(socket.statistics.messages == 0)
        await socket.close()
    }

    @Test("a datagram of 60 KB arrives whole")
    func takesLongDatagrams() async throws {
        let socket = try await startSIPSocket(recorder)
        let camera = try await SIPPeer.udp()
        let request = sipRequest("long", body: 60_000)
        try await camera.send(request.encoded(), to: socket.port)
        guard case .message(let message, _) = await recorder.next() else { return #expect(Bool(false)) }
        #expect(message.body == request.body)
        await socket.close()
    }

    @Test("a burst of registrations is not dropped, and comes in order")
    func takesBursts() async throws {
        let socket = try await startSIPSocket(recorder)
        let camera = try await SIPPeer.udp()
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: socket.port)
        for index in 0..<500 {
            let data = ByteBuffer(bytes: sipRequest("\(index)", body: 100).encoded())
            camera.channel.write(AddressedEnvelope(remoteAddress: address, data: data), promise: nil)
        }
        camera.channel.flush()
        #expect(await recorder.next(500).map { callID($0) } == (0..<500).map { "\($0)" })
        await socket.close()
    }

    @Test(
        "a datagram that cannot be sent costs nothing but itself",
        arguments: [
            ("127.0.0.1", 0), ("255.255.255.255", 5060), ("240.0.0.1", 9), ("name", 9), ("::1", 9),
            ("127.0.0.1", 70_000),
        ]
    )
    func survivesFailedSends(host: String, port: Int) async throws {
        let socket = try await startSIPSocket(recorder)
        let flow = SIPFlow(
            transport: .udp,
            localHost: "127.0.0.1",
            localPort: socket.port,
            remoteHost: host,
            remotePort: port
        )
        try await socket.eventLoop.submit { socket.send(Array("x".utf8), on: flow) }.get()
        let camera = try await SIPPeer.udp()
        recorder.onMessage { _, flow in socket.send(Array(repeating: 0, count: 70_000), on: flow) }
        try await camera.send(sipRequest("after").encoded(), to: socket.port)
        #expect(callID(await recorder.next()) == "after")
        #expect(socket.statistics.sendFailures == 2)
        #expect(socket.statistics.reopened == 0)
        await socket.close()
    }

    @Test("a channel that ends by an error is taken up again on the same port")
    func reopens() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 0)
        let half = try await loop.submit { [recorder] in
            let table = SIPFlowTable(loop: loop, limits: SIPSocketLimits())
            table.start(recorder)
            let descriptor = try SIPDatagrams.bind(address, receiveBuffer: 65_536)
            let datagrams = try #require(SIPDatagrams(owning: descriptor, table: table))
            return NIOLoopBound((table: table, datagrams: datagrams), eventLoop: loop)
        }.get()
        try await loop.flatSubmit { half.value.datagrams.open() }.get()
        let port = try await loop.submit { half.value.datagrams.address.port ?? 0 }.get()
        try await loop.flatSubmit {
            half.value.datagrams.channel?.close() ?? loop.makeFailedFuture(ChannelError.alreadyClosed)
        }.get()
        let camera = try await SIPPeer.udp()
        try await camera.send(sipRequest("after").encoded(), to: port)
        #expect(callID(await recorder.next()) == "after")
        #expect(try await loop.submit { half.value.table.counters.current.reopened }.get() == 1)
        try await loop.flatSubmit { half.value.datagrams.close() }.get()
    }

    @Test("a dual-stack socket knows an IPv4 camera by its IPv4 address", .enabled(if: hasIPv6))
    func unmapsIPv4() async throws {
        let socket = try await startSIPSocket(host: "::", recorder)
        let camera = try await SIPPeer.udp()
        recorder.onMessage { _, flow in socket.send(Array("answer".utf8), on: flow) }
        try await camera.send(sipRequest("v4").encoded(), to: socket.port)
        let flow = try #require(await recorder.next()).flow
        #expect(flow.remoteHost == "127.0.0.1")
        #expect(flow.localHost == "127.0.0.1")
        #expect(await camera.receive() == Array("answer".utf8))
        await socket.close()
    }

    private static let hasIPv6 = (try? SocketAddress(ipAddress: "::1", port: 9))?.localRoute() != nil

    @Test("the addresses kept at hand are bounded, and a change of our own address is seen")
    func boundsPeers() throws {
        var peers = SIPPeers(bound: try SocketAddress(ipAddress: "0.0.0.0", port: 5060), limit: 10)
        let mine = try SocketAddress(ipAddress: "192.0.2.1", port: 0)
        for port in 1...1000 {
            let remote = try SocketAddress(ipAddress: "192.0.2.7", port: port)
            #expect(peers.flow(from: remote, to: mine)?.remotePort == port)
            #expect(peers.count <= 20)
        }
        let remote = try SocketAddress(ipAddress: "192.0.2.7", port: 1000)
        #expect(peers.flow(from: remote, to: mine)?.localHost == "192.0.2.1")
        #expect(
            peers.flow(from: remote, to: try SocketAddress(ipAddress: "192.0.2.2", port: 0))?.localHost == "192.0.2.2"
        )
    }

    @Test("the local address towards a peer")
    func findsLocalAddress() {
        #expect(SIPSocket.localAddress(towards: "127.0.0.1", port: 5060) == "127.0.0.1")
        #expect(SIPSocket.localAddress(towards: "camera.example", port: 5060) == nil)
        #expect(SIPSocket.localAddress(towards: "127.0.0.1", port: 70_000) == nil)
    }
}
