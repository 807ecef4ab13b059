package import NIOCore
import Wire

/// What one call of `RTPForwarder.forward` appended.
package struct ForwardedUnit: Hashable, Sendable {
    package var media: Int
    /// None while packets are held back until it is known what they begin.
    package var byteCount: Int
    /// The first of the bytes begins an access unit.
    package var startsAccessUnit: Bool
    /// A reader can begin with the first of the bytes: that access unit is a random access point.
    package var isRandomAccess: Bool
    /// The last of the bytes ends an access unit, as its marker says. Without markers only the next `startsAccessUnit` tells.
    package var endsAccessUnit: Bool
    /// Media time in milliseconds since the first packet; it never falls. For figures, not for synchronisation.
    package var time: Int64
}

/// Passes on the RTP packets of a publisher, of any codec, as packets of this server: other SSRCs, numbers and timestamps moved
/// by a constant. Packets that no datagram could carry are cut up where their payload format allows it.
///
/// Readers begin at random access points of the lead media: the first video, else the first media. Packets that may begin one,
/// parameter sets and the like, are held until a slice tells. A lead whose payload tells nothing is taken to have such a point
/// once a second.
package struct RTPForwarder: Sendable {
    struct Counts: Hashable, Sendable {
        var invalid = 0
        var oversized = 0
        var refragmented = 0
    }

    struct ParameterSets: Sendable {
        var codec: VideoCodec
        /// Behind lengths of four bytes.
        var units: [UInt8]
    }

    package let description: StreamDescription
    private var lanes: [ForwardingLane]
    private var counts = Counts()
    private let canonicalName: UInt64
    private let continuing: RTPContinuity?
    /// When the first packet came.
    private var epoch: NIODeadline?
    private var time: Int64 = 0
    private var parameterSets: ParameterSets?
    private var clockDelta: Int64?

    /// Where each media's packets begin for a reader that begins at the latest random access point; empty before the first.
    package private(set) var randomAccessStarts: [RTPStart] = []

    /// Packets that were no RTP, or of a media that is not there.
    package var invalid: Int { counts.invalid }
    /// Packets larger than a datagram that could not be cut up: they are passed on, for readers over TCP.
    package var oversized: Int { counts.oversized }
    /// Packets that were cut up.
    package var refragmented: Int { counts.refragmented }

    /// - Parameters:
    ///   - seed: SSRCs, first numbers and first timestamps come from it.
    ///   - continuing: what the publisher before left; its readers then see no break.
    package init(description: StreamDescription, seed: UInt64, continuing: RTPContinuity? = nil) {
        self.description = description
        self.continuing = continuing
        var random = RTPRandom(seed: seed)
        canonicalName = continuing?.canonicalName ?? random.next()
        let lead = description.media.firstIndex { $0.kind == "video" && !$0.isBackChannel } ?? 0
        lanes = description.media.enumerated().map { index, media in
            let numbers = random.next()
            let ssrc = UInt32(truncatingIfNeeded: random.next())
            return ForwardingLane(
                media,
                index: index,
                isLead: index == lead,
                ssrc: continuing?[index]?.ssrc ?? ssrc,
                sequenceNumber: continuing?[index]?.sequenceNumber ?? UInt16(truncatingIfNeeded: numbers),
                timestamp: UInt32(truncatingIfNeeded: numbers >> 32)
            )
        }
    }

    /// Parameter sets for key frames that have none of their own: readers that were told others need them. Nil: none any more.
    package mutating func insertsParameterSets(_ parameters: VideoParameters?) {
        parameterSets = parameters.flatMap {
            $0.codec.hasNALUnits ? ParameterSets(codec: $0.codec, units: $0.lengthPrefixedSets) : nil
        }
    }

    /// Appends the packet, or holds it back, or appends it behind those that were held back.
    package mutating func forward(
        _ packet: RawSpan,
        media: Int,
        now: NIODeadline,
        into buffer: inout ByteBuffer
    ) -> ForwardedUnit {
        let before = buffer.writerIndex
        var unit = ForwardedUnit(
            media: media,
            byteCount: 0,
            startsAccessUnit: false,
            isRandomAccess: false,
            endsAccessUnit: false,
            time: time
        )
        guard lanes.indices.contains(media), packet.byteCount <= 0xFFFF, !RTPPacket.isRTCP(packet),
            let header = RTPPacket(packet)
        else {
            counts.invalid &+= 1
            return unit
        }
        let epoch = begin(now)
        let verdict = lanes[media].receive(header, packet, now: now, epoch: epoch)
        time = max(time, lanes[media].milliseconds)
        unit.time = time
        guard case .append(let startsAccessUnit, let isRandomAccess) = verdict else { return unit }
        if isRandomAccess { randomAccessStarts = starts(with: header, of: media, now: now) }
        lanes[media].append(
            header,
            packet,
            startsAccessUnit: startsAccessUnit,
            parameterSets: isRandomAccess ? parameterSets : nil,
            counts: &counts,
            into: &buffer
        )
        unit.byteCount = buffer.writerIndex &- before
        unit.startsAccessUnit = startsAccessUnit
        unit.isRandomAccess = isRandomAccess
        unit.endsAccessUnit = header.marker
        return unit
    }

    /// The first packet fixes the timestamps of all medias.
    private mutating func begin(_ now: NIODeadline) -> NIODeadline {
        if let epoch { return epoch }
        epoch = now
        if let continuing {
            let start = continuing.resumption(now)
            for index in lanes.indices {
                guard let source = continuing[index] else { continue }
                lanes[index].continueTimestamps(from: source.timestamp(at: start))
            }
        }
        return now
    }

    private func starts(with header: RTPPacket, of media: Int, now: NIODeadline) -> [RTPStart] {
        let lead = lanes[media].start(of: header)
        return lanes.indices.map { index in
            guard index != media else { return lead }
            let timestamp = lanes[index].timestamp(besides: lead.timestamp, of: lanes[media])
            return RTPStart(
                sequenceNumber: lanes[index].next,
                timestamp: timestamp ?? lanes[index].timestamp(at: now, epoch: epoch ?? now)
            )
        }
    }

    /// Where each media's next packet begins: its number, and the timestamp that belongs to `now`.
    package func starts(now: NIODeadline) -> [RTPStart] {
        lanes.map {
            RTPStart(sequenceNumber: $0.next, timestamp: $0.timestamp(at: now, epoch: epoch ?? now))
        }
    }

    /// The SSRC of each media, for SETUP answers; the same for all readers.
    package var sources: [UInt32] { lanes.map(\.sender.ssrc) }

    /// For the next publisher of the stream.
    package var continuity: RTPContinuity {
        guard let epoch else { return continuing ?? RTPContinuity(canonicalName: canonicalName) }
        var continuity = RTPContinuity(canonicalName: canonicalName)
        for lane in lanes {
            let time = lane.latest ?? epoch
            continuity.append(
                RTPContinuity.Source(
                    ssrc: lane.sender.ssrc,
                    sequenceNumber: lane.next,
                    timestamp: lane.timestamp(at: time, epoch: epoch),
                    time: time,
                    clockRate: lane.clockRate
                )
            )
        }
        return continuity
    }

    /// A publisher's own sender report: `ntp` and `rtpTimestamp` as it wrote them; `ssrc`, when it is known, keeps reports of another
    /// source out.
    package mutating func takeSenderReport(
        media: Int,
        ntp: UInt64,
        rtpTimestamp: UInt32,
        ssrc: UInt32? = nil,
        now: NIODeadline
    ) {
        // Encoders without a clock send 0.
        guard lanes.indices.contains(media), ntp >> 32 != 0 else { return }
        lanes[media].report = PublisherReport(
            ssrc: ssrc,
            wallClock: WallClock(ntp: ntp),
            timestamp: rtpTimestamp,
            time: now
        )
    }

    /// Appends a sender report and the canonical name for each media that has sent packets, on its RTCP channel.
    ///
    /// They are in the time of our wall clock. Where the publisher's own reports say how all of its medias belong together, its clock
    /// is moved by one distance for all of them; else the arrival of the latest packet counts, for all. Either is kept until it is
    /// off by half a second.
    /// - Parameter lead: the reports are about a moment so much before now.
    package mutating func appendSenderReports(
        now: NIODeadline,
        wallClock: WallClock,
        lead: TimeAmount = .nanoseconds(0),
        into buffer: inout ByteBuffer
    ) {
        let moment = WallClock(nanoseconds: wallClock.nanoseconds &- lead.nanoseconds)
        // One media in the publisher's time and another in that of arrival would be as far apart as the network is slow.
        let isReported = lanes.allSatisfy { $0.sender.packetCount == 0 || $0.validReport != nil }
        for index in lanes.indices {
            guard let latest = lanes[index].latest, lanes[index].sender.packetCount > 0 else { continue }
            let timestamp: UInt32
            if isReported, let report = lanes[index].validReport, let delta = delta(of: report, now: now, wallClock) {
                let reported = report.wallClock.nanoseconds &+ delta
                timestamp =
                    report.timestamp &+ lanes[index].timestampShift
                    &+ RTPTicks.ticks(
                        ofNanoseconds: moment.nanoseconds &- reported,
                        clockRate: lanes[index].clockRate
                    )
            } else {
                let arrival = WallClock(nanoseconds: wallClock.nanoseconds &- (now - latest).nanoseconds)
                let rate = lanes[index].clockRate
                lanes[index].anchor.observe(lanes[index].time, clockRate: rate, at: arrival)
                let time = lanes[index].anchor.time(at: moment, clockRate: rate)
                timestamp = UInt32(truncatingIfNeeded: time) &+ lanes[index].timeBase
            }
            RTCPPacket.appendSenderReport(
                of: lanes[index].sender,
                ntp: moment.ntp,
                timestamp: timestamp,
                canonicalName: canonicalName,
                into: &buffer
            )
        }
    }

    /// How far our clock is ahead of the publisher's, in nanoseconds: one number for all medias. Nil for a report of a clock of its own.
    private mutating func delta(of report: PublisherReport, now: NIODeadline, _ wallClock: WallClock) -> Int64? {
        let received = wallClock.nanoseconds &- (now - report.time).nanoseconds
        let own = received &- report.wallClock.nanoseconds
        guard let known = clockDelta else {
            clockDelta = own
            return own
        }
        if (own &- known).magnitude <= UInt64(RTPReportAnchor.largestDrift) { return known }
        // The lead's clock was set; another media's differs.
        guard lanes.first(where: { $0.isLead })?.report?.time == report.time else { return nil }
        clockDelta = own
        return own
    }

    /// Appends a BYE for each media.
    package func appendGoodbye(into buffer: inout ByteBuffer) {
        for lane in lanes {
            RTCPPacket.appendGoodbye(of: lane.sender, canonicalName: canonicalName, into: &buffer)
        }
    }
}

/// What a publisher said of its time.
struct PublisherReport: Sendable {
    var ssrc: UInt32?
    var wallClock: WallClock
    /// In its own numbers.
    var timestamp: UInt32
    var time: NIODeadline
}
