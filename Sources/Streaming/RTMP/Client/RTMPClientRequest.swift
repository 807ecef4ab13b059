import Media
import NIOCore

/// What our client says, as bytes.
enum RTMPClientRequest {
    static let connectTransaction: Double = 1
    static let createStreamTransaction: Double = 4
    static let roleTransaction: Double = 5

    private static let window: UInt32 = 2_500_000
    private static let sourceStream: UInt8 = 8
    private static let playerVersion = "LNX 9,0,124,2"
    /// Servers that authenticate do so for names like this.
    private static let encoderVersion = "FMLE/3.0 (compatible; gbgate)"

    static func connect(
        _ configuration: RTMPClientConfiguration,
        authentication: String,
        into buffer: inout ByteBuffer
    ) {
        let url = configuration.url
        let publishes = configuration.role == .publisher
        var facts = [
            AMF0Property("app", .string(url.app + authentication)),
            AMF0Property("type", .string("nonprivate")),
            AMF0Property("flashVer", .string(publishes ? encoderVersion : playerVersion)),
            AMF0Property("tcUrl", .string(url.tcURL + authentication)),
            AMF0Property("fpad", .boolean(false)),
            AMF0Property("capabilities", .number(15)),
            AMF0Property("audioCodecs", .number(4071)),
            AMF0Property("videoCodecs", .number(252)),
            AMF0Property("videoFunction", .number(1)),
            AMF0Property("objectEncoding", .number(0)),
        ]
        facts += RTMPEnhancement.offer
        RTMPControl.write(
            RTMPCommand("connect", transaction: connectTransaction, .object(facts)),
            chunkSize: RTMPChunkWriter.initialChunkSize,
            into: &buffer
        )
    }

    /// Set Chunk Size holds from here on.
    static func createStream(_ configuration: RTMPClientConfiguration) -> ByteBuffer {
        var buffer = ByteBuffer()
        RTMPControl.write(.windowAcknowledgementSize, window, into: &buffer)
        RTMPControl.write(.setChunkSize, UInt32(RTMPChunkWriter.chunkSize), into: &buffer)
        let name: AMF0Value = .string(configuration.url.stream)
        if configuration.role == .publisher {
            RTMPControl.write(RTMPCommand("releaseStream", transaction: 2, .null, name), into: &buffer)
            RTMPControl.write(RTMPCommand("FCPublish", transaction: 3, .null, name), into: &buffer)
        }
        RTMPControl.write(RTMPCommand("createStream", transaction: createStreamTransaction, .null), into: &buffer)
        if configuration.role == .player {
            // Akamai and Limelight play live streams only to subscribers.
            RTMPControl.write(RTMPCommand("FCSubscribe", transaction: 3, .null, name), into: &buffer)
        }
        return buffer
    }

    static func role(_ configuration: RTMPClientConfiguration, streamID: UInt32) -> ByteBuffer {
        let name: AMF0Value = .string(configuration.url.stream)
        var buffer = ByteBuffer()
        switch configuration.role {
        case .publisher:
            let publish = RTMPCommand("publish", transaction: roleTransaction, .null, name, .string("live"))
            RTMPControl.write(publish, on: sourceStream, streamID: streamID, into: &buffer)
        case .player:
            // -2: live if there is such a stream, else recorded; in the milliseconds that FFmpeg and librtmp write.
            let play = RTMPCommand("play", transaction: roleTransaction, .null, name, .number(-2000))
            RTMPControl.write(play, on: sourceStream, streamID: streamID, into: &buffer)
            RTMPControl.write(.setBufferLength, streamID, 3000, into: &buffer)
        }
        return buffer
    }

    /// What ends a publication politely.
    static func goodbye(_ configuration: RTMPClientConfiguration, streamID: UInt32) -> ByteBuffer {
        var buffer = ByteBuffer()
        if configuration.role == .publisher {
            let name: AMF0Value = .string(configuration.url.stream)
            RTMPControl.write(RTMPCommand("FCUnpublish", transaction: 6, .null, name), into: &buffer)
        }
        RTMPControl.write(
            RTMPCommand("deleteStream", transaction: 0, .null, .number(Double(streamID))),
            into: &buffer
        )
        return buffer
    }
}
