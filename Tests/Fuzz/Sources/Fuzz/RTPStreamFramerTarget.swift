import Media

/// Input: a byte of options, then a TCP connection's bytes.
func fuzzRTPStreamFramer(_ input: [UInt8]) {
    guard input.count > 1 else { return }
    let piece = Int(input[0]) * 8 + 1
    let stream = Array(input[1...])
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
}
