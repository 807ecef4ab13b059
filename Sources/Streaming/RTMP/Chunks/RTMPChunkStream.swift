import NIOCore

/// The basic header of a chunk (RTMP 1.0 section 5.3.1.1) and how long the message header behind it is.
struct RTMPChunkHeader {
    var format: UInt8
    var chunkStream: UInt32
    /// Bytes of the basic header.
    var length: Int

    /// Nil when it is not all there.
    init?(_ bytes: ByteBuffer) {
        let start = bytes.readerIndex
        guard let first = bytes.getInteger(at: start, as: UInt8.self) else { return nil }
        format = first >> 6
        switch first & 0x3F {
        case 0:
            guard let second = bytes.getInteger(at: start &+ 1, as: UInt8.self) else { return nil }
            chunkStream = UInt32(second) &+ 64
            length = 2
        case 1:
            // The third byte counts 256, so the two are little-endian.
            guard let rest = bytes.getInteger(at: start &+ 1, endianness: .little, as: UInt16.self) else { return nil }
            chunkStream = UInt32(rest) &+ 64
            length = 3
        case let id:
            chunkStream = UInt32(id)
            length = 1
        }
    }
}

/// What one chunk stream remembers between chunks: the header fields that later ones leave out, and the message begun.
struct RTMPChunkStream: Sendable {
    let id: UInt32
    private(set) var length = 0
    private var type: UInt8 = 0
    private var streamID: UInt32 = 0
    private var timestamp: UInt32 = 0
    /// What a fmt 3 header that begins a message adds. After fmt 0 it is the absolute time itself (section 5.3.1.2.4), and
    /// FFmpeg counts on that.
    private var delta: UInt32 = 0
    /// The extended timestamp of the last header that had one.
    private var extended: UInt32?
    private var isBegun = false
    private var body: ByteBuffer?

    init(id: UInt32) {
        self.id = id
    }

    /// Bytes of the message begun.
    var received: Int { body?.readableBytes ?? 0 }
    var missing: Int { length &- received }
    var isComplete: Bool { missing == 0 }

    /// Reads the message header behind a basic header.
    /// - Returns: the bytes of both; nil when they are not all there, and then nothing has changed.
    mutating func begin(_ header: RTMPChunkHeader, in bytes: ByteBuffer) -> Int? {
        let start = bytes.readerIndex &+ header.length
        var consumed = header.length
        if header.format == 3 {
            if let extended {
                guard let repeated = bytes.getInteger(at: start, as: UInt32.self) else { return nil }
                // Some peers do not repeat it on the chunks of a message: then these are bytes of the payload.
                if !isBegun || repeated == extended { consumed &+= 4 }
                if !isBegun { delta = repeated }
            }
            if !isBegun { timestamp &+= delta }
        } else {
            let fields = header.format == 0 ? 11 : header.format == 1 ? 7 : 3
            guard bytes.readableBytes >= header.length &+ fields else { return nil }
            guard let high = bytes.getInteger(at: start, as: UInt16.self),
                let low = bytes.getInteger(at: start &+ 2, as: UInt8.self)
            else { return nil }
            consumed &+= fields
            var time = UInt32(high) << 8 | UInt32(low)
            var extended: UInt32?
            if time == 0xFF_FFFF {
                guard let long = bytes.getInteger(at: start &+ fields, as: UInt32.self) else { return nil }
                extended = long
                time = long
                consumed &+= 4
            }
            if header.format <= 1, let word = bytes.getInteger(at: start &+ 3, as: UInt32.self) {
                length = Int(word >> 8)
                type = UInt8(truncatingIfNeeded: word)
            }
            if header.format == 0, let id = bytes.getInteger(at: start &+ 7, endianness: .little, as: UInt32.self) {
                streamID = id
            }
            self.extended = extended
            delta = time
            timestamp = header.format == 0 ? time : timestamp &+ time
            // A new header in the middle of a message gives that message up.
            body = nil
        }
        isBegun = true
        return consumed
    }

    /// The first part is kept as it came: a message that lies in one read is not copied.
    mutating func append(_ part: ByteBuffer) {
        guard body != nil else {
            guard part.readableBytes < length else {
                body = part
                return
            }
            var first = ByteBufferAllocator().buffer(capacity: min(length, 256 * 1024))
            first.writeImmutableBuffer(part)
            body = first
            return
        }
        body?.writeImmutableBuffer(part)
    }

    /// Ends the message and gives it out, whole or not.
    mutating func take() -> RTMPMessage {
        let message = RTMPMessage(type: type, timestamp: timestamp, streamID: streamID, body: body ?? ByteBuffer())
        body = nil
        isBegun = false
        return message
    }
}
