import Hub
import Media
import NIOCore
import NIOHTTP1
import Streaming

/// Reads one request. A player's connection then loses its HTTP handlers and is a viewer of the Hub; any other is answered
/// and closed.
final class MediaHTTPHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart

    private let hub: Hub
    private let configuration: MediaHTTPConfiguration
    private let sink: ViewerSink
    private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    private var head: HTTPRequestHead?
    private var timeout: Scheduled<Void>?
    private var isDone = false

    init(
        hub: Hub,
        configuration: MediaHTTPConfiguration,
        sink: ViewerSink,
        decoder: ByteToMessageHandler<HTTPRequestDecoder>
    ) {
        self.hub = hub
        self.configuration = configuration
        self.sink = sink
        self.decoder = decoder
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timeout = context.eventLoop.scheduleTask(in: configuration.requestTimeout) {
            let (handler, context) = bound.value
            handler.fail(.requestTimeout, "no whole request within the time limit", context)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timeout?.cancel()
        timeout = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        timeout?.cancel()
        timeout = nil
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            if head.method != .GET { answer(head, context) }
        case .body:
            break
        case .end:
            if let head { answer(head, context) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            context.close(promise: nil)
            return
        }
        let status: HTTPResponseStatus = error == .headerOverflow ? .requestHeaderFieldsTooLarge : .badRequest
        fail(status, "the request cannot be read: \(error)", context)
    }

    private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        switch head.method {
        case .OPTIONS:
            finish(MediaHTTPResponse.options(), context)
            return
        case .GET, .HEAD:
            break
        default:
            fail(
                .methodNotAllowed,
                "\(head.method.rawValue) is not possible here: streams are fetched with GET",
                context
            )
            return
        }
        let stream: HTTPStreamRequest
        do throws(HTTPStreamRequest.Fault) {
            stream = try HTTPStreamRequest(target: head.uri)
        } catch {
            fail(.notFound, error.explanation, context)
            return
        }
        guard stream.fileExtension == "flv" else {
            fail(.notFound, "there is no stream format .\(stream.fileExtension): use .flv", context)
            return
        }
        let request = MediaHTTPRequest(
            method: head.method,
            target: head.uri,
            stream: stream,
            headers: head.headers,
            remoteAddress: context.channel.remoteAddress.map(Self.text) ?? "",
            isWebSocket: WebSocketHandshake.isUpgrade(
                connection: head.headers["connection"],
                upgrade: head.headers["upgrade"]
            )
        )
        if case .deny(let status, let reason) = configuration.authorize(request) {
            fail(HTTPResponseStatus(statusCode: status), reason, context)
        } else if head.method == .HEAD {
            finish(MediaHTTPResponse.stream(contentType: "video/x-flv"), context)
        } else if request.isWebSocket {
            startWebSocket(request, context)
        } else {
            start(request, as: .flv, prologue: MediaHTTPResponse.stream(contentType: "video/x-flv"), context)
        }
    }

    private func startWebSocket(_ request: MediaHTTPRequest, _ context: ChannelHandlerContext) {
        guard request.headers.first(name: "sec-websocket-version") == "13" else {
            fail(.upgradeRequired, "WebSocket version 13 is spoken here (RFC 6455)", context)
            return
        }
        guard let key = request.headers.first(name: "sec-websocket-key"), !key.isEmpty else {
            fail(.badRequest, "the WebSocket request has no Sec-WebSocket-Key", context)
            return
        }
        let subprotocol = request.headers[canonicalForm: "sec-websocket-protocol"].first.map(String.init)
        let response = MediaHTTPResponse.switchToWebSocket(key: key, subprotocol: subprotocol)
        start(request, as: .webSocketFLV, prologue: response, context)
    }

    private func start(
        _ request: MediaHTTPRequest,
        as framing: WireFormat.Framing,
        prologue: ByteBuffer,
        _ context: ChannelHandlerContext
    ) {
        let address = request.stream.address
        let isWebSocket = framing == .webSocketFLV
        let host = request.headers.first(name: "host") ?? ""
        let session = hub.makeSession(
            .flv,
            .viewer,
            remoteAddress: request.remoteAddress,
            url: "\(isWebSocket ? "ws" : "http")://\(host)\(request.target)",
            query: address.query
        )
        do throws(HubError) {
            let viewer = try hub.view(
                address.stream,
                app: address.app,
                as: WireFormat(
                    framing,
                    hevc: request.stream.hevcFormat(userAgent: request.headers.first(name: "user-agent") ?? "")
                ),
                session: session,
                channel: context.channel,
                sink: sink,
                prologue: prologue
            )
            isDone = true
            let pipeline = context.pipeline.syncOperations
            if isWebSocket {
                try? pipeline.addHandler(WebSocketViewerHandler(viewer: viewer), position: .last)
            }
            // This one first: what the decoder has left over is no HTTP.
            pipeline.removeHandler(context: context, promise: nil)
            pipeline.removeHandler(decoder, promise: nil)
        } catch {
            fail(.serviceUnavailable, error.description, context)
        }
    }

    private static func text(_ address: SocketAddress) -> String {
        "\(address.ipAddress ?? ""):\(address.port ?? 0)"
    }

    private func fail(_ status: HTTPResponseStatus, _ reason: String, _ context: ChannelHandlerContext) {
        finish(MediaHTTPResponse.failure(status, reason, withBody: head?.method != .HEAD), context)
    }

    private func finish(_ response: ByteBuffer, _ context: ChannelHandlerContext) {
        guard !isDone else { return }
        isDone = true
        timeout?.cancel()
        let channel = context.channel
        channel.writeAndFlush(response).whenComplete { _ in channel.close(promise: nil) }
    }
}
