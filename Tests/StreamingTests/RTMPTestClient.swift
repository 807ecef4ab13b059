import Media
import NIOCore

@testable import Streaming

/// The client's side of an RTMP connection, as bytes: what players and publishers send, and what they are answered.
struct RTMPTestClient {
    /// C0, C1 in the plain form, and C2 of any content.
    static let handshake: ByteBuffer = {
        var bytes = ByteBuffer(bytes: [3, 0, 0, 0, 0, 0, 0, 0, 0])
        bytes.writeRepeatingByte(0xA5, count: 1528 + 1536)
        return bytes
    }()

    static func command(
        _ name: String,
        _ transaction: Double,
        _ arguments: AMF0Value...,
        type: RTMPMessageType = .commandAMF0
    )
        -> ByteBuffer
    {
        var body = ByteBuffer()
        if type == .commandAMF3 { body.writeInteger(0 as UInt8) }
        AMF0Value.string(name).write(into: &body)
        AMF0Value.number(transaction).write(into: &body)
        for argument in arguments { argument.write(into: &body) }
        return message(type, body: body)
    }

    /// In chunks of 128 bytes: a client that never announces another size.
    static func message(
        _ type: RTMPMessageType,
        timestamp: UInt32 = 0,
        streamID: UInt32 = 0,
        body: ByteBuffer
    ) -> ByteBuffer {
        var bytes = ByteBuffer()
        RTMPChunkWriter.write(
            type: type,
            chunkStream: 3,
            streamID: streamID,
            timestamp: timestamp,
            body: body,
            chunkSize: 128,
            into: &bytes
        )
        return bytes
    }

    static func connect(app: String = "live", _ more: AMF0Property...) -> ByteBuffer {
        command(
            "connect",
            1,
            .object(
                [
                    AMF0Property("app", .string(app)), AMF0Property("flashVer", .string("LNX 9,0,124,2")),
                    AMF0Property("tcUrl", .string("rtmp://localhost/\(app)")),
                ] + more
            )
        )
    }

    static func publish(_ name: String) -> ByteBuffer {
        command("publish", 4, .null, .string(name), .string("live"))
    }

    static func play(_ name: String) -> ByteBuffer {
        command("play", 4, .null, .string(name), .number(-2000))
    }

    static func joined(_ parts: ByteBuffer...) -> ByteBuffer {
        var all = ByteBuffer()
        for part in parts { all.writeImmutableBuffer(part) }
        return all
    }

    /// The messages in what a server sent after its handshake.
    static func messages(in actions: [RTMPServerAction], skippingHandshake: Bool = true) throws -> [RTMPMessage] {
        var bytes = ByteBuffer()
        for case .send(let part) in actions { bytes.writeImmutableBuffer(part) }
        if skippingHandshake { bytes.moveReaderIndex(forwardBy: 1 + 2 * 1536) }
        var reader = RTMPChunkReader()
        reader.limits = .publisher
        if !skippingHandshake {
            // Announced in the answer to `connect`, which is not among these actions.
            let size = ByteBuffer(integer: UInt32(RTMPChunkWriter.chunkSize))
            _ = try reader.all(in: message(.setChunkSize, body: size))
        }
        var messages: [RTMPMessage] = []
        while let message = try reader.next(from: &bytes) { messages.append(message) }
        return messages
    }

    static func commands(in actions: [RTMPServerAction], skippingHandshake: Bool = true) throws -> [RTMPCommand] {
        try messages(in: actions, skippingHandshake: skippingHandshake).filter { $0.type == 20 }.compactMap(
            RTMPCommand.init
        )
    }
}

extension RTMPChunkReader {
    mutating func all(in bytes: ByteBuffer) throws(RTMPFault) -> [RTMPMessage] {
        var bytes = bytes
        var messages: [RTMPMessage] = []
        while let message = try next(from: &bytes) { messages.append(message) }
        return messages
    }
}

extension ByteBuffer {
    /// Both halves at every split.
    var splits: [(ByteBuffer, ByteBuffer)] {
        (0...readableBytes).map { split in
            (
                getSlice(at: readerIndex, length: split) ?? ByteBuffer(),
                getSlice(at: readerIndex + split, length: readableBytes - split) ?? ByteBuffer()
            )
        }
    }

    var singleBytes: [ByteBuffer] {
        readableBytesView.map { ByteBuffer(integer: $0) }
    }
}
