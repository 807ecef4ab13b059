/// How MANSCDP bodies are encoded (GB/T 28181-2016: GB2312; 2022: GB18030).
package enum Charset: String, Hashable, Sendable {
    case gb2312 = "GB2312"
    case gb18030 = "GB18030"
    case utf8 = "UTF-8"

    /// The charset that a name stands for, as written in declarations and configuration; nil when it is none of ours.
    package init?(name: String) {
        switch name.uppercased() {
        case "GB2312", "GBK", "CP936": self = .gb2312
        case "GB18030", "GB18030-2000", "GB18030-2005": self = .gb18030
        case "UTF-8", "UTF8": self = .utf8
        default: return nil
        }
    }

    /// `text` in this charset. GB2312 is written as GB18030, its superset: characters outside it reach newer devices.
    package func encode(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        if self == .utf8 || bytes.allSatisfy({ $0 < 0x80 }) { return bytes }
        guard let converter = CharsetConverter(from: "UTF-8", to: "GB18030") else {
            return bytes.filter { $0 < 0x80 }
        }
        return converter.convert(bytes, replacement: [UInt8(ascii: "?")]).bytes
    }
}

/// A body as UTF-8, and what was learnt on the way. Declarations lie (cameras declare GB2312 and send UTF-8, and the
/// reverse), so the bytes decide; see `TextDecoding.decode`.
package struct DecodedText: Equatable, Sendable {
    package var utf8: [UInt8]
    /// What most of the bytes were: what the device reads when we answer it.
    package var charset: Charset
    /// Whether some bytes fit no charset and became U+FFFD.
    package var hasReplacements: Bool
}

package enum TextDecoding {
    /// Decodes by the bytes: a BOM and ASCII are clear; all valid UTF-8 is UTF-8; the rest is decided for each run of text
    /// between tags, because an NVR passes on its cameras' names in their own charsets. Never fails: what fits nothing is
    /// U+FFFD. `declared` only settles short texts that are valid both ways.
    package static func decode(_ input: [UInt8], declared: Charset?) -> DecodedText {
        let body = input.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(input.dropFirst(3)) : input
        if body.allSatisfy({ $0 < 0x80 }) {
            return DecodedText(utf8: body, charset: declared ?? .gb2312, hasReplacements: false)
        }
        guard let converter = CharsetConverter(from: "GB18030", to: "UTF-8") else {
            return DecodedText(
                utf8: Array(String(decoding: body, as: UTF8.self).utf8),
                charset: .utf8,
                hasReplacements: true
            )
        }
        let gb: Charset = declared == .gb18030 ? .gb18030 : .gb2312
        let survey = UTF8Survey(body[...])
        if survey.invalid == 0 {
            // Two hanzi of GBK can be two valid Latin or Cyrillic letters of UTF-8: believe the declaration then.
            if survey.unlikely > 0, survey.hanzi == 0, let declared, declared != .utf8 {
                let converted = converter.convert(body, replacement: replacement)
                if converted.invalid == 0 {
                    return DecodedText(utf8: converted.bytes, charset: gb, hasReplacements: false)
                }
            }
            return DecodedText(utf8: body, charset: .utf8, hasReplacements: false)
        }
        return decodeRuns(body, gb: gb, prefersUTF8: survey.hanzi > survey.invalid, converter: converter)
    }

    private static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]

    private static func decodeRuns(
        _ body: [UInt8],
        gb: Charset,
        prefersUTF8: Bool,
        converter: borrowing CharsetConverter
    ) -> DecodedText {
        var output: [UInt8] = []
        output.reserveCapacity(body.count + body.count / 2)
        var hasReplacements = false
        var runStart = body.startIndex
        func flush(upTo end: Int) {
            let run = body[runStart..<end]
            guard run.contains(where: { $0 >= 0x80 }) else {
                output += run
                return
            }
            let survey = UTF8Survey(run)
            if survey.invalid == 0, survey.hanzi > 0, survey.unlikely == 0 {
                output += run
                return
            }
            let converted = converter.convert(Array(run), replacement: replacement)
            // UTF-8 that was cut in the middle of a character, unless this run alone is plainly GBK.
            if prefersUTF8, survey.hanzi > 0 || converted.invalid > 0 {
                hasReplacements = true
                output += String(decoding: run, as: UTF8.self).utf8
            } else {
                hasReplacements = hasReplacements || converted.invalid > 0
                output += converted.bytes
            }
        }
        // '<' and '>' are never the second byte of a GBK character, so the tags are safe whatever the text is.
        for index in body.indices where body[index] == UInt8(ascii: "<") || body[index] == UInt8(ascii: ">") {
            flush(upTo: index)
            output.append(body[index])
            runStart = index + 1
        }
        flush(upTo: body.endIndex)
        return DecodedText(utf8: output, charset: prefersUTF8 ? .utf8 : gb, hasReplacements: hasReplacements)
    }
}
