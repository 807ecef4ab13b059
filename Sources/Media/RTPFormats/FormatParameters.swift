import Wire

/// The parameters of `a=fmtp`: `name=value` between semicolons, names without case.
struct FormatParameters: Hashable, Sendable {
    private static let mostParameters = 64

    private var all: [(name: String, value: String)] = []

    init(_ text: String?) {
        guard let text else { return }
        for part in text.split(separator: ";").prefix(Self.mostParameters) {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = pair.first.map({ Self.trimmed($0) }), !name.isEmpty else { continue }
            all.append((name.lowercased(), pair.count > 1 ? Self.trimmed(pair[1]) : ""))
        }
    }

    static func == (left: Self, right: Self) -> Bool {
        left.all.elementsEqual(right.all) { $0 == $1 }
    }

    func hash(into hasher: inout Hasher) {
        for parameter in all { hasher.combine(parameter.name) }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }

    /// The value of the first parameter of that name, which is given in lower case.
    subscript(name: String) -> String? {
        all.first { $0.name == name }?.value
    }

    /// A count of bits or frames: nil when it is absent, no number, or outside of what makes sense.
    func number(_ name: String, upTo limit: Int) -> Int? {
        guard let value = self[name].flatMap({ Int($0) }), (0...limit).contains(value) else { return nil }
        return value
    }

    /// Bytes in hexadecimal digits, or nil.
    func bytes(_ name: String) -> [UInt8]? {
        guard let text = self[name], !text.isEmpty, text.utf8.count <= 4096 else { return nil }
        // Some configs leave out the last half of their last byte.
        let digits = Array((text + (text.utf8.count % 2 == 1 ? "0" : "")).utf8)
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Self.digit(digits[index]), let low = Self.digit(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func digit(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    /// NAL units in base64 between commas, without the start codes that some cameras put before them; what cannot be read is
    /// left out.
    func units(_ name: String) -> [[UInt8]] {
        guard let text = self[name] else { return [] }
        return text.split(separator: ",").prefix(Self.mostParameters).compactMap { part in
            guard let bytes = Base64.decode(Self.trimmed(part)), bytes.count > 1 else { return nil }
            let zeros = bytes.prefix { $0 == 0 }.count
            guard zeros >= 2 else { return bytes }
            return zeros < bytes.count - 1 && bytes[zeros] == 1 ? Array(bytes[(zeros + 1)...]) : nil
        }
    }
}
