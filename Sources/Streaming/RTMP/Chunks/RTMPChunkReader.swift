import NIOCore

/// Puts messages together from the chunks of a peer (RTMP 1.0 section 5.3). Set Chunk Size and Abort are obeyed here, every
/// other message is handed on.
struct RTMPChunkReader: Sendable {
    struct Limits: Hashable, Sendable {
        /// The longest message. Commands are small; only a publisher needs the room for pictures.
        var messageLength = 64 * 1024
        /// All messages begun and not complete.
        var incompleteBytes = 128 * 1024

        static let publisher = Limits(messageLength: 8 << 20, incompleteBytes: 16 << 20)
    }

    /// Real peers use up to five.
    static let maximumChunkStreams = 32
    /// Basic header 3, message header 11, extended timestamp 4.
    private static let maximumHeaderLength = 18

    var limits = Limits()
    private var chunkSize = RTMPChunkWriter.initialChunkSize
    private var streams: [RTMPChunkStream] = []
    /// The index of the stream whose chunk is being read, and what is missing of the chunk.
    private var current = 0
    private var missing = 0
    /// The beginning of a chunk header that is not all there.
    private var held = ByteBuffer()
    private var incompleteBytes = 0

    /// Takes bytes off the front of the input up to the end of the next message; nil when they are all taken before that.
    /// After an error the connection is of no more use.
    mutating func next(from input: inout ByteBuffer) throws(RTMPFault) -> RTMPMessage? {
        while input.readableBytes > 0 {
            if missing == 0 {
                // A message of length 0 is complete with its header.
                guard try readHeader(&input), missing == 0 else { continue }
            } else {
                try readPayload(&input)
                guard missing == 0, streams[current].isComplete else { continue }
            }
            if let message = try complete() { return message }
        }
        return nil
    }

    private mutating func readPayload(_ input: inout ByteBuffer) throws(RTMPFault) {
        guard let part = input.readSlice(length: min(missing, input.readableBytes)) else { return }
        missing &-= part.readableBytes
        incompleteBytes &+= part.readableBytes
        streams[current].append(part)
        guard incompleteBytes <= limits.incompleteBytes else { throw .tooMuchIncomplete(incompleteBytes) }
    }

    /// Reads a chunk header, from what was held back and the input together; false when it is not all there.
    private mutating func readHeader(_ input: inout ByteBuffer) throws(RTMPFault) -> Bool {
        if held.readableBytes == 0 {
            if try parseHeader(&input) { return true }
            held.writeBuffer(&input)
            return false
        }
        let before = held.readableBytes
        let borrowed = min(Self.maximumHeaderLength &- before, input.readableBytes)
        if let part = input.getSlice(at: input.readerIndex, length: borrowed) { held.writeImmutableBuffer(part) }
        var header = held
        guard try parseHeader(&header) else {
            input.moveReaderIndex(forwardBy: borrowed)
            return false
        }
        let consumed = header.readerIndex &- held.readerIndex
        if consumed >= before {
            input.moveReaderIndex(forwardBy: consumed &- before)
        } else {
            // Bytes that might have been an extended timestamp turned out to be payload.
            var rest = ByteBuffer()
            if let part = held.getSlice(at: header.readerIndex, length: before &- consumed) {
                rest.writeImmutableBuffer(part)
            }
            rest.writeBuffer(&input)
            input = rest
        }
        held = ByteBuffer()
        return true
    }

    private mutating func parseHeader(_ input: inout ByteBuffer) throws(RTMPFault) -> Bool {
        guard let header = RTMPChunkHeader(input) else { return false }
        if let index = streams.firstIndex(where: { $0.id == header.chunkStream }) {
            let given = streams[index].received
            guard let length = streams[index].begin(header, in: input) else { return false }
            incompleteBytes &-= given &- streams[index].received
            try beginChunk(of: index)
            input.moveReaderIndex(forwardBy: length)
            return true
        }
        // The first message of a chunk stream has nothing to inherit from; FFmpeg and librtmp begin some with fmt 1 all the same.
        guard header.format <= 1 else { throw .headerOfNothing(chunkStream: header.chunkStream) }
        var stream = RTMPChunkStream(id: header.chunkStream)
        guard let length = stream.begin(header, in: input) else { return false }
        guard streams.count < Self.maximumChunkStreams else { throw .tooManyChunkStreams }
        streams.append(stream)
        try beginChunk(of: streams.count &- 1)
        input.moveReaderIndex(forwardBy: length)
        return true
    }

    private mutating func beginChunk(of index: Int) throws(RTMPFault) {
        let length = streams[index].length
        guard length <= limits.messageLength else {
            throw .messageTooLong(length: length, limit: limits.messageLength)
        }
        current = index
        missing = min(chunkSize, streams[index].missing)
    }

    /// The message that is complete, unless it was for the reader itself.
    private mutating func complete() throws(RTMPFault) -> RTMPMessage? {
        let message = streams[current].take()
        incompleteBytes &-= message.body.readableBytes
        let start = message.body.readerIndex
        switch RTMPMessageType(rawValue: message.type) {
        case .setChunkSize:
            // The highest bit is reserved and 0; 1 is the least size. Larger than a message makes no difference.
            guard let size = message.body.getInteger(at: start, as: UInt32.self), size >= 1, size <= 0x7FFF_FFFF else {
                throw .badChunkSize
            }
            chunkSize = min(Int(size), 0xFF_FFFF)
            return nil
        case .abort:
            guard let id = message.body.getInteger(at: start, as: UInt32.self) else { return nil }
            guard let index = streams.firstIndex(where: { $0.id == id }) else { return nil }
            incompleteBytes &-= streams[index].take().body.readableBytes
            return nil
        default:
            return message
        }
    }
}
