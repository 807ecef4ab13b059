import Glibc
import NIOCore
import NIOPosix
import SIP
import Testing
import Transport

@Suite("A SIP socket", .timeLimit(.minutes(1)))
struct SIPSocketTests {
    private let recorder = SIPRecorder()

    @Test("a port that is taken is an error that names transport and port")
    func namesTakenPort() async throws {
        let socket = try await startSIPSocket(recorder)
        let error = await #expect(throws: SIPBindError.self) {
            _ = try await SIPSocket.bind(host: "127.0.0.1", port: socket.port, on: socket.eventLoop)
        }
        #expect(error?.transport == "udp")
        #expect(error?.port == socket.port)
        #expect(error?.description.contains("another program") == true)
        await socket.close()

        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        let second = await #expect(throws: SIPBindError.self) {
            _ = try await SIPSocket.bind(host: "127.0.0.1", port: port, on: socket.eventLoop)
        }
        #expect(second?.transport == "tcp")
        try await listener.close()
        // The UDP half did not stay behind.
        let third = try await SIPSocket.bind(host: "127.0.0.1", port: port, on: socket.eventLoop)
        await third.close()
    }

    @Test("an address that is none, or none of this machine, is an error", arguments: ["camera.example", "192.0.2.1"])
    func refusesForeignAddress(host: String) async {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let error = await #expect(throws: SIPBindError.self) {
            _ = try await SIPSocket.bind(host: host, port: 0, on: loop)
        }
        #expect(error?.description.contains("local_sip_ip") == true)
    }

    @Test("closing ends the connections, says so, and frees the port")
    func closes() async throws {
        let socket = try await startSIPSocket(recorder)
        let camera = try await SIPPeer.tcp(port: socket.port)
        try await camera.send(sipRequest("a").encoded())
        let flow = try #require(await recorder.next()).flow
        await socket.close()
        #expect(await recorder.next() == .closed(flow))
        try await camera.waitForEnd()
        socket.send([1], on: flow)
        await socket.close()
        let again = try await SIPSocket.bind(host: "127.0.0.1", port: socket.port, on: socket.eventLoop)
        await again.close()
    }

    @Test("what arrives before the start is delivered after it")
    func waitsForStart() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let socket = try await SIPSocket.bind(host: "127.0.0.1", port: 0, on: loop)
        let camera = try await SIPPeer.udp()
        try await camera.send(sipRequest("early").encoded(), to: socket.port)
        let connection = try await SIPPeer.tcp(port: socket.port)
        try await connection.send(sipRequest("early too").encoded())
        try await socket.start(delegate: recorder)
        #expect(Set(await recorder.next(2).map { callID($0) }) == ["early", "early too"])
        await socket.close()
    }

    @Test("two hundred connections leave no descriptor behind")
    func leaksNoDescriptors() async throws {
        let socket = try await startSIPSocket(recorder) { $0.unknownConnectionsPerHost = 20 }
        for index in 0..<200 {
            let camera = try await SIPPeer.tcp(port: socket.port)
            try await camera.send(sipRequest("\(index)").encoded())
            #expect(callID(await recorder.next()) == "\(index)")
            try await camera.channel.close()
            guard case .closed = await recorder.next() else { return #expect(Bool(false)) }
        }
        #expect(socket.statistics.acceptedConnections == 200)
        #expect(socket.statistics.openConnections == 0)
        #expect(Self.openDescriptors(port: socket.port, type: SOCK_STREAM) == 1, "the listener")
        #expect(Self.openDescriptors(port: socket.port, type: SOCK_DGRAM) == 2, "one reads, one sends")
        await socket.close()
        #expect(Self.openDescriptors(port: socket.port, type: SOCK_STREAM) == 0)
        #expect(Self.openDescriptors(port: socket.port, type: SOCK_DGRAM) == 0)
    }

    /// Descriptors of this process that are sockets of this type with this local port; other tests have other ports.
    private static func openDescriptors(port: Int, type: __socket_type) -> Int {
        (Int32(0)..<4096).count { descriptor in
            var socketType = Int32(0)
            var size = socklen_t(MemoryLayout<Int32>.size)
            guard getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &socketType, &size) == 0, socketType == type.rawValue
            else { return false }
            var address = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let result = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
            }
            return result == 0 && Int(UInt16(bigEndian: address.sin_port)) == port
        }
    }

    @Test("an actor on the socket's loop takes messages and answers without a hop")
    func servesPinnedActor() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let socket = try await SIPSocket.bind(host: "127.0.0.1", port: 0, on: loop)
        let registrar = Registrar(socket: socket)
        try await socket.start(delegate: registrar)
        let camera = try await SIPPeer.udp()
        try await camera.send(sipRequest("a").encoded(), to: socket.port)
        #expect(String(decoding: await camera.receive(), as: UTF8.self).hasPrefix("SIP/2.0 200 OK\r\n"))
        #expect(await registrar.received == 1)
        await socket.close()
    }
}

private actor Registrar: SIPSocketDelegate {
    nonisolated let unownedExecutor: UnownedSerialExecutor
    private let socket: SIPSocket
    private(set) var received = 0

    init(socket: SIPSocket) {
        self.socket = socket
        unownedExecutor = socket.eventLoop.executor.asUnownedSerialExecutor()
    }

    nonisolated func receive(_ message: SIPMessage, on flow: SIPFlow) {
        assumeIsolated { $0.answer(message, on: flow) }
    }

    nonisolated func flowClosed(_ flow: SIPFlow) {}

    nonisolated func parseFailed(_ reason: String, on flow: SIPFlow, prefix: [UInt8]) {}

    private func answer(_ message: SIPMessage, on flow: SIPFlow) {
        guard case .request(let request) = message else { return }
        received += 1
        socket.send(SIPResponse(to: request, from: flow, status: 200, tag: "t").encoded(), on: flow)
    }
}
