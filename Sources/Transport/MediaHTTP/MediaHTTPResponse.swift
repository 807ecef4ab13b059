import NIOCore
import NIOHTTP1
import Streaming

/// Response heads and the short answers, as bytes: no encoder is in the pipeline, as what follows a head is not HTTP's.
enum MediaHTTPResponse {
    /// The headers that lal sends with everything, for players in pages of other origins.
    private static let crossOrigin = [
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Allow-Headers", "Content-Type"),
        ("Access-Control-Allow-Origin", "*"),
    ]
    private static let methods = "GET, HEAD, OPTIONS"

    /// The head of an endless body, which the end of the connection ends.
    static func stream(contentType: String) -> ByteBuffer {
        head(
            .ok,
            [
                ("Cache-Control", "no-cache"), ("Content-Type", contentType), ("Connection", "close"),
                ("Expires", "-1"), ("Pragma", "no-cache"),
            ]
        )
    }

    static func switchToWebSocket(key: String, subprotocol: String?) -> ByteBuffer {
        var fields = [
            ("Upgrade", "websocket"), ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", WebSocketHandshake.accept(key: key)),
        ]
        // A browser that offered subprotocols fails the connection when none is chosen.
        if let subprotocol { fields.append(("Sec-WebSocket-Protocol", subprotocol)) }
        return head(.switchingProtocols, fields)
    }

    /// The answer to OPTIONS: what a browser asks before it fetches from another origin.
    static func options() -> ByteBuffer {
        head(
            .noContent,
            [
                ("Allow", methods), ("Access-Control-Allow-Methods", methods), ("Access-Control-Max-Age", "86400"),
                ("Connection", "close"),
            ]
        )
    }

    /// An error in the shape of the API's answers.
    static func failure(_ status: HTTPResponseStatus, _ reason: String, withBody: Bool = true) -> ByteBuffer {
        let body = "{\"error_code\":\(status.code),\"desp\":\"\(escaped(reason))\"}\n"
        var fields = [
            ("Content-Type", "application/json"), ("Content-Length", String(body.utf8.count)),
            ("Cache-Control", "no-cache"), ("Connection", "close"),
        ]
        if status == .methodNotAllowed { fields.append(("Allow", methods)) }
        if status == .upgradeRequired { fields.append(("Sec-WebSocket-Version", "13")) }
        var bytes = head(status, fields)
        if withBody { bytes.writeString(body) }
        return bytes
    }

    private static func head(_ status: HTTPResponseStatus, _ fields: [(String, String)]) -> ByteBuffer {
        var text = "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\nServer: gbgate\r\n"
        for (name, value) in fields + crossOrigin { text += "\(name): \(value)\r\n" }
        return ByteBuffer(string: text + "\r\n")
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
