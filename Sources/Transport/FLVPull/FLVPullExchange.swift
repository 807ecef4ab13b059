import NIOCore
import NIOHTTP1
import Streaming
import Wire

/// The HTTP half of a pull: asks, judges the answer, and hands on the bytes of the stream. A refusal is an error to what
/// follows in the pipeline; of a WebSocket's connection the HTTP handlers are gone after the answer.
final class FLVPullExchange: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = HTTPClientRequestPart

    private static let maximumHeaderBytes = 16 * 1024
    /// Of an answer that refuses: its first line is told.
    private static let maximumReasonBytes = 512

    private let url: FLVURL
    private let key = WebSocketHandshake.key((.random(in: .min ... .max), .random(in: .min ... .max)))
    private let encoder = HTTPRequestEncoder()
    private let decoder: ByteToMessageHandler<HTTPResponseDecoder>
    /// The server has said no; what follows is why.
    private var refusal: RelayFault?
    private var reason = ByteBuffer()
    private var hasAsked = false
    private var isDone = false

    init(_ url: FLVURL) {
        self.url = url
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderListSize = Self.maximumHeaderBytes
        limits.maxHeaderFieldSize = Self.maximumHeaderBytes
        limits.maxHeaderFieldCount = 100
        decoder = ByteToMessageHandler(
            HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits)
        )
    }

    func add(to channel: any Channel) throws {
        try channel.pipeline.syncOperations.addHandlers([encoder, decoder, self])
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        guard !hasAsked else { return }
        hasAsked = true
        context.write(wrapOutboundOut(.head(request)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        tellRefusal(context)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            refusal = refusal(of: head)
        case .body(let bytes):
            guard refusal != nil else {
                context.fireChannelRead(wrapInboundOut(bytes))
                return
            }
            reason.writeImmutableBuffer(bytes)
            if reason.readableBytes >= Self.maximumReasonBytes { tellRefusal(context) }
        case .end:
            if refusal != nil {
                tellRefusal(context)
            } else if url.isWebSocket {
                becomeWebSocket(context)
            } else {
                fail(RelayFault(.lost, "pull \(url.redacted): the server ended the stream"), context)
            }
        }
    }

    private func becomeWebSocket(_ context: ChannelHandlerContext) {
        isDone = true
        let pipeline = context.pipeline.syncOperations
        // This one first: what the decoder has left over is no HTTP.
        pipeline.removeHandler(context: context, promise: nil)
        pipeline.removeHandler(decoder, promise: nil)
        pipeline.removeHandler(encoder, promise: nil)
    }

    private var request: HTTPRequestHead {
        var headers = HTTPHeaders([("Host", url.authority), ("User-Agent", "gbgate"), ("Accept", "*/*")])
        if let credentials = url.credentials {
            headers.add(name: "Authorization", value: "Basic " + Base64.encode(Array(credentials.utf8)))
        }
        if url.isWebSocket {
            headers.add(name: "Connection", value: "Upgrade")
            headers.add(name: "Upgrade", value: "websocket")
            headers.add(name: "Sec-WebSocket-Version", value: "13")
            headers.add(name: "Sec-WebSocket-Key", value: key)
        } else {
            headers.add(name: "Connection", value: "close")
        }
        return HTTPRequestHead(version: .http1_1, method: .GET, uri: url.target, headers: headers)
    }

    /// Nil when the answer is a stream.
    private func refusal(of head: HTTPResponseHead) -> RelayFault? {
        let status = "\(head.status.code) \(head.status.reasonPhrase)"
        switch head.status.code {
        case 101 where url.isWebSocket:
            let accept = head.headers.first(name: "sec-websocket-accept")
            guard accept == WebSocketHandshake.accept(key: key) else {
                return fault(.protocolError, "its WebSocket answer does not fit the request (Sec-WebSocket-Accept)")
            }
            return nil
        case 200 where !url.isWebSocket:
            return nil
        case 101, 200..<300:
            return fault(
                .protocolError,
                "it answered \(status) to a request for \(url.isWebSocket ? "WebSocket" : "FLV")"
            )
        case 300..<400:
            let location = head.headers.first(name: "location") ?? ""
            let host = (try? FLVURL(location))?.host ?? "another path"
            return fault(.refused, "it answered \(status), to \(host): redirects are not followed, pull from there")
        case 401, 403, 407:
            return fault(.unauthorized, "it answered \(status)")
        default:
            return fault(.refused, "it answered \(status)")
        }
    }

    private func tellRefusal(_ context: ChannelHandlerContext) {
        guard var refusal else { return }
        let line = Self.firstLine(reason)
        if !line.isEmpty { refusal.description += ": " + line }
        fail(refusal, context)
    }

    private func fail(_ fault: RelayFault, _ context: ChannelHandlerContext) {
        isDone = true
        refusal = nil
        context.fireErrorCaught(fault)
    }

    private func fault(_ kind: RelayFault.Kind, _ what: String) -> RelayFault {
        RelayFault(kind, "pull \(url.redacted): \(what)")
    }

    private static func firstLine(_ bytes: ByteBuffer) -> String {
        let text = String(decoding: bytes.readableBytesView.prefix(maximumReasonBytes), as: UTF8.self)
        // What servers repeat of our URL loses its query.
        let line = (text.split(whereSeparator: \.isNewline).first ?? "").split(separator: " ")
            .map { $0.prefix { $0 != "?" } }.joined(separator: " ")
        return String(
            line.unicodeScalars.filter { $0.properties.generalCategory != .control }.prefix(200).map(Character.init)
        )
    }
}
