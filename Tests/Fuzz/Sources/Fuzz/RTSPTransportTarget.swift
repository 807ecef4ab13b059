@testable import Streaming

/// Input: a Transport field, or (the first byte odd) a URL.
func fuzzRTSPTransport(_ input: [UInt8]) {
    var input = InputReader(input)
    let isURL = input.byte() & 1 == 1
    let text = String(decoding: input.remaining(), as: UTF8.self)
    if isURL {
        guard let url = try? RTSPURL(text) else { return }
        checkRTSPURL(url)
        _ = try? url.redirected(to: text)
        return
    }
    if let all = try? RTSPTransport.alternatives(["Transport": text]) {
        precondition((1...16).contains(all.count))
        for transport in all { checkAgain(transport) }
    }
    if let lenient = try? RTSPTransport(text[...], isLenient: true) { checkAgain(lenient) }
}

private func checkAgain(_ transport: RTSPTransport) {
    // Names may hold what parts a field.
    guard transport.source == nil, transport.destination == nil else { return }
    guard let again = try? RTSPTransport(transport.text[...]) else { preconditionFailure("cannot read what it writes") }
    precondition(again == transport, "reads as something else")
}
