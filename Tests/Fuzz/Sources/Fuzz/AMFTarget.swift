import Media
import NIOCore

/// Input: AMF0 values in a row, the body of a command or of a script tag. What is written out is read back the same.
func fuzzAMF(_ input: [UInt8]) {
    // Repaired UTF-8 may be three times as long; a name that has to be cut is not the same again.
    guard input.count <= 20_000 else { return }
    var reader = AMF0Reader(ByteBuffer(bytes: input))
    let values = reader.readable()
    precondition(values.count <= AMF0Reader.maximumValues)
    let written = encoded(values)
    var again = AMF0Reader(written)
    let repeated = again.readable()
    precondition(again.isAtEnd && repeated.count == values.count, "what was written cannot be read")
    // The bytes are compared, for NaN is not itself.
    precondition(encoded(repeated) == written, "reads as something else")
}

private func encoded(_ values: [AMF0Value]) -> ByteBuffer {
    var buffer = ByteBuffer()
    for value in values { value.write(into: &buffer) }
    return buffer
}
