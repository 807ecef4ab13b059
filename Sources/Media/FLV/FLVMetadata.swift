import NIOCore

/// The onMetaData script message (FLV E.5, Enhanced RTMP "Metadata Frame").
enum FLVMetadata {
    static func message(
        video: VideoParameters?,
        audio: AudioParameters?,
        hevc: FLVHEVCFormat,
        timestamp: UInt32
    ) -> FLVMessage {
        var properties: [AMF0Property] = []
        if let video {
            if video.width > 0, video.height > 0 {
                properties.append(AMF0Property("width", .number(Double(video.width))))
                properties.append(AMF0Property("height", .number(Double(video.height))))
            }
            properties.append(AMF0Property("videocodecid", .number(Double(codecID(video.codec, hevc: hevc)))))
        }
        if let audio {
            properties.append(AMF0Property("audiocodecid", .number(Double(codecID(audio.codec)))))
            properties.append(AMF0Property("audiosamplerate", .number(Double(audio.sampleRate))))
            properties.append(AMF0Property("audiosamplesize", .number(16)))
            properties.append(AMF0Property("stereo", .boolean(audio.channels > 1)))
        }
        properties.append(AMF0Property("encoder", .string("gbgate")))
        return FLVMessage(kind: .script, timestamp: timestamp, header: .empty, payload: payload(.ecmaArray(properties)))
    }

    /// The message with the codec id of H.265 in the other form; as it is when it names another codec or is no metadata.
    static func converted(_ message: FLVMessage, to format: FLVHEVCFormat) -> FLVMessage {
        let wanted = AMF0Value.number(Double(codecID(.h265, hevc: format)))
        let other = AMF0Value.number(Double(codecID(.h265, hevc: format == .legacy ? .enhanced : .legacy)))
        var reader = AMF0Reader(message.payload)
        guard case .string("onMetaData") = try? reader.next(), let value = try? reader.next(),
            case .ecmaArray(var properties) = value,
            let index = properties.firstIndex(where: { $0.name == "videocodecid" && $0.value == other })
        else { return message }
        properties[index].value = wanted
        return FLVMessage(
            kind: .script,
            timestamp: message.timestamp,
            header: .empty,
            payload: payload(.ecmaArray(properties))
        )
    }

    private static func payload(_ value: AMF0Value) -> ByteBuffer {
        var payload = ByteBuffer()
        AMF0Value.string("onMetaData").write(into: &payload)
        value.write(into: &payload)
        return payload
    }

    private static func codecID(_ codec: VideoCodec, hevc: FLVHEVCFormat) -> UInt32 {
        switch (codec, hevc) {
        case (.h264, _): UInt32(FLVVideo.codecAVC)
        case (.h265, .legacy): UInt32(FLVVideo.codecHEVC)
        case (.h265, .enhanced): FLVFourCC.hvc1.rawValue
        }
    }

    private static func codecID(_ codec: AudioCodec) -> UInt8 {
        switch codec {
        case .aac: FLVAudio.formatAAC
        case .g711a: FLVAudio.formatG711A
        case .g711u: FLVAudio.formatG711U
        case .opus: FLVAudio.formatOpus
        }
    }
}
