import NIOCore
import NIOHTTP1
import Streaming

/// Response heads and the short answers, as bytes: no encoder is in the pipeline, as what follows a head is not HTTP's.
enum MediaHTTPResponse {
    private static let headers = ("Access-Control-Allow-Headers", "Content-Type")
    private static let methods = "GET, HEAD, OPTIONS"

    /// The head of an endless body, which the end of the connection ends (RFC 9112 6.3): every player takes that, chunks
    /// would be another copy of each byte log. A Range is not heeded: a live stream has none (RFC 9110 14.2).
    static func stream(contentType: String) -> ByteBuffer {
        head(
            .ok,
            [
                ("Cache-Control", "no-cache"), ("Content-Type", contentType), ("Connection", "close"),
                ("Expires", "-1"), ("Pragma", "no-cache"), headers,
            ]
        )
    }

    /// The head of a body of known length.
    /// - Parameters:
    ///   - range: which bytes of how many it is.
    ///   - cacheSeconds: 0: a cache has to ask again each time.
    static func body(
        _ status: HTTPResponseStatus,
        contentType: String,
        length: Int,
        range: (part: Range<Int>, whole: Int)? = nil,
        cacheSeconds: Int,
        connection: HTTPConnectionState
    ) -> ByteBuffer {
        // A thousand viewers of HLS ask for 750 of these a second: written piece by piece, without a list of fields.
        var bytes = begin(status)
        write("Content-Type", contentType, into: &bytes)
        write("Content-Length", String(length), into: &bytes)
        write("Cache-Control", cacheSeconds > 0 ? "max-age=\(cacheSeconds)" : "no-cache", into: &bytes)
        if let range {
            let part = range.part
            let text = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(range.whole)"
            write("Content-Range", text, into: &bytes)
        }
        bytes.writeStaticString(connection == .close ? "Connection: close\r\n" : "Connection: keep-alive\r\n")
        bytes.writeStaticString("Accept-Ranges: bytes\r\nAccess-Control-Allow-Headers: Content-Type\r\n")
        end(&bytes)
        return bytes
    }

    /// No byte of the range is there (RFC 9110 15.5.17).
    static func unsatisfiable(length: Int, connection: HTTPConnectionState) -> ByteBuffer {
        let fields = [("Content-Range", "bytes */\(length)"), ("Content-Length", "0"), headers]
        return head(.rangeNotSatisfiable, fields + connection.fields)
    }

    static func redirect(to location: String, connection: HTTPConnectionState) -> ByteBuffer {
        let fields = [("Location", location), ("Content-Length", "0"), ("Cache-Control", "no-cache"), headers]
        return head(.found, fields + connection.fields)
    }

    static func switchToWebSocket(key: String, subprotocol: String?) -> ByteBuffer {
        var fields = [
            ("Upgrade", "websocket"), ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", WebSocketHandshake.accept(key: key)), headers,
        ]
        // A browser that offered subprotocols fails the connection when none is chosen. Extensions are never chosen.
        if let subprotocol { fields.append(("Sec-WebSocket-Protocol", subprotocol)) }
        return head(.switchingProtocols, fields)
    }

    /// "Go on with the body", for clients that wait for it (RFC 9110 10.1.1).
    static let goOn = ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")

    /// The answer to OPTIONS: what a browser asks before it fetches from another origin, or from a page of a public network.
    static func options(_ request: HTTPHeaders, connection: HTTPConnectionState) -> ByteBuffer {
        var fields = [
            ("Allow", methods), ("Access-Control-Allow-Methods", methods), ("Access-Control-Max-Age", "86400"),
            ("Vary", "Access-Control-Request-Headers"),
        ]
        let asked = request[canonicalForm: "access-control-request-headers"].map(String.init).filter(isToken)
        fields.append(asked.isEmpty ? headers : (headers.0, asked.joined(separator: ", ")))
        if request.first(name: "access-control-request-private-network")?.lowercased() == "true" {
            fields.append(("Access-Control-Allow-Private-Network", "true"))
        }
        return head(.noContent, fields + connection.fields)
    }

    /// An error in the shape of the API's answers.
    static func failure(
        _ status: HTTPResponseStatus,
        _ reason: String,
        withBody: Bool = true,
        connection: HTTPConnectionState
    ) -> ByteBuffer {
        let body = "{\"error_code\":\(status.code),\"desp\":\"\(escaped(reason))\"}\n"
        var fields = [
            ("Content-Type", "application/json"), ("Content-Length", String(body.utf8.count)),
            ("Cache-Control", "no-cache"), headers,
        ]
        switch status {
        case .methodNotAllowed: fields.append(("Allow", methods))
        case .upgradeRequired: fields += [("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket")]
        case .unauthorized: fields.append(("WWW-Authenticate", "Basic realm=\"gbgate\""))
        case .serviceUnavailable: fields.append(("Retry-After", "10"))
        default: break
        }
        var bytes = head(status, fields + connection.fields)
        if withBody { bytes.writeString(body) }
        return bytes
    }

    private static func head(_ status: HTTPResponseStatus, _ fields: [(String, String)]) -> ByteBuffer {
        var bytes = begin(status)
        for (name, value) in fields { write(name, value, into: &bytes) }
        end(&bytes)
        return bytes
    }

    private static func begin(_ status: HTTPResponseStatus) -> ByteBuffer {
        var bytes = ByteBufferAllocator().buffer(capacity: 512)
        guard status != .ok else {
            bytes.writeStaticString("HTTP/1.1 200 OK\r\nServer: gbgate\r\n")
            return bytes
        }
        bytes.writeString("HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\nServer: gbgate\r\n")
        return bytes
    }

    /// What lal sends with everything, for players in pages of other origins.
    private static func end(_ bytes: inout ByteBuffer) {
        bytes.writeStaticString(
            "Access-Control-Allow-Credentials: true\r\nAccess-Control-Allow-Origin: *\r\n\r\n"
        )
    }

    private static func write(_ name: String, _ value: String, into bytes: inout ByteBuffer) {
        bytes.writeString(name)
        bytes.writeString(": ")
        bytes.writeString(value)
        bytes.writeString("\r\n")
    }

    /// Names of header fields (RFC 9110 5.6.2): what is echoed must not be able to begin another field.
    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 100
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
                default: false
                }
            }
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case _ where scalar.value < 0x20: result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

/// Whether a connection lasts longer than an answer.
enum HTTPConnectionState {
    case keepAlive
    case close

    fileprivate var fields: [(String, String)] {
        // HTTP/1.0 clients must be told; others do not mind.
        self == .close ? [("Connection", "close")] : [("Connection", "keep-alive")]
    }
}
