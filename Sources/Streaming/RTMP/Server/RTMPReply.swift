import Media
package import NIOCore

/// The bytes that the server answers with, chunked.
enum RTMPReply {
    private static let mediaCommandStream: UInt8 = 5
    private static let window: UInt32 = 5_000_000

    /// Window, bandwidth, chunk size, then the result: in this order, and Set Chunk Size holds from there on.
    static func connected(_ command: RTMPCommand, _ connect: RTMPConnectCommand) -> ByteBuffer {
        var buffer = ByteBuffer()
        RTMPControl.write(.windowAcknowledgementSize, window, into: &buffer)
        RTMPControl.writePeerBandwidth(window, into: &buffer)
        RTMPControl.write(.setChunkSize, UInt32(RTMPChunkWriter.chunkSize), into: &buffer)
        var facts = information("NetConnection.Connect.Success", "Connection succeeded.")
        facts.append(AMF0Property("objectEncoding", .number(connect.objectEncoding)))
        if connect.isEnhanced { facts += RTMPEnhancement.offer }
        let properties: AMF0Value = .object([
            AMF0Property("fmsVer", .string("FMS/3,0,1,123")),
            AMF0Property("capabilities", .number(31)),
        ])
        RTMPControl.write(
            RTMPCommand("_result", transaction: command.transaction, properties, .object(facts)),
            into: &buffer
        )
        return buffer
    }

    /// Before Set Chunk Size: in the first chunk size.
    static func rejected(_ command: RTMPCommand, _ description: String) -> ByteBuffer {
        var buffer = ByteBuffer()
        let facts = information("NetConnection.Connect.Rejected", description, level: "error")
        RTMPControl.write(
            RTMPCommand("_error", transaction: command.transaction, .null, .object(facts)),
            chunkSize: RTMPChunkWriter.initialChunkSize,
            into: &buffer
        )
        return buffer
    }

    static func result(of command: RTMPCommand, _ value: AMF0Value) -> ByteBuffer {
        var buffer = ByteBuffer()
        RTMPControl.write(RTMPCommand("_result", transaction: command.transaction, .null, value), into: &buffer)
        return buffer
    }

    /// - Parameter announced: the client sent FCPublish. Flash Media Live Encoder and its heirs wait for its answer.
    static func publishStart(announced: Bool) -> ByteBuffer {
        var buffer = ByteBuffer()
        if announced {
            notify("onFCPublish", "NetStream.Publish.Start", "Started publishing stream.", into: &buffer)
        }
        status("NetStream.Publish.Start", "Start publishing", into: &buffer)
        return buffer
    }

    static func unpublished(_ description: String, level: String = "status", announced: Bool = false) -> ByteBuffer {
        var buffer = ByteBuffer()
        if announced {
            notify("onFCUnpublish", "NetStream.Unpublish.Success", description, into: &buffer)
        }
        status("NetStream.Unpublish.Success", description, level: level, into: &buffer)
        return buffer
    }

    static func subscribed() -> ByteBuffer {
        var buffer = ByteBuffer()
        notify("onFCSubscribe", "NetStream.Play.Start", "Started playing stream.", into: &buffer)
        return buffer
    }

    static func playStart(resets: Bool) -> ByteBuffer {
        var buffer = ByteBuffer()
        RTMPControl.write(.streamBegin, RTMPChunkWriter.mediaStreamID, into: &buffer)
        if resets { status("NetStream.Play.Reset", "Playing and resetting", into: &buffer) }
        status("NetStream.Play.Start", "Start live", into: &buffer)
        return buffer
    }

    static func paused(_ pauses: Bool) -> ByteBuffer {
        var buffer = ByteBuffer()
        status(pauses ? "NetStream.Pause.Notify" : "NetStream.Unpause.Notify", "A live stream goes on", into: &buffer)
        return buffer
    }

    static func refusal(_ refusal: RTMPRefusal, role: RTMPServerSession.Role, description: String) -> ByteBuffer {
        let code =
            switch (role, refusal) {
            case (.publisher, .badName): "NetStream.Publish.BadName"
            case (.publisher, _): "NetStream.Publish.Denied"
            case (.player, .badName), (.player, .notFound): "NetStream.Play.StreamNotFound"
            case (.player, _): "NetStream.Play.Failed"
            }
        var buffer = ByteBuffer()
        status(code, description, level: "error", into: &buffer)
        return buffer
    }

    static func playFailed(_ description: String) -> ByteBuffer {
        refusal(.unavailable, role: .player, description: description)
    }

    static func playEnded(_ description: String) -> ByteBuffer {
        var buffer = ByteBuffer()
        RTMPControl.write(.streamEOF, RTMPChunkWriter.mediaStreamID, into: &buffer)
        status("NetStream.Play.UnpublishNotify", description, into: &buffer)
        status("NetStream.Play.Stop", description, into: &buffer)
        return buffer
    }

    static func pong(_ time: UInt32) -> ByteBuffer {
        var buffer = ByteBuffer()
        RTMPControl.write(.pingResponse, time, into: &buffer)
        return buffer
    }

    static func ping(at now: NIODeadline) -> ByteBuffer {
        var buffer = ByteBuffer()
        let milliseconds = UInt32(truncatingIfNeeded: now.uptimeNanoseconds / 1_000_000)
        RTMPControl.write(.pingRequest, milliseconds, into: &buffer)
        return buffer
    }

    private static func information(_ code: String, _ description: String, level: String = "status") -> [AMF0Property] {
        [
            AMF0Property("level", .string(level)),
            AMF0Property("code", .string(code)),
            AMF0Property("description", .string(description)),
        ]
    }

    private static func status(
        _ code: String,
        _ description: String,
        level: String = "status",
        into buffer: inout ByteBuffer
    ) {
        RTMPControl.write(
            RTMPCommand("onStatus", .null, .object(information(code, description, level: level))),
            on: mediaCommandStream,
            streamID: RTMPChunkWriter.mediaStreamID,
            into: &buffer
        )
    }

    /// A call of the server's own that some encoders wait for.
    private static func notify(_ name: String, _ code: String, _ description: String, into buffer: inout ByteBuffer) {
        RTMPControl.write(
            RTMPCommand(name, .null, .object(information(code, description))),
            on: mediaCommandStream,
            streamID: RTMPChunkWriter.mediaStreamID,
            into: &buffer
        )
    }
}

/// What a player is told when the Hub ends it; sent behind the last whole message of its stream.
package enum RTMPFarewell {
    /// Nothing more comes: the publisher has gone, or the session was ended.
    package static func ended(_ description: String) -> ByteBuffer { RTMPReply.playEnded(description) }

    /// The stream cannot be played in this form.
    package static func failed(_ description: String) -> ByteBuffer { RTMPReply.playFailed(description) }
}
