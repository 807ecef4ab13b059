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
            request = try HLSRequest(target: head.uri, prefix: hls.options.pattern)
        } catch .elsewhere {
            return false
        } catch {
            fail(HTTPResponseStatus(statusCode: error.status), error.explanation, context)
            return true
        }
        let scheme = sink == .channel ? "https" : "http"
        let asker = HLSService.Asker(
            remoteAddress: context.channel.remoteAddress.map { "\($0.ipAddress ?? ""):\($0.port ?? 0)" } ?? "",
            userAgent: head.headers.first(name: "user-agent") ?? "",
            url: "\(scheme)://\(head.headers.first(name: "host") ?? "")\(head.uri)",
            path: String(head.uri.prefix { $0 != "?" && $0 != "#" }),
            isMediaElement: ["video", "audio"].contains(head.headers.first(name: "sec-fetch-dest"))
        )
        if case .deny(let status, let reason) = configuration.authorizeHLS(request, asker) {
            fail(HTTPResponseStatus(statusCode: status), reason, context)
            return true
        }
        beginAnswer()
        let isHead = head.method == .HEAD
        let range = head.headers.first(name: "range").flatMap { HTTPByteRange($0) }
        hls.answer(request, from: asker, on: context.eventLoop) { [self] reply in
            finishAnswer(context) { state in
                Self.response(reply, range: range, isHead: isHead, state)
            }
        }
        return true
    }

    private static func response(
        _ reply: HLSReply,
        range: HTTPByteRange?,
        isHead: Bool,
        _ state: HTTPConnectionState
    ) -> [ByteBuffer] {
        switch reply {
        case .playlist(let text):
            let head = MediaHTTPResponse.body(
                .ok,
                contentType: "application/vnd.apple.mpegurl",
                length: text.readableBytes,
                cacheSeconds: 0,
                connection: state
            )
            return isHead ? [head] : [head, text]
        case .media(let bytes, let contentType, let cacheSeconds):
            let whole = bytes.readableBytes
            guard let range else {
                let head = MediaHTTPResponse.body(
                    .ok,
                    contentType: contentType,
                    length: whole,
                    cacheSeconds: cacheSeconds,
                    connection: state
                )
                return isHead ? [head] : [head, bytes]
            }
            guard let part = range.resolve(length: whole),
                let slice = bytes.getSlice(at: bytes.readerIndex + part.lowerBound, length: part.count)
            else {
                return [MediaHTTPResponse.unsatisfiable(length: whole, connection: state)]
            }
            let head = MediaHTTPResponse.body(
                .partialContent,
                contentType: contentType,
                length: part.count,
                range: (part, whole),
                cacheSeconds: cacheSeconds,
                connection: state
            )
            return isHead ? [head] : [head, slice]
        case .redirect(let location):
            return [MediaHTTPResponse.redirect(to: location, connection: state)]
        case .refuse(let status, let reason):
            let status = HTTPResponseStatus(statusCode: status)
            return [MediaHTTPResponse.failure(status, reason, withBody: !isHead, connection: state)]
        }
    }
}
