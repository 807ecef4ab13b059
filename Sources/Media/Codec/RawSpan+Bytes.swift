internal import Glibc

/// The few places of this target that touch memory through pointers: search, append and copy.
extension RawSpan {
    /// The offset of the next `00 00 01` at or after `offset`. memchr for the first zero is the fastest portable way.
    package func startCode(from offset: Int) -> Int? {
        unsafe withUnsafeBytes { raw in
            guard let base = raw.baseAddress, offset >= 0 else { return nil }
            let end = raw.count
            var at = offset
            while at &+ 2 < end, let hit = unsafe memchr(base + at, 0, end &- 2 &- at) {
                let found = unsafe UnsafeRawPointer(hit) - base
                if unsafe raw[found &+ 1] == 0, unsafe raw[found &+ 2] == 1 { return found }
                // 00 xx: neither this byte nor a non-zero xx can begin a start code.
                at = unsafe raw[found &+ 1] == 0 ? found &+ 1 : found &+ 2
            }
            return nil
        }
    }

    /// The offset of the next byte equal to `byte` at or after `offset`.
    package func firstOffset(of byte: UInt8, from offset: Int) -> Int? {
        unsafe withUnsafeBytes { raw in
            guard let base = raw.baseAddress, offset >= 0, offset < raw.count,
                let hit = unsafe memchr(base + offset, Int32(byte), raw.count &- offset)
            else { return nil }
            return unsafe UnsafeRawPointer(hit) - base
        }
    }

    /// A copy of the bytes in `range`, cut to the span.
    package func array(_ range: Range<Int>) -> [UInt8] {
        var copy: [UInt8] = []
        copy.append(extracting(range.clamped(to: 0..<byteCount)))
        return copy
    }

    /// Whether the bytes at `offset` are those of `other`.
    package func matches(_ other: [UInt8], at offset: Int) -> Bool {
        guard offset >= 0, byteCount &- offset >= other.count else { return false }
        return unsafe withUnsafeBytes { raw in
            unsafe other.withUnsafeBytes { wanted in
                guard let left = raw.baseAddress, let right = wanted.baseAddress else { return true }
                return unsafe memcmp(left + offset, right, wanted.count) == 0
            }
        }
    }
}

extension [UInt8] {
    /// Appends a copy of the span's bytes.
    package mutating func append(_ span: RawSpan) {
        unsafe span.withUnsafeBytes { unsafe append(contentsOf: $0) }
    }

    /// Reads the array's bytes in place.
    package func withSpan<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        try body(unsafe span.bytes)
    }
}
