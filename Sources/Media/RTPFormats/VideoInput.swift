import NIOCore
import Wire

/// The video of a stream of RTSP: payloads in, parameters and pictures out.
struct VideoInput {
    private enum Format {
        case units(VideoDepacketizer, VideoTrack)
        case vp9(VP9Depacketizer)
        case av1(AV1Depacketizer)
        /// While one of the others is being worked on.
        case taken
    }

    /// A picture whose end nothing shows is over after this silence.
    private static let idleFlush = TimeAmount.milliseconds(200)

    private(set) var codec: VideoCodec
    private let configuration: RTSPIngestConfiguration
    private var format: Format
    private var announced: VideoParameters?
    private var clock = DecodingClock()
    private var lastPacket = NIODeadline.uptimeNanoseconds(0)
    private var scratch: [MediaEvent] = []
    private(set) var hasEmitted = false

    init(_ codec: VideoCodec, _ payload: RTPFormat, configuration: RTSPIngestConfiguration) {
        self.codec = codec
        self.configuration = configuration
        let largest = configuration.largestFrame
        let gates = configuration.gatesOnLoss
        switch codec {
        case .vp9: format = .vp9(VP9Depacketizer(largestFrame: largest, gatesOnLoss: gates))
        case .av1: format = .av1(AV1Depacketizer(largestFrame: largest, gatesOnLoss: gates))
        case .h264, .h265:
            let hasOrder = (payload.parameters.number("sprop-max-don-diff", upTo: 32_767) ?? 0) > 0
            var track = VideoTrack(largestFrame: largest, gatesOnLoss: gates, keepsTimes: true)
            track.declare(codec)
            format = .units(VideoDepacketizer(codec, hasDecodingOrder: codec == .h265 && hasOrder), track)
        }
    }

    /// Parameters that the description tells.
    mutating func start(_ parameters: VideoParameters, into events: inout [MediaEvent]) {
        work(now: lastPacket, into: &events) { format, scratch in
            if case .units(let depacketizer, var track) = format {
                track.adopt(parameters, into: &scratch)
                format = .units(depacketizer, track)
            }
        }
    }

    mutating func receive(
        _ payload: RawSpan,
        _ header: RTPPacket,
        pts: Int64,
        now: NIODeadline,
        into events: inout [MediaEvent]
    ) {
        lastPacket = now
        // An EZVIZ says H265 and sends H264: a parameter set knows better.
        if !hasEmitted, codec.hasNALUnits, let found = VideoDepacketizer.recognise(payload), found != codec {
            let plain = RTPFormat(payloadType: 0, encoding: found.rawValue, clockRate: RTPFormat.videoClockRate)
            let known = announced
            self = VideoInput(found, plain, configuration: configuration)
            announced = known
            lastPacket = now
        }
        let (timestamp, marker) = (header.timestamp, header.marker)
        // Taken out and put back, so that no picture is copied for being in an enum.
        let current = format
        format = .taken
        switch consume current {
        case .units(var depacketizer, var track):
            depacketizer.receive(
                payload,
                rtpTimestamp: timestamp,
                marker: marker,
                pts: UInt64(bitPattern: pts),
                now: now,
                video: &track,
                into: &scratch
            )
            format = .units(depacketizer, track)
        case .vp9(var depacketizer):
            depacketizer.receive(payload, timestamp: timestamp, marker: marker, pts: pts, into: &scratch)
            format = .vp9(depacketizer)
        case .av1(var depacketizer):
            depacketizer.receive(payload, timestamp: timestamp, marker: marker, pts: pts, into: &scratch)
            format = .av1(depacketizer)
        case .taken: break
        }
        if !scratch.isEmpty { emit(now: now, into: &events) }
    }

    /// Packets are missing.
    mutating func discontinuity(now: NIODeadline, into events: inout [MediaEvent]) {
        work(now: now, into: &events) { format, scratch in
            switch format {
            case .units(var depacketizer, var track):
                track.discontinuity(into: &scratch)
                depacketizer.discontinuity()
                format = .units(depacketizer, track)
            case .vp9(var depacketizer):
                depacketizer.discontinuity()
                format = .vp9(depacketizer)
            case .av1(var depacketizer):
                depacketizer.discontinuity()
                format = .av1(depacketizer)
            case .taken: break
            }
        }
    }

    /// Ends a picture after silence.
    mutating func advance(to now: NIODeadline, into events: inout [MediaEvent]) {
        guard let deadline, deadline <= now else { return }
        work(now: now, into: &events) { format, scratch in
            switch format {
            case .units(let depacketizer, var track):
                track.flush(into: &scratch)
                format = .units(depacketizer, track)
            case .vp9(var depacketizer):
                depacketizer.flush(into: &scratch)
                format = .vp9(depacketizer)
            case .av1(var depacketizer):
                depacketizer.flush(into: &scratch)
                format = .av1(depacketizer)
            case .taken: break
            }
        }
    }

    var deadline: NIODeadline? {
        let isPending =
            switch format {
            case .units(let depacketizer, let track): track.hasPendingPicture && depacketizer.endsInSilence
            case .vp9(let depacketizer): depacketizer.hasPendingPicture
            case .av1(let depacketizer): depacketizer.hasPendingPicture
            case .taken: false
            }
        return isPending ? lastPacket + Self.idleFlush : nil
    }

    var statistics: VideoTrack.Statistics {
        switch format {
        case .units(_, let track): track.statistics
        case .vp9(let depacketizer): depacketizer.statistics
        case .av1(let depacketizer): depacketizer.statistics
        case .taken: VideoTrack.Statistics()
        }
    }

    var malformed: Int {
        switch format {
        case .units(let depacketizer, _): depacketizer.dropped
        case .vp9(let depacketizer): depacketizer.malformed
        case .av1(let depacketizer): depacketizer.malformed
        case .taken: 0
        }
    }

    private mutating func work(
        now: NIODeadline,
        into events: inout [MediaEvent],
        _ body: (inout Format, inout [MediaEvent]) -> Void
    ) {
        body(&format, &scratch)
        if !scratch.isEmpty { emit(now: now, into: &events) }
    }

    /// Gives pictures their decoding times.
    private mutating func emit(now: NIODeadline, into events: inout [MediaEvent]) {
        for event in scratch {
            switch event {
            case .video(let parameters):
                // A description that named the wrong codec may have come and gone.
                guard parameters != announced else { continue }
                announced = parameters
                clock.adopt(parameters)
                events.append(event)
            case .frame(var frame):
                clock.place(&frame, now: now)
                hasEmitted = true
                events.append(.frame(frame))
            case .audio, .metadata: break
            }
        }
        scratch.removeAll(keepingCapacity: true)
    }
}
