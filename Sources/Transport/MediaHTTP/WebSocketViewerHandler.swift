import Hub
import Media
import NIOCore
import Streaming

/// Reads what a WebSocket viewer sends: pings are answered, a close ends the viewer, all else is ignored. Pings find the
/// viewers that are there no more.
final class WebSocketViewerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// Pings that a viewer may leave unanswered.
    private static let patience: Int64 = 3

    private let viewer: Viewer
    private let interval: TimeAmount
    private var parser = WebSocketParser(maximumLength: 4096)
    private var lastRead = NIODeadline.now()
    private var pings: RepeatedTask?
    private var isEnded = false

    init(viewer: Viewer, interval: TimeAmount) {
        self.viewer = viewer
        self.interval = interval
    }

    func handlerAdded(context: ChannelHandlerContext) {
        lastRead = context.eventLoop.now
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        pings = context.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            let (handler, context) = bound.value
            handler.look(context)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        stopPings()
    }

    func channelInactive(context: ChannelHandlerContext) {
        stopPings()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        guard !isEnded else { return }
        viewer.count(readBytes: bytes.readableBytes)
        lastRead = context.eventLoop.now
        var events: [WebSocketEvent] = []
        var fault: WebSocketFault?
        do throws(WebSocketFault) {
            try parser.receive(bytes, into: &events)
        } catch {
            fault = error
        }
        for event in events {
            switch event {
            case .ping(let payload):
                var pong = ByteBuffer()
                WebSocketFrame.write(opcode: .pong, payload: payload, into: &pong)
                viewer.send(control: pong)
            case .close(let code):
                // 1005 stands for "none given" and must not be sent.
                end(with: code == 1005 ? 1000 : code)
                return
            case .text, .binary, .pong:
                break
            }
        }
        if let fault { end(with: fault.closeCode, fault.reason) }
    }

    /// What a viewer is told that the Hub ends: 1001 when there is nothing to see any more, 1008 when it may not see it.
    static func farewell(_ reason: Viewer.CloseReason) -> ByteBuffer? {
        var frame = ByteBuffer()
        switch reason {
        case .kicked: WebSocketFrame.writeClose(code: 1008, reason: "ended by the operator", into: &frame)
        case .abandoned: WebSocketFrame.writeClose(code: 1001, reason: "nobody publishes this stream", into: &frame)
        case .publisherGone: WebSocketFrame.writeClose(code: 1001, reason: "the publisher has left", into: &frame)
        case .shutdown: WebSocketFrame.writeClose(code: 1001, reason: "the server shuts down", into: &frame)
        case .unsupportedCodec(let codec):
            WebSocketFrame.writeClose(
                code: 1008,
                reason: "the stream's codec is now \(codec.rawValue), which this form cannot carry",
                into: &frame
            )
        // Of RTSP alone.
        case .descriptionChanged: return nil
        case .channelClosed, .stalled, .sendFailed: return nil
        }
        return frame
    }

    private func look(_ context: ChannelHandlerContext) {
        let silence = context.eventLoop.now - lastRead
        guard silence.nanoseconds < interval.nanoseconds &* Self.patience else {
            stopPings()
            viewer.close()
            return
        }
        var ping = ByteBuffer()
        WebSocketFrame.write(opcode: .ping, payload: ByteBuffer(), into: &ping)
        viewer.send(control: ping)
    }

    private func end(with code: UInt16, _ reason: String = "") {
        isEnded = true
        stopPings()
        var frame = ByteBuffer()
        WebSocketFrame.writeClose(code: code, reason: reason, into: &frame)
        viewer.send(control: frame)
        viewer.close()
    }

    private func stopPings() {
        pings?.cancel()
        pings = nil
    }
}
