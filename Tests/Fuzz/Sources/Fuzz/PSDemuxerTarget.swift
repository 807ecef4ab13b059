import Media
import NIOCore

/// Input: two bytes of options, then a program stream. What is found must not depend on how the stream is cut.
func fuzzPSDemuxer(_ bytes: [UInt8]) {
    guard bytes.count > 2 else { return }
    let stream = Array(bytes[2...])
    let whole = demux(stream, piece: stream.count)
    let size = Int(bytes[0]) % 64 + 1
    precondition(demux(stream, piece: size) == whole, "depends on the cut")
    if stream.count < 2000 { precondition(demux(stream, piece: 1) == whole, "depends on the cut") }
    _ = ProgramStreamMap(stream.span.bytes)
    _ = DecoderConfiguration(bytes[1] & 1 == 0 ? .h264 : .h265, stream.span.bytes)
    _ = SequenceParameterSet(bytes[1] & 1 == 0 ? .h264 : .h265, stream.span.bytes)
    _ = AudioSpecificConfig(stream)
}

private func demux(_ stream: [UInt8], piece: Int) -> [MediaEvent] {
    var demuxer = PSDemuxer()
    var streams = ElementaryStreams()
    var events: [MediaEvent] = []
    var at = 0
    let span = stream.span.bytes
    while at < stream.count {
        let end = min(at + piece, stream.count)
        demuxer.receive(
            span.extracting(at..<end),
            rtpTimestamp: 0,
            marker: false,
            now: .uptimeNanoseconds(1_000_000_000),
            streams: &streams,
            into: &events
        )
        at = end
    }
    return events
}
