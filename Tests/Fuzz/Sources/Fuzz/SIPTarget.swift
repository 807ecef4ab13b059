import SIP

/// Input: a byte of options, then what came over UDP (one message) or a TCP connection (in pieces).
func fuzzSIP(_ input: [UInt8]) {
    guard input.count > 1 else { return }
    let stream = Array(input[1...])
    _ = try? SIPMessage.parse(stream)
    var framer = SIPStreamFramer(bodyLimit: 4096)
    let piece = Int(input[0]) + 1
    var at = 0
    while at < stream.count, !framer.isBroken {
        let end = min(at + piece, stream.count)
        guard (try? framer.receive(Array(stream[at..<end]))) != nil else { break }
        precondition(framer.bufferedBytes <= 64 << 10)
        at = end
    }
}
