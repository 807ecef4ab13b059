import Wire

/// Which codec an elementary stream has, by the stream_type of the map (GB/T 28181-2022 annex C, ISO/IEC 13818-1 2-34).
package enum PSStreamType: Equatable, Hashable, Sendable {
    case video(VideoCodec)
    case audio(AudioCodec)
    /// A codec that this gateway cannot carry on.
    case unsupported(UInt8)

    package init(_ type: UInt8) {
        switch type {
        case 0x1B: self = .video(.h264)
        case 0x24: self = .video(.h265)
        case 0x0F: self = .audio(.aac)
        case 0x90: self = .audio(.g711a)
        case 0x91: self = .audio(.g711u)
        default: self = .unsupported(type)
        }
    }

    package var byte: UInt8 {
        switch self {
        case .video(.h264): 0x1B
        case .video(.h265): 0x24
        // Not carried in program streams: 0x06 is private data.
        case .video(.av1), .video(.vp9): 0x06
        case .audio(.aac): 0x0F
        case .audio(.g711a): 0x90
        case .audio(.g711u): 0x91
        case .audio(.opus): 0x9C
        case .audio(.mp3): 0x03
        case .unsupported(let byte): byte
        }
    }

    /// The name that a user knows.
    package var name: String {
        switch self {
        case .video(let codec): codec.rawValue
        case .audio(let codec): codec.rawValue
        case .unsupported(let byte): Self.names[byte] ?? "stream type 0x" + String(byte, radix: 16)
        }
    }

    private static let names: [UInt8: String] = [
        0x01: "MPEG-1 video", 0x02: "MPEG-2 video", 0x03: "MPEG-1 audio", 0x04: "MPEG-2 audio", 0x10: "MPEG-4 video",
        0x11: "AAC LATM", 0x80: "SVAC video", 0x92: "G722.1", 0x93: "G723.1", 0x99: "G729", 0x9A: "SVAC audio",
        0x9B: "SVAC audio", 0x9C: "Opus",
    ]
}

/// The program stream map, read as cameras write it: the CRC and current_next are not looked at, lengths are clamped.
package struct ProgramStreamMap: Equatable, Sendable {
    package struct Entry: Equatable, Sendable {
        package var streamID: UInt8
        package var type: PSStreamType
    }

    package var entries: [Entry] = []

    /// What a stream of this ID can be: a video ID with an audio type, or a type that nobody knows, is a map that lies.
    static func believed(_ type: PSStreamType, of id: UInt8) -> PSStreamType? {
        switch type {
        case .video: return (0xE0...0xEF).contains(id) ? type : nil
        case .audio: return (0xE0...0xEF).contains(id) ? nil : type
        case .unsupported(let byte):
            let isVideo = [0x01, 0x02, 0x10, 0x80].contains(byte)
            let isAudio = [0x03, 0x04, 0x11, 0x92, 0x93, 0x99, 0x9A, 0x9B, 0x9C].contains(byte)
            return (0xE0...0xEF).contains(id) ? (isVideo ? type : nil) : (isAudio ? type : nil)
        }
    }

    private static let mostEntries = 36

    /// Reads a whole map, start code included. Nil when not even the first fields are there; a map that lies about its
    /// inner lengths gives the entries that can be read.
    package init?(_ bytes: RawSpan) {
        guard let length = bytes.uint16(at: 4), let information = bytes.uint16(at: 8) else { return nil }
        // The last four bytes are the CRC, but a map that is cut may not have one.
        let end = min(6 + Int(length), bytes.byteCount)
        let entriesAt = 10 + Int(information)
        guard let entriesLength = bytes.uint16(at: entriesAt), entriesAt + 2 <= end else { return nil }
        var at = entriesAt + 2
        let last = min(at + Int(entriesLength), end)
        while at + 4 <= last, entries.count < Self.mostEntries, let type = bytes.uint8(at: at),
            let id = bytes.uint8(at: at + 1), let descriptors = bytes.uint16(at: at + 2)
        {
            // Entries of 00/00 were seen in the field.
            if let type = Self.believed(PSStreamType(type), of: id), id >= 0xBD {
                entries.append(Entry(streamID: id, type: type))
            }
            at += 4 + Int(descriptors)
        }
    }

    package subscript(streamID: UInt8) -> PSStreamType? {
        for entry in entries where entry.streamID == streamID { return entry.type }
        return nil
    }
}
