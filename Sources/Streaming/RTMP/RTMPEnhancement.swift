import Media

/// What Enhanced RTMP v2 adds to `connect` and its answer.
enum RTMPEnhancement {
    private static let video: [FLVFourCC] = [.av01, .vp09, .hvc1, .avc1]
    private static let audio: [FLVFourCC] = [.opus, .mp4a, .mp3]
    /// FourCcInfoMask: this side passes a codec on, it neither decodes nor encodes.
    private static let canForward: AMF0Value = .number(4)

    /// As the server answers, and as our client says. No reconnect, no multitrack, no ModEx: nothing is claimed in `capsEx`.
    static let offer: [AMF0Property] = [
        AMF0Property("fourCcList", .strictArray((video + audio).map { .string($0.name) })),
        AMF0Property("videoFourCcInfoMap", .object(video.map { AMF0Property($0.name, canForward) })),
        AMF0Property("audioFourCcInfoMap", .object(audio.map { AMF0Property($0.name, canForward) })),
        AMF0Property("capsEx", .number(0)),
    ]

    /// FourCCs of version 1 (a list) and of version 2 (names with what the peer can do with each); `*` means all.
    static func codecs(in properties: AMF0Value) -> [String] {
        var names: [String] = []
        switch properties["fourCcList"] {
        case .strictArray(let values): names += values.compactMap(\.string)
        // Some write the list with indices as names.
        case .ecmaArray(let items), .object(let items): names += items.compactMap(\.value.string)
        default: break
        }
        for key in ["videoFourCcInfoMap", "audioFourCcInfoMap"] {
            switch properties[key] {
            case .object(let codecs), .ecmaArray(let codecs): names += codecs.map(\.name)
            default: break
            }
        }
        return names
    }

    /// How H.265 is written for a peer that knows these.
    static func hevc(_ codecs: [String]) -> FLVHEVCFormat {
        codecs.contains("hvc1") || codecs.contains("*") ? .enhanced : .legacy
    }
}
