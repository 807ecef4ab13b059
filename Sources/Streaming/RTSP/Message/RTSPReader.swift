package import NIOCore

/// What stands on an RTSP connection.
package enum RTSPEvent: Hashable, Sendable {
    indirect case request(RTSPRequest)
    indirect case response(RTSPResponse)
    /// A packet of an interleaved channel (RFC 2326 10.12); a slice of what was read, not a copy.
    case frame(channel: UInt8, ByteBuffer)
}

/// Cuts messages and interleaved frames out of a byte stream.
///
/// It takes what real peers send: lines that end in LF alone, empty lines between messages, no reason phrase. The reader of a client
/// also skips what belongs to nothing, up to what looks like a beginning.
package struct RTSPReader: Sendable {
    package enum Side: Hashable, Sendable {
        case server
        case client
    }

    package struct Statistics: Hashable, Sendable {
        /// Bytes between messages that belonged to none.
        package var junkBytes: UInt64 = 0
        /// Header lines without a colon.
        package var badHeaders: UInt64 = 0
    }

    package static let maximumMethodLength = 64
    package static let maximumURLLength = 2048
    package static let maximumHeaders = 255
    package static let maximumNameLength = 512
    package static let maximumValueLength = 2048
    package static let maximumBodyLength = 128 * 1024
    static let maximumHeadLength = 64 * 1024
    static let maximumJunk = 1 << 20
    private static let maximumLineLength = 2700

    private enum State: Hashable {
        case start
        /// What may be a beginning is compared with what one looks like.
        case searching
        case frameHeader
        case frame(channel: UInt8, length: Int)
        case head
        case body(length: Int)
    }

    package private(set) var statistics = Statistics()
    /// Set by a client that knows its channels: what looks like a frame of a higher one within junk is junk.
    package var highestChannel: UInt8 = 255

    private let side: Side
    private var state = State.start
    /// The beginning of the line, body or frame that is not complete.
    private var held = ByteBuffer()
    private var head = RTSPHead()
    /// Junk since the last message.
    private var junk = 0

    package init(_ side: Side) {
        self.side = side
    }

    /// Whether a message has begun and is not complete; interleaved frames do not count.
    package var isWithinMessage: Bool {
        switch state {
        case .head, .body: true
        case .start, .searching, .frameHeader, .frame: false
        }
    }

    /// Takes the next event off the front; nil when it is not all there, and then nothing is left in `input`.
    package mutating func next(from input: inout ByteBuffer) throws(RTSPFault) -> RTSPEvent? {
        while true {
            switch state {
            case .start:
                guard try start(&input) else { return nil }
            case .searching:
                guard try search(&input) else { return nil }
            case .frameHeader:
                // Without a slice of its own where it is all there: frames are many.
                if held.readableBytes == 0, input.readableBytes >= 4 {
                    readFrameHeader(input)
                    input.moveReaderIndex(forwardBy: 4)
                    continue
                }
                guard let header = take(4, from: &input) else { return nil }
                readFrameHeader(header)
            case .frame(let channel, let length):
                guard let payload = take(length, from: &input) else { return nil }
                state = .start
                return .frame(channel: channel, payload)
            case .head:
                guard let line = try takeLine(from: &input) else { return nil }
                guard try readLine(line) else { continue }
                let length = try head.bodyLength()
                state = .body(length: length)
            case .body(let length):
                guard let body = take(length, from: &input) else { return nil }
                state = .start
                let event = head.event(body: body)
                head = RTSPHead()
                return event
            }
        }
    }

    private mutating func start(_ input: inout ByteBuffer) throws(RTSPFault) -> Bool {
        while let byte = input.getInteger(at: input.readerIndex, as: UInt8.self) {
            switch byte {
            case UInt8(ascii: "$"):
                state = .frameHeader
                return true
            case 0x0D, 0x0A, 0x20, 0x00:
                input.moveReaderIndex(forwardBy: 1)
            case _ where side == .client:
                state = .searching
                return true
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"):
                state = .head
                return true
            default:
                throw .badStartLine
            }
        }
        return false
    }

    private mutating func readFrameHeader(_ header: ByteBuffer) {
        let start = header.readerIndex
        let channel = header.getInteger(at: start &+ 1, as: UInt8.self) ?? 0
        let length = header.getInteger(at: start &+ 2, as: UInt16.self) ?? 0
        junk = 0
        state = .frame(channel: channel, length: Int(length))
    }

    /// Byte by byte: it is rare.
    private mutating func search(_ input: inout ByteBuffer) throws(RTSPFault) -> Bool {
        while true {
            if held.readableBytes == 0 { try skip(&input) }
            guard let byte = input.readInteger(as: UInt8.self) else { return false }
            held.writeInteger(byte)
            while true {
                switch RTSPBeginning.match(held.readableBytesView, highestChannel: highestChannel) {
                case .whole(.message):
                    junk = 0
                    state = .head
                    return true
                case .whole(.frame):
                    let header = held
                    held = ByteBuffer()
                    readFrameHeader(header)
                    return true
                case .part:
                    break
                case .none:
                    held.moveReaderIndex(forwardBy: 1)
                    held.discardReadBytes()
                    try count(1)
                    if held.readableBytes > 0 { continue }
                }
                break
            }
        }
    }

    /// Skips what cannot be a beginning.
    private mutating func skip(_ input: inout ByteBuffer) throws(RTSPFault) {
        let view = input.readableBytesView
        let end = view.firstIndex(where: RTSPBeginning.isFirst) ?? view.endIndex
        try count(end &- view.startIndex)
        input.moveReaderIndex(to: end)
    }

    private mutating func count(_ bytes: Int) throws(RTSPFault) {
        statistics.junkBytes &+= UInt64(bytes)
        junk &+= bytes
        guard junk <= Self.maximumJunk else { throw .junk(junk) }
    }

    /// So many bytes, which are a slice of `input` where it has them all.
    private mutating func take(_ count: Int, from input: inout ByteBuffer) -> ByteBuffer? {
        if held.readableBytes == 0 {
            if let slice = input.readSlice(length: count) { return slice }
            guard input.readableBytes > 0 else { return nil }
            held = ByteBufferAllocator().buffer(capacity: count)
        }
        let missing = count &- held.readableBytes
        if var part = input.readSlice(length: min(missing, input.readableBytes)) { held.writeBuffer(&part) }
        guard held.readableBytes == count else { return nil }
        let whole = held
        held = ByteBuffer()
        return whole
    }

    /// A line without its end.
    private mutating func takeLine(from input: inout ByteBuffer) throws(RTSPFault) -> ByteBuffer? {
        let view = input.readableBytesView
        guard let end = view.firstIndex(of: 0x0A) else {
            held.writeBuffer(&input)
            guard held.readableBytes <= Self.maximumLineLength else { throw head.tooLong }
            return nil
        }
        var line = input.readSlice(length: end &- view.startIndex) ?? ByteBuffer()
        input.moveReaderIndex(forwardBy: 1)
        if held.readableBytes > 0 {
            held.writeBuffer(&line)
            line = held
            held = ByteBuffer()
        }
        guard line.readableBytes <= Self.maximumLineLength else { throw head.tooLong }
        if line.readableBytesView.last == 0x0D { line.moveWriterIndex(to: line.writerIndex &- 1) }
        return line
    }

    /// - Returns: whether the head is complete.
    private mutating func readLine(_ line: ByteBuffer) throws(RTSPFault) -> Bool {
        let text = String(decoding: line.readableBytesView, as: UTF8.self)
        return try head.take(text, length: line.readableBytes, badHeaders: &statistics.badHeaders)
    }
}
