import NIOCore
import Wire

/// One media of a stream of RTSP: its source, the order of its packets, its clock, and what becomes of its payloads.
struct RTPMediaInput {
    private let media: RTPMedia
    private let number: Int
    /// The format that packets are made frames of, or were first described with.
    private var format: RTPFormat
    private let configuration: RTSPIngestConfiguration
    private var order: ReorderBuffer
    private var reception: ReceptionStatistics
    var timeline: RTPTimeline
    private var video: VideoInput?
    private var audio: AudioInput?
    private var counters = RTSPIngestStatistics.Media()

    init(_ media: RTPMedia, number: Int, configuration: RTSPIngestConfiguration) {
        self.media = media
        self.number = number
        self.configuration = configuration
        let format =
            media.formats.first
            ?? RTPFormat(payloadType: 0, encoding: "", clockRate: RTPFormat.videoClockRate)
        self.format = format
        order = ReorderBuffer(wait: configuration.transport == .tcp ? .zero : configuration.reorderWindow)
        reception = ReceptionStatistics(clockRate: format.clockRate)
        timeline = RTPTimeline(clockRate: format.clockRate, kind: .video)
    }

    /// Whether the media is video that can be made frames of; from now on it is.
    mutating func convertVideo(_ configuration: RTSPIngestConfiguration) -> Bool {
        guard !media.isBackChannel else { return false }
        for format in media.formats {
            guard case .video(let codec) = format.codec(in: media.kind) else { continue }
            use(format, kind: .video)
            video = VideoInput(codec, format, configuration: configuration)
            return true
        }
        return false
    }

    mutating func convertAudio() -> Bool {
        guard !media.isBackChannel else { return false }
        for format in media.formats {
            guard case .audio = format.codec(in: media.kind), let input = AudioInput(format) else { continue }
            use(format, kind: .audio)
            audio = input
            return true
        }
        return false
    }

    private mutating func use(_ format: RTPFormat, kind: TrackKind) {
        self.format = format
        reception = ReceptionStatistics(clockRate: format.clockRate)
        timeline = RTPTimeline(clockRate: format.clockRate, kind: kind)
    }

    mutating func start(into events: inout [MediaEvent]) {
        if let parameters = format.videoParameters { video?.start(parameters, into: &events) }
        if let parameters = format.audioParameters { audio?.announce(parameters, into: &events) }
    }

    var hasEmitted: Bool { video?.hasEmitted ?? audio?.hasEmitted ?? false }

    var invalid: Int {
        get { counters.invalid }
        set { counters.invalid = newValue }
    }

    var rtcpPackets: Int {
        get { counters.rtcpPackets }
        set { counters.rtcpPackets = newValue }
    }

    mutating func receive(
        _ header: RTPPacket,
        _ packet: RawSpan,
        now: NIODeadline,
        into events: inout [MediaEvent],
        forward: (RawSpan, Int) -> Void
    ) {
        counters.packets &+= 1
        counters.bytes &+= packet.byteCount
        if header.ssrc != counters.ssrc {
            if counters.ssrc != nil { counters.ssrcChanges += 1 }
            counters.ssrc = header.ssrc
        }
        reception.receive(sequenceNumber: header.sequenceNumber, timestamp: header.timestamp, now: now)
        switch order.receive(header.sequenceNumber, packet, now: now) {
        case .pass(let gap):
            if gap != nil { interrupt(now: now, into: &events) }
            process(header, packet, now: now, into: &events, forward: forward)
            drain(now: now, into: &events, forward: forward)
        case .held: drain(now: now, into: &events, forward: forward)
        case .dropped: break
        }
    }

    private mutating func drain(
        now: NIODeadline,
        into events: inout [MediaEvent],
        forward: (RawSpan, Int) -> Void
    ) {
        while let output = order.next() {
            switch output {
            case .broken: interrupt(now: now, into: &events)
            case .packet(let bytes):
                bytes.withSpan { span in
                    guard let header = RTPPacket(span) else { return }
                    process(header, span, now: now, into: &events, forward: forward)
                }
            }
        }
    }

    private mutating func interrupt(now: NIODeadline, into events: inout [MediaEvent]) {
        video?.discontinuity(now: now, into: &events)
        audio?.discontinuity()
    }

    private mutating func process(
        _ header: RTPPacket,
        _ packet: RawSpan,
        now: NIODeadline,
        into events: inout [MediaEvent],
        forward: (RawSpan, Int) -> Void
    ) {
        forward(packet, number)
        guard video != nil || audio != nil else { return }
        if header.payloadType != format.payloadType, !adopt(header.payloadType, into: &events) {
            counters.otherPayloadTypes += 1
            return
        }
        let payload = packet.extracting(header.payload)
        guard payload.byteCount > 0 else { return }
        let pts = timeline.time(of: header.timestamp, now: now)
        video?.receive(payload, header, pts: pts, now: now, into: &events)
        audio?.receive(payload, header, pts: pts, timeline: &timeline, into: &events)
    }

    /// Whether packets of another payload type than the expected are read. One that the description does not have is the
    /// camera's mistake where there is nothing to mistake it for; one that it has is taken until there are frames.
    private mutating func adopt(_ type: UInt8, into events: inout [MediaEvent]) -> Bool {
        guard let other = media.formats.first(where: { $0.payloadType == type }) else {
            return media.formats.count == 1
        }
        guard !hasEmitted, other.clockRate == format.clockRate else { return false }
        switch other.codec(in: media.kind) {
        case .video(let codec) where video != nil: video = VideoInput(codec, other, configuration: configuration)
        case .audio where audio != nil:
            guard let input = AudioInput(other) else { return false }
            audio = input
        default: return false
        }
        format = other
        start(into: &events)
        return true
    }

    /// A sender report.
    mutating func receive(ntp: UInt64, timestamp: UInt32, now: NIODeadline) {
        reception.receiveSenderReport(ntp: ntp, now: now)
        timeline.receive(ntp: ntp, timestamp: timestamp)
    }

    mutating func advance(
        to now: NIODeadline,
        into events: inout [MediaEvent],
        forward: (RawSpan, Int) -> Void
    ) {
        if let due = order.deadline, due <= now {
            order.advance(to: now)
            drain(now: now, into: &events, forward: forward)
        }
        // While packets are waited for it is not silent.
        if order.deadline == nil { video?.advance(to: now, into: &events) }
    }

    var deadline: NIODeadline? {
        order.deadline ?? video?.deadline
    }

    mutating func receiverReport(from own: UInt32, now: NIODeadline) -> [UInt8]? {
        guard let ssrc = counters.ssrc else { return nil }
        return reception.receiverReport(from: own, about: ssrc, now: now)
    }

    var videoStatistics: VideoTrack.Statistics? { video?.statistics }

    /// What is not made frames of, by name.
    var passedOn: [String] {
        if let audio, audio.hasOtherLayer, !audio.hasEmitted { return ["MPEG audio of another layer than III"] }
        guard video == nil, audio == nil else { return [] }
        return media.formats.prefix(1).map { format in
            switch format.codec(in: media.kind) {
            case .passedOn(let name): name
            case .video, .audio: format.encoding
            }
        }
    }

    var statistics: RTSPIngestStatistics.Media {
        var all = counters
        all.order = order.statistics
        all.jitter = Double(reception.jitter) / Double(format.clockRate)
        all.malformed = (video?.malformed ?? 0) + (audio?.malformed ?? 0)
        all.frames = video?.statistics.frames ?? audio?.frames ?? 0
        all.clockJumps = timeline.jumps
        all.codec = video?.codec.rawValue ?? audio?.codec.rawValue
        return all
    }
}
