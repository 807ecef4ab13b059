import Media
import NIOCore

/// Input: a byte of options, then (length in 2 bytes, packet) pairs as in `.rfc4571` files.
func fuzzRTPIngest(_ bytes: [UInt8]) {
    let count = bytes.count
    guard count > 1 else { return }
    let options = bytes[0]
    var configuration = RTPIngestConfiguration(transport: options & 1 == 0 ? .udp : .tcp)
    if options & 2 != 0 { configuration.largestFrame = 20_000 }
    if options & 4 != 0 { configuration.gatesOnLoss = false }
    if options & 8 != 0 { configuration.payloads = [96: .video(options & 16 == 0 ? .h264 : .h265), 97: .g711(.g711u)] }
    // Most mutations would only be lost packets: this option puts the numbers and the source right again.
    let repairsHeaders = options & 32 != 0
    var ingest = RTPIngest(configuration: configuration)
    var events: [MediaEvent] = []
    var now: UInt64 = 1_000_000_000
    var number: UInt16 = 65_500
    var at = 1
    while at + 2 <= count {
        let length = Int(bytes[at]) << 8 | Int(bytes[at + 1])
        let end = min(at + 2 + length, count)
        var packet = Array(bytes[at + 2..<end])
        at = end
        if repairsHeaders, packet.count >= 12 {
            packet[0] = 0x80
            packet[1] = packet[1] & 0x80 | 96
            packet[2] = UInt8(number >> 8)
            packet[3] = UInt8(number & 255)
            packet.replaceSubrange(8..<12, with: [0, 0, 0, 1])
            number &+= 1
        }
        ingest.receive(packet.span.bytes, now: .uptimeNanoseconds(now), into: &events)
        now += UInt64(packet.count % 50) * 1_000_000
        if let due = ingest.deadline, due <= .uptimeNanoseconds(now) {
            ingest.advance(to: .uptimeNanoseconds(now), into: &events)
        }
    }
    for _ in 0..<4 {
        now += 250_000_000
        ingest.advance(to: .uptimeNanoseconds(now), into: &events)
    }
    precondition(ingest.deadline == nil || ingest.statistics.demux.packets > 0)
    _ = ingest.report(now: .uptimeNanoseconds(now))
    _ = ingest.statistics.diagnosis
    check(events)
}

/// Times rise on each track, pictures hold whole NAL units, and parameters come before what needs them.
private func check(_ events: [MediaEvent]) {
    var last: [TrackKind: Int64] = [:]
    var hasParameters: Set<TrackKind> = []
    for event in events {
        switch event {
        case .video(let parameters):
            hasParameters.insert(.video)
            precondition(parameters.decoderConfiguration != nil)
        case .audio: hasParameters.insert(.audio)
        case .metadata: break
        case .frame(let frame):
            precondition(hasParameters.contains(frame.track))
            precondition(frame.pts >= frame.dts)
            if let last = last[frame.track] { precondition(frame.dts > last) }
            last[frame.track] = frame.dts
            precondition(frame.payload.readableBytes > 0)
            if frame.track == .video {
                let span = frame.payload.readableBytesSpan
                precondition(LengthPrefixed.units(in: span).last?.upperBound == span.byteCount)
            }
        }
    }
}
