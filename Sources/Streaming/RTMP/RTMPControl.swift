import NIOCore

/// Events of user control messages (RTMP 1.0 section 7.1.7) that this product reads or writes.
enum RTMPUserControl: UInt16, Sendable {
    case streamBegin = 0
    case streamEOF = 1
    case setBufferLength = 3
    case pingRequest = 6
    case pingResponse = 7

    /// The event and its first value, nil for others and for those that are cut short.
    static func parse(_ body: ByteBuffer) -> (RTMPUserControl, UInt32)? {
        var body = body
        guard let code = body.readInteger(as: UInt16.self), let event = RTMPUserControl(rawValue: code),
            let value = body.readInteger(as: UInt32.self)
        else { return nil }
        return (event, value)
    }
}

/// Control messages and commands as bytes, for either side of a connection. Each is in chunks of its own with full headers, so it
/// may be sent between any two messages.
enum RTMPControl {
    private static let controlStream: UInt8 = 2
    /// Commands that concern the connection.
    static let connectionStream: UInt8 = 3

    static func write(_ type: RTMPMessageType, _ value: UInt32, into buffer: inout ByteBuffer) {
        write(type, body: ByteBuffer(integer: value), into: &buffer)
    }

    /// Limit type 2, dynamic.
    static func writePeerBandwidth(_ window: UInt32, into buffer: inout ByteBuffer) {
        var body = ByteBuffer(integer: window)
        body.writeInteger(2 as UInt8)
        write(.setPeerBandwidth, body: body, into: &buffer)
    }

    static func write(_ event: RTMPUserControl, _ values: UInt32..., into buffer: inout ByteBuffer) {
        var body = ByteBuffer(integer: event.rawValue)
        for value in values { body.writeInteger(value) }
        write(.userControl, body: body, into: &buffer)
    }

    static func write(
        _ command: RTMPCommand,
        on chunkStream: UInt8 = connectionStream,
        streamID: UInt32 = 0,
        chunkSize: Int = RTMPChunkWriter.chunkSize,
        into buffer: inout ByteBuffer
    ) {
        RTMPChunkWriter.write(
            type: .commandAMF0,
            chunkStream: chunkStream,
            streamID: streamID,
            body: command.encoded,
            chunkSize: chunkSize,
            into: &buffer
        )
    }

    private static func write(_ type: RTMPMessageType, body: ByteBuffer, into buffer: inout ByteBuffer) {
        // Control messages fit into a chunk of any size that is in force.
        RTMPChunkWriter.write(
            type: type,
            chunkStream: controlStream,
            body: body,
            chunkSize: RTMPChunkWriter.initialChunkSize,
            into: &buffer
        )
    }
}
