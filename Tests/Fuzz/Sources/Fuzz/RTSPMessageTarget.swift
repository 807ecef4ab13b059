import NIOCore

@testable import Streaming

/// Input: a byte that chooses the side, a byte of the cut, then the stream.
func fuzzRTSPMessage(_ input: [UInt8]) {
    var input = InputReader(input)
    let options = input.byte()
    let cut = input.byte()
    let side: RTSPReader.Side = options & 1 == 0 ? .server : .client
    let highest: UInt8 = options & 2 == 0 ? 255 : 3
    let stream = input.remaining()
    let whole = read([ByteBuffer(bytes: stream)], side, highest, weighs: false)
    let split = read(pieces(stream, cut: cut), side, highest, weighs: options & 0x38 == 0x38)
    require(split.events, is: whole.events, "depends on the cut")
    precondition(split.fault == whole.fault, "depends on the cut")
    // What is written reads as the same, and is written the same again.
    for event in whole.events {
        let bytes = written(event)
        let again = read([bytes], side, 255, weighs: false)
        guard again.fault == nil, let first = again.events.first else { continue }
        precondition(again.events.count == 1)
        // Control characters have gone from it now, and blanks that stood beside them.
        let second = read([written(first)], side, 255, weighs: false)
        require(second.events.map(written), is: [written(first)], "is written as something else")
    }
    for piece in split.events { checkHeaders(piece) }
}

private func read(
    _ pieces: [ByteBuffer],
    _ side: RTSPReader.Side,
    _ highest: UInt8,
    weighs: Bool
) -> (events: [RTSPEvent], fault: RTSPFault?) {
    var reader = RTSPReader(side)
    reader.highestChannel = highest
    var events: [RTSPEvent] = []
    for piece in pieces {
        var piece = piece
        do throws(RTSPFault) {
            while let event = try reader.next(from: &piece) { events.append(event) }
        } catch {
            precondition(!error.explanation.isEmpty)
            return (events, error)
        }
        precondition(piece.readableBytes == 0, "leaves bytes")
        if weighs { precondition(footprint(reader) <= 1 << 20) }
    }
    return (events, nil)
}

private func written(_ event: RTSPEvent) -> ByteBuffer {
    var bytes = ByteBuffer()
    switch event {
    case .request(let request): request.write(into: &bytes)
    case .response(let response): response.write(into: &bytes)
    case .frame(let channel, let payload):
        bytes.writeMultipleIntegers(UInt8(ascii: "$"), channel, UInt16(payload.readableBytes))
        bytes.writeImmutableBuffer(payload)
    }
    return bytes
}

private func checkHeaders(_ event: RTSPEvent) {
    let headers: RTSPHeaders
    switch event {
    case .request(let request):
        precondition(request.method.rawValue.utf8.count <= RTSPReader.maximumMethodLength)
        headers = request.headers
        _ = try? RTSPTransport.alternatives(headers)
        if let url = try? RTSPURL(request.target) { checkRTSPURL(url) }
    case .response(let response): headers = response.headers
    case .frame: return
    }
    precondition(headers.fields.count <= RTSPReader.maximumHeaders)
}

func checkRTSPURL(_ url: RTSPURL) {
    precondition(!url.host.isEmpty && (1...65_535).contains(url.port))
    precondition(!url.redacted.contains("?"), "shows a secret")
    if let address = try? url.address() { check(address) }
    if let track = try? RTSPTrackURL(url) {
        check(track.address)
        precondition((0...9999).contains(track.track))
    }
    // Its text names the same.
    if let again = try? RTSPURL(url.text) {
        precondition(again.text == url.text && again.user.isEmpty && again.password.isEmpty)
    }
    let media = RTSPAnnouncedMedia(base: url, controls: ["trackID=0", nil, url.text])
    _ = media.index(of: url) { $0 == 1 }
}
