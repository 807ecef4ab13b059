import Hub
import NIOCore
import NIOHTTP1
import Streaming

// What is asked for: HLS, else a stream, whose viewer the connection becomes.
extension MediaHTTPHandler {
    func serve(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        if let hls = configuration.hls, serve(head, hls, context) { return }
        let stream: HTTPStreamRequest
        let route: MediaHTTPRoute
        do throws(HTTPStreamRequest.Fault) {
            stream = try HTTPStreamRequest(target: head.uri)
        } catch {
            fail(.notFound, error.explanation, context)
            return
        }
        do throws([MediaHTTPRoute].NoRoute) {
            route = try configuration.routes.find(stream)
        } catch {
            fail(.notFound, error.explanation, context)
            return
        }
        let request = MediaHTTPRequest(
            method: head.method,
            target: head.uri,
            stream: stream,
            headers: head.headers,
            remoteAddress: client(context).address,
            isWebSocket: head.method == .GET
                && WebSocketHandshake.isUpgrade(
                    connection: head.headers["connection"],
                    upgrade: head.headers["upgrade"]
                ),
            isSecure: sink == .channel
        )
        if case .deny(let status, let reason) = configuration.authorize(request) {
            fail(HTTPResponseStatus(statusCode: status), reason, context)
        } else if request.isWebSocket {
            startWebSocket(request, route, version: head.version, context)
        } else {
            let prologue = MediaHTTPResponse.stream(contentType: contentType(route, stream.address))
            if head.method == .HEAD {
                finish(context) { _ in prologue }
            } else {
                start(request, route, prologue: prologue, context)
            }
        }
    }

    /// With the codecs where the container's name says nothing of them and they are known by now.
    private func contentType(_ route: MediaHTTPRoute, _ address: StreamAddress) -> String {
        guard case .fmp4(let hasAudio) = route.framing(isWebSocket: false, hasAudio: address.hasAudio) else {
            return route.contentType
        }
        return hub.fmp4ContentType(of: address.stream, hasAudio: hasAudio) ?? route.contentType
    }

    /// Any Origin is welcome: streams are public or behind what `authorize` checks, never behind a browser's cookies.
    private func startWebSocket(
        _ request: MediaHTTPRequest,
        _ route: MediaHTTPRoute,
        version: HTTPVersion,
        _ context: ChannelHandlerContext
    ) {
        guard version.isAtLeast1_1 else {
            fail(.badRequest, "WebSocket needs HTTP/1.1 (RFC 6455 4.1)", context)
            return
        }
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
        start(request, route, prologue: response, context)
    }

    private func start(
        _ request: MediaHTTPRequest,
        _ route: MediaHTTPRoute,
        prologue: ByteBuffer,
        _ context: ChannelHandlerContext
    ) {
        let address = request.stream.address
        let isWebSocket = request.isWebSocket
        let session = hub.makeSession(
            route.session,
            .viewer,
            remoteAddress: request.remoteAddress,
            url: request.url,
            query: address.query
        )
        var farewell: ((Viewer.CloseReason) -> ByteBuffer?)?
        if isWebSocket { farewell = { reason in WebSocketViewerHandler.farewell(reason) } }
        do throws(HubError) {
            let viewer = try hub.view(
                address.stream,
                app: address.app,
                as: format(
                    route.framing(isWebSocket: isWebSocket, hasAudio: address.hasAudio),
                    request
                ),
                session: session,
                channel: context.channel,
                sink: sink,
                prologue: prologue,
                startsLive: address.queryValue("gop") == "0",
                onEnd: farewell
            )
            handOver(
                context,
                to: isWebSocket
                    ? WebSocketViewerHandler(viewer: viewer, interval: configuration.webSocketPingInterval) : nil
            )
        } catch {
            refuse(error, context)
        }
    }

    private func format(_ framing: WireFormat.Framing, _ request: MediaHTTPRequest) -> WireFormat {
        let agent = request.headers.first(name: "user-agent") ?? ""
        guard framing == .flv || framing == .webSocketFLV else { return WireFormat(framing) }
        return WireFormat(framing, hevc: request.stream.hevcFormat(userAgent: agent))
    }

    private func refuse(_ error: HubError, _ context: ChannelHandlerContext) {
        let status: HTTPResponseStatus =
            switch error {
            case .unsupportedCodec: .unsupportedMediaType
            default: .serviceUnavailable
            }
        fail(status, error.description, context)
    }
}

extension StreamAddress {
    fileprivate var hasAudio: Bool { queryValue("audio") != "0" }
}
