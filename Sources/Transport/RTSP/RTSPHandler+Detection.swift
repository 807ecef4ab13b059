import Hub
import NIOCore
import Streaming

// What the bytes are of.
extension RTSPHandler {
    func detect(_ bytes: ByteBuffer, _ detector: RTSPProtocolDetector, _ context: ChannelHandlerContext) {
        var detector = detector
        var bytes = bytes
        let now = context.eventLoop.now
        do throws(RTSPDetectionFault) {
            guard let kind = try detector.receive(&bytes) else {
                phase = .detecting(detector)
                began = began ?? now
                schedule()
                return
            }
            became(kind, context)
        } catch {
            fault = .http
            close(sending: error.response)
            return
        }
        began = nil
        schedule()
        if bytes.readableBytes > 0 { read(bytes, waited: .nanoseconds(0)) }
    }

    private func became(_ kind: RTSPConnectionKind, _ context: ChannelHandlerContext) {
        let now = context.eventLoop.now
        switch kind {
        case .rtsp:
            phase = .rtsp
        case .webSocket(let response):
            context.writeAndFlush(wrapOutboundOut(response), promise: nil)
            phase = .webSocket(WebSocketParser(maximumLength: Self.maximumMessage))
            begin(.interleavedOnly, now: now)
        case .tunnelGET(let cookie):
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            guard options.shared.wait(bound, cookie: cookie, peer: peer, now: now) else {
                close(sending: RTSPTunnel.refusal())
                return
            }
            phase = .tunnel
            // Until the other half comes.
            began = now
            begin(.interleavedOnly, now: now)
            context.writeAndFlush(wrapOutboundOut(RTSPTunnel.getResponse()), promise: nil)
        case .tunnelPOST(let cookie):
            guard let other = options.shared.pair(cookie: cookie, peer: peer, now: now) else {
                close(sending: RTSPTunnel.refusal())
                return
            }
            phase = .post(other, Base64StreamDecoder())
            timer?.cancel()
            let loop = other.eventLoop
            let channel = context.channel
            loop.execute { other.value.tunnelled(by: channel) }
        }
    }

    func receive(messages bytes: ByteBuffer, _ parser: WebSocketParser, _ context: ChannelHandlerContext) {
        var parser = parser
        var events: [WebSocketEvent] = []
        var ends = false
        do throws(WebSocketFault) {
            try parser.receive(bytes, into: &events)
        } catch {
            var frame = ByteBuffer()
            WebSocketFrame.writeClose(code: error.closeCode, reason: error.reason, into: &frame)
            send(raw: frame)
            ends = true
        }
        phase = .webSocket(parser)
        for event in events where !isClosed {
            switch event {
            case .text(let payload), .binary(let payload): receive(payload, waited: .nanoseconds(0))
            case .ping(let payload):
                var pong = ByteBuffer()
                WebSocketFrame.write(opcode: .pong, payload: payload, into: &pong)
                send(raw: pong)
            case .close: ends = true
            case .pong: break
            }
        }
        if ends { close() }
    }

    /// The POST's bytes go to the loop of the GET; the next are read when it has taken them.
    func passOn(
        _ bytes: ByteBuffer,
        to other: NIOLoopBound<RTSPHandler>,
        _ decoder: Base64StreamDecoder,
        _ context: ChannelHandlerContext
    ) {
        var decoder = decoder
        guard let requests = decoder.decode(bytes) else {
            close(sending: RTSPTunnel.refusal())
            return
        }
        phase = .post(other, decoder)
        let loop = other.eventLoop
        guard !loop.inEventLoop else {
            other.value.tunnelled(requests)
            return
        }
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)
        let channel = context.channel
        loop.execute {
            other.value.tunnelled(requests)
            channel.setOption(.autoRead, value: true).whenComplete { _ in }
        }
    }

    /// The other half of the tunnel is there.
    private func tunnelled(by channel: any Channel) {
        guard case .tunnel = phase else {
            channel.close(promise: nil)
            return
        }
        otherHalf = channel
        began = nil
        schedule()
    }

    /// The other half has brought bytes.
    private func tunnelled(_ bytes: ByteBuffer) {
        guard case .tunnel = phase else { return }
        began = nil
        receive(bytes, waited: .nanoseconds(0))
        // Nobody takes the answers, and not to read this half stops no requests. A reader's bytes have a limit of their own.
        if context?.channel.isWritable == false, session?.viewer == nil { close() }
    }

    func tellOtherHalf() {
        otherHalf?.close(promise: nil)
        otherHalf = nil
        guard case .post(let other, _) = phase else { return }
        let loop = other.eventLoop
        loop.execute { other.value.tunnelEnded() }
    }

    /// Without the half that requests come through a session can neither be kept nor ended: a reader's goes on, as it may be
    /// opened anew by clients that open one for each request.
    private func tunnelEnded() {
        otherHalf = nil
        guard case .tunnel = phase, session?.viewer == nil else { return }
        close()
    }
}
