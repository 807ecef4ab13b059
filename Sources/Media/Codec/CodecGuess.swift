import Wire

/// Tells H.264 from H.265 by the bits, for streams whose map is missing or wrong.
package struct CodecGuess: Equatable, Sendable {
    private var h264 = 0
    private var h265 = 0

    package init() {}

    /// A parameter set that parses, or a strict header of one, is proof.
    package static func proof(_ bytes: RawSpan, at offset: Int) -> VideoCodec? {
        guard let first = bytes.uint8(at: offset), let second = bytes.uint8(at: offset &+ 1) else { return nil }
        // VPS or SPS of layer 0 and temporal ID 0. As H.264 they would be type 0 or data partition A.
        if first == 0x40 || first == 0x42, second == 0x01 { return .h265 }
        // As H.265 an odd first byte means a layer above 31: no camera has one.
        if first & 0x9F == 7, first & 0x60 != 0, second >= 0x42 { return .h264 }
        return nil
    }

    /// Looks at the NAL unit at `offset`. Two units must agree unless one is proof; nil while undecided.
    package mutating func look(at bytes: RawSpan, _ offset: Int) -> VideoCodec? {
        if let proof = Self.proof(bytes, at: offset) { return proof }
        guard let first = bytes.uint8(at: offset), let second = bytes.uint8(at: offset &+ 1), first & 0x80 == 0 else {
            return nil
        }
        if first & 1 == 0, second & 0xF8 == 0, second & 7 != 0,
            [0, 1, 19, 20, 21, 32, 33, 34, 35, 39].contains(first >> 1)
        {
            h265 += 1
        } else if [1, 5, 6, 7, 8, 9].contains(first & 0x1F) {
            h264 += 1
        }
        if h264 >= 2, h264 > h265 { return .h264 }
        if h265 >= 2, h265 > h264 { return .h265 }
        return nil
    }
}
