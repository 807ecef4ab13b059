package import NIOCore
import Wire

/// A request (RFC 2326 section 6).
package struct RTSPRequest: Hashable, Sendable {
    package var method: RTSPMethod
    /// The URL as the request line has it; `*` for OPTIONS of the server as a whole.
    package var target: String
    package var headers: RTSPHeaders
    package var body: ByteBuffer

    package init(_ method: RTSPMethod, _ target: String, headers: RTSPHeaders = [:], body: ByteBuffer = ByteBuffer()) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
    }

    /// Nil where it is absent or empty.
    package var cseq: String? { headers["CSeq"].flatMap { $0.isEmpty ? nil : $0 } }

    /// The id in `Session`, without parameters; nil where it is absent or empty.
    package var sessionID: String? { RTSPSessionHeader(headers)?.id }

    package func write(into buffer: inout ByteBuffer) {
        RTSPHeaders.writeText(method.rawValue, into: &buffer)
        buffer.writeString(" ")
        RTSPHeaders.writeText(target, into: &buffer)
        buffer.writeString(" RTSP/1.0\r\n")
        RTSPMessageEnd.write(headers, body, into: &buffer)
    }
}

/// A response (RFC 2326 section 7).
package struct RTSPResponse: Hashable, Sendable {
    package var status: RTSPStatus
    package var headers: RTSPHeaders
    package var body: ByteBuffer

    package init(_ status: RTSPStatus, headers: RTSPHeaders = [:], body: ByteBuffer = ByteBuffer()) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package func write(into buffer: inout ByteBuffer) {
        buffer.writeString("RTSP/1.0 \(status.code) ")
        RTSPHeaders.writeText(status.reason, into: &buffer)
        buffer.writeString("\r\n")
        RTSPMessageEnd.write(headers, body, into: &buffer)
    }
}

private enum RTSPMessageEnd {
    static func write(_ headers: RTSPHeaders, _ body: ByteBuffer, into buffer: inout ByteBuffer) {
        var headers = headers
        headers.remove("Content-Length")
        if body.readableBytes > 0 { headers.add("Content-Length", "\(body.readableBytes)") }
        headers.write(into: &buffer)
        buffer.writeString("\r\n")
        buffer.writeImmutableBuffer(body)
    }
}

/// `Session: id;timeout=60` (RFC 2326 12.37).
struct RTSPSessionHeader: Hashable, Sendable {
    var id: String
    /// Seconds.
    var timeout: Int?

    init?(_ headers: RTSPHeaders) {
        guard let value = headers["Session"] else { return nil }
        let pieces = value.split(separator: ";", omittingEmptySubsequences: false)
        id = String(HeaderText.trim(pieces.first ?? ""))
        guard !id.isEmpty else { return nil }
        let parameters = HeaderParameters(
            parsing: pieces.dropFirst().joined(separator: ";")[...],
            separator: UInt8(ascii: ";")
        )
        timeout = parameters["timeout"].flatMap { Int($0) }.flatMap { (1...86_400).contains($0) ? $0 : nil }
    }
}
