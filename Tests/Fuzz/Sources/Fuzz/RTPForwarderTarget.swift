import Media
import NIOCore

/// Input: a byte of options, then (length in 2 bytes, packet) pairs as in `.rfc4571` files.
func fuzzRTPForwarder(_ bytes: [UInt8]) {
    let count = bytes.count
    guard count > 1 else { return }
    let options = bytes[0]
    let encodings = [
        "H264", "H265", "VP8", "VP9", "AV1", "JPEG", "MPV", "MP4V-ES", "MP2T", "L16", "MPEG4-GENERIC", "unknown",
    ]
    let encoding = encodings[Int(options & 15) % encodings.count]
    let video = RTPFormat(
        payloadType: 96,
        encoding: encoding,
        clockRate: options & 16 == 0 ? 90_000 : 0,
        fmtp: options & 32 == 0 ? "sizelength=13;indexlength=3" : "sprop-max-don-diff=1"
    )
    let audio = RTPFormat(payloadType: 97, encoding: "MPEG4-GENERIC", clockRate: 48_000, fmtp: "sizelength=13")
    let description = StreamDescription(media: [
        RTPMedia(kind: "video", formats: [video]), RTPMedia(kind: "audio", formats: [audio]),
    ])
    var forwarder = RTPForwarder(description: description, seed: UInt64(options))
    if options & 64 != 0 {
        let codec: VideoCodec = encoding == "H265" ? .h265 : .h264
        forwarder.insertsParameterSets(VideoParameters(codec: codec, vps: [], sps: [[0x67, 1, 2]], pps: [[0x68, 1]]))
    }
    var buffer = ByteBuffer()
    var now: UInt64 = 1_000_000_000
    var number: UInt16 = 65_500
    var time: Int64 = 0
    var at = 1
    while at + 2 <= count {
        let length = Int(bytes[at]) << 8 | Int(bytes[at + 1])
        let end = min(at + 2 + length, count)
        var packet = Array(bytes[at + 2..<end])
        at = end
        // A length beyond the input makes the packet large: few inputs are as long as what is cut up.
        if at == count, length > packet.count {
            packet += Array(repeating: packet.last ?? 0, count: length - packet.count)
        }
        if options & 128 != 0, packet.count >= 12 {
            packet[0] = 0x80
            packet[2] = UInt8(number >> 8)
            packet[3] = UInt8(number & 255)
            number &+= 1
        }
        let media = packet.count % 7 == 0 ? 1 : 0
        let before = buffer.writerIndex
        let deadline = NIODeadline.uptimeNanoseconds(now)
        let unit = forwarder.forward(packet.span.bytes, media: media, now: deadline, into: &buffer)
        precondition(unit.byteCount == buffer.writerIndex - before)
        precondition(unit.time >= time)
        precondition(!unit.isRandomAccess || unit.startsAccessUnit && unit.byteCount > 0)
        time = unit.time
        check(buffer, from: before, source: forwarder.sources[media], media: media)
        if packet.count % 13 == 0 {
            forwarder.takeSenderReport(
                media: media,
                ntp: now << 20,
                rtpTimestamp: UInt32(now & 0xFFFF_FFFF),
                now: deadline
            )
            let wall = WallClock(nanoseconds: Int64(now) &* 3)
            forwarder.appendSenderReports(now: deadline, wallClock: wall, into: &buffer)
        }
        now += UInt64(packet.count % 50) * 1_000_000
        if buffer.readableBytes > 4 << 20 { buffer.clear() }
    }
    let deadline = NIODeadline.uptimeNanoseconds(now)
    _ = forwarder.starts(now: deadline)
    _ = RTPForwarder(description: description, seed: 1, continuing: forwarder.continuity)
    var packager = RTPPackager(description: description, seed: 1, continuing: forwarder.continuity)
    let payload = ByteBuffer(bytes: bytes)
    for track in [TrackKind.video, .audio] {
        let frame = Frame(track: track, dts: Int64(now), pts: Int64(now), isKey: true, payload: payload)
        buffer.clear()
        packager.package(frame, now: deadline, into: &buffer)
        // The first media of a kind is the one that is sent.
        let media = track == .video || encoding == "MPEG4-GENERIC" ? 0 : 1
        check(buffer, from: 0, source: packager.sources[media], media: media)
    }
}

/// Whole frames, each an RTP packet of that source.
private func check(_ buffer: ByteBuffer, from start: Int, source: UInt32, media: Int) {
    var appended = buffer
    appended.moveReaderIndex(to: start)
    let span = appended.readableBytesSpan
    var at = 0
    while let (channel, range) = InterleavedFrame.next(in: span, at: &at) {
        precondition(channel == InterleavedFrame.channel(ofMedia: media))
        guard let packet = RTPPacket(span.extracting(range)) else { preconditionFailure("no RTP") }
        precondition(packet.ssrc == source)
    }
    precondition(at == span.byteCount)
}
