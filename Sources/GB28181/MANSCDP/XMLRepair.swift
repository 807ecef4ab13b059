/// Rewrites a body that is not well-formed, tag by tag, so that one malformed item does not cost the others (R-28, R-29):
/// end tags without a start are dropped (Hikvision NVRs close `Item` twice), open elements are closed where their parent
/// ends, bare `&` and `<` become text, control characters and NULs vanish, and what follows the root is cut.
enum XMLRepair {
    static func repair(_ utf8: [UInt8]) -> [UInt8] {
        var scanner = TagScanner(utf8)
        scanner.run()
        return scanner.output
    }
}

private struct TagScanner {
    private let input: [UInt8]
    private var position = 0
    private var open: [String] = []
    private var sawRoot = false
    private(set) var output: [UInt8] = []

    init(_ input: [UInt8]) {
        self.input = input
        output.reserveCapacity(input.count + 64)
    }

    mutating func run() {
        while position < input.count, !(sawRoot && open.isEmpty) {
            if input[position] == UInt8(ascii: "<") {
                markup()
            } else {
                text()
            }
        }
        while !open.isEmpty { closeInnermost() }
    }

    private mutating func text() {
        let byte = input[position]
        position += 1
        guard sawRoot else { return }
        switch byte {
        case 0x09, 0x0A, 0x0D: output.append(byte)
        case 0..<0x20, 0x7F: break
        case UInt8(ascii: "&") where !isReference(at: position): output += Array("&amp;".utf8)
        default: output.append(byte)
        }
    }

    /// Whether `amp;`, `#38;` and the like follow. Entities of HTML are unknown to XML: they count as text.
    private func isReference(at start: Int) -> Bool {
        guard let length = input[start...].prefix(10).firstIndex(of: UInt8(ascii: ";")).map({ $0 - start }) else {
            return false
        }
        let name = String(decoding: input[start..<start + length], as: UTF8.self)
        if ["amp", "lt", "gt", "quot", "apos"].contains(name) { return true }
        // A reference to a control character would only fail again.
        guard name.hasPrefix("#") else { return false }
        let isHex = name.hasPrefix("#x")
        guard let value = UInt32(name.dropFirst(isHex ? 2 : 1), radix: isHex ? 16 : 10) else { return false }
        return value >= 0x20 && Unicode.Scalar(value) != nil
    }

    private mutating func markup() {
        if skipAside(opening: "<?", closing: "?>", keeping: false) { return }
        if skipAside(opening: "<!--", closing: "-->", keeping: false) { return }
        if skipAside(opening: "<![CDATA[", closing: "]]>", keeping: sawRoot) { return }
        let isEnd = position + 1 < input.count && input[position + 1] == UInt8(ascii: "/")
        let nameStart = position + (isEnd ? 2 : 1)
        let name = input[min(nameStart, input.count)...].prefix(64).prefix { $0.isXMLNameByte }
        guard let first = name.first, isNameStart(first), let close = tagEnd(from: name.endIndex) else {
            position += 1
            if sawRoot { output += Array("&lt;".utf8) }
            return
        }
        position = close + 1
        let element = String(decoding: name, as: UTF8.self)
        if isEnd {
            end(element)
        } else {
            start(element, attributes: input[name.endIndex..<close])
        }
    }

    private func isNameStart(_ byte: UInt8) -> Bool {
        byte.isXMLNameByte && !(byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"))
            && byte != UInt8(ascii: "-") && byte != UInt8(ascii: ".")
    }

    /// The `>` of the tag that is open at `start`, if it comes before another `<`.
    private func tagEnd(from start: Int) -> Int? {
        let end = input[start...].prefix(512).firstIndex { $0 == UInt8(ascii: ">") || $0 == UInt8(ascii: "<") }
        guard let end, input[end] == UInt8(ascii: ">") else { return nil }
        return end
    }

    private mutating func start(_ name: String, attributes: ArraySlice<UInt8>) {
        let isEmpty = attributes.last == UInt8(ascii: "/")
        // No list item holds another: the end tag of the one before was lost.
        if name.matchesIgnoringCase("Item"), let index = open.lastIndex(where: { $0.matchesIgnoringCase("Item") }) {
            while open.count > index { closeInnermost() }
        }
        guard open.count < XMLTree.depthLimit else { return }
        sawRoot = true
        output.append(UInt8(ascii: "<"))
        output += name.utf8
        if name.matchesIgnoringCase("DeviceList") || name.matchesIgnoringCase("RecordList"),
            let count = number(in: attributes)
        {
            output += " Num=\"\(count)\"".utf8
        }
        output += isEmpty ? Array("/>".utf8) : Array(">".utf8)
        if !isEmpty { open.append(name) }
    }

    /// `Num="2"` is the one attribute that MANSCDP's lists have; the others go, since they may be what is malformed.
    private func number(in attributes: ArraySlice<UInt8>) -> Int? {
        let digits = attributes.drop { $0 < UInt8(ascii: "0") || $0 > UInt8(ascii: "9") }
            .prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
        return Int(String(decoding: digits, as: UTF8.self))
    }

    private mutating func end(_ name: String) {
        guard let index = open.lastIndex(where: { $0.matchesIgnoringCase(name) }) else { return }
        while open.count > index { closeInnermost() }
    }

    private mutating func closeInnermost() {
        guard let name = open.popLast() else { return }
        output += "</\(name)>".utf8
    }

    /// Steps over a declaration, comment or CDATA section if one begins here; unclosed, it runs to the end.
    private mutating func skipAside(opening: String, closing: String, keeping: Bool) -> Bool {
        guard input[position...].starts(with: opening.utf8) else { return false }
        let content = position + opening.utf8.count
        let mark = Array(closing.utf8)
        var end = content
        while end < input.count, !input[end...].starts(with: mark) { end += 1 }
        if keeping {
            for byte in input[content..<min(end, input.count)] where byte >= 0x20 && byte != 0x7F {
                switch byte {
                case UInt8(ascii: "<"): output += Array("&lt;".utf8)
                case UInt8(ascii: "&"): output += Array("&amp;".utf8)
                default: output.append(byte)
                }
            }
        }
        position = min(end + mark.count, input.count)
        return true
    }
}
