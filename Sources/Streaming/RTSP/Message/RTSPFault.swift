/// What a peer did that ends its connection.
package enum RTSPFault: Error, Hashable, Sendable {
    /// Neither a request nor a response nor an interleaved frame.
    case badStartLine
    /// HTTP on the RTSP port, and no tunnel.
    case http
    case version(String)
    case methodTooLong
    case urlTooLong
    case headerTooLong
    case tooManyHeaders
    /// Not a number, negative, or several that differ.
    case badContentLength
    case bodyTooLong
    /// Bytes in a row that belong to nothing.
    case junk(Int)
    /// RFC 2326 12.17: without it the peer could not tell which request is answered.
    case noCSeq
    /// Requests behind one that is not answered yet.
    case tooManyRequests
    case timeout(RTSPTimeout)
    /// Wrong or no credentials too often.
    case unauthorized
    /// This server ended it.
    case ended(String)

    package var explanation: String {
        switch self {
        case .badStartLine: "what came is no RTSP"
        case .http: "an HTTP request that opens no RTSP tunnel"
        case .version(let text): "RTSP/1.0 is spoken here, not \(text)"
        case .methodTooLong: "a method longer than \(RTSPReader.maximumMethodLength) bytes"
        case .urlTooLong: "a URL longer than \(RTSPReader.maximumURLLength) bytes"
        case .headerTooLong: "a header field that is too long"
        case .tooManyHeaders: "more than \(RTSPReader.maximumHeaders) header fields"
        case .badContentLength: "Content-Length is no length"
        case .bodyTooLong: "a body longer than \(RTSPReader.maximumBodyLength) bytes"
        case .junk(let bytes): "\(bytes) bytes that belong to no message"
        case .noCSeq: "a request without CSeq"
        case .tooManyRequests: "too many requests before the first was answered"
        case .timeout(.idle): "a connection without a session for too long"
        case .timeout(.message): "a request that was begun and not completed in time"
        case .timeout(.control): "nothing sent for too long"
        case .timeout(.media): "no media for too long"
        case .unauthorized: "no valid user and password in several attempts"
        case .ended(let description): "ended by this server: \(description)"
        }
    }

    /// What a client is told before its connection is closed.
    var status: RTSPStatus {
        switch self {
        case .version: .versionNotSupported
        case .urlTooLong: .urlTooLong
        case .bodyTooLong: .bodyTooLarge
        case .tooManyRequests: .unavailable
        default: .badRequest
        }
    }
}

package enum RTSPTimeout: Hashable, Sendable {
    /// Of a connection without a session.
    case idle
    case message
    /// Of a player's session over UDP: neither requests nor RTCP.
    case control
    /// Of a publisher.
    case media
}
