import Wire

extension InterleavedFrame {
    /// The frame at `offset`: its channel and where its packet lies; moves `offset` behind it. Nil at the end, and where no whole
    /// frame begins.
    @inline(__always)
    package static func next(in bytes: RawSpan, at offset: inout Int) -> (channel: UInt8, packet: Range<Int>)? {
        guard let head = bytes.uint32(at: offset), head >> 24 == UInt32(marker) else { return nil }
        let start = offset &+ headerLength
        let end = start &+ Int(head & 0xFFFF)
        guard end <= bytes.byteCount else { return nil }
        offset = end
        return (UInt8(truncatingIfNeeded: head >> 16), start..<end)
    }

    /// The media and the kind of packet that a default channel stands for.
    package static func media(ofChannel channel: UInt8) -> (index: Int, isRTCP: Bool) {
        (Int(channel >> 1), channel & 1 == 1)
    }
}
