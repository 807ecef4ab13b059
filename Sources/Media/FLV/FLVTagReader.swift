package import NIOCore

package enum FLVError: Error, Hashable, Sendable {
    /// The bytes do not begin with `FLV`, version 1.
    case notFLV
    /// The header says that the first tag begins this far in: less than 9 or more than 64 bytes.
    case badHeaderLength(UInt32)
    /// A tag type that is none of 8, 9, 18: the reader is out of step.
    case unknownTagType(UInt8)
}

/// Walks the tags of FLV bytes as they arrive.
package struct FLVTagReader: Sendable {
    private var headerIsRead = false

    package init() {}

    /// Takes the next message off the front of the bytes; nil when more bytes are needed. PreviousTagSize is not checked: it
    /// serves to read backwards, and some writers leave it 0.
    package mutating func next(from bytes: inout ByteBuffer) throws(FLVError) -> FLVMessage? {
        if !headerIsRead {
            guard try readFileHeader(&bytes) else { return nil }
            headerIsRead = true
        }
        let start = bytes.readerIndex
        // PreviousTagSize of the tag before, then the eleven bytes of the tag.
        guard
            let first = bytes.getInteger(at: start &+ 4, as: UInt32.self),
            let time = bytes.getInteger(at: start &+ 8, as: UInt32.self),
            bytes.readableBytes >= 15
        else { return nil }
        // Bit 5 says encrypted, the two above are reserved.
        let type = UInt8(truncatingIfNeeded: first >> 24)
        guard let kind = FLVMessage.Kind(rawValue: type) else { throw .unknownTagType(type) }
        let length = Int(first & 0xFF_FFFF)
        guard let body = bytes.getSlice(at: start &+ 15, length: length) else { return nil }
        bytes.moveReaderIndex(forwardBy: 15 &+ length)
        return FLVMessage(kind: kind, timestamp: time >> 8 | time << 24, body: body)
    }

    private func readFileHeader(_ bytes: inout ByteBuffer) throws(FLVError) -> Bool {
        guard
            let signature = bytes.getInteger(at: bytes.readerIndex, as: UInt32.self),
            let length = bytes.getInteger(at: bytes.readerIndex &+ 5, as: UInt32.self)
        else { return false }
        guard signature == 0x464C_5601 else { throw .notFLV }
        guard length >= 9, length <= 64 else { throw .badHeaderLength(length) }
        guard bytes.readableBytes >= Int(length) else { return false }
        bytes.moveReaderIndex(forwardBy: Int(length))
        return true
    }
}
