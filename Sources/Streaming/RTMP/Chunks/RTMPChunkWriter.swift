package import Media
package import NIOCore

/// Writes RTMP chunks (RTMP 1.0 section 5.3) such that a message has the same bytes for every player: fixed chunk size, a
/// full header with the absolute time on its first chunk (fmt 0), headers of one byte on the others (fmt 3).
package enum RTMPChunkWriter {
    /// The size of all outgoing chunks after `connect` was answered; each session announces it with Set Chunk Size.
    package static let chunkSize = 60_000
    /// What holds before Set Chunk Size.
    static let initialChunkSize = 128
    /// Media is sent on this message stream: the one that every `createStream` is answered with.
    package static let mediaStreamID: UInt32 = 1

    /// What stands before metadata that is published: the AMF0 string `@setDataFrame`.
    private static let setDataFrame: ByteBuffer = {
        var bytes = ByteBuffer()
        AMF0Value.string("@setDataFrame").write(into: &bytes)
        return bytes
    }()

    /// Appends a media message for the players, or for a server that we publish to.
    /// - Parameters:
    ///   - streamID: the message stream; a server that we publish to has named it.
    ///   - isPublishing: metadata goes behind `@setDataFrame`.
    package static func write(
        _ message: FLVMessage,
        streamID: UInt32 = mediaStreamID,
        isPublishing: Bool = false,
        into buffer: inout ByteBuffer
    ) {
        // Chunk stream ids as lal has them, so that a capture looks familiar.
        let chunkStream: UInt8 =
            switch message.kind {
            case .script: 5
            case .audio: 6
            case .video: 7
            }
        let prefix = isPublishing && message.kind == .script ? setDataFrame : ByteBuffer()
        let length = message.length &+ prefix.readableBytes
        guard length <= 0xFF_FFFF else { return }
        let chunks = length / chunkSize
        buffer.reserveCapacity(minimumWritableBytes: length &+ 24 &+ 5 &* chunks)
        writeHeader(
            chunkStream: chunkStream,
            type: message.kind.rawValue,
            timestamp: message.timestamp,
            length: length,
            streamID: streamID,
            into: &buffer
        )
        buffer.writeImmutableBuffer(prefix)
        message.header.write(into: &buffer)
        writeBody(
            message.payload,
            roomInFirstChunk: chunkSize &- message.header.count &- prefix.readableBytes,
            chunkSize: chunkSize,
            chunkStream: chunkStream,
            timestamp: message.timestamp,
            into: &buffer
        )
    }

    /// Appends a command or control message.
    /// - Parameter chunkStream: 2...63.
    static func write(
        type: RTMPMessageType,
        chunkStream: UInt8,
        streamID: UInt32 = 0,
        timestamp: UInt32 = 0,
        body: ByteBuffer,
        chunkSize: Int,
        into buffer: inout ByteBuffer
    ) {
        writeHeader(
            chunkStream: chunkStream,
            type: type.rawValue,
            timestamp: timestamp,
            length: body.readableBytes,
            streamID: streamID,
            into: &buffer
        )
        writeBody(
            body,
            roomInFirstChunk: chunkSize,
            chunkSize: chunkSize,
            chunkStream: chunkStream,
            timestamp: timestamp,
            into: &buffer
        )
    }

    private static func writeHeader(
        chunkStream: UInt8,
        type: UInt8,
        timestamp: UInt32,
        length: Int,
        streamID: UInt32,
        into buffer: inout ByteBuffer
    ) {
        let shortTime = min(timestamp, 0xFF_FFFF)
        let size = UInt32(truncatingIfNeeded: length) & 0xFF_FFFF
        // Basic header and timestamp, length and type; the message stream id is the one little-endian field of RTMP.
        buffer.writeMultipleIntegers(
            UInt32(chunkStream) << 24 | shortTime,
            size << 8 | UInt32(type),
            streamID.byteSwapped
        )
        if shortTime == 0xFF_FFFF { buffer.writeInteger(timestamp) }
    }

    private static func writeBody(
        _ body: ByteBuffer,
        roomInFirstChunk: Int,
        chunkSize: Int,
        chunkStream: UInt8,
        timestamp: UInt32,
        into buffer: inout ByteBuffer
    ) {
        var rest = body
        var room = roomInFirstChunk
        while rest.readableBytes > room {
            if let part = rest.readSlice(length: room) { buffer.writeImmutableBuffer(part) }
            buffer.writeInteger(0xC0 | chunkStream)
            // Repeated on every chunk: what Flash, FFmpeg and librtmp expect, and section 5.3.1.3 asks.
            if timestamp >= 0xFF_FFFF { buffer.writeInteger(timestamp) }
            room = chunkSize
        }
        buffer.writeImmutableBuffer(rest)
    }
}
