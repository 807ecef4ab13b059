import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// Publishes a file over RTSP and UDP: ffmpeg's packets, of which some are lost on the way, the same in every run.
final class LossyPublisher: Sendable {
    /// What was lost, by the RTP time of its picture or sound.
    struct Loss: Sendable {
        var packets: [Int] = [0, 0]
        var lost: [[UInt32]] = [[], []]
        var first: [UInt32?] = [nil, nil]
    }

    private let loss: Mutex<(Loss, SeededGenerator)>
    private let perMille: UInt64
    private let connection: Connection
    private let file: String
    private let channels = Mutex<[any Channel]>([])
    private let ports: [Int]

    var lost: Loss { loss.withLock { $0.0 } }

    /// Announces the file, which has a picture and sound; nothing is sent yet.
    init(_ file: String, to path: String, port: Int, perMille: UInt64, seed: UInt64) async throws {
        self.file = file
        self.perMille = perMille
        loss = Mutex((Loss(), SeededGenerator(state: seed)))
        connection = try await Connection.open(port: port)
        var ports: [Int] = []
        while ports.count < 4 {
            let port = try await freePort() & ~1
            if !ports.contains(port), let pair = try? await Self.free(port) { ports += pair }
        }
        self.ports = ports
        let sdp = try await description()
        let url = "rtsp://127.0.0.1:\(port)/\(path)"
        _ = try await ask(
            "ANNOUNCE \(url)",
            "Content-Type: application/sdp\r\nContent-Length: \(sdp.utf8.count)\r\n",
            sdp
        )
        var session = ""
        for media in 0..<2 {
            let pair = "\(ports[2 * media])-\(ports[2 * media + 1])"
            let answer = try await ask(
                "SETUP \(url)/streamid=\(media)",
                "Transport: RTP/AVP/UDP;unicast;client_port=\(pair);mode=record\r\n\(session)"
            )
            guard
                let id = answer.firstMatch(of: /Session: *([^;\r]+)/)?.1,
                let server = answer.firstMatch(of: /server_port=(\d+)-(\d+)/),
                let rtp = Int(server.1), let rtcp = Int(server.2)
            else { throw NeverHappened(what: "SETUP: \(answer)") }
            session = "Session: \(id)\r\n"
            for (index, target) in [rtp, rtcp].enumerated() {
                let relay = Relay(to: try SocketAddress(ipAddress: "127.0.0.1", port: target)) { [self] packet in
                    index == 1 || passes(packet, media: media)
                }
                let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .channelOption(.socketOption(.so_rcvbuf), value: 1 << 20)
                    .channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHandler(relay)
                        }
                    }
                    .bind(host: "127.0.0.1", port: ports[2 * media + index]).get()
                channels.withLock { $0.append(channel) }
            }
        }
        _ = try await ask("RECORD \(url)", session)
    }

    /// Sends the whole file in its own time, then leaves.
    func publish() async throws {
        let output = try await FFmpeg.installed?.run(["-re", "-i", file] + outputs)
        guard output?.status == 0 else { throw NeverHappened(what: "ffmpeg's packets: \(output?.errors ?? "")") }
        await connection.close()
        for channel in channels.withLock({ $0 }) { try await channel.close() }
    }

    private var outputs: [String] {
        (0..<2).flatMap { media in
            let target = "rtp://127.0.0.1:\(ports[2 * media])?pkt_size=1300"
            return ["-map", "0:\(media)", "-c", "copy", "-muxdelay", "0", "-f", "rtp", target]
        }
    }

    private func description() async throws -> String {
        let folder = try TemporaryFolder()
        let sdp = "\(folder.path)/sdp"
        _ = try await FFmpeg.installed?.run(["-t", "0.2", "-i", file] + outputs + ["-sdp_file", sdp])
        let text = try String(contentsOfFile: sdp, encoding: .utf8)
        var medias = text.components(separatedBy: "m=").dropFirst().enumerated().map {
            "m=" + $0.element.trimmingCharacters(in: .whitespacesAndNewlines)
                + "\r\na=control:streamid=\($0.offset)\r\n"
        }
        medias.insert("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=loss\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n", at: 0)
        return medias.joined()
    }

    private let sequence = Mutex(0)

    private func ask(_ request: String, _ headers: String, _ body: String = "") async throws -> String {
        let number = sequence.withLock {
            $0 += 1
            return $0
        }
        try await connection.send("\(request) RTSP/1.0\r\nCSeq: \(number)\r\n\(headers)\r\n\(body)")
        var answer = ""
        while !answer.contains("\r\n\r\n") {
            guard let piece = await connection.next() else { break }
            answer += String(buffer: piece)
        }
        guard answer.hasPrefix("RTSP/1.0 200") else { throw NeverHappened(what: "\(request): \(answer)") }
        return answer
    }

    private static func free(_ port: Int) async throws -> [Int] {
        for port in [port, port + 1] {
            let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .bind(host: "127.0.0.1", port: port).get()
            try await channel.close()
        }
        return [port, port + 1]
    }

    private func passes(_ packet: ByteBuffer, media: Int) -> Bool {
        guard let time = packet.getInteger(at: packet.readerIndex + 4, as: UInt32.self) else { return true }
        return loss.withLock { state in
            state.0.packets[media] += 1
            if state.0.first[media] == nil { state.0.first[media] = time }
            guard state.1.next() % 1000 < perMille else { return true }
            state.0.lost[media].append(time)
            return false
        }
    }

    private final class Relay: ChannelInboundHandler, Sendable {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        typealias OutboundOut = AddressedEnvelope<ByteBuffer>

        private let target: SocketAddress
        private let passes: @Sendable (ByteBuffer) -> Bool

        init(to target: SocketAddress, passes: @escaping @Sendable (ByteBuffer) -> Bool) {
            self.target = target
            self.passes = passes
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let envelope = unwrapInboundIn(data)
            // The server's receiver reports end here.
            guard envelope.remoteAddress != target, passes(envelope.data) else { return }
            let onward = AddressedEnvelope(remoteAddress: target, data: envelope.data)
            context.writeAndFlush(wrapOutboundOut(onward), promise: nil)
        }
    }
}

/// SplitMix64.
struct SeededGenerator: RandomNumberGenerator, Sendable {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
