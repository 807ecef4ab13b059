import Media
import NIOCore

/// Input: two bytes of options, then a program stream. What is found must not depend on how the stream is cut.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafeRawPointer, _ count: Int) -> CInt {
    guard count > 2 else { return 0 }
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    let stream = Array(bytes[2...])
    let whole = demux(stream, piece: stream.count)
    let size = Int(bytes[0]) % 64 + 1
    precondition(demux(stream, piece: size) == whole, "depends on the cut")
    if stream.count < 2000 { precondition(demux(stream, piece: 1) == whole, "depends on the cut") }
    _ = ProgramStreamMap(stream.span.bytes)
    _ = DecoderConfiguration(bytes[1] & 1 == 0 ? .h264 : .h265, stream.span.bytes)
    _ = SequenceParameterSet(bytes[1] & 1 == 0 ? .h264 : .h265, stream.span.bytes)
    _ = AudioSpecificConfig(stream)
    return 0
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

// SwiftPM gives an executable's entry this name, so libFuzzer's own `main` is not taken.
@_cdecl("FuzzPSDemuxer_main")
func entry(_ count: CInt, _ values: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    var count = count
    var values: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = values
    return runDriver(&count, &values, testOneInput)
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ values: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ one: @convention(c) (UnsafeRawPointer, Int) -> CInt
) -> CInt
