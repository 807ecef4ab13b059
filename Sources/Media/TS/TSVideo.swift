import NIOCore
import Wire

/// What stands before the pictures of a video stream.
struct TSVideo: Sendable {
    let stream: TSElementaryStream
    /// An access unit delimiter that allows any slice: Apple's players want one first (ITU-T H.264 7.3.2.4, H.265 7.3.2.5).
    let prefix: [UInt8]
    /// The delimiter and the parameter sets.
    let keyPrefix: [UInt8]

    /// Nil for codecs that are not carried.
    init?(_ parameters: VideoParameters) {
        guard let stream = TSElementaryStream(parameters) else { return nil }
        self.stream = stream
        prefix = [0, 0, 0, 1] + (parameters.codec == .h264 ? [0x09, 0xF0] : [0x46, 0x01, 0x50])
        var bytes = prefix
        for set in parameters.vps + parameters.sps + parameters.pps {
            bytes += [0, 0, 0, 1]
            bytes += set
        }
        keyPrefix = bytes
    }
}

extension ByteBuffer {
    /// The NAL units that are whole and not empty, each behind its length; nil when there is none. Almost always it is the buffer
    /// itself, in the same memory.
    var wholeUnits: ByteBuffer? {
        let span = readableBytesSpan
        var at = 0
        var hasEmpty = false
        while let length = span.uint32(at: at), length <= UInt32(truncatingIfNeeded: span.byteCount &- at &- 4) {
            hasEmpty = hasEmpty || length == 0
            at = at &+ 4 &+ Int(length)
        }
        guard at > 0 else { return nil }
        guard hasEmpty else { return getSlice(at: readerIndex, length: at) }
        var kept = ByteBuffer()
        for range in LengthPrefixed.units(in: span) where !range.isEmpty {
            kept.writeInteger(UInt32(truncatingIfNeeded: range.count))
            if let unit = getSlice(at: readerIndex &+ range.lowerBound, length: range.count) {
                kept.writeImmutableBuffer(unit)
            }
        }
        return kept.readableBytes > 0 ? kept : nil
    }
}
