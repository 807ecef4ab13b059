/// A request or a response, as it is on the wire.
package enum SIPMessage: Equatable, Sendable {
    case request(SIPRequest)
    case response(SIPResponse)

    package var headers: SIPHeaders {
        switch self {
        case .request(let request): request.headers
        case .response(let response): response.headers
        }
    }

    package var body: [UInt8] {
        switch self {
        case .request(let request): request.body
        case .response(let response): response.body
        }
    }

    /// The bytes to send.
    package func encoded() -> [UInt8] {
        switch self {
        case .request(let request): request.encoded()
        case .response(let response): response.encoded()
        }
    }
}

package struct SIPRequest: Equatable, Sendable {
    package var method: SIPMethod
    /// Request-URI as written; its host is never compared with anything.
    package var uri: String
    package var headers: SIPHeaders
    package var body: [UInt8]

    package init(method: SIPMethod, uri: String, headers: SIPHeaders = SIPHeaders(), body: [UInt8] = []) {
        self.method = method
        self.uri = uri
        self.headers = headers
        self.body = body
    }

    /// The bytes to send: CRLF line ends and an exact Content-Length, whatever the headers say.
    package func encoded() -> [UInt8] {
        SIPEncoder.encode(startLine: "\(method.text) \(uri) SIP/2.0", headers: headers, body: body)
    }
}

package struct SIPResponse: Equatable, Sendable {
    /// 100 to 699.
    package var status: Int
    package var phrase: String
    package var headers: SIPHeaders
    package var body: [UInt8]

    package init(status: Int, phrase: String? = nil, headers: SIPHeaders = SIPHeaders(), body: [UInt8] = []) {
        self.status = status
        self.phrase = phrase ?? Self.standardPhrase(status)
        self.headers = headers
        self.body = body
    }

    /// The answer to a request: every Via (the top one with what was observed), From, To, Call-ID and CSeq are copied.
    ///
    /// - Parameter tag: added to To where it has none; nil leaves To as it is (100 Trying).
    package init(to request: SIPRequest, from flow: SIPFlow, status: Int, phrase: String? = nil, tag: String?) {
        self.init(status: status, phrase: phrase)
        headers.reserveCapacity(10)
        var isTop = true
        for field in request.headers.fields {
            switch field.name {
            case .via:
                let observed = isTop ? SIPVia(field.value)?.observed(from: flow).headerValue : nil
                headers.append(.via, observed ?? field.value)
                isTop = false
            case .from, .callID, .cseq:
                headers.append(field.name, field.value)
            case .to:
                let hasTag = tag == nil || SIPAddress(field.value)?.tag != nil
                headers.append(.to, hasTag ? field.value : Self.appendTag(tag ?? "", to: field.value))
            default: break
            }
        }
    }

    // The peer's text stays untouched: some compare it with what they sent.
    private static func appendTag(_ tag: String, to value: String) -> String {
        value + ";tag=" + tag
    }

    package var isProvisional: Bool { status < 200 }
    package var isSuccess: Bool { (200..<300).contains(status) }

    /// The bytes to send: CRLF line ends and an exact Content-Length, whatever the headers say.
    package func encoded() -> [UInt8] {
        SIPEncoder.encode(startLine: "SIP/2.0 \(status) \(phrase)", headers: headers, body: body)
    }

    package static func standardPhrase(_ status: Int) -> String {
        switch status {
        case 100: "Trying"
        case 180: "Ringing"
        case 183: "Session Progress"
        case 200: "OK"
        case 202: "Accepted"
        case 302: "Moved Temporarily"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 415: "Unsupported Media Type"
        case 423: "Interval Too Brief"
        case 480: "Temporarily Unavailable"
        case 481: "Call/Transaction Does Not Exist"
        case 486: "Busy Here"
        case 487: "Request Terminated"
        case 488: "Not Acceptable Here"
        case 489: "Bad Event"
        case 491: "Request Pending"
        case 500: "Server Internal Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 603: "Decline"
        default: "Status \(status)"
        }
    }
}

enum SIPEncoder {
    static func encode(startLine: String, headers: SIPHeaders, body: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        var size = startLine.utf8.count + body.count + 32
        for field in headers.fields { size += field.value.utf8.count + 24 }
        bytes.reserveCapacity(size)
        append(startLine, to: &bytes)
        for field in headers.fields where field.name != .contentLength {
            append(field.name.text, ": ", field.value, to: &bytes)
        }
        append("Content-Length: \(body.count)", to: &bytes)
        bytes.append(13)
        bytes.append(10)
        bytes.append(contentsOf: body)
        return bytes
    }

    // A line end inside a value would let a peer write header fields of its own into our messages.
    private static func append(_ pieces: String..., to bytes: inout [UInt8]) {
        for piece in pieces {
            let start = bytes.count
            bytes.append(contentsOf: piece.utf8)
            for index in start..<bytes.count where bytes[index] == 13 || bytes[index] == 10 { bytes[index] = 0x20 }
        }
        bytes.append(13)
        bytes.append(10)
    }
}
