import CameraSimulator
import Foundation
import NIOCore
import NIOPosix
import SIP
import Synchronization

/// A camera that does what a test tells it to: SIP over UDP sockets of its own, media from another.
final class ScriptedCamera: Sendable {
    /// What it answers to INVITE.
    enum Behaviour: Sendable {
        case accepts(ssrc: String? = nil)
        case rejects(Int, String, warning: String? = nil)
        case keepsSilent
    }

    static let id = "34020000001320000099"
    static let channel = "34020000001310000099"

    private struct State {
        var behaviour = Behaviour.accepts()
        var answersBye = true
        var requests: [(request: SIPRequest, port: Int)] = []
        var sequence = 0
    }

    let id: String
    private let platform: SocketAddress
    private let state = Mutex(State())
    private let socket: Mutex<(any Channel)>
    private let media: any Channel

    static func start(
        sip port: Int,
        id: String = ScriptedCamera.id,
        host: String = "127.0.0.1"
    ) async throws -> ScriptedCamera {
        let media = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        return ScriptedCamera(
            id: id,
            platform: try SocketAddress(ipAddress: "127.0.0.1", port: port),
            socket: try await openSocket(host: host),
            media: media
        )
    }

    private init(id: String, platform: SocketAddress, socket: any Channel, media: any Channel) {
        self.id = id
        self.platform = platform
        self.socket = Mutex(socket)
        self.media = media
        listen(on: socket)
    }

    private static func openSocket(host: String = "127.0.0.1") async throws -> any Channel {
        try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.autoRead, value: false)
            .bind(host: host, port: 0).get()
    }

    private func listen(on socket: any Channel) {
        let handler = Inbox { [weak self] message, from in self?.receive(message, on: socket, from: from) }
        _ = socket.pipeline.addHandler(handler).flatMap { socket.setOption(.autoRead, value: true) }
    }

    /// Its NAT forgets the binding: from now on it speaks from another port. Nothing more is answered on the old one.
    func moveToNewPort() async throws {
        let new = try await Self.openSocket()
        listen(on: new)
        let old = socket.withLock { socket in
            defer { socket = new }
            return socket
        }
        try await old.close()
    }

    func stop() async {
        try? await socket.withLock { $0 }.close()
        try? await media.close()
    }

    var port: Int { socket.withLock { $0.localAddress?.port } ?? 0 }
    var mediaPort: Int { media.localAddress?.port ?? 0 }

    func behave(_ behaviour: Behaviour) { state.withLock { $0.behaviour = behaviour } }
    func answerBye(_ answers: Bool) { state.withLock { $0.answersBye = answers } }

    /// What the gateway asked so far.
    func requests(_ method: SIPMethod) -> [SIPRequest] {
        state.withLock { $0.requests.filter { $0.request.method == method }.map(\.request) }
    }

    /// The port that each request arrived on.
    func ports(_ method: SIPMethod) -> [Int] {
        state.withLock { $0.requests.filter { $0.request.method == method }.map(\.port) }
    }

    /// Where the last INVITE wants the media.
    var offeredPort: Int? {
        let body = requests(.invite).last.map { String(decoding: $0.body, as: UTF8.self) } ?? ""
        let line = body.split(whereSeparator: \.isNewline).first { $0.hasPrefix("m=video ") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }

    /// The SSRC that the last INVITE asks for.
    var offeredSSRC: UInt32? {
        let body = requests(.invite).last.map { String(decoding: $0.body, as: UTF8.self) } ?? ""
        let line = body.split(whereSeparator: \.isNewline).first { $0.hasPrefix("y=") }
        return line.flatMap { UInt32($0.dropFirst(2)) }
    }

    func register(at platform: String = Site.platformID) async throws {
        try await send(request(.register, to: platform, extra: [(.expires, "3600")]))
    }

    func keepalive() async throws {
        let body = """
            <?xml version="1.0" encoding="GB2312"?>\r
            <Notify><CmdType>Keepalive</CmdType><SN>1</SN><DeviceID>\(id)</DeviceID><Status>OK</Status></Notify>\r

            """
        var message = request(.message, to: Site.platformID, extra: [])
        message.headers.append(.contentType, "Application/MANSCDP+xml")
        message.body = Array(body.utf8)
        try await send(message)
    }

    /// Sends `seconds` of the clip at once, as RTP from its media socket.
    func stream(_ clip: Clip, ssrc: UInt32, seconds: Int, to port: Int, from number: UInt16 = 1) async throws {
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: port)
        let start = NIODeadline.now()
        var streamer = ClipStreamer(clip: clip, ssrc: ssrc, sequenceNumber: number, startAt: start)
        for step in 0...(seconds * 25) {
            var packets: [ByteBuffer] = []
            streamer.advance(to: start + .milliseconds(Int64(step) * 40)) { packet in
                packets.append(
                    ByteBuffer(
                        bytes: (0..<packet.byteCount).map { packet.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
                    )
                )
            }
            for packet in packets {
                try await media.writeAndFlush(AddressedEnvelope(remoteAddress: address, data: packet))
            }
        }
    }

    /// Any datagram from its media socket.
    func sendMedia(_ bytes: some Sequence<UInt8>, to port: Int) async throws {
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: port)
        try await media.writeAndFlush(AddressedEnvelope(remoteAddress: address, data: ByteBuffer(bytes: bytes)))
    }

    private func request(_ method: SIPMethod, to user: String, extra: [(SIPHeaderName, String)]) -> SIPRequest {
        let number = state.withLock { state in
            state.sequence += 1
            return state.sequence
        }
        let domain = Site.platformID.prefix(10)
        var headers = SIPHeaders()
        headers.append(.via, "SIP/2.0/UDP 127.0.0.1:\(port);rport;branch=z9hG4bK\(UUID().uuidString)")
        headers.append(.from, "<sip:\(id)@\(domain)>;tag=\(number)")
        let target = method == .register ? id : user
        headers.append(.to, "<sip:\(target)@\(domain)>")
        headers.append(.callID, UUID().uuidString)
        headers.append(.cseq, "\(number) \(method.text)")
        headers.append(.contact, "<sip:\(id)@127.0.0.1:\(port)>")
        for (name, value) in extra { headers.append(name, value) }
        return SIPRequest(method: method, uri: "sip:\(user)@\(domain)", headers: headers)
    }

    private func send(_ request: SIPRequest) async throws {
        let socket = socket.withLock { $0 }
        let data = ByteBuffer(bytes: request.encoded())
        try await socket.writeAndFlush(AddressedEnvelope(remoteAddress: platform, data: data))
    }

    private func receive(_ message: SIPMessage, on socket: any Channel, from: SocketAddress) {
        guard case .request(let request) = message else { return }
        let local = socket.localAddress?.port ?? 0
        let (behaviour, answersBye) = state.withLock { state in
            state.requests.append((request, local))
            return (state.behaviour, state.answersBye)
        }
        let flow = SIPFlow(
            transport: .udp,
            localHost: "127.0.0.1",
            localPort: local,
            remoteHost: "127.0.0.1",
            remotePort: from.port ?? 0
        )
        var response: SIPResponse
        switch request.method {
        case .ack: return
        case .bye where !answersBye: return
        case .invite:
            if case .keepsSilent = behaviour { return }
            response = answer(request, behaviour, flow)
        default: response = SIPResponse(to: request, from: flow, status: 200, tag: "c")
        }
        response.headers.append(.contact, "<sip:\(id)@127.0.0.1:\(local)>")
        let data = ByteBuffer(bytes: response.encoded())
        socket.writeAndFlush(AddressedEnvelope(remoteAddress: from, data: data), promise: nil)
    }

    private func answer(_ request: SIPRequest, _ behaviour: Behaviour, _ flow: SIPFlow) -> SIPResponse {
        switch behaviour {
        case .rejects(let status, let phrase, let warning):
            var response = SIPResponse(to: request, from: flow, status: status, phrase: phrase, tag: "c")
            if let warning { response.headers.append(.warning, warning) }
            return response
        case .keepsSilent: return SIPResponse(to: request, from: flow, status: 100, tag: nil)
        case .accepts(let ssrc):
            let offer = String(decoding: request.body, as: UTF8.self)
            let isTCP = offer.contains("TCP/RTP/AVP")
            let asked = offer.split(whereSeparator: \.isNewline).first { $0.hasPrefix("y=") }?.dropFirst(2)
            var response = SIPResponse(to: request, from: flow, status: 200, tag: "c")
            response.headers.append(.contentType, "application/sdp")
            response.body = Array(
                """
                v=0\r
                o=\(Self.channel) 0 0 IN IP4 127.0.0.1\r
                s=Play\r
                c=IN IP4 127.0.0.1\r
                t=0 0\r
                m=video \(mediaPort) \(isTCP ? "TCP/" : "")RTP/AVP 96\r
                a=sendonly\r
                \(isTCP ? "a=setup:active\r\na=connection:new\r\n" : "")a=rtpmap:96 PS/90000\r
                y=\(ssrc ?? asked.map(String.init) ?? "0")\r

                """.utf8
            )
            return response
        }
    }

    private final class Inbox: ChannelInboundHandler, Sendable {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>

        private let deliver: @Sendable (SIPMessage, SocketAddress) -> Void

        init(_ deliver: @escaping @Sendable (SIPMessage, SocketAddress) -> Void) {
            self.deliver = deliver
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let envelope = unwrapInboundIn(data)
            guard let message = try? SIPMessage.parse(Array(envelope.data.readableBytesView)) else { return }
            deliver(message, envelope.remoteAddress)
        }
    }
}
