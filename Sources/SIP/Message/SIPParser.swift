internal import Wire

package enum SIPParseError: Error, Equatable, Sendable {
    /// Line ends, NULs or `jaK\0` (eXosip): keeps a NAT binding open and wants no answer.
    case keepAlive
    /// Neither a request line nor a status line.
    case badStartLine
    case headerTooLong(limit: Int)
    case tooManyHeaders(limit: Int)
    /// A field without which nothing can be answered or matched.
    case missing(SIPHeaderName)
    case malformed(SIPHeaderName)
    /// Streams only.
    case bodyTooLong(length: Int, limit: Int)
}

extension SIPParseError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .keepAlive: "keep-alive"
        case .badStartLine: "first line is neither a SIP request nor a SIP status line"
        case .headerTooLong(let limit): "header is longer than \(limit) bytes"
        case .tooManyHeaders(let limit): "more than \(limit) header fields"
        case .missing(let name): "no \(name.text) header field"
        case .malformed(let name): "\(name.text) header field cannot be read"
        case .bodyTooLong(let length, let limit): "Content-Length \(length) is over the limit of \(limit)"
        }
    }
}

extension SIPMessage {
    package static let maximumHeaderBytes = 16 * 1024
    package static let maximumHeaderFields = 128

    /// Reads one datagram. The body is the rest of it, cut to Content-Length where that is shorter.
    package static func parse(_ bytes: [UInt8]) throws(SIPParseError) -> SIPMessage {
        if isKeepAlive(bytes[...]) { throw .keepAlive }
        var parser = SIPHeadParser(bytes: bytes)
        var message = try parser.parseHead()
        let rest = bytes.count - parser.position
        // A peer's length that is too large means a cut datagram: use what is there.
        let length = min(parser.contentLength ?? rest, rest)
        let body = Array(bytes[parser.position..<parser.position + length])
        message.setBody(body)
        return message
    }

    static func isKeepAlive(_ bytes: ArraySlice<UInt8>) -> Bool {
        if bytes.elementsEqual([0x6A, 0x61, 0x4B, 0x00]) { return true }
        return bytes.allSatisfy { $0 == 13 || $0 == 10 || $0 == 0 }
    }

    mutating func setBody(_ body: [UInt8]) {
        switch consume self {
        case .request(var request):
            request.body = body
            self = .request(request)
        case .response(var response):
            response.body = body
            self = .response(response)
        }
    }
}

/// Reads a start line and header fields up to and including the empty line.
struct SIPHeadParser {
    private let bytes: [UInt8]
    /// After `parseHead`: the first byte of the body.
    private(set) var position = 0
    private(set) var contentLength: Int?

    init(bytes: [UInt8], from start: Int = 0) {
        self.bytes = bytes
        position = start
    }

    mutating func parseHead() throws(SIPParseError) -> SIPMessage {
        while position < bytes.count, bytes[position] == 13 || bytes[position] == 10 || bytes[position] == 0 {
            position += 1
        }
        let headStart = position
        guard let startLine = nextLine() else { throw .badStartLine }
        var headers = SIPHeaders()
        headers.reserveCapacity(14)
        var count = 0
        while let line = nextLine(), !line.isEmpty {
            guard position - headStart <= SIPMessage.maximumHeaderBytes else {
                throw .headerTooLong(limit: SIPMessage.maximumHeaderBytes)
            }
            count += 1
            guard count <= SIPMessage.maximumHeaderFields else {
                throw .tooManyHeaders(limit: SIPMessage.maximumHeaderFields)
            }
            add(line, to: &headers)
        }
        return try message(startLine: startLine, headers: headers)
    }

    private mutating func add(_ line: Range<Int>, to headers: inout SIPHeaders) {
        // A line without a colon is noise (or what is left of a bad fold): skip it.
        guard let colon = bytes[line].firstIndex(of: UInt8(ascii: ":")), colon > line.lowerBound else { return }
        let name = SIPHeaderName(text(line.lowerBound..<colon))
        var value = text(colon + 1..<line.upperBound)
        while position < bytes.count, bytes[position] == 0x20 || bytes[position] == 0x09, let fold = nextLine() {
            value += " " + text(fold)
        }
        switch name {
        case .via where value.utf8.contains(UInt8(ascii: ",")):
            for hop in HeaderText.split(value[...], separator: UInt8(ascii: ",")) { headers.append(.via, String(hop)) }
        case .contentLength:
            contentLength = Int(value).flatMap { $0 >= 0 ? $0 : nil }
            headers.append(name, value)
        default:
            headers.append(name, value)
        }
    }

    private func message(startLine: Range<Int>, headers: SIPHeaders) throws(SIPParseError) -> SIPMessage {
        let line = text(startLine)
        let pieces = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: true)
        guard pieces.count >= 2 else { throw .badStartLine }
        if HeaderText.isEqual(String(pieces[0].prefix(4)), "SIP/") {
            guard let status = Int(pieces[1]), (100...699).contains(status) else { throw .badStartLine }
            try Self.require(headers, .callID, .cseq)
            let phrase = pieces.count > 2 ? String(pieces[2]) : ""
            return .response(SIPResponse(status: status, phrase: phrase, headers: headers))
        }
        guard pieces.count == 3, HeaderText.isEqual(String(pieces[2].prefix(4)), "SIP/"), Self.isToken(pieces[0]) else {
            throw .badStartLine
        }
        try Self.require(headers, .callID, .cseq, .from, .to)
        return .request(SIPRequest(method: SIPMethod(String(pieces[0])), uri: String(pieces[1]), headers: headers))
    }

    private static func require(_ headers: SIPHeaders, _ names: SIPHeaderName...) throws(SIPParseError) {
        for name in names where headers[name] == nil { throw .missing(name) }
        if headers.cseq == nil { throw .malformed(.cseq) }
    }

    private static func isToken(_ text: Substring) -> Bool {
        text.utf8.count <= 32 && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
    }

    /// The next line without its end, LF alone being good enough; nil at the end of the bytes.
    private mutating func nextLine() -> Range<Int>? {
        guard position < bytes.count else { return nil }
        let start = position
        var end = start
        while end < bytes.count, bytes[end] != 10 { end += 1 }
        position = min(end + 1, bytes.count)
        if end > start, bytes[end - 1] == 13 { end -= 1 }
        return start..<end
    }

    private func text(_ range: Range<Int>) -> String {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, bytes[start] <= 0x20 { start += 1 }
        while end > start, bytes[end - 1] <= 0x20 { end -= 1 }
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }
}
