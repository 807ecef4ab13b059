import Media
import NIOCore

/// Input: a byte that chooses the video, one that chooses the sound, one of options, then packets: a byte of where each belongs and
/// when it comes, its length in 2 bytes, and the packet.
func fuzzRTSPIngest(_ input: [UInt8]) {
    var input = InputReader(input)
    let video = videoFormats[Int(input.byte()) % videoFormats.count]
    let audio = audioFormats[Int(input.byte()) % audioFormats.count]
    let options = input.byte()
    let stream = StreamDescription(media: [
        RTPMedia(kind: "video", formats: [video]), RTPMedia(kind: "audio", formats: [audio]),
    ])
    var configuration = RTSPIngestConfiguration(transport: options & 1 == 0 ? .tcp : .udp)
    if options & 2 != 0 { configuration.largestFrame = 20_000 }
    // Most mutations would only be lost packets: without this option the numbers and the source are put right again.
    let repairsHeaders = options & 4 == 0
    var ingest = RTSPIngest(stream, configuration: configuration)
    var events: [MediaEvent] = []
    ingest.start(into: &events)
    var now: UInt64 = 1_000_000_000
    var numbers: [UInt16] = [65_500, 0]
    var forwarded = 0
    var given = 0
    while !input.isAtEnd, given < 4000 {
        let place = input.byte()
        let length = Int(input.byte()) << 8 | Int(input.byte())
        var packet = input.bytes(length)
        let media = Int(place & 1)
        let isRTCP = place & 0x0E == 0x0E
        if repairsHeaders, !isRTCP, packet.count >= 12 {
            packet[0] = 0x80
            packet[1] = packet[1] & 0x80 | 96
            packet[2] = UInt8(numbers[media] >> 8)
            packet[3] = UInt8(numbers[media] & 255)
            packet.replaceSubrange(8..<12, with: [0, 0, 0, 1])
            numbers[media] &+= 1
        }
        given += 1
        let time = NIODeadline.uptimeNanoseconds(now)
        ingest.receive(packet.span.bytes, media: media, isRTCP: isRTCP, now: time, into: &events) { _, number in
            precondition(number == media)
            forwarded += 1
        }
        now += UInt64(place >> 4) * 10_000_000
        if let due = ingest.deadline, due <= .uptimeNanoseconds(now) {
            ingest.advance(to: .uptimeNanoseconds(now), into: &events) { _, _ in forwarded += 1 }
        }
    }
    for _ in 0..<4 {
        now += 250_000_000
        ingest.advance(to: .uptimeNanoseconds(now), into: &events) { _, _ in forwarded += 1 }
    }
    precondition(forwarded <= given)
    for media in 0..<2 { _ = ingest.receiverReport(media: media, now: .uptimeNanoseconds(now)) }
    precondition(ingest.takeSenderReports().count <= 2)
    _ = ingest.statistics
    check(events, video: ["H264": .h264, "H265": .h265, "VP9": .vp9, "AV1": .av1][video.encoding])
}

private let videoFormats: [RTPFormat] = [
    RTPFormat(payloadType: 96, encoding: "H264", clockRate: 90_000),
    RTPFormat(payloadType: 96, encoding: "H265", clockRate: 90_000),
    RTPFormat(payloadType: 96, encoding: "H265", clockRate: 90_000, fmtp: "sprop-max-don-diff=3"),
    RTPFormat(payloadType: 96, encoding: "VP9", clockRate: 90_000),
    RTPFormat(payloadType: 96, encoding: "AV1", clockRate: 90_000),
]

private let audioFormats: [RTPFormat] = [
    RTPFormat(
        payloadType: 96,
        encoding: "MPEG4-GENERIC",
        clockRate: 48_000,
        fmtp: "config=1190;sizelength=13;indexlength=3;indexdeltalength=3"
    ),
    RTPFormat(
        payloadType: 96,
        encoding: "MPEG4-GENERIC",
        clockRate: 48_000,
        fmtp: "config=1190;sizelength=6;indexlength=2;indexdeltalength=2;ctsdeltalength=5;dtsdeltalength=7;"
            + "randomaccessindication=1;streamstateindication=3;auxiliarydatasizelength=8"
    ),
    RTPFormat(payloadType: 96, encoding: "MP4A-LATM", clockRate: 44_100, fmtp: "cpresent=1"),
    RTPFormat(payloadType: 96, encoding: "MP4A-LATM", clockRate: 44_100, fmtp: "cpresent=0;config=400024203fc0"),
    RTPFormat(payloadType: 96, encoding: "MPA", clockRate: 90_000),
    RTPFormat(payloadType: 96, encoding: "opus", clockRate: 48_000, channels: 2),
    RTPFormat(payloadType: 96, encoding: "PCMA", clockRate: 8000),
]

/// Times rise on each track, and parameters come before what needs them.
private func check(_ events: [MediaEvent], video codec: VideoCodec?) {
    var last: [TrackKind: Int64] = [:]
    var video: VideoParameters?
    var hasSound = false
    for event in events {
        switch event {
        case .video(let parameters):
            precondition(parameters.decoderConfiguration != nil)
            precondition(parameters != video)
            video = parameters
        case .audio: hasSound = true
        case .metadata: preconditionFailure("no metadata comes by RTP")
        case .frame(let frame):
            precondition(frame.track == .video ? video != nil : hasSound)
            precondition(frame.pts >= frame.dts)
            if let last = last[frame.track] { precondition(frame.dts > last) }
            last[frame.track] = frame.dts
            precondition(frame.payload.readableBytes > 0)
            if frame.track == .video, video?.codec.hasNALUnits == true {
                let span = frame.payload.readableBytesSpan
                precondition(LengthPrefixed.units(in: span).last?.upperBound == span.byteCount)
            }
        }
    }
}
