import Hub
import NIOCore
import NIOHTTP1
import Streaming

// HLS
extension MediaHTTPHandler {
    /// - Returns: false when the request is for something else.
    func serve(_ head: HTTPRequestHead, _ hls: HLSService, _ context: ChannelHandlerContext) -> Bool {
        let request: HLSRequest
        do throws(HLSRequest.Fault) {
            request = try hlsRequest(head.uri, prefix: hls.options.pattern)
        } catch .elsewhere {
            return false
        } catch {
            fail(HTTPResponseStatus(statusCode: error.status), error.explanation, context)
            return true
        }
        let client = client(context)
        let asker = HLSService.Asker(
            remoteAddress: client.address,
            host: client.host,
            userAgent: head.headers.first(name: "user-agent") ?? "",
            target: head.uri,
            isSecure: sink == .channel,
            headers: head.headers
        )
        if case .deny(let status, let reason) = configuration.authorizeHLS(request, asker) {
            fail(HTTPResponseStatus(statusCode: status), reason, context)
            return true
        }
        beginAnswer()
        let isHead = head.method == .HEAD
        let range = head.headers.first(name: "range").flatMap { HTTPByteRange($0) }
        let reply = hls.answer(request, from: asker, on: context.eventLoop) {
            { [self] reply in
                finishAnswer(context) { Self.response(reply, range: range, isHead: isHead, $0) }
            }
        }
        if let reply { finishAnswer(context) { Self.response(reply, range: range, isHead: isHead, $0) } }
        return true
    }

    /// A viewer asks for the same playlist again and again.
    private func hlsRequest(_ target: String, prefix: String) throws(HLSRequest.Fault) -> HLSRequest {
        if let newest = newestPlaylist, newest.target == target { return newest.request }
        let request = try HLSRequest(target: target, prefix: prefix)
        if case .media = request.resource { return request }
        newestPlaylist = (target, request)
        return request
    }

    private static func response(
        _ reply: HLSReply,
        range: HTTPByteRange?,
        isHead: Bool,
        _ state: HTTPConnectionState
    ) -> HTTPAnswer {
        switch reply {
        case .playlist(let text):
            let head = MediaHTTPResponse.body(
                .ok,
                contentType: "application/vnd.apple.mpegurl",
                length: text.readableBytes,
                cacheSeconds: 0,
                connection: state
            )
            return HTTPAnswer(head: head, body: isHead ? nil : text)
        case .media(let media):
            let whole = media.bytes.readableBytes
            let part = range.map { $0.resolve(length: whole) } ?? 0..<whole
            guard let part else {
                return HTTPAnswer(head: MediaHTTPResponse.unsatisfiable(length: whole, connection: state))
            }
            let head = MediaHTTPResponse.body(
                range == nil ? .ok : .partialContent,
                contentType: media.contentType,
                length: part.count,
                range: range == nil ? nil : (part, whole),
                cacheSeconds: media.cacheSeconds,
                connection: state
            )
            guard !isHead else { return HTTPAnswer(head: head) }
            let bytes = media.bytes.getSlice(at: media.bytes.readerIndex + part.lowerBound, length: part.count)
            return HTTPAnswer(head: head, body: bytes)
        case .redirect(let location):
            return HTTPAnswer(head: MediaHTTPResponse.redirect(to: location, connection: state))
        case .refuse(let status, let reason):
            let status = HTTPResponseStatus(statusCode: status)
            return HTTPAnswer(head: MediaHTTPResponse.failure(status, reason, withBody: !isHead, connection: state))
        }
    }
}

/// An answer of known length.
struct HTTPAnswer {
    var head: ByteBuffer
    var body: ByteBuffer?
}
