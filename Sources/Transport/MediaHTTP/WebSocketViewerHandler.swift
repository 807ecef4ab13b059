import Hub
import NIOCore
import Streaming

/// Reads what a WebSocket viewer sends: pings are answered, a close ends the viewer, all else is ignored.
final class WebSocketViewerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let viewer: Viewer
    private var parser = WebSocketParser(maximumLength: 4096)

    init(viewer: Viewer) {
        self.viewer = viewer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        viewer.count(readBytes: bytes.readableBytes)
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
        if let fault { end(with: fault.closeCode) }
    }

    private func end(with code: UInt16) {
        var frame = ByteBuffer()
        WebSocketFrame.writeClose(code: code, into: &frame)
        viewer.send(control: frame)
        viewer.close()
    }
}
