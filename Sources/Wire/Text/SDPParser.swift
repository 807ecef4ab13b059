package enum SDPError: Error, Hashable, Sendable, CustomStringConvertible {
    case tooLarge(bytes: Int)
    /// No `m=` line could be read: there is no media to talk about.
    case noMedia

    package var description: String {
        switch self {
        case .tooLarge(let bytes): "SDP of \(bytes) bytes: the limit is \(SessionDescription.sizeLimit)"
        case .noMedia: "SDP without a readable m= line"
        }
    }
}

extension SessionDescription {
    /// The largest body that is read, in bytes.
    package static let sizeLimit = 64 << 10
    private static let mediaLimit = 32
    private static let lineLimit = 1024

    /// Reads a body as cameras write it: lines may end with LF alone, stand in any order, be missing or be padded with
    /// blanks; what cannot be read is left out. Only a body without any media section is an error.
    ///
    /// - Parameter takesAnyPort: RTSP: ports mean nothing there, and a section with a port out of range, or none, is kept.
    package static func parse(_ body: [UInt8], takesAnyPort: Bool = false) throws(SDPError) -> SessionDescription {
        guard body.count <= sizeLimit else { throw .tooLarge(bytes: body.count) }
        var description = SessionDescription(name: "")
        let lines = body.split(maxSplits: lineLimit) { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") || $0 == 0 }
        for line in lines.prefix(lineLimit) {
            let text = line.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
            guard text.count >= 2, let type = text.first, type > 0x20, type < 0x7F,
                text[text.startIndex + 1] == UInt8(ascii: "=")
            else { continue }
            let value = String(decoding: text.dropFirst(2), as: UTF8.self).trimmingBlanks
            description.take(Character(Unicode.Scalar(type)), value, takesAnyPort: takesAnyPort)
        }
        guard !description.media.isEmpty else { throw .noMedia }
        return description
    }

    private mutating func take(_ type: Character, _ value: String, takesAnyPort: Bool) {
        if type == "m" {
            guard media.count < Self.mediaLimit, let section = Media(line: value, takesAnyPort: takesAnyPort) else {
                return
            }
            media.append(section)
            return
        }
        let last = media.indices.last
        switch type {
        case "v": break
        case "o": origin = Origin(line: value)
        case "s": name = value
        case "u": uri = value
        case "t": if let time = Time(line: value) { times.append(time) }
        case "c":
            guard let connection = Connection(line: value) else { return }
            if let last { media[last].connection = connection } else { self.connection = connection }
        case "a":
            let attribute = Attribute(line: value)
            if let last { media[last].attributes.append(attribute) } else { attributes.append(attribute) }
        case "b": if let last { media[last].bandwidth.append(value) } else { bandwidth.append(value) }
        case "i": if let last { media[last].information = value } else { information = value }
        default:
            let line = Line(type, value)
            if let last { media[last].others.append(line) } else { others.append(line) }
        }
    }
}

extension SessionDescription.Origin {
    /// `user id version IN IP4 host`. A camera with an empty user writes five fields: the host is the last in any case.
    fileprivate init(line: String) {
        let fields = line.split(separator: " ").map(String.init)
        self.init(host: fields.last ?? "")
        guard fields.count >= 6 else { return }
        user = fields[0]
        sessionID = fields[1]
        version = fields[2]
    }
}

extension SessionDescription.Connection {
    /// `IN IP4 host`, perhaps with `/ttl`.
    fileprivate init?(line: String) {
        guard let host = line.split(separator: " ").last?.split(separator: "/").first, !host.isEmpty else { return nil }
        self.init(host: String(host))
    }
}

extension SessionDescription.Time {
    fileprivate init?(line: String) {
        let fields = line.split(separator: " ")
        guard fields.count >= 2, let start = UInt64(fields[0]), let end = UInt64(fields[1]) else { return nil }
        self.init(start: start, end: end)
    }
}

extension SessionDescription.Attribute {
    fileprivate init(line: String) {
        guard let colon = line.firstIndex(of: ":") else {
            self.init(line)
            return
        }
        self.init(String(line[..<colon]).trimmingBlanks, String(line[line.index(after: colon)...]).trimmingBlanks)
    }
}

extension SessionDescription.Media {
    /// `video 30000 RTP/AVP 96 97`; the port may be `30000/2`.
    fileprivate init?(line: String, takesAnyPort: Bool) {
        let fields = line.split(separator: " ").map(String.init)
        guard fields.count >= 3 else { return nil }
        let port = UInt16(fields[1].prefix { $0 != "/" })
        guard port != nil || takesAnyPort else { return nil }
        self.init(kind: fields[0], port: port ?? 0, transport: fields[2], formats: Array(fields.dropFirst(3)))
    }
}

extension String {
    fileprivate var trimmingBlanks: String {
        guard utf8.first == UInt8(ascii: " ") || utf8.last == UInt8(ascii: " ") else { return self }
        let head = self.drop { $0 == " " }
        return String(head[..<(head.lastIndex { $0 != " " }.map { head.index(after: $0) } ?? head.startIndex)])
    }
}
