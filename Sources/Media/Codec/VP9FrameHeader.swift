import Wire

/// What an API needs of a VP9 key frame (VP9 bitstream specification 6.2).
package struct VP9FrameHeader: Equatable, Sendable {
    package var width: Int
    package var height: Int

    /// More bytes than the header up to the size has.
    private static let length = 16
    private static let syncCode: UInt32 = 0x49_8342
    private static let colourSpaceRGB: UInt32 = 7

    /// Nil when the frame is not a key frame, or cut short.
    package init?(keyFrame bytes: RawSpan) {
        var reader = BitReader(bytes.array(0..<Self.length))
        guard reader.bits(2) == 2, let low = reader.bit(), let high = reader.bit() else { return nil }
        let profile = high << 1 | low
        // Each of the reserved bit and show_existing_frame must be 0; frame_type 0 is a key frame.
        guard profile < 3 || reader.bit() == 0, reader.bit() == 0, reader.bit() == 0, reader.skip(2),
            reader.bits(24) == Self.syncCode, reader.skip(profile >= 2 ? 1 : 0), let space = reader.bits(3)
        else { return nil }
        let isSubsampled = profile == 0 || profile == 2
        let rest = space == Self.colourSpaceRGB ? (isSubsampled ? 0 : 1) : (isSubsampled ? 1 : 4)
        guard reader.skip(rest), let widthMinus1 = reader.bits(16), let heightMinus1 = reader.bits(16) else {
            return nil
        }
        width = Int(widthMinus1) + 1
        height = Int(heightMinus1) + 1
    }
}
