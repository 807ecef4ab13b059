import GB28181

/// Input: a MANSCDP body in any charset.
func fuzzXML(_ input: [UInt8]) {
    _ = try? ManscdpDocument.parse(input)
}
