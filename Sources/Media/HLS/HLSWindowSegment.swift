import NIOCore

/// A segment of the window with its lines, which are written once.
struct HLSWindowSegment: Sendable {
    let opening: HLSOpening
    /// Which initialization it needs; nil for MPEG-TS.
    let initialization: Int?
    private(set) var parts: [HLSPart] = []
    private(set) var duration: Int64 = 0
    private(set) var bytes = ByteBuffer()
    /// When it left the playlist.
    var left: NIODeadline?

    /// EXT-X-PART of all parts.
    private(set) var partLines = HLSText()
    /// EXTINF and URI.
    private(set) var lines = HLSText()

    init(_ opening: HLSOpening, initialization: Int?) {
        self.opening = opening
        self.initialization = initialization
    }

    var byteCount: Int {
        bytes.readableBytes > 0 ? bytes.readableBytes : parts.reduce(0) { $0 &+ $1.bytes.readableBytes }
    }

    mutating func append(_ part: HLSPart) {
        parts.append(part)
        let seconds = HLSDecimal.seconds(part.duration, digits: 5)
        partLines.append(uri: "#EXT-X-PART:DURATION=\(seconds),URI=\"\(HLSNames.reference(part.name))")
        partLines.append(part.isIndependent ? "\",INDEPENDENT=YES\n" : "\"\n")
    }

    mutating func close(_ closing: HLSClosing, digits: Int) {
        duration = closing.duration
        bytes = closing.bytes
        lines.append("#EXTINF:\(HLSDecimal.seconds(duration, digits: digits)),\n")
        lines.append(uri: HLSNames.reference(closing.name))
        lines.append("\n")
        // Parts become views of the segment: its bytes are held once.
        var at = bytes.readerIndex
        for index in parts.indices {
            let length = parts[index].bytes.readableBytes
            guard let slice = bytes.getSlice(at: at, length: length) else { return }
            parts[index].bytes = slice
            at += length
        }
    }
}
