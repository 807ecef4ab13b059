import Media

/// Input: a byte of options, then a TCP connection's bytes.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafeRawPointer, _ count: Int) -> CInt {
    guard count > 1 else { return 0 }
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    let piece = Int(bytes[0]) * 8 + 1
    let stream = Array(bytes[1...])
    let span = stream.span.bytes
    var framer = RTPStreamFramer()
    var delivered = 0
    var at = 0
    while at < stream.count {
        let end = min(at + piece, stream.count)
        let failure = framer.receive(span.extracting(at..<end)) { packet in
            precondition(packet.byteCount >= 4)
            delivered += packet.byteCount
            _ = RTPPacket(packet)
            _ = RTCPEvent.parse(packet)
        }
        if failure != nil { break }
        at = end
    }
    precondition(delivered + framer.statistics.skippedBytes <= stream.count)
    return 0
}

// SwiftPM gives an executable's entry this name, so libFuzzer's own `main` is not taken.
@_cdecl("FuzzRTPStreamFramer_main")
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
