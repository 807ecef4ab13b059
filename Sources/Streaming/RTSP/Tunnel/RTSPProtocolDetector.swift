package import NIOCore
import Wire

/// What a connection on the RTSP port turns out to be.
package enum RTSPConnectionKind: Hashable, Sendable {
    /// Requests, as they come.
    case rtsp
    /// The half of a tunnel that answers go through.
    case tunnelGET(cookie: String)
    /// The half of a tunnel that requests come through, in base64.
    case tunnelPOST(cookie: String)
    /// The response is to be sent; then `WebSocketParser`'s messages are what a connection would read, text or binary, and what
    /// it sends goes into binary messages.
    case webSocket(response: ByteBuffer)
}

/// HTTP that opens no tunnel.
package struct RTSPDetectionFault: Error, Hashable, Sendable {
    package var explanation: String
    /// What to send before the connection is closed; empty for what would not understand it.
    package var response: ByteBuffer
}

/// Looks at the first bytes of a connection on the RTSP port. A connection that has not shown what it is in time is to be closed
/// by its owner.
package struct RTSPProtocolDetector: Sendable {
    static let maximumLength = 16 * 1024

    private let server: String
    private var held = ByteBuffer()

    /// - Parameter server: `Server` in responses of HTTP.
    package init(server: String = "gbgate") {
        self.server = server
    }

    /// Takes bytes until it is known what they are: then `input` holds what belongs to the protocol, of these bytes and of those
    /// before. Nil: more are needed.
    package mutating func receive(_ input: inout ByteBuffer) throws(RTSPDetectionFault) -> RTSPConnectionKind? {
        if held.readableBytes == 0 {
            held = input
        } else {
            held.writeImmutableBuffer(input)
        }
        input.moveReaderIndex(to: input.writerIndex)
        guard let kind = try detect() else {
            guard held.readableBytes <= Self.maximumLength else { throw fault("an HTTP request that is too long") }
            return nil
        }
        input = held
        held = ByteBuffer()
        return kind
    }

    private mutating func detect() throws(RTSPDetectionFault) -> RTSPConnectionKind? {
        let view = held.readableBytesView
        let isGET = Self.begins(view, with: "GET ")
        let isPOST = Self.begins(view, with: "POST ")
        guard isGET || isPOST else { return .rtsp }
        // Whole lines, up to the empty one. GET_PARAMETER is told from GET by its blank.
        guard view.count >= 5 else { return nil }
        guard let length = headLength(view) else { return nil }
        guard length <= Self.maximumLength, let head = held.readString(length: length) else {
            throw fault("an HTTP request that is too long")
        }
        return try read(head, isGET: isGET)
    }

    /// Whether the bytes are the text's beginning, or begin with the text.
    private static func begins(_ view: ByteBufferView, with text: StaticString) -> Bool {
        zip(view, "\(text)".utf8).allSatisfy { $0 == $1 }
    }

    private func headLength(_ view: ByteBufferView) -> Int? {
        var lineStart = view.startIndex
        while let end = view[lineStart...].firstIndex(of: 0x0A) {
            let line = view[lineStart..<end]
            if line.isEmpty || line.elementsEqual([0x0D]) { return end &+ 1 &- view.startIndex }
            lineStart = end &+ 1
        }
        return nil
    }

    private func read(_ head: String, isGET: Bool) throws(RTSPDetectionFault) -> RTSPConnectionKind {
        var lines = head.split(whereSeparator: \.isNewline)
        guard !lines.isEmpty else { throw fault("an HTTP request without a line") }
        lines.removeFirst()
        var headers = RTSPHeaders()
        for line in lines.prefix(RTSPReader.maximumHeaders) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers.add(
                String(HeaderText.trim(line[..<colon])),
                String(HeaderText.trim(line[line.index(after: colon)...]))
            )
        }
        if isGET,
            WebSocketHandshake.isUpgrade(connection: headers.all("Connection"), upgrade: headers.all("Upgrade"))
        {
            return .webSocket(response: try upgrade(headers))
        }
        let types = headers.all("Accept") + headers.all("Content-Type")
        guard let cookie = headers["x-sessioncookie"], !cookie.isEmpty, cookie.utf8.count <= 256,
            isGET || types.contains(where: { $0.lowercased().contains(RTSPTunnel.contentType) })
        else { throw fault("an HTTP request that opens no RTSP tunnel") }
        return isGET ? .tunnelGET(cookie: cookie) : .tunnelPOST(cookie: cookie)
    }

    /// ONVIF's name of the protocol, or lal's; a client that names none gets none.
    private func upgrade(_ headers: RTSPHeaders) throws(RTSPDetectionFault) -> ByteBuffer {
        guard let key = headers["Sec-WebSocket-Key"], !key.isEmpty else {
            throw fault("a WebSocket handshake without its key")
        }
        guard headers["Sec-WebSocket-Version"] ?? "13" == "13" else {
            throw fault("a WebSocket handshake of another version", 426, "Upgrade Required")
        }
        let offered = headers.all("Sec-WebSocket-Protocol").flatMap { value in
            HeaderText.split(value[...], separator: UInt8(ascii: ",")).map { String($0) }
        }
        let known = ["rtsp.onvif.org", "rtsp"]
        let chosen = known.first { name in offered.contains { HeaderText.isEqual($0, name) } }
        guard chosen != nil || offered.isEmpty else { throw fault("a WebSocket handshake for another protocol") }
        var text =
            "HTTP/1.1 101 Switching Protocols\r\nServer: \(server)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        text += "Sec-WebSocket-Accept: \(WebSocketHandshake.accept(key: key))\r\n"
        if let chosen { text += "Sec-WebSocket-Protocol: \(chosen)\r\n" }
        return ByteBuffer(string: text + "\r\n")
    }

    private func fault(_ text: String, _ code: Int = 400, _ reason: String = "Bad Request") -> RTSPDetectionFault {
        RTSPDetectionFault(explanation: text, response: RTSPTunnel.refusal(code: code, reason: reason))
    }
}
