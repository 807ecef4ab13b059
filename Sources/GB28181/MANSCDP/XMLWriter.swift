/// Writes MANSCDP bodies: one element a line, text escaped, the encoding declared as it is.
struct XMLWriter {
    private var text: String
    private let charset: Charset

    init(charset: Charset) {
        self.charset = charset
        text = "<?xml version=\"1.0\" encoding=\"\(charset.rawValue)\"?>\r\n"
    }

    mutating func element(_ name: String, _ value: String) {
        text += "<\(name)>\(Self.escaped(value))</\(name)>\r\n"
    }

    mutating func element(_ name: String, _ value: Int) {
        text += "<\(name)>\(value)</\(name)>\r\n"
    }

    /// An element with children; `attribute` is for the `Num` of lists.
    mutating func element(_ name: String, num: Int? = nil, content: (inout XMLWriter) -> Void) {
        text += num.map { "<\(name) Num=\"\($0)\">\r\n" } ?? "<\(name)>\r\n"
        content(&self)
        text += "</\(name)>\r\n"
    }

    var encoded: [UInt8] {
        charset.encode(text)
    }

    /// XML 1.0 has no way to write control characters: they are left out.
    static func escaped(_ value: String) -> String {
        guard value.utf8.contains(where: { $0 < 0x20 || "<>&\"'".utf8.contains($0) }) else { return value }
        var result = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            case "\"": result += "&quot;"
            case "'": result += "&apos;"
            case "\t", "\n", "\r": result.unicodeScalars.append(scalar)
            default: if scalar.value >= 0x20 { result.unicodeScalars.append(scalar) }
            }
        }
        return result
    }
}
