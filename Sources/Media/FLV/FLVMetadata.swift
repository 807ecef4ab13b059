import NIOCore

/// The onMetaData script message (FLV E.5, Enhanced RTMP "Metadata Frame").
enum FLVMetadata {
    static let name = "onMetaData"

    /// - Parameter own: what the publisher says; what it says wrongly, or of a file, is left out.
    static func message(
        video: VideoParameters?,
        audio: AudioParameters?,
        own: StreamMetadata? = nil,
        hevc: FLVHEVCFormat,
        timestamp: UInt32
    ) -> FLVMessage {
        var truth = facts(of: video, hevc) + facts(of: audio, hevc)
        var properties: [AMF0Property] = []
        for property in own?.properties ?? [] {
            if let index = truth.firstIndex(where: { $0.name == property.name }) {
                properties.append(truth.remove(at: index))
            } else if !isStale(property.name, video: video, audio: audio) {
                properties.append(property)
            }
        }
        properties += truth
        if !properties.contains(where: { $0.name == "encoder" }) {
            properties.append(AMF0Property("encoder", .string("gbgate")))
        }
        return FLVMessage(kind: .script, timestamp: timestamp, header: .empty, payload: payload(.ecmaArray(properties)))
    }

    private static func facts(of video: VideoParameters?, _ form: FLVHEVCFormat) -> [AMF0Property] {
        guard let video else { return [] }
        var properties: [AMF0Property] = []
        if video.width > 0, video.height > 0 {
            properties.append(AMF0Property("width", .number(Double(video.width))))
            properties.append(AMF0Property("height", .number(Double(video.height))))
        }
        properties.append(AMF0Property("videocodecid", .number(Double(codecID(video.codec, form)))))
        return properties
    }

    private static func facts(of audio: AudioParameters?, _ form: FLVHEVCFormat) -> [AMF0Property] {
        guard let audio else { return [] }
        return [
            AMF0Property("audiocodecid", .number(Double(codecID(audio.codec, form)))),
            AMF0Property("audiosamplerate", .number(Double(audio.sampleRate))),
            AMF0Property("audiosamplesize", .number(16)),
            AMF0Property("stereo", .boolean(audio.channels > 1)),
        ]
    }

    /// Whether a property of the publisher is not to be passed on: of a file, of a track that is not there or not carried.
    private static func isStale(_ name: String, video: VideoParameters?, audio: AudioParameters?) -> Bool {
        if ofFiles.contains(name) || ofTracks.contains(name) { return true }
        if video == nil, ofVideo.contains(name) { return true }
        if audio == nil || name == "audiochannels", ofAudio.contains(name) { return true }
        return false
    }

    private static let ofFiles: Set<String> = [
        "duration", "filesize", "keyframes", "times", "filepositions", "cuePoints", "datasize", "videosize",
        "audiosize",
        "lasttimestamp", "lastkeyframetimestamp", "lastkeyframelocation", "canSeekToEnd", "hasKeyframes",
        "hasCuePoints",
    ]
    private static let ofTracks: Set<String> = ["hasVideo", "hasAudio", "videoTrackIdInfoMap", "audioTrackIdInfoMap"]
    private static let ofVideo: Set<String> = ["width", "height", "videocodecid", "videodatarate", "framerate"]
    private static let ofAudio: Set<String> = [
        "audiocodecid", "audiosamplerate", "audiosamplesize", "stereo", "audiodatarate", "audiochannels", "audiodelay",
    ]

    /// The message with the codec ids of H.265 and Opus in the other form; as it is when it has neither or is no metadata.
    static func converted(_ message: FLVMessage, to format: FLVHEVCFormat) -> FLVMessage {
        let other: FLVHEVCFormat = format == .legacy ? .enhanced : .legacy
        var reader = AMF0Reader(message.payload)
        guard case .string(name) = try? reader.next(), case .ecmaArray(var properties) = try? reader.next() else {
            return message
        }
        var hasChanged = false
        func replace(_ name: String, _ old: UInt32, _ new: UInt32) {
            let value = AMF0Value.number(Double(old))
            guard let index = properties.firstIndex(where: { $0.name == name && $0.value == value }) else { return }
            properties[index].value = .number(Double(new))
            hasChanged = true
        }
        replace("videocodecid", codecID(.h265, other), codecID(.h265, format))
        replace("audiocodecid", codecID(.opus, other), codecID(.opus, format))
        guard hasChanged else { return message }
        return FLVMessage(
            kind: .script,
            timestamp: message.timestamp,
            header: .empty,
            payload: payload(.ecmaArray(properties))
        )
    }

    private static func payload(_ value: AMF0Value) -> ByteBuffer {
        var payload = ByteBuffer()
        AMF0Value.string(name).write(into: &payload)
        value.write(into: &payload)
        return payload
    }

    private static func codecID(_ codec: VideoCodec, _ form: FLVHEVCFormat) -> UInt32 {
        switch (codec, form) {
        case (.h264, _): UInt32(FLVVideo.codecAVC)
        case (.h265, .legacy): UInt32(FLVVideo.codecHEVC)
        case (.h265, .enhanced), (.av1, _), (.vp9, _): codec.fourCC.rawValue
        }
    }

    private static func codecID(_ codec: AudioCodec, _ form: FLVHEVCFormat) -> UInt32 {
        switch (codec, form) {
        case (.aac, _): UInt32(FLVAudio.formatAAC)
        case (.g711a, _): UInt32(FLVAudio.formatG711A)
        case (.g711u, _): UInt32(FLVAudio.formatG711U)
        case (.opus, .legacy): UInt32(FLVAudio.formatOpus)
        case (.opus, .enhanced): FLVFourCC.opus.rawValue
        case (.mp3, _): UInt32(FLVAudio.formatMP3)
        }
    }
}
