import Media
import NIOCore

/// The bytes that the server answers with, chunked.
enum RTMPReply {
    private static let controlStream: UInt8 = 2
    private static let connectionStream: UInt8 = 3
    private static let mediaCommandStream: UInt8 = 5
    private static let window: UInt32 = 5_000_000

    /// Window, bandwidth, chunk size, then the result: in this order, and Set Chunk Size holds from there on.
    static func connected(_ command: RTMPCommand, _ connect: RTMPConnectCommand) -> ByteBuffer {
        var buffer = ByteBuffer()
        control(.windowAcknowledgementSize, window, into: &buffer)
        var bandwidth = ByteBuffer(integer: window)
        // Limit type 2, dynamic.
        bandwidth.writeInteger(2 as UInt8)
        control(.setPeerBandwidth, body: bandwidth, into: &buffer)
        control(.setChunkSize, UInt32(RTMPChunkWriter.chunkSize), into: &buffer)
        var information: [AMF0Property] = [
            AMF0Property("level", .string("status")),
            AMF0Property("code", .string("NetConnection.Connect.Success")),
            AMF0Property("description", .string("Connection succeeded.")),
            AMF0Property("objectEncoding", .number(connect.objectEncoding)),
        ]
        if connect.isEnhanced {
            information.append(AMF0Property("fourCcList", .strictArray([.string(FLVFourCC.hvc1.name)])))
        }
        let properties: AMF0Value = .object([
            AMF0Property("fmsVer", .string("FMS/3,0,1,123")),
            AMF0Property("capabilities", .number(31)),
        ])
        write(
            RTMPCommand("_result", transaction: command.transaction, properties, .object(information)),
            on: connectionStream,
            into: &buffer
        )
        return buffer
    }

    static func result(of command: RTMPCommand, _ value: AMF0Value) -> ByteBuffer {
        var buffer = ByteBuffer()
        write(
            RTMPCommand("_result", transaction: command.transaction, .null, value),
            on: connectionStream,
            into: &buffer
        )
        return buffer
    }

    static func publishStart() -> ByteBuffer {
        var buffer = ByteBuffer()
        status("NetStream.Publish.Start", "Start publishing", into: &buffer)
        return buffer
    }

    static func playStart() -> ByteBuffer {
        var buffer = ByteBuffer()
        // User control: StreamBegin (0) for the media stream.
        var begin = ByteBuffer(integer: 0 as UInt16)
        begin.writeInteger(RTMPChunkWriter.mediaStreamID)
        control(.userControl, body: begin, into: &buffer)
        status("NetStream.Play.Reset", "Playing and resetting", into: &buffer)
        status("NetStream.Play.Start", "Start live", into: &buffer)
        return buffer
    }

    static func refusal(_ refusal: RTMPRefusal, role: RTMPServerSession.Role, description: String) -> ByteBuffer {
        let code =
            switch (role, refusal) {
            case (.publisher, .unauthorized): "NetStream.Publish.Denied"
            case (.publisher, _): "NetStream.Publish.BadName"
            case (.player, .badName), (.player, .notFound): "NetStream.Play.StreamNotFound"
            case (.player, _): "NetStream.Play.Failed"
            }
        var buffer = ByteBuffer()
        status(code, description, level: "error", into: &buffer)
        return buffer
    }

    static func acknowledgement(_ sequence: UInt32) -> ByteBuffer {
        var buffer = ByteBuffer()
        control(.acknowledgement, sequence, into: &buffer)
        return buffer
    }

    /// The body of a ping request (user control event 6), nil for any other event.
    static func pingBody(_ userControl: ByteBuffer) -> ByteBuffer? {
        var body = userControl
        guard body.readInteger(as: UInt16.self) == 6 else { return nil }
        return body.readSlice(length: min(4, body.readableBytes))
    }

    static func pong(_ body: ByteBuffer) -> ByteBuffer {
        var event = ByteBuffer(integer: 7 as UInt16)
        event.writeImmutableBuffer(body)
        var buffer = ByteBuffer()
        control(.userControl, body: event, into: &buffer)
        return buffer
    }

    private static func status(
        _ code: String,
        _ description: String,
        level: String = "status",
        into buffer: inout ByteBuffer
    ) {
        let information: AMF0Value = .object([
            AMF0Property("level", .string(level)),
            AMF0Property("code", .string(code)),
            AMF0Property("description", .string(description)),
        ])
        write(
            RTMPCommand("onStatus", .null, information),
            on: mediaCommandStream,
            streamID: RTMPChunkWriter.mediaStreamID,
            into: &buffer
        )
    }

    private static func control(_ type: RTMPMessageType, _ value: UInt32, into buffer: inout ByteBuffer) {
        control(type, body: ByteBuffer(integer: value), into: &buffer)
    }

    private static func control(_ type: RTMPMessageType, body: ByteBuffer, into buffer: inout ByteBuffer) {
        // Control messages fit into a chunk of any size that is in force.
        RTMPChunkWriter.write(
            type: type,
            chunkStream: controlStream,
            body: body,
            chunkSize: RTMPChunkWriter.initialChunkSize,
            into: &buffer
        )
    }

    private static func write(
        _ command: RTMPCommand,
        on chunkStream: UInt8,
        streamID: UInt32 = 0,
        into buffer: inout ByteBuffer
    ) {
        RTMPChunkWriter.write(
            type: .commandAMF0,
            chunkStream: chunkStream,
            streamID: streamID,
            body: command.encoded,
            chunkSize: RTMPChunkWriter.chunkSize,
            into: &buffer
        )
    }
}
