package import NIOCore
import Wire

/// How a stream comes and how much of it is believed.
package struct RTSPIngestConfiguration: Sendable {
    package var transport: RTPIngestConfiguration.Transport
    /// How long a missing packet is waited for over UDP.
    package var reorderWindow: TimeAmount
    package var largestFrame: Int
    /// After loss, withhold pictures until the next key frame.
    package var gatesOnLoss: Bool
    /// Our SSRC in receiver reports.
    package var ownSSRC: UInt32

    package init(
        transport: RTPIngestConfiguration.Transport,
        reorderWindow: TimeAmount = .milliseconds(200),
        largestFrame: Int = 8 << 20,
        gatesOnLoss: Bool = true,
        ownSSRC: UInt32 = 1
    ) {
        self.transport = transport
        self.reorderWindow = reorderWindow
        self.largestFrame = largestFrame
        self.gatesOnLoss = gatesOnLoss
        self.ownSSRC = ownSSRC
    }
}

/// A sender report of the source: which of its RTP times is which time of day.
package struct SenderReport: Hashable, Sendable {
    /// The media's number in the description.
    package var media: Int
    /// Seconds since 1900 in 32.32 bits (RFC 3550 4).
    package var ntp: UInt64
    package var rtpTimestamp: UInt32

    package init(media: Int, ntp: UInt64, rtpTimestamp: UInt32) {
        self.media = media
        self.ntp = ntp
        self.rtpTimestamp = rtpTimestamp
    }
}

/// One stream of RTSP, published or pulled, from its packets to its frames.
///
/// Call `start` once, give each packet to `receive` with its media's number, and call `advance` at `deadline`. The first video
/// and the first audio media that can be are made frames of; every media's packets are handed on in order.
///
/// Times: a frame's PTS is its RTP time, and decoding times are found from the order of pictures (`DecodingClock`). The first
/// packets of audio and video are put together by their arrival. Where sender reports of both tell better, the sound is moved:
/// at once before its first frame, later in small steps. Differences below 5 ms and beyond 5 s are left alone: the one is the
/// reports' own jitter, the other the mark of reports that are wrong.
package struct RTSPIngest {
    /// Where the first packet stands: no correction makes a time negative.
    private static let beginning: Int64 = 900_000
    private static let smallestCorrection: UInt64 = 450
    private static let largestCorrection: UInt64 = 450_000

    private let configuration: RTSPIngestConfiguration
    private var media: [RTPMediaInput] = []
    /// The medias that are made frames of.
    private var video: Int?
    private var audio: Int?
    private var firstPacket: NIODeadline?
    private var reports: [SenderReport] = []
    package private(set) var lastActivity: NIODeadline?

    package init(_ description: StreamDescription, configuration: RTSPIngestConfiguration) {
        self.configuration = configuration
        for (index, section) in description.media.enumerated() {
            var input = RTPMediaInput(section, number: index, configuration: configuration)
            if video == nil, input.convertVideo(configuration) {
                video = index
            } else if audio == nil, input.convertAudio() {
                audio = index
            }
            media.append(input)
        }
    }

    /// Whether frames of picture and of sound are made.
    package var hasVideo: Bool { video != nil }
    package var hasAudio: Bool { audio != nil }

    /// What the description alone tells: parameters of medias that say them.
    package mutating func start(into events: inout [MediaEvent]) {
        for index in media.indices { media[index].start(into: &events) }
    }

    /// One packet of a media.
    ///
    /// - Parameters:
    ///   - isRTCP: it came on the media's RTCP port or channel.
    ///   - forward: gets each RTP packet in order and once, of medias that are not made frames of too, before it is read.
    package mutating func receive(
        _ packet: RawSpan,
        media number: Int,
        isRTCP: Bool,
        now: NIODeadline,
        into events: inout [MediaEvent],
        forward: (RawSpan, Int) -> Void = { _, _ in }
    ) {
        guard media.indices.contains(number) else { return }
        if isRTCP || RTPPacket.isRTCP(packet) {
            receiveRTCP(packet, number, now: now)
            return
        }
        guard let header = RTPPacket(packet) else {
            media[number].invalid += 1
            return
        }
        lastActivity = now
        if !media[number].timeline.isAnchored { anchor(number, header, now: now) }
        media[number].receive(header, packet, now: now, into: &events, forward: forward)
    }

    private mutating func receiveRTCP(_ packet: RawSpan, _ number: Int, now: NIODeadline) {
        guard RTPPacket.isRTCP(packet), packet.byteCount >= 8 else {
            media[number].invalid += 1
            return
        }
        lastActivity = now
        media[number].rtcpPackets += 1
        for case .senderReport(_, let ntp, let timestamp) in RTCPEvent.parse(packet) {
            reports.removeAll { $0.media == number }
            reports.append(SenderReport(media: number, ntp: ntp, rtpTimestamp: timestamp))
            media[number].receive(ntp: ntp, timestamp: timestamp, now: now)
            if number == video || number == audio { synchronise() }
        }
    }

    /// The first packet of a media: medias stand to each other as their packets came.
    private mutating func anchor(_ number: Int, _ header: RTPPacket, now: NIODeadline) {
        let first = firstPacket ?? now
        firstPacket = first
        let time = Self.beginning &+ max((now - first).nanoseconds / 1000 &* 9 / 100, 0)
        media[number].timeline.anchor(header.timestamp, at: time, now: now)
        if number == video || number == audio { synchronise() }
    }

    /// Sender reports say how the clocks of sound and picture stand to each other (RFC 3550 6.4.1).
    private mutating func synchronise() {
        guard let video, let audio, let picture = media[video].timeline.reportedOffset,
            let sound = media[audio].timeline.reportedOffset
        else { return }
        let difference = sound &- picture
        guard (Self.smallestCorrection...Self.largestCorrection).contains(difference.magnitude) else { return }
        if media[audio].hasEmitted, !media[video].hasEmitted {
            media[video].timeline.moveLater(by: 0 &- difference, atOnce: true)
        } else {
            media[audio].timeline.moveLater(by: difference, atOnce: !media[audio].hasEmitted)
        }
    }

    /// Gives up on packets that have been waited for, and ends a picture after silence.
    package mutating func advance(
        to now: NIODeadline,
        into events: inout [MediaEvent],
        forward: (RawSpan, Int) -> Void = { _, _ in }
    ) {
        for index in media.indices { media[index].advance(to: now, into: &events, forward: forward) }
    }

    /// When to call `advance` next.
    package var deadline: NIODeadline? {
        media.lazy.compactMap(\.deadline).min()
    }

    /// An RTCP receiver report about a media's source; nil before its first packet.
    package mutating func receiverReport(media number: Int, now: NIODeadline) -> [UInt8]? {
        guard media.indices.contains(number) else { return nil }
        return media[number].receiverReport(from: configuration.ownSSRC, now: now)
    }

    /// The sender reports that came since the last call, at most the newest of each media.
    package mutating func takeSenderReports() -> [SenderReport] {
        defer { reports = [] }
        return reports
    }

    package var statistics: RTSPIngestStatistics {
        var all = RTSPIngestStatistics()
        all.media = media.map(\.statistics)
        if let video, let statistics = media[video].videoStatistics { all.video = statistics }
        for input in media {
            for name in input.passedOn where !all.passedOn.contains(name) { all.passedOn.append(name) }
        }
        return all
    }
}
