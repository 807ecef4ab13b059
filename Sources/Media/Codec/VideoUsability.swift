/// The VUI of an H.264 SPS (ITU-T H.264 E.1.1), read up to what it says of the order of pictures.
enum VideoUsability {
    private static let extendedAspectRatio: UInt32 = 255

    /// max_num_reorder_frames; nil where there is no VUI or it does not tell.
    ///
    /// - Parameter reader: at vui_parameters_present_flag.
    static func reordering(_ reader: inout BitReader) -> Int? {
        guard reader.flag() == true, skipPicture(&reader), let hasTiming = reader.flag(),
            reader.skip(hasTiming ? 65 : 0), let hasNAL = reader.flag(), !hasNAL || skipBuffering(&reader),
            let hasVCL = reader.flag(), !hasVCL || skipBuffering(&reader),
            // low_delay_hrd_flag, pic_struct_present_flag
            reader.skip(hasNAL || hasVCL ? 2 : 1),
            reader.flag() == true, reader.skip(1)
        else { return nil }
        for _ in 0..<4 where reader.unsignedGolomb() == nil { return nil }
        guard let frames = reader.unsignedGolomb(), frames <= 16 else { return nil }
        return Int(frames)
    }

    /// Aspect ratio, overscan, video signal type, chroma location.
    private static func skipPicture(_ reader: inout BitReader) -> Bool {
        guard let hasAspect = reader.flag() else { return false }
        if hasAspect {
            guard let ratio = reader.bits(8), reader.skip(ratio == extendedAspectRatio ? 32 : 0) else { return false }
        }
        guard let hasOverscan = reader.flag(), reader.skip(hasOverscan ? 1 : 0), let hasSignal = reader.flag() else {
            return false
        }
        if hasSignal {
            guard reader.skip(4), let hasColour = reader.flag(), reader.skip(hasColour ? 24 : 0) else { return false }
        }
        guard let hasLocation = reader.flag() else { return false }
        return !hasLocation || (reader.unsignedGolomb() != nil && reader.unsignedGolomb() != nil)
    }

    /// E.1.2 HRD parameters.
    private static func skipBuffering(_ reader: inout BitReader) -> Bool {
        guard let count = reader.unsignedGolomb(), count < 32, reader.skip(8) else { return false }
        for _ in 0...count {
            guard reader.unsignedGolomb() != nil, reader.unsignedGolomb() != nil, reader.skip(1) else { return false }
        }
        return reader.skip(20)
    }
}
