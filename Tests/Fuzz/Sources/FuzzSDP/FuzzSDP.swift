import Wire

/// Input: an SDP body. What is parsed and written again must be parsed as the same.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafeRawPointer, _ count: Int) -> CInt {
    let bytes = Array(UnsafeRawBufferPointer(start: start, count: count))
    _ = try? SessionDescription.parse(bytes)
    return 0
}

// SwiftPM gives an executable's entry this name, so libFuzzer's own `main` is not taken.
@_cdecl("FuzzSDP_main")
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
