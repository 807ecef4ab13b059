import NIOCore
import Wire

/// One media's packets on their way out: their numbers, and what sender reports count.
///
/// A packet is written with raw stores into room that is made once; per packet nothing else is allocated or called.
struct RTPSender: Sendable {
    /// Bytes of RTP payload that packets of ours have at the most: with the header, and room for tunnels and SRTP, an Ethernet
    /// frame.
    static let largestPayload = 1450
    static let headerLength = 12
    /// An Ethernet frame without fragments: 1500 less IPv4 and UDP.
    static let largestDatagram = 1472
    /// An interleaved frame's header and RTP's.
    private static let overhead = InterleavedFrame.headerLength + headerLength
    /// A payload header (FU, AU header, descriptor) has at most this many bytes.
    private static let largestPrefix = 8

    let channel: UInt8
    var payloadType: UInt8
    let ssrc: UInt32
    /// Of the next packet.
    var sequenceNumber: UInt16
    private(set) var packetCount: UInt32 = 0
    /// Payload bytes, headers not counted (RFC 3550 6.4.1).
    private(set) var octetCount: UInt32 = 0

    init(channel: UInt8, payloadType: UInt8, ssrc: UInt32, sequenceNumber: UInt16) {
        self.channel = channel
        self.payloadType = payloadType
        self.ssrc = ssrc
        self.sequenceNumber = sequenceNumber
    }

    /// The beginning of a payload, before the bytes that are copied: `count` bytes, the first in the highest bits.
    struct Prefix {
        var bits: UInt64 = 0
        var count = 0

        @inline(__always)
        init() {}

        @inline(__always)
        init(_ first: UInt8) {
            bits = UInt64(first) << 56
            count = 1
        }

        @inline(__always)
        init(_ first: UInt8, _ second: UInt8) {
            bits = UInt64(first) << 56 | UInt64(second) << 48
            count = 2
        }

        @inline(__always)
        init(_ first: UInt8, _ second: UInt8, _ third: UInt8) {
            bits = UInt64(first) << 56 | UInt64(second) << 48 | UInt64(third) << 40
            count = 3
        }

        @inline(__always)
        init(word: UInt32) {
            bits = UInt64(word) << 32
            count = 4
        }
    }

    /// Appends one packet: header, prefix, and the bytes of `source` in `range`, which lies within it.
    @inline(__always)
    mutating func append(
        _ prefix: Prefix,
        _ source: RawSpan,
        _ range: Range<Int>,
        timestamp: UInt32,
        marker: Bool,
        into buffer: inout ByteBuffer
    ) {
        let payload = source.extracting(range)
        let length = prefix.count &+ payload.byteCount
        unsafe writeHeader(payloadLength: length, timestamp: timestamp, marker: marker, into: &buffer) { target in
            unsafe target.storeBytes(of: prefix.bits.bigEndian, as: UInt64.self)
            unsafe payload.withUnsafeBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                unsafe (target + prefix.count).copyMemory(from: base, byteCount: bytes.count)
            }
        }
    }

    /// Begins a packet of several parts, which the caller appends to the buffer; `end` completes it.
    mutating func begin(_ prefix: Prefix, timestamp: UInt32, into buffer: inout ByteBuffer) -> Int {
        let start = buffer.writerIndex
        unsafe writeHeader(payloadLength: prefix.count, timestamp: timestamp, marker: false, into: &buffer) { target in
            unsafe target.storeBytes(of: prefix.bits.bigEndian, as: UInt64.self)
        }
        octetCount &-= UInt32(truncatingIfNeeded: prefix.count)
        return start
    }

    /// Completes the packet that `begin` gave `start` for.
    mutating func end(_ start: Int, marker: Bool, into buffer: inout ByteBuffer) {
        let length = buffer.writerIndex &- start &- InterleavedFrame.headerLength
        octetCount &+= UInt32(truncatingIfNeeded: length &- Self.headerLength)
        buffer.setInteger(UInt16(truncatingIfNeeded: length), at: start &+ 2)
        if marker { buffer.setInteger(0x80 | payloadType & 0x7F, at: start &+ 5) }
    }

    /// Appends a packet as it came but for its source, number and timestamp. It has at least 12 bytes, and 65 535 at the most.
    @inline(__always)
    mutating func relay(_ packet: RawSpan, payloadLength: Int, timestamp: UInt32, into buffer: inout ByteBuffer) {
        let count = packet.byteCount
        guard count >= Self.headerLength, count <= 0xFFFF else { return }
        let frame = InterleavedFrame.headerLength &+ count
        let channel = channel
        let sequenceNumber = sequenceNumber
        let ssrc = ssrc
        unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: frame) { raw in
            guard let target = raw.baseAddress else { return 0 }
            unsafe packet.withUnsafeBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                unsafe (target + InterleavedFrame.headerLength).copyMemory(from: base, byteCount: count)
            }
            let head = Self.frameHead(channel, length: count)
            unsafe target.storeBytes(of: head.bigEndian, as: UInt32.self)
            unsafe target.storeBytes(of: sequenceNumber.bigEndian, toByteOffset: 6, as: UInt16.self)
            unsafe target.storeBytes(of: timestamp.bigEndian, toByteOffset: 8, as: UInt32.self)
            unsafe target.storeBytes(of: ssrc.bigEndian, toByteOffset: 12, as: UInt32.self)
            return frame
        }
        advance(payloadLength)
    }

    @inline(__always)
    private static func frameHead(_ channel: UInt8, length: Int) -> UInt32 {
        UInt32(InterleavedFrame.marker) << 24 | UInt32(channel) << 16 | UInt32(truncatingIfNeeded: length) & 0xFFFF
    }

    @inline(__always)
    private mutating func advance(_ payloadLength: Int) {
        sequenceNumber &+= 1
        packetCount &+= 1
        octetCount &+= UInt32(truncatingIfNeeded: payloadLength)
    }

    /// `body` is given the address of the payload, with room for it and for a prefix of eight bytes.
    @inline(__always)
    private mutating func writeHeader(
        payloadLength: Int,
        timestamp: UInt32,
        marker: Bool,
        into buffer: inout ByteBuffer,
        _ body: (UnsafeMutableRawPointer) -> Void
    ) {
        let length = Self.headerLength &+ payloadLength
        let frame = InterleavedFrame.headerLength &+ length
        let head = Self.frameHead(channel, length: length)
        let first: UInt32 = 0x8000_0000 | (marker ? 0x80_0000 : 0) | UInt32(payloadType & 0x7F) << 16
        let word = first | UInt32(sequenceNumber)
        let ssrc = ssrc
        unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: frame &+ Self.largestPrefix) { raw in
            guard let target = raw.baseAddress else { return 0 }
            unsafe target.storeBytes(of: head.bigEndian, as: UInt32.self)
            unsafe target.storeBytes(of: word.bigEndian, toByteOffset: 4, as: UInt32.self)
            unsafe target.storeBytes(of: timestamp.bigEndian, toByteOffset: 8, as: UInt32.self)
            unsafe target.storeBytes(of: ssrc.bigEndian, toByteOffset: 12, as: UInt32.self)
            unsafe body(target + Self.overhead)
            return frame
        }
        advance(payloadLength)
    }
}
