import Glibc

/// glibc's iconv, owned. One lives for one message: opening costs a microsecond once glibc has the charset loaded.
@safe
struct CharsetConverter: ~Copyable {
    private let descriptor: iconv_t

    /// Nil when this system's glibc lacks the charset (its gconv modules are not installed).
    init?(from source: String, to destination: String) {
        guard let opened = unsafe iconv_open(destination, source), unsafe opened != iconv_t(bitPattern: -1) else {
            return nil
        }
        unsafe descriptor = opened
    }

    deinit {
        _ = unsafe iconv_close(descriptor)
    }

    /// Converts all of `input`. A byte that begins no valid sequence is dropped for `replacement` and counted.
    func convert(_ input: [UInt8], replacement: [UInt8]) -> (bytes: [UInt8], invalid: Int) {
        var output: [UInt8] = []
        output.reserveCapacity(input.count * 3 / 2 + 8)
        var invalid = 0
        var consumed = 0
        var buffer = [UInt8](repeating: 0, count: min(max(input.count * 2, 16), 8192))
        _ = unsafe iconv(descriptor, nil, nil, nil, nil)
        while consumed < input.count {
            let (read, written, failed) = step(input, from: consumed, into: &buffer)
            consumed += read
            output += buffer[..<written]
            if failed {
                invalid += 1
                consumed += 1
                output += replacement
            }
        }
        return (output, invalid)
    }

    /// One call of iconv: bytes read, bytes written, and whether the byte after those read is invalid.
    private func step(
        _ input: [UInt8],
        from start: Int,
        into buffer: inout [UInt8]
    ) -> (read: Int, written: Int, failed: Bool) {
        unsafe input.withUnsafeBytes { source in
            unsafe buffer.withUnsafeMutableBytes { target in
                // iconv does not write to its input, its signature only says so.
                var from = unsafe UnsafeMutableRawPointer(mutating: source.baseAddress)?
                    .advanced(by: start).assumingMemoryBound(to: CChar.self)
                var to = unsafe target.baseAddress?.assumingMemoryBound(to: CChar.self)
                var fromLeft = source.count - start
                var toLeft = target.count
                let result = unsafe iconv(descriptor, &from, &fromLeft, &to, &toLeft)
                // E2BIG only asks for the next call. EILSEQ and EINVAL (cut at the end) leave `from` at the bad byte.
                let failed = result == -1 && errno != E2BIG
                return (source.count - start - fromLeft, target.count - toLeft, failed)
            }
        }
    }
}
