import GB28181

/// Input: a MANSCDP body in any charset.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafeRawPointer, _ count: Int) -> CInt {
    let bytes = Array(UnsafeRawBufferPointer(start: start, count: count))
    _ = try? ManscdpDocument.parse(bytes)
    return 0
}

// SwiftPM gives an executable's entry this name, so libFuzzer's own `main` is not taken.
@_cdecl("FuzzXML_main")
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
