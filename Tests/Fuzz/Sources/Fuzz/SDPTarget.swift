import Wire

/// Input: an SDP body.
func fuzzSDP(_ input: [UInt8]) {
    _ = try? SessionDescription.parse(input)
}
