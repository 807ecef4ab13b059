import SIP

/// Input: a byte of options, then what came over UDP (one message) or a TCP connection (in pieces).
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafeRawPointer, _ count: Int) -> CInt {
    guard count > 1 else { return 0 }
    let bytes = Array(UnsafeRawBufferPointer(start: start, count: count))
    let stream = Array(bytes[1...])
    _ = try? SIPMessage.parse(stream)
    var framer = SIPStreamFramer(bodyLimit: 4096)
    let piece = Int(bytes[0]) + 1
    var at = 0
    while at < stream.count, !framer.isBroken {
        let end = min(at + piece, stream.count)
        guard let events = try? framer.receive(Array(stream[at..<end])) else { break }
        _ = events
        precondition(framer.bufferedBytes <= 64 << 10)
        at = end
    }
    return 0
}

// SwiftPM gives an executable's entry this name, so libFuzzer's own `main` is not taken.
@_cdecl("FuzzSIP_main")
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
