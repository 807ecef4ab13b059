package import NIOCore
import Wire

/// What a media session knows beforehand.
package struct RTPIngestConfiguration: Sendable {
    package enum Transport: Sendable {
        /// Packets may come late, twice or never.
        case udp
        /// Order is given; a gap in the sequence is the camera's own.
        case tcp
    }

    package var transport: Transport
    /// The SSRC that the camera answered, or was asked for. Another one plays as well, on a port of its own.
    package var expectedSSRC: UInt32?
    /// What the camera's SDP says of payload types (a=rtpmap).
    package var payloads: [UInt8: PayloadKind]
    /// How long a missing packet is waited for over UDP.
    package var reorderWindow: TimeAmount
    /// What audio is taken for that no map declares.
    package var defaultAudio: AudioCodec
    package var largestFrame: Int
    /// After loss, withhold pictures until the next key frame.
    package var gatesOnLoss: Bool
    /// Our SSRC in receiver reports.
    package var ownSSRC: UInt32

    package init(
        transport: Transport = .udp,
        expectedSSRC: UInt32? = nil,
        payloads: [UInt8: PayloadKind] = [:],
        reorderWindow: TimeAmount = .milliseconds(200),
        defaultAudio: AudioCodec = .g711a,
        largestFrame: Int = 8 << 20,
        gatesOnLoss: Bool = true,
        ownSSRC: UInt32 = 1
    ) {
        self.transport = transport
        self.expectedSSRC = expectedSSRC
        self.payloads = payloads
        self.reorderWindow = reorderWindow
        self.defaultAudio = defaultAudio
        self.largestFrame = largestFrame
        self.gatesOnLoss = gatesOnLoss
        self.ownSSRC = ownSSRC
    }
}

/// One media session from its RTP packets to its frames: source, order, payload, program stream, access units, times.
///
/// Give each datagram, or each packet of a `RTPStreamFramer`, to `receive`, RTCP too; call `advance` at `deadline`. In-order
/// packets are read in place and copied once, into the picture they belong to.
package struct RTPIngest {
    /// A picture whose end nothing shows is over after this silence.
    private static let idleFlush = TimeAmount.milliseconds(200)

    private let configuration: RTPIngestConfiguration
    private var lock: SourceLock
    private var order: ReorderBuffer
    private var reception = ReceptionStatistics()
    private var probe: PayloadProbe
    private var payload: PayloadKind?
    /// The payload type that the program stream or the video was found under.
    private var payloadType: UInt8 = 96
    private var demuxer = PSDemuxer()
    private var depacketizer = VideoDepacketizer(.h264)
    private var streams: ElementaryStreams
    private var lastPacket = NIODeadline.uptimeNanoseconds(0)

    private var packets = 0
    private var bytes = 0
    private var rtcpPackets = 0
    private var notRTP = 0
    private var sipOnMediaPort: String?
    private var hasMedia = false
    /// Set by the socket layer.
    package var kernelDrops = 0

    package init(configuration: RTPIngestConfiguration) {
        self.configuration = configuration
        lock = SourceLock(expected: configuration.expectedSSRC)
        order = ReorderBuffer(wait: configuration.transport == .tcp ? .zero : configuration.reorderWindow)
        probe = PayloadProbe(mapping: configuration.payloads)
        streams = ElementaryStreams(
            largestFrame: configuration.largestFrame,
            gatesOnLoss: configuration.gatesOnLoss,
            audioFallback: configuration.defaultAudio
        )
    }

    /// One RTP or RTCP packet, from a datagram or unframed from TCP.
    package mutating func receive(_ packet: RawSpan, now: NIODeadline, into events: inout [MediaEvent]) {
        // RTCP first: it must neither lock the source nor count as media.
        if RTPPacket.isRTCP(packet) {
            receiveRTCP(packet, now: now)
            return
        }
        guard let header = RTPPacket(packet) else {
            notRTP += 1
            if sipOnMediaPort == nil { sipOnMediaPort = SIPOnMediaPort.firstLine(packet) }
            return
        }
        if header.ssrc != lock.locked {
            admit(header, packet, now: now, into: &events)
        } else {
            // The lock notes that the source is alive.
            _ = lock.admit(header, packet, isProductive: true, beginsMedia: false, now: now)
            sort(header, packet, now: now, into: &events)
        }
    }

    private mutating func admit(
        _ header: RTPPacket,
        _ packet: RawSpan,
        now: NIODeadline,
        into events: inout [MediaEvent]
    ) {
        let beginsMedia = packet.matches([0, 0, 1, 0xBA], at: header.payload.lowerBound)
        switch lock.admit(header, packet, isProductive: hasMedia, beginsMedia: beginsMedia, now: now) {
        case .accept: break
        case .reject: return
        case .change:
            restart(into: &events)
            reception = ReceptionStatistics()
            order.reset()
            if let first = lock.takeFirst() {
                first.withSpan { span in
                    if let header = RTPPacket(span) { sort(header, span, now: now, into: &events) }
                }
            }
        }
        sort(header, packet, now: now, into: &events)
    }

    /// Everything about the old source is over; codecs and parameters stay.
    private mutating func restart(into events: inout [MediaEvent]) {
        demuxer.discontinuity(streams: &streams, into: &events)
        depacketizer.discontinuity()
        if case .unsupported = payload {
            payload = nil
            probe = PayloadProbe(mapping: configuration.payloads)
        }
    }

    @inline(__always)
    private mutating func sort(
        _ header: RTPPacket,
        _ packet: RawSpan,
        now: NIODeadline,
        into events: inout [MediaEvent]
    ) {
        packets += 1
        bytes += packet.byteCount
        lastPacket = now
        reception.receive(sequenceNumber: header.sequenceNumber, timestamp: header.timestamp, now: now)
        switch order.receive(header.sequenceNumber, packet, now: now) {
        case .pass(let gap):
            if gap != nil { interrupt(into: &events) }
            process(header, packet, now: now, into: &events)
            drain(now: now, into: &events)
        case .held: drain(now: now, into: &events)
        case .dropped: break
        }
    }

    private mutating func drain(now: NIODeadline, into events: inout [MediaEvent]) {
        while let output = order.next() {
            switch output {
            case .broken: interrupt(into: &events)
            case .packet(let bytes):
                bytes.withSpan { span in
                    if let header = RTPPacket(span) { process(header, span, now: now, into: &events) }
                }
            }
        }
    }

    private mutating func interrupt(into events: inout [MediaEvent]) {
        demuxer.discontinuity(streams: &streams, into: &events)
        depacketizer.discontinuity()
    }

    private mutating func process(
        _ header: RTPPacket,
        _ packet: RawSpan,
        now: NIODeadline,
        into events: inout [MediaEvent]
    ) {
        let content = packet.extracting(header.payload)
        if payload == nil {
            payload = probe.probe(header, content, now: now)
            payloadType = header.payloadType
            if case .video(let codec) = payload {
                depacketizer = VideoDepacketizer(codec)
                streams.video.declare(codec)
            }
        }
        let before = events.count
        switch payload {
        case .programStream:
            if isAudioBeside(header.payloadType) {
                receiveG711(header, content, now: now, into: &events)
            } else {
                demuxer.receive(
                    content,
                    rtpTimestamp: header.timestamp,
                    marker: header.marker,
                    now: now,
                    streams: &streams,
                    into: &events
                )
            }
        case .video:
            if isAudioBeside(header.payloadType) {
                receiveG711(header, content, now: now, into: &events)
            } else {
                depacketizer.receive(
                    content,
                    rtpTimestamp: header.timestamp,
                    marker: header.marker,
                    now: now,
                    video: &streams.video,
                    into: &events
                )
            }
        case .g711: receiveG711(header, content, now: now, into: &events)
        case .unsupported, nil: break
        }
        if events.count != before { hasMedia = true }
    }

    /// G.711 in packets of its own beside the pictures.
    private func isAudioBeside(_ type: UInt8) -> Bool {
        (type == 0 || type == 8) && type != payloadType
    }

    /// Audio as RTP of its own beside the pictures, with a clock of 8 kHz.
    private mutating func receiveG711(
        _ header: RTPPacket,
        _ content: RawSpan,
        now: NIODeadline,
        into events: inout [MediaEvent]
    ) {
        var codec = header.payloadType == 0 ? AudioCodec.g711u : .g711a
        if case .g711(let declared) = configuration.payloads[header.payloadType] { codec = declared }
        streams.alignAudio()
        streams.audio.receive(content, codec, pts: UInt64(header.timestamp), into: &events)
        streams.alignVideo()
    }

    private mutating func receiveRTCP(_ packet: RawSpan, now: NIODeadline) {
        rtcpPackets += 1
        for event in RTCPEvent.parse(packet) {
            if case .senderReport(let ssrc, let ntp, _) = event, ssrc == lock.locked {
                reception.receiveSenderReport(ntp: ntp, now: now)
            }
        }
    }

    /// Gives up on packets that have been waited for, and ends a picture after silence.
    package mutating func advance(to now: NIODeadline, into events: inout [MediaEvent]) {
        if let due = order.deadline, due <= now {
            order.advance(to: now)
            drain(now: now, into: &events)
        }
        if let due = idleDeadline, due <= now { streams.video.flush(into: &events) }
    }

    private var idleDeadline: NIODeadline? {
        streams.video.hasPendingPicture && demuxer.isWhole ? lastPacket + Self.idleFlush : nil
    }

    /// When to call `advance` next.
    package var deadline: NIODeadline? {
        switch (order.deadline, idleDeadline) {
        case (let left?, let right?): min(left, right)
        case (let left, let right): left ?? right
        }
    }

    /// When the last packet of the session's source came; nil before the first.
    package var lastActivity: NIODeadline? {
        packets > 0 ? lastPacket : nil
    }

    /// An RTCP receiver report about the source, every 5 s or so; nil before the first packet.
    package mutating func report(now: NIODeadline) -> [UInt8]? {
        guard let source = lock.locked else { return nil }
        return reception.receiverReport(from: configuration.ownSSRC, about: source, now: now)
    }

    package var statistics: RTPIngestStatistics {
        var all = RTPIngestStatistics()
        all.packets = packets
        all.bytes = bytes
        all.rtcpPackets = rtcpPackets
        all.notRTP = notRTP
        all.sipOnMediaPort = sipOnMediaPort
        all.ssrc = lock.locked
        all.ssrcChanges = lock.changes
        all.wrongSSRC = lock.rejected
        all.lastWrongSSRC = lock.lastRejected
        all.order = order.statistics
        all.jitter = reception.jitter
        all.kernelDrops = kernelDrops
        all.payload = payload
        all.demux = demuxer.statistics
        all.video = streams.video.statistics
        all.audio = streams.audio.statistics
        all.videoCodec = streams.video.codec
        all.audioCodec = streams.audio.codec
        all.unsupportedCodecs = demuxer.unsupportedCodecs
        all.droppedPayloads = depacketizer.dropped
        return all
    }
}
