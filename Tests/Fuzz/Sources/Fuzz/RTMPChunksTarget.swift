import Media
import NIOCore

@testable import Streaming

/// Input: a byte of options, a byte of the cut, then chunks as a peer sends them (even options), or what messages to write and
/// read back (odd ones).
func fuzzRTMPChunks(_ input: [UInt8]) {
    var input = InputReader(input)
    let options = input.byte()
    let cut = input.byte()
    if options & 1 == 1 { return writeAndRead(&input, cut) }
    let stream = input.remaining()
    let limits = options & 2 == 0 ? RTMPChunkReader.Limits() : .publisher
    let whole = read([ByteBuffer(bytes: stream)], limits, weighs: options & 0x38 == 0x38)
    let split = read(pieces(stream, cut: cut), limits, weighs: false)
    precondition(whole.messages == split.messages && whole.isBroken == split.isBroken, "depends on the cut")
}

private func read(
    _ pieces: [ByteBuffer],
    _ limits: RTMPChunkReader.Limits,
    weighs: Bool
) -> (messages: [RTMPMessage], isBroken: Bool) {
    var reader = RTMPChunkReader()
    reader.limits = limits
    var messages: [RTMPMessage] = []
    do {
        for var piece in pieces {
            while let message = try reader.next(from: &piece) {
                precondition(message.body.readableBytes <= limits.messageLength)
                messages.append(message)
            }
            precondition(piece.readableBytes == 0, "bytes were left lying")
        }
    } catch {
        return (messages, true)
    }
    // Chunk streams that have reserved room for a message, and slices that keep the read they came with.
    if weighs {
        precondition(footprint(reader) <= RTMPChunkReader.maximumChunkStreams * 300_000 + limits.incompleteBytes)
    }
    return (messages, false)
}

private func writeAndRead(_ input: inout InputReader, _ cut: UInt8) {
    var bytes = ByteBuffer()
    var expected: [RTMPMessage] = []
    RTMPChunkWriter.write(
        type: .setChunkSize,
        chunkStream: 2,
        body: ByteBuffer(integer: UInt32(RTMPChunkWriter.chunkSize)),
        chunkSize: RTMPChunkWriter.chunkSize,
        into: &bytes
    )
    while !input.isAtEnd, expected.count < 20 {
        let kinds: [FLVMessage.Kind] = [.audio, .video, .script, .video]
        let kind = kinds[Int(input.byte() & 3)]
        let timestamp = input.uint32()
        let length = Int(input.byte()) * Int(input.byte())
        var body = input.bytes(16)
        body += [UInt8](repeating: 0xC7, count: max(length - body.count, 0))
        let message = FLVMessage(kind: kind, timestamp: timestamp, body: ByteBuffer(bytes: body))
        RTMPChunkWriter.write(message, into: &bytes)
        expected.append(
            RTMPMessage(
                type: kind.rawValue,
                timestamp: timestamp,
                streamID: RTMPChunkWriter.mediaStreamID,
                body: message.body
            )
        )
    }
    let found = read(pieces(Array(buffer: bytes), cut: max(cut, 128)), .publisher, weighs: false)
    precondition(!found.isBroken && found.messages == expected, "reads as something else")
}
