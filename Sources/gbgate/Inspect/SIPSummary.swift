/// The few lines of a SIP message that a reader wants first.
struct SIPSummary {
    var firstLine: String
    var callID = ""
    var sequence = ""
    /// "asks for media at 192.0.2.1:30000 (TCP passive), SSRC 0200000001", or the MANSCDP command.
    var body = ""
    /// Where the SDP of this message wants or sends media, and its y=.
    var mediaAddress: String?
    var ssrc: String?
    var length: Int

    /// The message at the beginning of `bytes`; nil when there is none, or not whole.
    init?(_ bytes: ArraySlice<UInt8>) {
        guard Self.looksLikeSIP(bytes) else { return nil }
        let end = Self.headerEnd(bytes)
        let head = String(decoding: bytes[..<end.headers], as: UTF8.self)
        let lines = head.split(whereSeparator: \.isNewline).map(String.init)
        guard let first = lines.first else { return nil }
        firstLine = String(first.prefix(120))
        var contentLength: Int?
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let name = line[..<colon].lowercased()
            let value = String(line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" })
            switch name {
            case "call-id", "i": callID = value
            case "cseq": sequence = value
            case "content-length", "l": contentLength = Int(value)
            default: break
            }
        }
        let available = bytes.endIndex - end.body
        let count = contentLength ?? available
        guard count >= 0, count <= available else { return nil }
        length = end.body - bytes.startIndex + count
        let text = String(decoding: bytes[end.body..<end.body + count], as: UTF8.self)
        readBody(text)
    }

    static func looksLikeSIP(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let first = bytes.first, (0x41...0x5A).contains(first) else { return false }
        let line = String(decoding: bytes.prefix(200).prefix { $0 != 10 && $0 != 13 }, as: UTF8.self)
        return line.hasPrefix("SIP/2.0 ") || line.hasSuffix(" SIP/2.0")
    }

    private static func headerEnd(_ bytes: ArraySlice<UInt8>) -> (headers: Int, body: Int) {
        var at = bytes.startIndex
        while at < bytes.endIndex {
            if bytes[at] == 10 {
                if at + 1 < bytes.endIndex, bytes[at + 1] == 10 { return (at, at + 2) }
                if at + 2 < bytes.endIndex, bytes[at + 1] == 13, bytes[at + 2] == 10 { return (at, at + 3) }
            }
            at += 1
        }
        return (bytes.endIndex, bytes.endIndex)
    }

    private mutating func readBody(_ text: String) {
        if text.hasPrefix("v=") {
            var address = ""
            var port = ""
            var facts: [String] = []
            for line in text.split(whereSeparator: \.isNewline) {
                let words = line.dropFirst(2).split(separator: " ")
                if line.hasPrefix("c="), let last = words.last { address = String(last) }
                if line.hasPrefix("m="), words.count >= 3 {
                    port = String(words[1])
                    facts.append("\(words[0]) \(words[2])")
                }
                if line.hasPrefix("a=setup:") { facts.append(String(line.dropFirst(8))) }
                if line.hasPrefix("s=") { facts.append(String(line.dropFirst(2))) }
                if line.hasPrefix("y=") { ssrc = String(line.dropFirst(2).prefix { $0.isNumber }) }
            }
            mediaAddress = "\(address):\(port)"
            body = "media \(address):\(port), " + facts.joined(separator: ", ") + (ssrc.map { ", SSRC \($0)" } ?? "")
        } else if let command = Self.element("CmdType", text) {
            body = [command, Self.element("DeviceID", text), Self.element("SumNum", text).map { "SumNum \($0)" }]
                .compactMap { $0 }.joined(separator: " ")
        }
    }

    private static func element(_ name: String, _ text: String) -> String? {
        guard let start = text.firstRange(of: "<\(name)>"),
            let end = text[start.upperBound...].firstRange(of: "</\(name)>")
        else { return nil }
        return String(text[start.upperBound..<end.lowerBound].prefix(60))
    }
}
