/// How much of some bytes reads as UTF-8: what tells UTF-8 from GBK, and truncated UTF-8 from both.
struct UTF8Survey {
    /// Bytes that are no part of a valid sequence.
    var invalid = 0
    /// Characters as Chinese text has them: hanzi, CJK punctuation, full-width forms.
    var hanzi = 0
    /// Valid characters that Chinese names do not use, such as Latin with accents, Cyrillic or Arabic letters.
    var unlikely = 0

    init(_ bytes: ArraySlice<UInt8>) {
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        decoding: while true {
            switch decoder.decode(&iterator) {
            case .scalarValue(let scalar): count(scalar.value)
            case .error: invalid += 1
            case .emptyInput: break decoding
            }
        }
    }

    private mutating func count(_ scalar: UInt32) {
        switch scalar {
        case 0..<0x80: break
        case 0xB0, 0xB1, 0xB7, 0xD7: break
        case 0x2000..<0x2C00, 0x3000..<0xA000, 0xF900..<0xFFFD, 0x20000..<0x40000: hanzi += 1
        default: unlikely += 1
        }
    }
}
