/// The fuzzers by name. Each is given an input and traps when a property does not hold.
private let fuzzers: [String: @Sendable ([UInt8]) -> Void] = [
    "AMF": fuzzAMF,
    "FLV": fuzzFLV,
    "PSDemuxer": fuzzPSDemuxer,
    "RTMPChunks": fuzzRTMPChunks,
    "RTMPClient": fuzzRTMPClient,
    "RTMPServer": fuzzRTMPServer,
    "FrameMuxer": fuzzFrameMuxer,
    "HLSRequest": fuzzHLSRequest,
    "RTPForwarder": fuzzRTPForwarder,
    "RTPIngest": fuzzRTPIngest,
    "RTPStreamFramer": fuzzRTPStreamFramer,
    "RTSPClient": fuzzRTSPClient,
    "RTSPDescription": fuzzRTSPDescription,
    "RTSPIngest": fuzzRTSPIngest,
    "RTSPMessage": fuzzRTSPMessage,
    "RTSPServer": fuzzRTSPServer,
    "RTSPTransport": fuzzRTSPTransport,
    "SDP": fuzzSDP,
    "SIP": fuzzSIP,
    "URL": fuzzURL,
    "WebSocket": fuzzWebSocket,
    "XML": fuzzXML,
]

nonisolated(unsafe) private var chosen: @Sendable ([UInt8]) -> Void = { _ in }

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafeRawPointer, _ count: Int) -> CInt {
    chosen(Array(UnsafeRawBufferPointer(start: start, count: count)))
    return 0
}

/// `Fuzz PARSER` and libFuzzer's own arguments; `Fuzz` alone lists the parsers.
///
/// SwiftPM gives an executable's entry this name, so libFuzzer's own `main` is not taken.
@_cdecl("Fuzz_main")
func entry(_ count: CInt, _ values: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    guard count > 1, let name = values[1], let fuzzer = fuzzers[String(cString: name)] else {
        for name in fuzzers.keys.sorted() { print(name) }
        return count == 1 ? 0 : 2
    }
    chosen = fuzzer
    // The parser's name is not for libFuzzer.
    values[1] = values[0]
    var count = count - 1
    var values: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = values + 1
    return runDriver(&count, &values, testOneInput)
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ values: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ one: @convention(c) (UnsafeRawPointer, Int) -> CInt
) -> CInt
