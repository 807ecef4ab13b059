import NIOCore
import NIOPosix
import SIP
import Testing
import Transport

@Suite("SIP over TCP on a socket", .timeLimit(.minutes(1)))
struct SIPConnectionTests {
    private let recorder = SIPRecorder()

    @Test("messages split over segments and joined in one; the answer takes the same connection")
    func cutsSegments() async throws {
        let socket = try await startSIPSocket(recorder)
        let camera = try await SIPPeer.tcp(port: socket.port)
        recorder.onMessage { _, flow in socket.send(Array("answer".utf8), on: flow) }
        for byte in sipRequest("split", body: 3).encoded() { try await camera.send([byte]) }
        let first = try #require(await recorder.next())
        #expect(callID(first) == "split")
        #expect(first.flow.transport == .tcp)
        #expect(first.flow.connection > 0)
        #expect(first.flow.remotePort == camera.channel.localAddress?.port)
        #expect(await camera.receive(6) == Array("answer".utf8))

        try await camera.send(sipRequest("one", body: 10).encoded() + [13, 10] + sipRequest("two").encoded())
        let joined = await recorder.next(2)
        #expect(joined.map { callID($0) } == ["one", "two"])
        #expect(joined.allSatisfy { $0.flow == first.flow })
        #expect(await camera.receive(12) == Array("answeranswer".utf8))
        #expect(socket.statistics.keepAlives == 1)
        await socket.close()
    }

    @Test("R-9 a message for a connection that is gone is dropped, and nobody is connected to")
    func neverConnects() async throws {
        let socket = try await startSIPSocket(recorder)
        let camera = try await SIPPeer.tcp(port: socket.port)
        try await camera.send(sipRequest("a").encoded())
        let flow = try #require(await recorder.next()).flow
        try await camera.channel.close()
        #expect(await recorder.next() == .closed(flow))
        try await socket.eventLoop.submit { socket.send([1], on: flow) }.get()
        #expect(socket.statistics.unknownFlows == 1)
        #expect(socket.statistics.openConnections == 0)
        await socket.close()
    }

    @Test("a body over the limit ends an unknown connection; a known device may send it")
    func limitsBodies() async throws {
        let socket = try await startSIPSocket(recorder)
        let stranger = try await SIPPeer.tcp(port: socket.port)
        let long = sipRequest("long", body: 600 * 1024).encoded()
        stranger.channel.writeAndFlush(ByteBuffer(bytes: long), promise: nil)
        guard case .failed(let reason, let flow, _) = await recorder.next() else { return #expect(Bool(false)) }
        #expect(reason.contains("\(600 * 1024)"))
        #expect(await recorder.next() == .closed(flow))
        #expect(socket.statistics.brokenConnections == 1)

        let device = try await SIPPeer.tcp(port: socket.port)
        recorder.onMessage { _, flow in socket.markKnown(flow) }
        try await device.send(sipRequest("register").encoded())
        #expect(callID(await recorder.next()) == "register")
        try await device.send(long)
        #expect(callID(await recorder.next()) == "long")
        await socket.close()
    }

    @Test("incomplete messages of all connections together are bounded")
    func limitsBufferedBytes() async throws {
        let socket = try await startSIPSocket(recorder) { $0.bufferedBytes = 5000 }
        let peers = [try await SIPPeer.tcp(port: socket.port), try await SIPPeer.tcp(port: socket.port)]
        for peer in peers { try await peer.send(sipRequest("a", body: 4000).encoded().dropLast()) }
        guard case .closed = await recorder.next() else { return #expect(Bool(false)) }
        #expect(socket.statistics.brokenConnections == 1)
        #expect(socket.statistics.openConnections == 1)
        await socket.close()
    }

    @Test("an unknown connection is closed when no message comes; single bytes keep nothing open, a known device stays")
    func closesIdle() async throws {
        let socket = try await startSIPSocket(recorder) { $0.unknownIdleTimeout = .seconds(2) }
        let device = try await SIPPeer.tcp(port: socket.port)
        recorder.onMessage { _, flow in socket.markKnown(flow) }
        try await device.send(sipRequest("register").encoded())
        #expect(callID(await recorder.next()) == "register")

        let stranger = try await SIPPeer.tcp(port: socket.port)
        let drip = stranger.channel.eventLoop.scheduleRepeatedTask(
            initialDelay: .milliseconds(20),
            delay: .milliseconds(20)
        ) { _ in
            stranger.channel.writeAndFlush(ByteBuffer(string: "R"), promise: nil)
        }
        try await stranger.waitForEnd()
        drip.cancel()
        guard case .closed = await recorder.next() else { return #expect(Bool(false)) }
        #expect(socket.statistics.idleConnections == 1)
        #expect(device.channel.isActive)
        #expect(socket.statistics.openConnections == 1)
        await socket.close()
    }

    @Test("one address has few unknown connections; a registered one no longer counts")
    func limitsConnectionsPerHost() async throws {
        let socket = try await startSIPSocket(recorder) { $0.unknownConnectionsPerHost = 2 }
        let first = try await SIPPeer.tcp(port: socket.port)
        let second = try await SIPPeer.tcp(port: socket.port)
        let third = try await SIPPeer.tcp(port: socket.port)
        try await third.waitForEnd()
        #expect(socket.statistics.refusedConnections == 1)
        recorder.onMessage { _, flow in socket.markKnown(flow) }
        try await first.send(sipRequest("register").encoded())
        #expect(callID(await recorder.next()) == "register")
        let fourth = try await SIPPeer.tcp(port: socket.port)
        try await fourth.send(sipRequest("fourth").encoded())
        #expect(callID(await recorder.next()) == "fourth")
        withExtendedLifetime(second) { #expect(socket.statistics.openConnections == 3) }
        await socket.close()
    }

    @Test("a peer that does not read is given up")
    func limitsWriteQueue() async throws {
        let socket = try await startSIPSocket(recorder) { $0.writeQueueBytes = 256 * 1024 }
        let camera = try await SIPPeer.tcp(port: socket.port, readsNothing: true)
        try await camera.send(sipRequest("a").encoded())
        let flow = try #require(await recorder.next()).flow
        let message = Array(repeating: UInt8(0), count: 32 * 1024)
        // The kernel takes some MB of it; each turn of the loop gives the rest a chance to leave.
        while socket.statistics.slowConnections == 0 {
            try await socket.eventLoop.submit { socket.send(message, on: flow) }.get()
        }
        #expect(await recorder.next() == .closed(flow))
        #expect(socket.statistics.sent < 2000)
        #expect(socket.statistics.unknownFlows == 1)
        await socket.close()
    }

    @Test("disconnecting ends the connection after what was sent before")
    func disconnects() async throws {
        let socket = try await startSIPSocket(recorder)
        let camera = try await SIPPeer.tcp(port: socket.port)
        recorder.onMessage { _, flow in
            socket.send(Array("bye".utf8), on: flow)
            socket.disconnect(flow)
            socket.send(Array("late".utf8), on: flow)
        }
        try await camera.send(sipRequest("a").encoded() + sipRequest("never seen").encoded())
        let flow = try #require(await recorder.next()).flow
        #expect(await camera.receive(100) == Array("bye".utf8))
        #expect(await recorder.next() == .closed(flow))
        #expect(socket.statistics.messages == 1)
        await socket.close()
    }

    @Test("noise that never becomes SIP ends the connection")
    func closesBroken() async throws {
        let socket = try await startSIPSocket(recorder)
        let scanner = try await SIPPeer.tcp(port: socket.port)
        scanner.channel.writeAndFlush(ByteBuffer(repeating: UInt8(ascii: "A"), count: 40_000), promise: nil)
        guard case .failed(_, let flow, let prefix) = await recorder.next() else { return #expect(Bool(false)) }
        #expect(prefix.count <= 64)
        #expect(await recorder.next() == .closed(flow))
        await socket.close()
    }
}
