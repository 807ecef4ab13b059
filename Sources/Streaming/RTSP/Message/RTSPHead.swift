import NIOCore
import Wire

/// The head of a message, line by line.
struct RTSPHead: Sendable {
    private enum Start: Sendable {
        case request(RTSPMethod, target: String)
        case response(RTSPStatus)
    }

    private var start: Start?
    private var headers = RTSPHeaders()
    private var length = 0
    private var lines = 0

    /// What a line that never ends is.
    var tooLong: RTSPFault { start == nil ? .urlTooLong : .headerTooLong }

    /// - Returns: whether the head is complete.
    mutating func take(_ line: String, length: Int, badHeaders: inout UInt64) throws(RTSPFault) -> Bool {
        guard start != nil else {
            start = try Self.parseStart(line)
            return false
        }
        guard length > 0 else { return true }
        lines &+= 1
        self.length &+= length
        guard lines <= RTSPReader.maximumHeaders else { throw .tooManyHeaders }
        guard self.length <= RTSPReader.maximumHeadLength else { throw .headerTooLong }
        if line.utf8.first == 0x20 || line.utf8.first == 0x09 {
            headers.fold(String(HeaderText.trim(line[...])))
            let value = headers.fields.last?.value ?? ""
            guard value.utf8.count <= RTSPReader.maximumValueLength else { throw .headerTooLong }
            return false
        }
        guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")), colon != line.startIndex else {
            badHeaders &+= 1
            return false
        }
        let name = HeaderText.trim(line[..<colon])
        let value = HeaderText.trim(line[line.utf8.index(after: colon)...])
        guard !name.isEmpty else {
            badHeaders &+= 1
            return false
        }
        guard name.utf8.count <= RTSPReader.maximumNameLength, value.utf8.count <= RTSPReader.maximumValueLength
        else { throw .headerTooLong }
        headers.add(String(name), String(value))
        return false
    }

    func bodyLength() throws(RTSPFault) -> Int {
        var length: Int?
        for value in headers.all("Content-Length") {
            guard !value.isEmpty, value.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { throw .badContentLength }
            // More digits than a number has is too long a body, whatever they say.
            guard let number = Int(value), number <= RTSPReader.maximumBodyLength else { throw .bodyTooLong }
            guard length == nil || length == number else { throw .badContentLength }
            length = number
        }
        return length ?? 0
    }

    func event(body: ByteBuffer) -> RTSPEvent {
        switch start {
        case .response(let status):
            .response(RTSPResponse(status, headers: headers, body: body))
        case .request(let method, let target):
            .request(RTSPRequest(method, target, headers: headers, body: body))
        case nil:
            .request(RTSPRequest(RTSPMethod(rawValue: ""), "", headers: headers, body: body))
        }
    }

    private static func parseStart(_ line: String) throws(RTSPFault) -> Start {
        let line = HeaderText.trim(line[...])
        guard let blank = line.utf8.firstIndex(of: 0x20) else {
            if line.utf8.count > RTSPReader.maximumMethodLength { throw .methodTooLong }
            throw .badStartLine
        }
        let first = line[..<blank]
        let rest = HeaderText.trim(line[blank...])
        if first.hasPrefix("RTSP/") { return .response(try status(version: first, rest)) }
        guard first.utf8.count <= RTSPReader.maximumMethodLength else { throw .methodTooLong }
        // From behind: some clients do not encode the blanks of their URLs.
        let versionStart = rest.utf8.lastIndex(of: 0x20).map { rest.utf8.index(after: $0) } ?? rest.startIndex
        let version = rest[versionStart...]
        if version.hasPrefix("HTTP/") { throw .http }
        guard version.hasPrefix("RTSP/") else { throw .badStartLine }
        guard version.hasPrefix("RTSP/1.") else { throw .version(String(version.prefix(16))) }
        let target = HeaderText.trim(rest[..<versionStart])
        guard target.utf8.count <= RTSPReader.maximumURLLength else { throw .urlTooLong }
        return .request(RTSPMethod(rawValue: String(first)), target: String(target))
    }

    /// - Parameter text: status code and reason; the latter may be missing.
    private static func status(version: Substring, _ text: Substring) throws(RTSPFault) -> RTSPStatus {
        guard version.hasPrefix("RTSP/1.") else { throw .version(String(version.prefix(16))) }
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard digits.utf8.count == 3, let code = Int(digits), code >= 100 else { throw .badStartLine }
        return RTSPStatus(code: code, reason: String(HeaderText.trim(text[digits.endIndex...]).prefix(256)))
    }
}

/// How what a server sends to a client begins.
enum RTSPBeginning {
    enum Kind {
        case message
        case frame
    }

    enum Match {
        case whole(Kind)
        case part
        case none
    }

    private static let texts = [
        "RTSP/1.", "OPTIONS ", "GET_PARAMETER ", "SET_PARAMETER ", "ANNOUNCE ", "REDIRECT ", "TEARDOWN ", "PAUSE ",
        "DESCRIBE ",
    ].map { Array($0.utf8) }

    static func isFirst(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "$") || byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "T")
    }

    static func match(_ bytes: ByteBufferView, highestChannel: UInt8) -> Match {
        guard let first = bytes.first else { return .part }
        if first == UInt8(ascii: "$") {
            if bytes.count > 1, bytes[bytes.startIndex &+ 1] > highestChannel { return .none }
            return bytes.count < 4 ? .part : .whole(.frame)
        }
        for text in texts where text.starts(with: bytes) || bytes.starts(with: text) {
            return bytes.count < text.count ? .part : .whole(.message)
        }
        return .none
    }
}
