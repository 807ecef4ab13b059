/// Big-endian reads at an offset. Each returns nil past the end, so a parser of hostile bytes cannot trap.
extension RawSpan {
    @inlinable @inline(__always)
    package func uint8(at offset: Int) -> UInt8? {
        guard offset >= 0, offset < byteCount else { return nil }
        return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    @inlinable @inline(__always)
    package func uint16(at offset: Int) -> UInt16? {
        guard offset >= 0, offset &+ 2 <= byteCount else { return nil }
        return unsafe UInt16(bigEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt16.self))
    }

    @inlinable @inline(__always)
    package func uint24(at offset: Int) -> UInt32? {
        guard let high = uint16(at: offset), let low = uint8(at: offset &+ 2) else { return nil }
        return UInt32(high) << 8 | UInt32(low)
    }

    @inlinable @inline(__always)
    package func uint32(at offset: Int) -> UInt32? {
        guard offset >= 0, offset &+ 4 <= byteCount else { return nil }
        return unsafe UInt32(bigEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self))
    }
}
